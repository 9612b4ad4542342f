"""Descent in v after any solver: what its reads are worth once no single weight can improve them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qproj.projections import SignProjection
from qproj.solvers import Adapter, Capabilities, Found, Request, Solution
from qproj.solvers.contract import MissingPackageError


class Polished(Adapter):
    """The best of a solver's candidates after steepest single-flip descent on the true gain.

    Takes sign projections; its null model is ``Polished(get_solver("random"))`` with as many reads. Descent moves in v
    (one member of a column class), never in slack variables.

    Parameters
    ----------
    solver : Solver
        Its candidates are polished, each on its own.
    """

    name: ClassVar[str] = "polished"

    def __init__(self, solver: Any) -> None:
        if not callable(getattr(solver, "solve", None)):
            raise TypeError(f"{type(solver).__name__} is no solver; make it first: Polished(qproj.get_solver('sa'))")
        if "projection" not in solver.capabilities.forms:
            raise TypeError(
                f"{type(solver).__name__} does not take projections; polish 'sa', 'sqa', 'tabu' or 'random'"
            )
        self.solver = solver
        self.name = f"polished({getattr(solver, 'name', type(solver).__name__)})"  # type: ignore[misc]
        self.capabilities: Capabilities = dataclasses.replace(solver.capabilities, forms=frozenset({"projection"}))

    def check(self, problem: Any, ask: Request) -> None:
        """Refuse projections whose gain is not a weighted step."""
        if not isinstance(problem, SignProjection):
            raise TypeError(f"polished takes sign projections, not {type(problem).__name__}; use the solver itself")

    def build(self, problem: Any, ask: Request) -> SignProjection:
        return problem  # type: ignore[no-any-return]

    def call(self, model: SignProjection, ask: Request) -> tuple[Solution, NDArray[Any]]:
        limits: dict[str, Any] = {"seed": ask.seed}
        if ask.deadline is not None:  # most of the time belongs to the sampler
            limits["time_limit_s"] = max(0.8 * (ask.deadline - time.perf_counter()), 1e-3)
        if ask.num_reads is not None:
            limits["num_reads"] = ask.num_reads
        if ask.hint is not None:
            limits["hint"] = ask.hint
        child = self.solver.solve(model, **limits)
        return child, polish(model, child.candidates)

    def decode(self, raw: tuple[Solution, NDArray[Any]], problem: Any) -> Found:
        child, polished = raw
        both = np.concatenate([polished, np.asarray(child.candidates).reshape(-1, problem.num_variables)])
        return Found(
            both,
            child.ending,
            child.ended_by,
            gain_bound=child.gain_bound,
            sampleset=child.sampleset,
            message=child.message,
            stats={**child.stats, "gain_before_descent": child.gain},
        )


def polish(problem: SignProjection, candidates: Sequence[NDArray[Any]] | NDArray[Any]) -> NDArray[np.int8]:
    """Return every candidate, (k, d), after steepest descent on the true gain."""
    try:
        from qproj.solvers.builtin.kernels.descent import descend
    except ImportError as error:
        raise MissingPackageError(f"descent needs numba ({error}); pip install numba") from error
    merged = problem.aggregated
    V = np.asarray(candidates, np.int8).reshape(-1, problem.num_weights)
    if not len(V) or not len(merged.tau):
        return V
    starts = merged.columns.counts_from_weights(V)
    scale = float(np.abs(merged.tau).max())
    found = descend(merged.A, merged.columns.sizes, merged.tau / scale, starts)
    return merged.columns.weights_from_counts(found.counts)


__all__ = ["Polished", "polish"]
