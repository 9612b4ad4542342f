"""Least-squares scales: alternate between v, by any solver at a fixed α, and α, in closed form."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from qproj.projections import LinearProjection
from qproj.solvers.contract import EndedBy, Ending, Request, Solution

if TYPE_CHECKING:
    from qproj.solvers.adapter import Adapter

#: Rounds of v and α; each lowers the objective or ends the alternation.
MAX_ROUNDS = 8


def alternate(solver: Adapter, problem: LinearProjection, ask: Request) -> Solution:
    """Return a local minimiser of Σ a (α x·v − t)² over v and α: a heuristic, without a bound but 0.

    Starts from α of signSGD's direction sign(Xᵀ(a t)); ends when a round does not lower the objective.
    """
    start = np.where(problem._x.T @ (problem.weights * problem.t) >= 0, 1, -1)
    best: Solution | None = None
    v = start if ask.hint is None else ask.hint
    for round_number in range(MAX_ROUNDS):
        limit = None if ask.deadline is None else (ask.deadline - time.perf_counter()) / (MAX_ROUNDS - round_number)
        if limit is not None and limit <= 0:
            break
        alpha = problem.best_scale(v) or 1.0
        fixed = problem.with_scale(alpha)
        inner = solver.solve(fixed, time_limit_s=limit, seed=ask.seed, num_reads=ask.num_reads)
        if inner.best is None:
            return inner
        if best is not None and problem.gain(inner.best) <= problem.gain(best.best):  # type: ignore[arg-type]
            break
        best, v = inner, inner.best
    if best is None or best.best is None:
        raise RuntimeError("the alternation ended before its first round")
    gain = problem.gain(best.best)
    objective = problem.objective_of_gain(gain)
    proved = problem.meets_bound(best.best)
    return replace(
        best,
        gain=gain,
        objective=objective,
        gain_bound=problem.gain_bound,
        bound=problem.trivial_bound,
        gap_scale=problem.gap_scale(objective),
        ending=Ending.PROVED if proved else Ending.STOPPED,
        ended_by=EndedBy.PROOF if proved else EndedBy.BUDGET,
        message="alternating between v and a least-squares α: a heuristic, bounded by 0 alone",
    )
