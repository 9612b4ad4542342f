"""One neuron as branch and bound takes it: integer weights, and rows that ask for a sum above 0 once turned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.kernels.scoring import CountArray

_TOTAL = 2.0**50  # Σ of the integer weights: int64 sums of them are exact, and so is their conversion to float64


@dataclass(frozen=True, eq=False)
class TreeOutcome:
    """What a search knows when it ends.

    Attributes
    ----------
    c : (C,) int64
        The best counts.
    lost : int
        Their cost: integer weights of the rows that are not met.
    open_lost : int
        No counts cost less.
    nodes : int
    done : bool
        Nothing is left to search: then open_lost equals lost.
    """

    c: CountArray
    lost: int
    open_lost: int
    nodes: int
    done: bool


@dataclass(frozen=True, eq=False)
class Neuron:
    """Rows with τ ≠ 0 (beyond rounding), heaviest first.

    Attributes
    ----------
    A : (G, C) int32 or float64
        Rows as given.
    sizes : (C,) int64
    up : (G,) bool
        τ > 0: the row is met where its sum is ≥ 0; else where it is below.
    weights : (G,) int64
        |τ| in units of `unit`.
    total : float
        Σ|τ| of all rows.
    """

    A: NDArray[Any]
    sizes: CountArray
    up: NDArray[np.bool_]
    weights: NDArray[np.int64]
    total: float
    unit: float

    @classmethod
    def of(cls, A: NDArray[Any], M: CountArray, tau: FloatArray) -> Neuron:
        """Round |τ| to integers that sum to about 2^50."""
        size = np.abs(tau)
        # a power of two divides without rounding, and subnormal totals have no unit to divide by
        largest = math.frexp(float(size.max(initial=0.0)))[1]
        unit = math.fsum(np.ldexp(size, -largest).tolist()) / _TOTAL
        weights = np.rint(np.ldexp(size, -largest) / (unit or 1.0)).astype(np.int64)
        rows = np.argsort(-weights, kind="stable")[: int(np.count_nonzero(weights))]
        return cls(
            A=A[rows].astype(np.float64 if A.dtype.kind == "f" else np.int32),
            sizes=M,
            up=tau[rows] > 0,
            weights=weights[rows],
            total=math.fsum(size.tolist()),
            unit=math.ldexp(unit, largest),
        )

    @property
    def is_real(self) -> bool:
        return bool(self.A.dtype.kind == "f")

    @property
    def turned(self) -> NDArray[Any]:
        """(G, C) rows times the sign of τ."""
        return np.where(self.up[:, None], self.A, -self.A)

    def lost(self, c: CountArray) -> int:
        """Return the integer weights of the rows that counts (C,) do not meet."""
        return int(self.weights[_up(self.A, self.sizes, c) != self.up].sum())

    def upper_bound(self, lost: int) -> float:
        """Return Σ|τ| − 2·lost, rounded up by what integer weights may be off."""
        error = (2 * len(self.weights) + 4) * self.unit + 4 * np.finfo(np.float64).eps * self.total
        return float(self.total - 2.0 * lost * self.unit + error)


def gain_of(A: NDArray[Any], M: CountArray, tau: FloatArray, c: CountArray) -> float:
    """Return Σ_g tau_g σ(Σ_j A[g, j] (2c_j − M_j)); real rows are summed as `SignProjection` defines it."""
    return float(np.where(_up(A, M, c), tau, -tau).sum())


def _up(A: NDArray[Any], M: CountArray, c: CountArray) -> NDArray[np.bool_]:
    """Return whether each row's sum is at least 0; terms are added in numpy's order, from contiguous rows."""
    up: NDArray[np.bool_] = (np.ascontiguousarray(A) * (2 * c - M)).sum(axis=1) >= 0
    return up


__all__ = ["Neuron", "TreeOutcome", "gain_of"]
