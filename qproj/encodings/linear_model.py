"""Projections and quadratic models as mixed-integer linear models, in arrays: what CP-SAT and MIP solvers are given.

Every model minimises −gain. Rows of a sign projection take the one-sided form of ``constrained`` with one integer
per column class; products of binaries are linearised on the side that their sign needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, vstack

from qproj._arrays import FloatArray, SignArray
from qproj.encodings.rows import Rows
from qproj.encodings.units import dyadic_unit, quantum

#: Kinds of variable: whole because it is declared so, or because the whole ones leave it no other best value.
REAL, WHOLE, IMPLIED = 0, 1, 2

#: Largest Σ|coefficient·value| of a row in whole numbers beside which tolerances of 1e-9 are far below 1.
TAME = 2.0**24
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class LinearModel:
    """min cost·x + offset subject to row_lower ≤ rows·x ≤ row_upper, lower ≤ x ≤ upper.

    The first ``num_own`` variables are the problem's own (in its order; counts of column classes for sign
    projections), the others auxiliary.

    Attributes
    ----------
    lower, upper, cost : (N,) float64
    kinds : (N,) int8
        REAL, WHOLE or IMPLIED.
    rows : (R, N) sparse
    row_lower, row_upper : (R,) float64
        ±inf where one-sided.
    offset : float
    factor, shift : float
        The problem's values are factor·x + shift: spins are 2x − 1.
    error : float
        At most this far is −gain, as the problem computes it, from cost·x + offset.
    complete : callable
        All N values that follow from the own ones, (num_own,).
    """

    lower: FloatArray
    upper: FloatArray
    kinds: NDArray[np.int8]
    cost: FloatArray
    offset: float
    rows: csr_array
    row_lower: FloatArray
    row_upper: FloatArray
    num_own: int
    error: float
    complete: Callable[[FloatArray], FloatArray]
    factor: float = 1.0
    shift: float = 0.0

    @property
    def scale(self) -> float:
        """max|cost|, or 1: backends' tolerances are absolute, so they get cost/scale."""
        return float(np.abs(self.cost).max(initial=0.0)) or 1.0

    @cached_property
    def quantum(self) -> float:
        """Different values of cost·x differ by at least this much; 0 where unknown."""
        whole = (self.kinds[self.cost != 0] != REAL).all()
        return quantum(self.cost) if whole else 0.0

    @property
    def reach(self) -> float:
        """Σ|cost|·max|x|: no value of the objective is farther from the offset."""
        return float((np.abs(self.cost) * np.maximum(np.abs(self.lower), np.abs(self.upper))).sum())

    @property
    def highest_gain(self) -> float:
        """−min(cost·x + offset) within the bounds of the variables alone, rounded up; +inf without bounds."""
        paid = self.cost != 0
        if not self.is_bounded:
            return np.inf
        least = np.minimum(self.cost * self.lower, self.cost * self.upper)[paid]
        terms = np.append(least, self.offset)
        return float(np.nextafter(-math.fsum(terms.tolist()), np.inf)) + _EPS * float(np.abs(terms).sum()) + self.error

    @property
    def is_bounded(self) -> bool:
        """Whether no variable with a cost can grow without limit: backends call 1e20 infinite."""
        paid = self.cost != 0
        return bool((np.abs(self.lower[paid]) < 1e20).all() and (np.abs(self.upper[paid]) < 1e20).all())

    @cached_property
    def is_tame(self) -> bool:
        """Whether tolerances of 1e-9 hide nothing: rows of whole numbers and moderate sums over whole variables.

        Where variables are real, so that nothing is proved beyond tolerances anyway, numbers between 2^-10 and 2^20.
        """
        largest = np.maximum(np.abs(self.lower), np.abs(self.upper))
        sizes = np.abs(self.rows.data)
        if (self.kinds == REAL).any():
            return bool((sizes >= 2.0**-10).all()) and not (abs(self.rows) @ largest > 2.0**20).any()
        return bool((sizes == np.rint(sizes)).all()) and not (abs(self.rows) @ largest > TAME).any()

    def scaled_rows(self) -> tuple[csr_array, FloatArray, FloatArray]:
        """Return (rows, lower, upper), rows times powers of two where their numbers do not suit absolute tolerances.

        Whole numbers up to 2^20 are left as they are; other rows over whole variables get a largest coefficient of
        2^10, beside which tolerances are smaller than what they are widened by; rows with real variables one of 1.
        """
        if not self.rows.nnz:
            return self.rows, self.row_lower, self.row_upper
        largest = abs(self.rows).max(axis=1).toarray().ravel()
        fractional = abs(self.rows - self.rows.copy().astype(np.int64)).max(axis=1).toarray().ravel() > 0
        real = (abs(self.rows) @ (self.kinds == REAL)) > 0
        wanted = np.where(real, 1, np.where(fractional, 11, 21))
        exponent = wanted - np.frexp(np.where(largest > 0, largest, 1.0))[1]
        keep = (largest == 0) | (~fractional & ~real & (exponent > 0)) | (real & (largest == 1.0))
        factor = np.exp2(np.where(keep, 0, exponent))
        return csr_array(self.rows.multiply(factor[:, None])), self.row_lower * factor, self.row_upper * factor

    def no_worse_than(self, values: FloatArray) -> LinearModel:
        """Return the model without values of single variables that cost more than all of `values`, (N,), feasible.

        Where every other variable is at its cheapest bound, one of cost c may still leave its own by what `values` lose
        beside all cheapest bounds, over |c|. Whole variables alone are narrowed, and what is lost is rounded up.
        """
        if not self.is_bounded:
            return self
        least = np.minimum(self.cost * self.lower, self.cost * self.upper)
        paid = self.cost * values
        lost = math.fsum((paid - least).tolist()) + 8.0 * self.error + 4.0 * _EPS * float(np.abs([paid, least]).sum())
        lower, upper = self.lower.copy(), self.upper.copy()
        at = np.flatnonzero((self.kinds != REAL) & (self.cost != 0))
        with np.errstate(over="ignore"):  # of a cost that is next to nothing
            steps = np.floor(lost / np.abs(self.cost[at]) * (1.0 + 1e-9))
        falls = self.cost[at] < 0  # with the variable
        lower[at] = np.where(falls, np.maximum(lower[at], upper[at] - steps), lower[at])
        upper[at] = np.where(falls, upper[at], np.minimum(upper[at], lower[at] + steps))
        return replace(self, lower=lower, upper=upper)

    def with_row(self, coefficients: FloatArray, lower: float) -> LinearModel:
        """Return the model with one row more: coefficients·x ≥ lower."""
        return replace(
            self,
            rows=csr_array(vstack([self.rows, csr_array(coefficients[None, :])], format="csr")),
            row_lower=np.append(self.row_lower, lower),
            row_upper=np.append(self.row_upper, np.inf),
        )

    def excluding(self, own: FloatArray) -> LinearModel:
        """Return the model without one assignment of the own variables, which have to be whole and bounded.

        A binary differs or not, a fixed variable never; a wider integer gets two binaries more, "greater" and "less".
        """
        n, N = self.num_own, len(self.cost)
        low, high = self.lower[:n], self.upper[:n]
        fixed, is_binary = low == high, (low == 0) & (high == 1)
        wide = np.flatnonzero(~fixed & ~is_binary)
        W = len(wide)
        greater, less = N + np.arange(W), N + W + np.arange(W)
        # x − (own + 1 − low)·greater ≥ low;  x + (high − own + 1)·less ≤ high;  Σ (differs) ≥ 1
        rows = np.zeros((2 * W + 1, N + 2 * W))
        at = np.arange(W)
        rows[at, wide] = 1.0
        rows[at, greater] = -(own[wide] + 1.0 - low[wide])
        rows[W + at, wide] = 1.0
        rows[W + at, less] = high[wide] - own[wide] + 1.0
        rows[-1, :n] = np.where(is_binary, np.where(own > 0.5, -1.0, 1.0), 0.0)
        rows[-1, N:] = 1.0
        ones = float((own[is_binary] > 0.5).sum())
        padded = hstack([self.rows, csr_array((self.rows.shape[0], 2 * W))], format="csr") if W else self.rows
        return replace(
            self,
            lower=np.concatenate([self.lower, np.zeros(2 * W)]),
            upper=np.concatenate([self.upper, np.ones(2 * W)]),
            kinds=np.concatenate([self.kinds, np.full(2 * W, WHOLE, np.int8)]),
            cost=np.concatenate([self.cost, np.zeros(2 * W)]),
            rows=csr_array(vstack([padded, csr_array(rows)], format="csr")),
            row_lower=np.concatenate([self.row_lower, low[wide], np.full(W, -np.inf), [1.0 - ones]]),
            row_upper=np.concatenate([self.row_upper, np.full(W, np.inf), high[wide], [np.inf]]),
        )

    @property
    def is_finite(self) -> bool:
        """Whether all own variables are whole, within a range small enough to exclude single assignments."""
        own = slice(self.num_own)
        return bool((self.kinds[own] == WHOLE).all() and (self.upper[own] - self.lower[own] <= 1e6).all())


def linear_of_rows(rows: Rows, *, bits: int = 20) -> LinearModel:
    """Return argmin over counts c and indicators y of −Σ_g τ_g(2y_g − 1), rows with τ = 0 left out.

    ±1 rows, and real rows of small multiples of a power of two, are exact. Other real rows are rounded to `bits` bits
    and relaxed by the error of that and of float64 sums: a valid bound, whose minimiser has to be scored again.
    """
    kept = np.flatnonzero(rows.tau)
    tau, sizes = rows.tau[kept], rows.columns.sizes
    G, C = len(kept), len(sizes)
    q, margin = integer_rows(rows.A[kept], bits)
    total, low = np.abs(q) @ sizes, np.maximum(-q, 0) @ sizes
    # σ = +1 takes z ≥ 0, so q·v ≥ −margin; σ = −1 takes z < 0, so q·v ≤ margin; p = (q·v + total)/2
    half = np.maximum(-((np.maximum(margin, 0) - total) // 2), 0)
    cap = np.minimum((total + margin) // 2, total)
    up = tau > 0
    indicator = csr_array((np.where(up, -half, cap - total).astype(np.float64), (np.arange(G), np.arange(G))), (G, G))
    matrix = csr_array(hstack([csr_array(q.astype(np.float64)), indicator], format="csr"))
    cost = np.concatenate([np.zeros(C), -2.0 * tau])
    A, columns = rows.A[kept], rows.columns

    def complete(counts: FloatArray) -> FloatArray:
        y = signs_of(A, counts[None, :], sizes)[0] > 0
        return np.concatenate([counts, y.astype(np.float64)])

    return LinearModel(
        lower=np.zeros(C + G),
        upper=np.concatenate([columns.sizes.astype(np.float64), np.ones(G)]),
        kinds=np.full(C + G, WHOLE, np.int8),
        cost=cost,
        offset=float(tau.sum()),
        rows=matrix,
        row_lower=np.where(up, -low, -np.inf).astype(np.float64),
        row_upper=np.where(up, np.inf, cap - low).astype(np.float64),
        num_own=C,
        error=4.0 * _EPS * (G + 1) * float(np.abs(tau).sum()),
        complete=complete,
    )


def signs_of(A: NDArray[np.generic], counts: FloatArray, sizes: NDArray[np.int64]) -> SignArray:
    """Return σ(A·(2c − M)), (k, G), of counts (k, C): exact for ±1 rows, in the definition's order for real ones."""
    z = np.stack([(A * (2.0 * c - sizes)).sum(axis=1) for c in counts])
    return np.where(z >= 0, np.int8(1), np.int8(-1))


def better_row(rows: Rows, model: LinearModel, counts: FloatArray) -> LinearModel:
    """Return the model with a row that every assignment better than `counts` meets.

    To gain more, it has to meet the sign of some row that `counts` does not: Σ over those of "met" ≥ 1.
    """
    kept = np.flatnonzero(rows.tau)
    tau = rows.tau[kept]
    unmet = signs_of(rows.A[kept], counts[None, :], rows.columns.sizes)[0] * tau < 0
    row = np.zeros(len(model.cost))
    row[model.num_own :] = np.where(unmet, np.sign(tau), 0.0)
    return model.with_row(row, 1.0 - float((unmet & (tau < 0)).sum()))


def linear_of_quadratic(
    linear: FloatArray, first: NDArray[np.intp], second: NDArray[np.intp], products: FloatArray, offset: float,
    *, spin: bool = False, error: float = 0.0,
) -> LinearModel:  # fmt: skip
    """Return min linear·x + Σ_p products_p·x_first·x_second + offset over x ∈ {0,1}^n, each product a variable.

    A product with a positive coefficient needs z ≥ x + x' − 1 alone, one with a negative z ≤ x and z ≤ x'.
    With `spin`, x stands for (s + 1)/2, and the coefficients are those of x.
    """
    used = np.flatnonzero(products)
    first, second, products = first[used], second[used], products[used]
    n, P = len(linear), len(used)
    z = n + np.arange(P)
    up, down = np.flatnonzero(products < 0), np.flatnonzero(products > 0)
    # rows: x − z ≥ 0 and x' − z ≥ 0 where z is wanted large; z − x − x' ≥ −1 where it is wanted small
    R = 2 * len(up) + len(down)
    at_up, at_down = np.arange(2 * len(up)), 2 * len(up) + np.arange(len(down))
    i = np.concatenate([at_up, at_up, at_down, at_down, at_down])
    j = np.concatenate([first[up], second[up], z[up], z[up], z[down], first[down], second[down]])
    values = np.concatenate([np.ones(2 * len(up)), -np.ones(2 * len(up)), np.ones(len(down)), -np.ones(2 * len(down))])
    cost = np.concatenate([linear, products])

    def complete(x: FloatArray) -> FloatArray:
        return np.concatenate([x, x[first] * x[second]])

    return LinearModel(
        lower=np.zeros(n + P),
        upper=np.ones(n + P),
        kinds=np.concatenate([np.full(n, WHOLE, np.int8), np.full(P, IMPLIED, np.int8)]),
        cost=cost,
        offset=offset,
        rows=csr_array((values, (i, j)), (R, n + P)),
        row_lower=np.concatenate([np.zeros(2 * len(up)), -np.ones(len(down))]),
        row_upper=np.full(R, np.inf),
        num_own=n,
        error=error,
        complete=complete,
        factor=2.0 if spin else 1.0,
        shift=-1.0 if spin else 0.0,
    )


def integer_rows(A: NDArray[np.generic], bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return whole-number rows q (G, C), and a margin per row, (G,), by which their sums tell the real row's sign.

    z < 0 implies q·v ≤ margin, and z ≥ 0 implies q·v ≥ −max(margin, 0). The margin is −1 where the row is a multiple of
    whole numbers that float64 sums exactly: then the signs agree. It is 0 where it is a multiple but for float64
    rounding: then only ties are open. Else the row is rounded to `bits` bits, and the margin holds that too.
    """
    if A.dtype == np.int8:
        return A.astype(np.int64), np.full(len(A), -1)
    q = np.zeros(A.shape, np.int64)
    margin = np.full(len(A), -1)
    for g, row in enumerate(np.asarray(A, np.float64)):
        largest = float(np.abs(row).max(initial=0.0))
        if largest == 0.0:
            continue
        exact = dyadic_unit(row)
        unit = quantum(row)
        if not 0 < exact <= largest < exact * 2.0**bits:
            exact = 0.0
        if not 0 < unit <= largest < unit * 2.0**bits:
            unit = exact or largest / (2**bits - 1)
        q[g] = np.rint(row / unit)
        lost = float(np.abs(row / unit - q[g]).sum()) + 8.0 * _EPS * (len(row) + 1) * float(np.abs(row / unit).sum())
        margin[g] = -1 if exact else int(lost)
    return q, margin
