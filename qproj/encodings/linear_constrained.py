"""Constrained quadratic models as mixed-integer linear models: products become variables, tied by their bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dimod
import numpy as np
from scipy.sparse import csr_array

from qproj._arrays import FloatArray
from qproj.encodings.linear_model import IMPLIED, REAL, WHOLE, LinearModel, quantum

#: Bits of the smaller factor of a product of two integers.
MAX_PRODUCT_BITS = 24
_EPS = float(np.finfo(np.float64).eps)
_Terms = dict[int, float]


def linear_of_constrained(
    cqm: dimod.ConstrainedQuadraticModel, *, atol: float, rtol: float
) -> tuple[LinearModel, FloatArray, FloatArray]:
    """Return (model, factor, shift): min objective of a CQM, whose values are factor·x + shift, one a variable.

    A constraint counts as met within atol + rtol·|right-hand side|: rows over whole variables are widened by that, so
    that nothing feasible is lost; rows with real variables are kept as they are.

    Raises
    ------
    ValueError
        A product of two integers that both range over more than 2^24 values, or of unbounded variables.
    """
    return _Builder(cqm).model(atol, rtol)


class _Builder:
    """Variables, rows and how auxiliary values follow from earlier ones, gathered expression by expression."""

    def __init__(self, cqm: dimod.ConstrainedQuadraticModel) -> None:
        self.cqm = cqm
        self.place = {label: i for i, label in enumerate(cqm.variables)}
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.kinds: list[int] = []
        self.rows: list[tuple[_Terms, float, float]] = []
        self.follow: list[Callable[[list[float]], float]] = []
        self._products: dict[tuple[int, int], int] = {}
        self._tied: set[tuple[int, str]] = set()
        self._bits: dict[int, list[tuple[int, float]]] = {}
        n = len(self.place)
        self.factor, self.shift = np.ones(n), np.zeros(n)
        for label, i in self.place.items():
            kind = cqm.vartype(label)
            low, high = float(cqm.lower_bound(label)), float(cqm.upper_bound(label))
            if kind is dimod.SPIN:
                low, high, self.factor[i], self.shift[i] = 0.0, 1.0, 2.0, -1.0
            elif kind is dimod.INTEGER:
                low, high = float(np.ceil(low)), float(np.floor(high))
            self._variable(low, high, REAL if kind is dimod.REAL else WHOLE)

    def model(self, atol: float, rtol: float) -> tuple[LinearModel, FloatArray, FloatArray]:
        n = len(self.place)
        objective, offset = self._expression(self.cqm.objective, both=False)
        for label, constraint in self.cqm.constraints.items():
            lhs = constraint.lhs
            numbers = [*lhs.linear.values(), *lhs.quadratic.values(), lhs.offset, constraint.rhs]
            if not np.isfinite(numbers).all():
                raise ValueError(f"constraint {label!r} has a number that is NaN or infinite; all have to be finite")
            terms, constant = self._expression(constraint.lhs, both=True)
            self._constraint(terms, float(constraint.rhs) - constant, constraint.sense.name, atol, rtol, constraint)
        N = len(self.lower)
        objective, offset = self._without_fixed(objective, offset)
        rows = [self._tidy(*row) for row in self.rows]
        cost = np.zeros(N)
        for j, value in objective.items():
            cost[j] = value
        row_of = [r for r, (terms, _, _) in enumerate(rows) for _ in terms]
        column = [j for terms, _, _ in rows for j in terms]
        values = [a for terms, _, _ in rows for a in terms.values()]
        whole = all(self.kinds[j] != REAL for j in objective)
        lower, upper = np.array(self.lower), np.array(self.upper)
        reach = float((np.abs(cost) * np.maximum(np.abs(lower), np.abs(upper))).sum()) + abs(offset)
        follow = list(self.follow)

        def complete(own: FloatArray) -> FloatArray:
            known = own.tolist()
            for rule in follow:
                known.append(rule(known))
            return np.array(known)

        return (
            LinearModel(
                lower=lower,
                upper=upper,
                kinds=np.array(self.kinds, np.int8),
                cost=cost,
                offset=offset,
                rows=csr_array((np.array(values), (row_of, column)), (len(rows), N)),
                row_lower=np.array([low for _, low, _ in rows]),
                row_upper=np.array([high for _, _, high in rows]),
                num_own=n,
                error=4.0 * _EPS * (N + 1) * reach,
                quantum=quantum(cost) if whole else 0.0,
                complete=complete,
            ),
            self.factor,
            self.shift,
        )

    def _without_fixed(self, terms: _Terms, constant: float) -> tuple[_Terms, float]:
        """Move the terms of variables that have one value into the constant."""
        fixed = {j for j in terms if self.lower[j] == self.upper[j]}
        constant += sum(terms[j] * self.lower[j] for j in fixed)
        return {j: a for j, a in terms.items() if j not in fixed}, constant

    def _tidy(self, terms: _Terms, low: float, high: float) -> tuple[_Terms, float, float]:
        """Return a row without fixed variables, divided by a power of two where its coefficients exceed 2^30."""
        left, constant = self._without_fixed(terms, 0.0)
        largest = max((abs(a) for a in left.values()), default=0.0)
        unit = 2.0 ** max(int(np.frexp(largest)[1]) - 30, 0)
        return {j: a / unit for j, a in left.items()}, (low - constant) / unit, (high - constant) / unit

    def _variable(self, low: float, high: float, kind: int) -> int:
        self.lower.append(low)
        self.upper.append(high)
        self.kinds.append(kind)
        return len(self.lower) - 1

    def _expression(self, model: Any, *, both: bool) -> tuple[_Terms, float]:
        """Return the linear form of a quadratic one; `both` ties products from above and from below."""
        terms: _Terms = {}
        constant = float(model.offset)

        def add(j: int, value: float) -> None:
            terms[j] = terms.get(j, 0.0) + value

        for label, bias in model.linear.items():
            i = self.place[label]
            add(i, float(bias) * float(self.factor[i]))
            constant += float(bias) * float(self.shift[i])
        for (u, w), bias in model.quadratic.items():
            i, j, q = self.place[u], self.place[w], float(bias)
            fi, si, fj, sj = (float(x) for x in (self.factor[i], self.shift[i], self.factor[j], self.shift[j]))
            if q == 0.0:
                continue
            for k, a in self._product(i, j, q * fi * fj, both).items():
                add(k, a)
            add(i, q * fi * sj)
            add(j, q * fj * si)
            constant += q * si * sj
        return {j: a for j, a in terms.items() if a != 0.0}, constant

    def _product(self, i: int, j: int, coefficient: float, both: bool) -> _Terms:
        """Return coefficient·x_i·x_j as linear terms."""
        if i == j and self._binary(i):
            return {i: coefficient}
        if not self._binary(i) and not self._binary(j):
            if self._range(i) < self._range(j):
                i, j = j, i
            terms: _Terms = {i: coefficient * self.lower[j]} if self.lower[j] else {}
            for bit, value in self._bits_of(j):
                z = self._tie(bit, i, coefficient * value, both)
                terms[z] = terms.get(z, 0.0) + coefficient * value
            return terms
        bit, other = (i, j) if self._binary(i) else (j, i)
        return {self._tie(bit, other, coefficient, both): coefficient}

    def _tie(self, bit: int, other: int, coefficient: float, both: bool) -> int:
        """Return z = x_bit·x_other, held from the sides that a coefficient to be minimised needs, or from both."""
        key = (bit, other)
        if key not in self._products and self._binary(other) and (other, bit) in self._products:
            key = (other, bit)
        low, high = self.lower[other], self.upper[other]
        if key not in self._products:
            if not (np.isfinite(low) and np.isfinite(high)) or max(abs(low), abs(high)) > 1e15:
                raise ValueError(
                    f"a product with variable {self._name(other)} ranges over {low:g}..{high:g}; products need bounds "
                    "below 1e15: set lower_bound and upper_bound"
                )
            kind = REAL if self.kinds[other] == REAL else IMPLIED
            z = self._variable(min(low, 0.0), max(high, 0.0), kind)
            self._products[key] = z
            self.follow.append(lambda known: known[bit] * known[other])
        z = self._products[key]
        if (both or coefficient < 0) and (z, "above") not in self._tied:
            self._tied.add((z, "above"))
            self.rows.append(({z: 1.0, bit: -high}, -np.inf, 0.0))
            self.rows.append(({z: 1.0, other: -1.0, bit: -low}, -np.inf, -low))
        if (both or coefficient > 0) and (z, "below") not in self._tied:
            self._tied.add((z, "below"))
            if low < 0:
                self.rows.append(({z: 1.0, bit: -low}, 0.0, np.inf))
            self.rows.append(({z: 1.0, other: -1.0, bit: -high}, -high, np.inf))
        return z

    def _bits_of(self, j: int) -> list[tuple[int, float]]:
        """Return (bit, value) of x_j = lower_j + Σ value·bit, the last value keeping the range exact."""
        if j in self._bits:
            return self._bits[j]
        span = self._range(j)
        if self.kinds[j] == REAL or span >= 2.0**MAX_PRODUCT_BITS:
            raise ValueError(
                f"a product with variable {self._name(j)} ranges over {self.lower[j]:g}..{self.upper[j]:g}; one factor "
                f"has to be whole with at most 2^{MAX_PRODUCT_BITS} values: tighten its bounds"
            )
        count = int(span).bit_length()
        values = [float(1 << b) for b in range(count - 1)]
        if count:
            values.append(span - sum(values))
        low = self.lower[j]
        bits: list[tuple[int, float]] = []
        for b, value in enumerate(values):
            bits.append((self._variable(0.0, 1.0, WHOLE), value))
            self.follow.append(lambda known, b=b: _bit(int(known[j] - low), b, values))  # type: ignore[misc]
        row: _Terms = {j: 1.0}
        row.update({bit: -value for bit, value in bits})
        self.rows.append((row, low, low))
        self._bits[j] = bits
        return bits

    def _constraint(self, terms: _Terms, rhs: float, sense: str, atol: float, rtol: float, constraint: Any) -> None:
        slack = atol + rtol * abs(float(constraint.rhs))
        kinds = [self.kinds[j] for j in terms]
        if REAL in kinds:
            low, high = rhs, rhs
        elif all(a.is_integer() for a in terms.values()):
            low, high = float(np.ceil(rhs - slack)), float(np.floor(rhs + slack))
        else:
            low, high = rhs - 0.999 * slack, rhs + 0.999 * slack
        if sense == "Le":
            low = -np.inf
        elif sense == "Ge":
            high = np.inf
        self.rows.append((terms, low, high))

    def _binary(self, i: int) -> bool:
        return self.kinds[i] != REAL and self.lower[i] == 0.0 and self.upper[i] == 1.0

    def _range(self, i: int) -> float:
        return self.upper[i] - self.lower[i]

    def _name(self, i: int) -> str:
        labels = list(self.place)
        return repr(labels[i]) if i < len(labels) else "of a product"


def _bit(value: int, b: int, values: list[float]) -> float:
    """Bit b of a value in binary with an odd last coefficient, which is taken first where it has to be."""
    last = int(values[-1])
    rest = sum(int(v) for v in values[:-1])
    taken = value > rest
    if b == len(values) - 1:
        return float(taken)
    return float((value - last * taken) >> b & 1)
