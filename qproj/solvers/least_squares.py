"""Least-squares scales: alternate between v, by any solver at a fixed α, and α, in closed form."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from qproj.solvers.contract import Request, Solution, Termination

#: Rounds of v and α; each lowers the objective or ends the alternation.
MAX_ROUNDS = 8


def alternate(solver: Any, problem: Any, request: Request) -> Solution:
    """Return a local minimiser of Σ a (α x·v − t)² over v and α: a heuristic, without a bound but 0.

    It starts from the α of the direction sign(Xᵀ(a t)), and ends when a round does not lower the objective.
    """
    best: Solution | None = None
    v = np.where(problem.linear_direction() >= 0, 1, -1) if request.hint is None else request.hint
    for round_number in range(MAX_ROUNDS):
        limit = None
        if request.deadline is not None:
            limit = (request.deadline - time.perf_counter()) / (MAX_ROUNDS - round_number)
            if limit <= 0:
                break
        fixed = problem.with_scale(problem.best_scale(v) or 1.0)
        inner: Solution = solver.solve(fixed, time_limit_s=limit, seed=request.seed, num_reads=request.num_reads)
        if inner.best is None:
            return inner
        if best is not None and problem.gain(inner.best) <= problem.gain(best.best):
            break
        best, v = inner, inner.best
    if best is None or best.best is None:
        raise RuntimeError("the alternation ended before its first round")
    gain = problem.gain(best.best)
    objective = problem.objective_of_gain(gain)
    return replace(
        best,
        gain=gain,
        objective=objective,
        gain_bound=problem.gain_bound,
        bound=problem.trivial_bound,
        gap_scale=problem.gap_scale(objective),
        termination=Termination.PROVED if problem.meets_bound(best.best) else Termination.BUDGET,
        message="alternating between v and a least-squares α: a heuristic, bounded by 0 alone",
    )
