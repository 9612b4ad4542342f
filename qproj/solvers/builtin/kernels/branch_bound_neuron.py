"""One neuron as branch and bound sees it: integer weights, signs turned so that every row asks for a sum above 0."""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.kernels.scoring import CountArray

_TOTAL = 2.0**50  # Σ of the integer weights: int64 sums of them are exact, and so is their conversion to float64


@dataclass(frozen=True, eq=False)
class Found:
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
        """Return what counts (C,) lose."""
        return int(lost_weight(self.A, self.up, np.arange(len(c)), self.sizes, self.weights, c))

    def upper_bound(self, lost: int) -> float:
        """Return Σ|τ| − 2·lost, rounded up by what integer weights may be off."""
        error = (2 * len(self.weights) + 4) * self.unit + 4 * np.finfo(np.float64).eps * self.total
        return float(self.total - 2.0 * lost * self.unit + error)


def gain_of(A: NDArray[Any], M: CountArray, tau: FloatArray, c: CountArray) -> float:
    """Return Σ_g tau_g σ(Σ_j A[g, j] (2c_j − M_j)); real rows are summed as `SignProjection` defines it."""
    up = (A * (2 * c - M)).sum(axis=1) >= 0
    return float(np.where(up, tau, -tau).sum())


@nb.njit(cache=True, nogil=True)
def lost_weight(rows, up, order, sizes, weights, c):
    """What counts c lose; c[j] belongs to column order[j] of the rows, whose terms are added in their own order."""
    terms = np.empty(c.size, rows.dtype)
    lost = 0
    for g in range(weights.size):
        for j in range(c.size):
            terms[order[j]] = rows[g, order[j]] * (2 * c[j] - sizes[j])
        lost += weights[g] if (row_sum(terms) >= 0) != up[g] else 0
    return lost


@nb.njit(cache=True, nogil=True)
def row_sum(terms):
    """Σ terms, added in the order in which numpy adds a row: real sums near 0 depend on it."""
    n = terms.size
    if n < 8:
        total = terms.dtype.type(0)
        for j in range(n):
            total += terms[j]
        return total
    if n > 128:
        half = n // 2
        half -= half % 8
        return row_sum(terms[:half]) + row_sum(terms[half:])
    r = terms[:8].copy()
    whole = n - n % 8
    for j in range(8, whole, 8):
        for i in range(8):
            r[i] += terms[j + i]
    total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
    for j in range(whole, n):
        total += terms[j]
    return total


__all__ = ["Found", "Neuron", "gain_of", "lost_weight", "row_sum"]
