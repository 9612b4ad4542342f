"""What `auto` does with plain models and with projections that are quadratic in the weights."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from qproj.solvers import EndedBy, Ending, Found, MissingPackageError, Request, get_solver
from qproj.solvers.builtin.samplers import SimulatedAnnealing

#: Without a time limit, CP-SAT gets models of up to this many variables, which it proves in about a second.
SMALL = 32
#: Annealing's reads before CP-SAT, and the share of a time limit that they get at most.
READS = 100
HEURISTIC_SHARE = 0.25


def solve_model(problem: Any, ask: Request) -> Found:
    """Return argmin of a BQM, a CQM, a linear or a metric projection: annealing, then CP-SAT from its incumbent."""
    if problem.kind == "cqm":
        return _found(get_solver("cpsat").solve(problem, time_limit_s=_left(ask), seed=ask.seed))
    annealed = SimulatedAnnealing().solve(
        problem, time_limit_s=_left(ask, HEURISTIC_SHARE), seed=ask.seed, num_reads=READS
    )
    candidates = np.asarray(annealed.candidates)[:1]
    if ask.hint is not None:
        candidates = np.concatenate([candidates, np.asarray(ask.hint)[None, :]])
        candidates = candidates[[int(np.argmax(problem.gain(candidates)))]]
    heuristic = Found(candidates, Ending.STOPPED, annealed.ended_by)
    if not problem.num_variables:  # the empty assignment is the only one
        return Found(candidates, Ending.PROVED, EndedBy.PROOF)
    if problem.meets_bound(candidates[0]) or (ask.deadline is None and problem.num_variables > SMALL):
        return heuristic
    left = _left(ask)
    if left is not None and left < 1e-3:
        return heuristic
    try:
        exact = get_solver("cpsat")
    except MissingPackageError:
        return heuristic
    solution = exact.solve(problem, time_limit_s=left, seed=ask.seed, hint=candidates[0])
    found = _found(solution)
    return Found(
        np.concatenate([candidates, np.asarray(found.candidates).reshape(-1, candidates.shape[1])]),
        found.ending,
        found.ended_by,
        gain_bound=found.gain_bound,
        message=found.message,
        stats=found.stats,
    )


def _found(solution: Any) -> Found:
    return Found(
        np.asarray(solution.candidates),
        solution.ending,
        solution.ended_by,
        gain_bound=solution.gain_bound,
        message=solution.message,
        stats=dict(solution.stats),
    )


def _left(ask: Request, share: float = 1.0) -> float | None:
    if ask.deadline is None:
        return None
    return max(share * (ask.deadline - time.perf_counter()), 1e-3)
