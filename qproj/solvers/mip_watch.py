"""What a backend of linear models reports while it runs, in the terms of the problem behind the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj.encodings.linear_model import LinearModel
from qproj.solvers.search_progress import SearchProgress


class LinearWatch:
    """Incumbents and bounds of one search of a linear model, passed on to :class:`SearchProgress`.

    Parameters
    ----------
    progress : SearchProgress
    model : LinearModel
    candidate : callable
        From all N values of the linear model to the problem's assignment.
    trusted : callable
        Whether bounds of this backend count now.
    floor : callable
        The gain below which no bound says anything: that of assignments which earlier rounds excluded.
    """

    def __init__(
        self, progress: SearchProgress, model: LinearModel, candidate: Callable[[FloatArray], Any],
        trusted: Callable[[], bool], floor: Callable[[], float],
    ) -> None:  # fmt: skip
        self.model, self._progress = model, progress
        self._candidate, self._trusted, self._floor = candidate, trusted, floor
        self._last: FloatArray | None = None

    def incumbent(self, values: Any) -> None:
        """Report an assignment of the linear model, (N,); an infeasible one is dropped."""
        self._last = np.array(values, np.float64)
        self._progress.candidates(self._candidate(self._last))

    def bound(self, lowest: float) -> None:
        """Report a valid lower bound on cost·x + offset."""
        if self._trusted() and np.isfinite(lowest):
            self._progress.gain_bound(max(self.model.error - lowest, self._floor()))

    def floating_bound(self, bound: float) -> None:
        """Report a floating-point backend's lower bound on cost·x/scale, less what its tolerances may hide."""
        self.bound(floating_lowest(self.model, self._last, float(bound)))


def floating_lowest(model: LinearModel, values: FloatArray | None, bound: float) -> float:
    """Return the lower bound on cost·x + offset that a floating-point backend's bound on cost·x/scale amounts to.

    1e-6 of the largest coefficient holds reduced costs and pruning, 1e-9 of the sum rounding, the backend's tolerances
    being 1e-9. Backends call 1e20 infinite.
    """
    if not abs(bound) < 1e20:
        return -np.inf
    size = 0.0 if values is None else float(np.abs(model.cost * values).sum())
    return bound * model.scale + model.offset - (1e-6 * model.scale + 1e-9 * size)
