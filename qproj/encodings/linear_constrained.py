"""Constrained quadratic models as mixed-integer linear models: products become variables, tied by their bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from scipy.sparse import csr_array

from qproj._arrays import FloatArray
from qproj.encodings.constrained_model import ConstrainedModel, Row
from qproj.encodings.expression import Expression
from qproj.encodings.linear_model import IMPLIED, REAL, WHOLE, LinearModel

#: Bits of the smaller factor of a product of two integers.
MAX_PRODUCT_BITS = 24
_EPS = float(np.finfo(np.float64).eps)
#: Coefficients by variable. Whole numbers and fractions are exact; floats appear where a variable is real.
_Number = int | float | Fraction
_Terms = dict[int, _Number]


def linear_of_constrained(model: ConstrainedModel) -> tuple[LinearModel, FloatArray, FloatArray]:
    """Return (model, factor, shift): min objective of a CQM, whose values are factor·x + shift for each variable.

    Rows that are counted in a unit become rows of whole numbers. Others over whole variables are widened by their
    tolerance, so that nothing feasible is lost; rows with real variables are kept as they are. A violation of a soft
    row becomes one variable with a cost. The offset of the objective is left out.

    Raises
    ------
    ValueError
        A product of two integers that both range over more than 2^24 values, or of unbounded variables; the square of
        a violation that cannot be counted.
    """
    return _Builder(model).linear()


class _Builder:
    """Variables, rows and how auxiliary values follow from earlier ones, gathered expression by expression."""

    def __init__(self, model: ConstrainedModel) -> None:
        self.model = model
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.kinds: list[int] = []
        self.rows: list[tuple[_Terms, _Number, _Number]] = []
        self.follow: list[Callable[[list[float]], float]] = []
        self._products: dict[tuple[int, int], int] = {}
        self._tied: set[tuple[int, str]] = set()
        self._bits: dict[int, list[tuple[int, float]]] = {}
        spin = np.array([kind == "SPIN" for kind in model.kinds], bool)
        self.factor, self.shift = np.where(spin, 2.0, 1.0), np.where(spin, -1.0, 0.0)
        for kind, low, high in zip(model.kinds, model.lower.tolist(), model.upper.tolist(), strict=True):
            if kind == "SPIN":
                low, high = 0.0, 1.0
            elif kind == "INTEGER":
                low, high = float(np.ceil(low)), float(np.floor(high))
            self._variable(low, high, REAL if kind == "REAL" else WHOLE)

    def linear(self) -> tuple[LinearModel, FloatArray, FloatArray]:
        biases = [Fraction(a) for a in self.model.objective.coefficients.tolist()]
        objective, offset = self._expression(self.model.objective, biases, both=False)
        for row in self.model.rows:
            if row.weight is None:
                self._hard(row)
            else:
                self._soft(row, objective)
        N, n = len(self.lower), len(self.model.labels)
        objective, offset = self._without_fixed(objective, offset)
        cost, exact = np.zeros(N), Fraction(float(offset)) == offset
        for j, value in objective.items():
            cost[j] = float(value)
            exact &= Fraction(float(value)) == value
        lower, upper = np.array(self.lower), np.array(self.upper)
        reach = float((np.abs(cost) * np.maximum(np.abs(lower), np.abs(upper))).sum()) + abs(float(offset))
        matrix, row_lower, row_upper = self._matrix(N)
        follow = list(self.follow)

        def complete(own: FloatArray) -> FloatArray:
            known = own.tolist()
            for rule in follow:
                known.append(rule(known))
            return np.array(known)

        whole = all(self.kinds[j] != REAL for j in objective)
        linear = LinearModel(
            lower=lower,
            upper=upper,
            kinds=np.array(self.kinds, np.int8),
            cost=cost,
            offset=float(offset),
            rows=matrix,
            row_lower=row_lower,
            row_upper=row_upper,
            num_own=n,
            error=0.0 if exact and whole else 4.0 * _EPS * (N + 1) * reach,
            complete=complete,
        )
        return linear, self.factor, self.shift

    def _matrix(self, N: int) -> tuple[csr_array, FloatArray, FloatArray]:
        """Return the rows, without variables that have one value, as a sparse matrix and its limits."""
        rows = []
        for terms, low, high in self.rows:
            left, constant = self._without_fixed(terms, 0)
            rows.append((left, float(low - constant), float(high - constant)))
        row_of = [r for r, (terms, _, _) in enumerate(rows) for _ in terms]
        column = [j for terms, _, _ in rows for j in terms]
        values = np.array([float(a) for terms, _, _ in rows for a in terms.values()], np.float64)
        matrix = csr_array((values, (row_of, column)), (len(rows), N))
        return matrix, np.array([low for _, low, _ in rows]), np.array([high for _, _, high in rows])

    def _hard(self, row: Row) -> None:
        terms, constant = self._left(row)
        low, high = row.limits
        if not row.unit and not row.real:
            low, high = low - row.tolerance, high + row.tolerance
        least, most = _less(low, constant), _less(high, constant)
        lost = self._lost(terms, least, most) if row.unit else 0
        self.rows.append((terms, least - lost, most + lost))

    def _lost(self, terms: _Terms, low: _Number, high: _Number) -> int:
        """Return what float64 may lose of a row of whole numbers: nothing as long as its sums stay below 2^53.

        Only assignments that meet the row count. Where x + y ≤ 7 and both begin at 0, neither exceeds 7, however large
        the variables may be: dimod's default is 2^53 − 1.
        """
        least, most = self._range_of(terms)
        ends = [self._range_of({j: a}) for j, a in terms.items()]
        least, most = (
            float(sum(max(below, low - (most - above)) for below, above in ends)),
            float(sum(min(above, high - (least - below)) for below, above in ends)),
        )
        reach = max(abs(least), abs(most), *(abs(float(a)) for a in terms.values()), 0.0)
        return 0 if reach < 2.0**53 or not np.isfinite(reach) else int(4.0 * _EPS * (len(terms) + 1) * reach)

    def _soft(self, row: Row, objective: _Terms) -> None:
        """Add a variable for what exceeds the row, and one for what falls short of it, with their cost."""
        if row.quadratic and not row.unit:
            raise ValueError(
                f"constraint {row.label!r} pays the square of a violation that is not a whole multiple of any unit; "
                "use penalty='linear', or coefficients and a right-hand side that are multiples of one number"
            )
        terms, constant = self._left(row)
        low, high = (_less(limit, constant) for limit in row.limits)
        least, most = self._range_of(terms)
        left = dict(terms)
        kind = WHOLE if row.unit else REAL
        if high < np.inf:
            over = self._variable(0.0, max(0.0, most - float(high)), kind)
            self.follow.append(lambda known: max(0.0, _value(terms, known) - float(high)))
            left[over] = -1
        if low > -np.inf:
            under = self._variable(0.0, max(0.0, float(low) - least), kind)
            self.follow.append(lambda known: max(0.0, float(low) - _value(terms, known)))
            left[under] = 1
        self.rows.append((left, low, high))
        assert row.weight is not None
        unit = Fraction(row.unit or 1.0)
        price = Fraction(row.weight) * (unit * unit if row.quadratic else unit)
        for missed in left.keys() - terms.keys():
            paid: _Terms = self._product(missed, missed, price, both=False) if row.quadratic else {missed: price}
            for j, value in paid.items():
                objective[j] = objective.get(j, 0) + value

    def _left(self, row: Row) -> tuple[_Terms, _Number]:
        """Return the terms of a row in its unit, and their constant."""
        if row.unit:
            return self._expression(row.expression, row.multiples, both=True)
        return self._expression(row.expression, row.expression.coefficients.tolist(), both=True)

    def _range_of(self, terms: _Terms) -> tuple[float, float]:
        """Return the least and the largest value of a linear form within the variables' bounds."""
        ends = [(float(a) * self.lower[j], float(a) * self.upper[j]) for j, a in terms.items()]
        return sum(min(pair) for pair in ends), sum(max(pair) for pair in ends)

    def _without_fixed(self, terms: _Terms, constant: _Number) -> tuple[_Terms, _Number]:
        """Move the terms of variables that have one value into the constant."""
        fixed = {j for j in terms if self.lower[j] == self.upper[j]}
        constant += sum(terms[j] * _like(terms[j], self.lower[j]) for j in fixed)
        return {j: a for j, a in terms.items() if j not in fixed}, constant

    def _variable(self, low: float, high: float, kind: int) -> int:
        self.lower.append(low)
        self.upper.append(high)
        self.kinds.append(kind)
        return len(self.lower) - 1

    def _expression(self, form: Expression, numbers: Sequence[_Number], *, both: bool) -> tuple[_Terms, _Number]:
        """Return the linear form of a quadratic one with other coefficients; `both` ties products from both sides."""
        terms: _Terms = {}
        constant: _Number = 0

        def add(j: int, value: _Number) -> None:
            terms[j] = terms.get(j, 0) + value

        factor, shift = self.factor.astype(int).tolist(), self.shift.astype(int).tolist()
        m = len(form.place)
        for i, bias in zip(form.place.tolist(), numbers[:m], strict=True):
            add(i, bias * factor[i])
            constant += bias * shift[i]
        for i, j, bias in zip(form.first.tolist(), form.second.tolist(), numbers[m:], strict=True):
            if bias == 0:
                continue
            for k, a in self._product(i, j, bias * factor[i] * factor[j], both).items():
                add(k, a)
            add(i, bias * factor[i] * shift[j])
            add(j, bias * factor[j] * shift[i])
            constant += bias * shift[i] * shift[j]
        return {j: a for j, a in terms.items() if a != 0}, constant

    def _product(self, i: int, j: int, coefficient: _Number, both: bool) -> _Terms:
        """Return coefficient·x_i·x_j as linear terms."""
        if i == j and self._binary(i):
            return {i: coefficient}
        if not self._binary(i) and not self._binary(j):
            if self._range(i) < self._range(j):
                i, j = j, i
            low = _like(coefficient, self.lower[j])
            terms: _Terms = {i: coefficient * low} if low else {}
            for bit, value in self._bits_of(j):
                z = self._tie(bit, i, float(coefficient), both)
                terms[z] = terms.get(z, 0) + coefficient * _like(coefficient, value)
            return terms
        bit, other = (i, j) if self._binary(i) else (j, i)
        return {self._tie(bit, other, float(coefficient), both): coefficient}

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

    def _binary(self, i: int) -> bool:
        return self.kinds[i] != REAL and self.lower[i] == 0.0 and self.upper[i] == 1.0

    def _range(self, i: int) -> float:
        return self.upper[i] - self.lower[i]

    def _name(self, i: int) -> str:
        labels = self.model.labels
        return repr(labels[i]) if i < len(labels) else "of a product"


def _like(number: _Number, value: float) -> _Number:
    """Return a whole value in the kind of number that it is multiplied with, so that nothing is rounded."""
    return value if isinstance(number, float) or not np.isfinite(value) or value != int(value) else int(value)


def _less(limit: float, constant: _Number) -> _Number:
    """Return limit − constant, exactly where both are whole."""
    if isinstance(constant, float) or limit in (np.inf, -np.inf):
        return float(limit) - float(constant)
    return Fraction(limit) - constant


def _value(terms: _Terms, known: list[float]) -> float:
    return sum(float(a) * known[j] for j, a in terms.items())


def _bit(value: int, b: int, values: list[float]) -> float:
    """Bit b of a value in binary with an odd last coefficient, which is taken first where it has to be."""
    last = int(values[-1])
    rest = sum(int(v) for v in values[:-1])
    taken = value > rest
    if b == len(values) - 1:
        return float(taken)
    return float((value - last * taken) >> b & 1)
