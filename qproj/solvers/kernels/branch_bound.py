"""Depth-first branch and bound over the column counts of one neuron: exact, with a valid bound whenever it stops.

A row is decided once no choice of the counts that are left can change its sign; what it costs then is lost for the
whole subtree. Σ|τ| − 2·lost bounds every gain below a node, and a node that cannot beat the incumbent is cut off. All
weights are integers here, so that sums are exact: rounding |τ| moves a gain by less than a float64 sum of Σ|τ| does,
and `upper_bound` contains it.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.kernels.descent import CountArray

_TOTAL = 2.0**50  # Σ of the integer weights: int64 sums of them are exact, and so is their conversion to float64
_CHUNK = 1 << 15  # nodes between two looks at the clock


@dataclass(frozen=True, eq=False)
class BranchBoundResult:
    """The best counts of one neuron and what is proved about them.

    Attributes
    ----------
    c : (C,) int64
    gain : float
        Σ_g τ_g σ(z_g) of c.
    upper_bound : float
        No counts gain more; equal to `gain` up to rounding where proved.
    nodes : int
        Count vectors, partial ones included, whose bound was computed.
    proved : bool
        The whole tree was searched or cut off: c is optimal up to the rounding of a float64 sum of Σ|τ|.
    """

    c: CountArray
    gain: float
    upper_bound: float
    nodes: int
    proved: bool


def branch_bound(
    A: NDArray[Any],
    M: CountArray,
    tau: FloatArray,
    *,
    incumbent: CountArray | None = None,
    node_limit: int | None = None,
    deadline: float | None = None,
    threads: int = 1,
) -> BranchBoundResult:
    """Return argmax over integer 0 ≤ c ≤ M of Σ_g tau_g σ(Σ_j A[g, j] (2c_j − M_j)), σ(0) = +1.

    Parameters
    ----------
    A : (U, C) int8 or float64
        Rows: ±1, or real (their sums are taken in float64, in the order of the columns).
    M : (C,) int64
        Members of each column class, ones for plain columns.
    tau : (U,) float64
        Finite targets.
    incumbent : (C,) int64, optional
        Counts to beat; returned where nothing is better. Default: signSGD's direction.
    node_limit : int, optional
        The work budget; ended by it, the result is the same whatever the machine.
    deadline : float, optional
        `time.perf_counter()` instant at which to stop.
    threads : int
        Used where there is no node limit.

    Returns
    -------
    BranchBoundResult

    Raises
    ------
    ValueError
        Shapes that do not fit, or an incumbent outside 0 ≤ c ≤ M.
    """
    U, C = A.shape
    M = np.asarray(M, np.int64)
    if M.shape != (C,) or tau.shape != (U,):
        raise ValueError(f"A {A.shape}, M {M.shape}, tau {tau.shape}: pass A (U, C), M (C,), tau (U,)")
    best = np.where(tau @ A > 0, M, 0) if incumbent is None else np.array(incumbent, np.int64)
    if best.shape != (C,) or (best < 0).any() or (best > M).any():
        raise ValueError(f"incumbent {best.tolist()}: pass (C,) counts between 0 and M = {M.tolist()}")
    tree = _Tree.of(A, M, tau)
    search = tree.search(best, node_limit, deadline)
    found = tree.counts_of(search.best)
    gains = [gain_of(A, M, tau, best), gain_of(A, M, tau, found)]
    pick = int(gains[1] > gains[0])
    bound = max(tree.upper_bound(search.open_lost), gains[pick])
    return BranchBoundResult((best, found)[pick], gains[pick], bound, search.nodes, search.done)


def gain_of(A: NDArray[Any], M: CountArray, tau: FloatArray, c: CountArray) -> float:
    """Return Σ_g tau_g σ(Σ_j A[g, j] (2c_j − M_j)); real rows are summed as `SignProjection` defines it."""
    up = (A * (2 * c - M)).sum(axis=1) >= 0
    return float(np.where(up, tau, -tau).sum())


@dataclass(frozen=True, eq=False)
class _Found:
    best: CountArray  # in the tree's order of classes
    nodes: int
    done: bool
    open_lost: int  # what is lost at least in every leaf that is not refuted


@dataclass(frozen=True, eq=False)
class _Tree:
    """A neuron with τ > 0 in every row: sums s_g > 0 are met; classes in the order of branching."""

    columns: NDArray[Any]  # (C, G): what one unit of u_j = 2c_j − M_j adds to every row
    sizes: CountArray
    start: NDArray[Any]  # (G,) sums before any class is fixed
    left: NDArray[Any]  # (C + 1, G): the most that classes from j on can still change a row by
    weights: NDArray[np.int64]  # (G,) |τ| in integers
    order: NDArray[np.intp]
    rows: NDArray[Any]  # (G, C) as given, to decide real rows that are too near 0 for `left`
    up: NDArray[np.bool_]  # (G,) τ > 0
    total: float  # Σ|τ|
    unit: float  # |τ| of one integer step

    @classmethod
    def of(cls, A: NDArray[Any], M: CountArray, tau: FloatArray) -> _Tree:
        size = np.abs(tau)
        total = math.fsum(size.tolist())
        # a power of two divides without rounding, and subnormal totals have no unit to divide by
        largest = math.frexp(float(size.max(initial=0.0)))[1]
        unit = math.fsum(np.ldexp(size, -largest).tolist()) / _TOTAL
        weights = np.rint(np.ldexp(size, -largest) / (unit or 1.0)).astype(np.int64)
        unit = math.ldexp(unit, largest)
        rows = np.argsort(-weights, kind="stable")[: int(np.count_nonzero(weights))]
        sign = np.where(tau[rows] > 0, 1, -1)
        pull = np.abs((size[rows] * sign) @ A[rows]) * M
        order = np.lexsort((-pull, -M))
        real = A.dtype.kind == "f"
        B = (A[rows] * sign[:, None])[:, order].astype(np.float64 if real else np.int32)
        columns = np.ascontiguousarray(B.T)
        sizes = M[order]
        reach = np.abs(columns) * sizes[:, None]
        left = np.zeros((len(sizes) + 1, len(rows)), columns.dtype)
        left[:-1] = np.cumsum(reach[::-1], axis=0)[::-1]
        if real:
            # sums in another order differ by less than `slack`: a row that close is never called lost
            slack = 4.0 * (len(sizes) + 2) * np.finfo(np.float64).eps * left[0]
            left = left + slack
            start = np.zeros(len(rows))
        else:
            # σ(0) = +1: an even sum is met from 0 on, or from −2 on where τ < 0; shifted by one it is odd
            start = np.where(sign > 0, 1, -1) * (1 - int(M.sum()) % 2)
            start = start.astype(np.int32)
        return cls(columns, sizes, start, left, weights[rows], order, A[rows].astype(B.dtype), sign > 0, total, unit)

    def counts_of(self, c: CountArray) -> CountArray:
        counts = np.empty_like(c)
        counts[self.order] = c
        return counts

    def upper_bound(self, lost: int) -> float:
        """Return Σ|τ| − 2·lost, rounded up by what integer weights may be off."""
        error = (2 * len(self.weights) + 4) * self.unit + 4 * np.finfo(np.float64).eps * self.total
        return float(self.total - 2.0 * lost * self.unit + error)

    def search(self, best: CountArray, node_limit: int | None, deadline: float | None) -> _Found:
        C, G = self.columns.shape
        sums = np.empty((C + 1, G), self.columns.dtype)
        sums[0] = self.start
        most = int(self.sizes.max(initial=0)) + 1
        order = np.zeros((C + 1, most), np.int64)
        costs = np.zeros((C + 1, most), np.int64)
        place = np.full(C + 1, -1, np.int64)
        current = best[self.order].copy()
        exact = (self.rows, self.up, self.order)
        value = np.array([_lost(*exact, self.sizes, self.weights, current), 0])
        kept = current.copy()
        state = (order, costs, place, sums, current, kept, value)
        done, nodes = False, 0
        while not done:
            room = _CHUNK if node_limit is None else min(_CHUNK, node_limit - nodes)
            if room <= 0 or (deadline is not None and time.perf_counter() >= deadline):
                break
            done = bool(_advance(self.columns, self.sizes, self.left, self.weights, exact, room, *state))
            nodes = int(value[1])
        open_lost = int(value[0])
        if not done:
            open_lost = min(open_lost, int(_open_cost(self.sizes, order, costs, place)))
        return _Found(kept, nodes, done, open_lost)


@nb.njit(cache=True, nogil=True)
def _lost(rows, up, order, sizes, weights, c):
    """What counts c (in the tree's order) lose, from sums in the definition's order."""
    terms = np.empty(c.size, rows.dtype)
    lost = 0
    for g in range(weights.size):
        for j in range(c.size):
            terms[order[j]] = rows[g, order[j]] * (2 * c[j] - sizes[j])
        lost += weights[g] if (_sum(terms) >= 0) != up[g] else 0
    return lost


@nb.njit(cache=True, nogil=True)
def _sum(terms):
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
        return _sum(terms[:half]) + _sum(terms[half:])
    r = terms[:8].copy()
    whole = n - n % 8
    for j in range(8, whole, 8):
        for i in range(8):
            r[i] += terms[j + i]
    total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
    for j in range(whole, n):
        total += terms[j]
    return total


@nb.njit(cache=True, nogil=True)
def _advance(columns, sizes, left, weights, exact, room, order, costs, place, sums, current, kept, value):
    """Go on with the search for about `room` nodes; tell whether it has ended."""
    C = sizes.size
    limit = value[1] + room
    k = 0
    while k < C and place[k] >= 0:
        k += 1
    if place[0] < 0:
        if C == 0:
            return True
        value[1] += _expand(columns, sizes, left, weights, order, costs, sums, 0)
        place[0] = 0
        k = 1
    k -= 1
    while k >= 0:
        if place[k] > sizes[k] or costs[k, place[k]] >= value[0]:
            place[k] = -1
            k -= 1
            if k >= 0:
                place[k] += 1
            continue
        c = order[k, place[k]]
        current[k] = c
        if k == C - 1:
            # cheap sums may leave a real row undecided; only the definition's order may refute or accept a leaf
            lost = _lost(exact[0], exact[1], exact[2], sizes, weights, current)
            if lost < value[0]:
                value[0] = lost
                kept[:] = current
            place[k] += 1
            continue
        if value[1] >= limit:
            return False
        u = 2 * c - sizes[k]
        for g in range(weights.size):
            sums[k + 1, g] = sums[k, g] + columns[k, g] * u
        k += 1
        value[1] += _expand(columns, sizes, left, weights, order, costs, sums, k)
        place[k] = 0
    return True


@nb.njit(cache=True, nogil=True)
def _expand(columns, sizes, left, weights, order, costs, sums, k):
    """Compute the cost of every value of class k and sort them, cheapest first; return how many there are."""
    for c in range(sizes[k] + 1):
        u = 2 * c - sizes[k]
        lost = 0
        for g in range(weights.size):
            lost += weights[g] if sums[k, g] + columns[k, g] * u + left[k + 1, g] < 0 else 0
        i = c
        while i > 0 and costs[k, i - 1] > lost:
            costs[k, i], order[k, i] = costs[k, i - 1], order[k, i - 1]
            i -= 1
        costs[k, i], order[k, i] = lost, c
    return sizes[k] + 1


@nb.njit(cache=True, nogil=True)
def _open_cost(sizes, order, costs, place):
    """The least cost of a node that was neither expanded nor cut off."""
    least = np.iinfo(np.int64).max
    for k in range(sizes.size):
        if place[k] < 0:
            break
        for i in range(place[k], sizes[k] + 1):
            least = min(least, costs[k, i])
    return least if place[0] >= 0 else 0


__all__ = ["BranchBoundResult", "branch_bound"]
