"""The strategy of `auto` for plain models and for projections that are quadratic in the weights."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from qproj.solvers.builtin.samplers import SimulatedAnnealing
from qproj.solvers.contract import MissingPackageError, Request, Termination
from qproj.solvers.found import Found
from qproj.solvers.registry import get_solver

#: Without a time limit, CP-SAT gets models of up to this many variables, which it proves in about a second.
SMALL = 32
#: Annealing's reads before CP-SAT, and the share of a time limit that they get at most.
READS = 100
HEURISTIC_SHARE = 0.25


def solve_model(problem: Any, request: Request) -> Found:
    """Return argmin of a BQM, a CQM, a linear or a metric projection: annealing, then CP-SAT from its incumbent."""
    listener = None if request.progress is None else request.progress.event
    if problem.kind == "cqm":
        return Found.of(
            get_solver("cpsat").solve(problem, time_limit_s=_left(request), seed=request.seed, on_progress=listener)
        )
    annealed = SimulatedAnnealing().solve(
        problem, time_limit_s=_left(request, HEURISTIC_SHARE), seed=request.seed, num_reads=READS, on_progress=listener
    )
    candidates = np.asarray(annealed.candidates)[:1]
    if request.hint is not None:
        candidates = np.concatenate([candidates, np.asarray(request.hint)[None, :]])
        candidates = candidates[[int(np.argmax(problem.gain(candidates)))]]
    if not problem.num_variables:  # the empty assignment is the only one
        return Found(candidates, Termination.PROVED)
    stopped = Termination.BUDGET if annealed.termination is Termination.PROVED else annealed.termination
    heuristic = Found(candidates, stopped)
    if problem.meets_bound(candidates[0]) or (request.deadline is None and problem.num_variables > SMALL):
        return heuristic
    left = _left(request)
    if left is not None and left < 1e-3:
        return heuristic
    try:
        exact = get_solver("cpsat")
    except MissingPackageError:
        return heuristic
    solution = exact.solve(problem, time_limit_s=left, seed=request.seed, hint=candidates[0], on_progress=listener)
    both = np.concatenate([candidates, np.asarray(solution.candidates).reshape(-1, candidates.shape[1])])
    return Found.of(solution, candidates=both, sampleset=None)


def _left(request: Request, share: float = 1.0) -> float | None:
    if request.deadline is None:
        return None
    return max(share * (request.deadline - time.perf_counter()), 1e-3)
