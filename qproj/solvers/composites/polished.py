"""Descent in v after any solver: the value of its reads once no single weight can improve them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj.projections import SignProjection
from qproj.solvers.composites.composite import SignComposite, child_limits
from qproj.solvers.contract import MissingPackageError, Request
from qproj.solvers.found import Found, solved

#: Share of the time limit that belongs to the child.
CHILD_SHARE = 0.8


class Polished(SignComposite):
    """The best of a solver's candidates after steepest single-flip descent on the true gain.

    Takes sign projections; its null model is ``Polished(get_solver("random"))`` with as many reads. Descent moves in v
    (one member of a column class), never in slack variables.

    Parameters
    ----------
    solver : Solver
        Each of its candidates is polished.
    """

    def __init__(self, solver: Any) -> None:
        super().__init__(solver, "polished")

    def call(self, model: SignProjection, request: Request) -> Found:
        child = solved(self.solver, model, **child_limits(self.solver, request, share=CHILD_SHARE))
        candidates = np.asarray(child.candidates).reshape(-1, model.num_variables)
        stats = {**child.stats, "gain_before_descent": child.gain}
        return Found.of(child, candidates=np.concatenate([polish(model, candidates), candidates]), stats=stats)


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
