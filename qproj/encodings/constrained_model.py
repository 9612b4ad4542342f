"""Constrained quadratic models in arrays: what a dimod CQM says, nothing left out, and how far its rows are from met.

A row over whole variables whose numbers are whole multiples of one unit (1, 0.1, 5e-7, …) is counted in that unit, and
met or not met exactly. Other rows are met within 1e-9 of their largest number: of the right-hand side and the largest
coefficient; where variables are real, of the terms too. So a row's own unit never matters.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj._labels import label_text
from qproj.encodings.expression import Expression
from qproj.encodings.units import quantum

#: Distance from being met, relative to a row's largest number, that counts as met where nothing can be counted.
TOLERANCE = 1e-9
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Row:
    """One constraint: low ≤ expression − constant ≤ high, and what a violation costs where it is soft.

    Attributes
    ----------
    label : hashable
    expression : Expression
        The left-hand side, its offset included.
    sense : {"Le", "Ge", "Eq"}
    rhs : float
    real : bool
        Whether a variable is real.
    weight : float or None
        What a violation is multiplied by in the objective; None: the row is hard.
    quadratic : bool
        Whether the square of the violation is paid.
    largest : float
        The largest |x| that a variable of the row may have, at least 1.
    """

    label: Hashable
    expression: Expression
    sense: str
    rhs: float
    real: bool
    weight: float | None = None
    quadratic: bool = False
    largest: float = 1.0

    @cached_property
    def unit(self) -> float:
        """The number of which all coefficients are whole multiples; 0 where there is none, or a variable is real.

        That of a soft row measures the right-hand side as well, since violations are paid from there.
        """
        if self.real:
            return 0.0
        numbers = self.expression.coefficients
        if self.weight is not None:
            return quantum(np.append(numbers, float(self.constant)))
        return _whole_unit(numbers) or quantum(numbers)  # exact first: 10^23 as a power is not quite 1e23

    @cached_property
    def multiples(self) -> list[int]:
        """The coefficients in the row's unit, exactly."""
        return [round(a / self.unit) for a in self.expression.coefficients.tolist()]

    @cached_property
    def constant(self) -> Fraction:
        """The right-hand side less the expression's offset."""
        return Fraction(self.rhs) - Fraction(self.expression.offset)

    @cached_property
    def limits(self) -> tuple[float, float]:
        """(low, high) of the terms' sum where nothing is allowed for rounding; in units where the row has one."""
        low = high = float(self.constant)
        if self.unit:
            low, high = self._whole_limits
        return (-np.inf if self.sense == "Le" else low, np.inf if self.sense == "Ge" else high)

    @property
    def _whole_limits(self) -> tuple[int, int]:
        ratio = self.constant / Fraction(self.unit)
        near = round(ratio)
        numbers = [*self.expression.coefficients.tolist(), self.expression.offset, self.rhs]
        if all(a.is_integer() for a in numbers):  # nothing is rounded
            return math.ceil(ratio), math.floor(ratio)
        size = (abs(Fraction(self.rhs)) + abs(Fraction(self.expression.offset))) / Fraction(self.unit)
        if abs(ratio - near) <= 4 * Fraction(_EPS) * size + self._drift / Fraction(self.unit):
            return near, near
        return math.ceil(ratio), math.floor(ratio)

    @property
    def _drift(self) -> Fraction:
        """The most by which counted terms and terms as float64 has them may differ, within the row's tolerance."""
        unit, numbers, cut = Fraction(self.unit), self.expression.coefficients.tolist(), len(self.expression.place)
        shifts = [abs(Fraction(a) - m * unit) for a, m in zip(numbers, self.multiples, strict=True)]
        most = Fraction(self.largest)
        drift = most * sum(shifts[:cut], Fraction(0)) + most * most * sum(shifts[cut:], Fraction(0))
        return min(drift, Fraction(self.tolerance))

    @cached_property
    def tolerance(self) -> float:
        """By how much a row without a unit may be exceeded."""
        largest = float(np.abs(self.expression.coefficients).max(initial=0.0))
        return TOLERANCE * max(abs(float(self.constant)), largest)

    def violations(self, V: NDArray[Any]) -> FloatArray:
        """Return by how much each assignment, (k, n), misses the row, 0 where it is met; float64 (k,)."""
        low, high = self.limits
        if self.unit:
            # exact: whole numbers, or infinite
            excess = [max(0, count - high, low - count) for count in self._counts(V)]
            return np.array([float(Fraction(e) * Fraction(self.unit)) for e in excess])
        sums = self.expression.values(V, offset=False)
        missed = np.maximum(np.maximum(sums - high, low - sums), 0.0)
        if self.weight is not None:
            return missed
        allowed = self.tolerance + (TOLERANCE * self.expression.sizes(V) if self.real else 0.0)
        left: FloatArray = np.where(missed <= allowed, 0.0, missed)
        return left

    def _counts(self, V: NDArray[Any]) -> list[int]:
        """Return the sums of the terms in the row's unit, exactly."""
        terms = self.expression.terms(V)
        weights = np.array([float(abs(m)) for m in self.multiples])
        if float((np.abs(terms) @ weights).max(initial=0.0)) < 2.0**53:
            sums: list[int] = np.rint(terms @ np.array(self.multiples, np.float64)).astype(np.int64).tolist()
            return sums
        cut = len(self.expression.place)
        place, first, second = (a.tolist() for a in (
            self.expression.place, self.expression.first, self.expression.second
        ))  # fmt: skip
        whole = [[int(x) for x in row] for row in V.tolist()]
        return [
            sum(m * x[i] for m, i in zip(self.multiples[:cut], place, strict=True))
            + sum(m * x[i] * x[j] for m, i, j in zip(self.multiples[cut:], first, second, strict=True))
            for x in whole
        ]

    def penalties(self, V: NDArray[Any]) -> FloatArray:
        """Return what the violations of a soft row cost, (k,)."""
        assert self.weight is not None
        missed = self.violations(V)
        return self.weight * (missed * missed if self.quadratic else missed)


@dataclass(frozen=True, eq=False)
class ConstrainedModel:
    """min objective + penalties of soft rows, subject to hard rows, bounds and types of variables.

    Attributes
    ----------
    labels : list of n labels
    kinds : (n,) of str
        "BINARY", "SPIN", "INTEGER" or "REAL".
    lower, upper : (n,) float64
    objective : Expression
    rows : list of Row
    """

    labels: list[Hashable]
    kinds: list[str]
    lower: FloatArray
    upper: FloatArray
    objective: Expression
    rows: list[Row]

    @classmethod
    def of(cls, cqm: dimod.ConstrainedQuadraticModel) -> ConstrainedModel:
        """Return what a CQM says.

        Raises
        ------
        ValueError
            A number that is NaN or infinite, or so large that sums overflow; the message names the constraint.
        """
        labels = list(cqm.variables)
        place = {label: i for i, label in enumerate(labels)}
        kinds = [cqm.vartype(v).name for v in labels]
        lower = np.array([cqm.lower_bound(v) for v in labels], np.float64)
        upper = np.array([cqm.upper_bound(v) for v in labels], np.float64)
        largest = np.maximum(np.maximum(np.abs(lower), np.abs(upper)), 1.0)
        objective = Expression.of(cqm.objective, place)
        require_range(objective, "the CQM's objective", largest)
        rows = [_row(label, constraint, place, kinds, largest) for label, constraint in cqm.constraints.items()]
        return cls(labels, kinds, lower, upper, objective, rows)

    def renumbered(self, order: Sequence[int]) -> ConstrainedModel:
        """Return the model with its variables in the given order, and its rows sorted by content."""
        place = np.empty(len(order), np.intp)
        place[list(order)] = np.arange(len(order))
        rows = [replace(row, expression=row.expression.renumbered(place)) for row in self.rows]
        return ConstrainedModel(
            [self.labels[i] for i in order],
            [self.kinds[i] for i in order],
            self.lower[list(order)],
            self.upper[list(order)],
            self.objective.renumbered(place),
            sorted(rows, key=_text_of),
        )

    def objectives(self, V: NDArray[Any], *, offset: bool = True) -> FloatArray:
        """Return the objectives of assignments, (k, n), penalties included; +inf where a hard row is not met."""
        values = self.objective.values(V, offset=offset)
        soft = [row.penalties(V) for row in self.rows if row.weight is not None]
        if soft:
            values = np.array([math.fsum(each) for each in np.stack([values, *soft]).T.tolist()])
        met = self.in_domain(V)
        for row in self.rows:
            if row.weight is None and met.any():
                met[met] = row.violations(V[met]) == 0.0
        values[~met] = np.inf
        return values

    def in_domain(self, V: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which assignments, (k, n), have values of the right type within the bounds."""
        inside = ((self.lower <= V) & (self.upper >= V)).all(axis=1)
        kinds = np.array(self.kinds)
        whole, spins = V[:, kinds != "REAL"], V[:, kinds == "SPIN"]
        typed = (whole == np.rint(whole)).all(axis=1) & (np.abs(spins) == 1).all(axis=1)
        both: NDArray[np.bool_] = np.logical_and(inside, typed)
        return both

    def digest(self) -> str:
        """Return SHA-256 of everything that decides which assignment is best; names of constraints are left out."""
        digest = hashlib.sha256(repr(("cqm 1", self.kinds)).encode())
        for label in self.labels:
            digest.update(f"{type(label).__name__} {label_text(label)}\n".encode())
        for array in (self.lower, self.upper, *self.objective.arrays()):
            digest.update(plain_bytes(array))
        for row in self.rows:
            digest.update(_text_of(row))
        return digest.hexdigest()


def plain_bytes(array: NDArray[Any]) -> bytes:
    """Return an array's numbers as bytes that are the same on every machine; −0 and +0 are one number."""
    plain = array + 0.0 if array.dtype.kind == "f" else array.astype(np.int64)
    return np.ascontiguousarray(plain, plain.dtype.newbyteorder("<")).tobytes()


def require_range(expression: Expression, what: str, largest: FloatArray | None = None) -> None:
    """Refuse coefficients that are not finite, or whose sums overflow float64; `largest` holds max|x|, 1 by default."""
    numbers = np.append(expression.coefficients, expression.offset)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} has a number that is NaN or infinite; all have to be finite")
    reach = abs(expression.offset) + 16.0 * _reach(expression, largest)
    if not np.isfinite(reach):
        raise ValueError(
            f"{what} holds {np.abs(numbers).max():.3g}: its sums may overflow float64; divide it by that, or tighten "
            "the bounds of its variables"
        )


def _reach(expression: Expression, largest: FloatArray | None) -> float:
    with np.errstate(over="ignore"):
        sizes = np.abs(expression.coefficients)
        if largest is not None:
            sizes = sizes * expression.terms(largest[None, :])[0]
        return float(sizes.sum())


def _whole_unit(numbers: FloatArray) -> float:
    """Return the greatest common divisor of whole numbers of any size, which float64 holds exactly; else 0."""
    if not (numbers == np.rint(numbers)).all():
        return 0.0
    return float(math.gcd(*(int(a) for a in numbers.tolist())))


def _row(label: Hashable, constraint: Any, place: dict[Any, int], kinds: list[str], largest: FloatArray) -> Row:
    lhs = constraint.lhs
    expression = Expression.of(lhs, place)
    require_range(expression, f"constraint {label!r}", largest)
    if not np.isfinite(constraint.rhs):
        raise ValueError(f"constraint {label!r} has a number that is NaN or infinite; all have to be finite")
    soft = lhs.is_soft()
    reach = largest[expression.variables]
    return Row(
        label,
        expression,
        constraint.sense.name,
        float(constraint.rhs),
        real=any(kinds[i] == "REAL" for i in expression.variables.tolist()),
        weight=float(lhs.weight()) if soft else None,
        quadratic=bool(soft and lhs.penalty() == "quadratic"),
        largest=float(reach.max(initial=1.0)),
    )


def _text_of(row: Row) -> bytes:
    """Return what a row says, as bytes that can be sorted."""
    head = repr((row.sense, row.rhs + 0.0, row.weight, row.quadratic)).encode()
    return b"".join([head, *(plain_bytes(array) for array in row.expression.arrays())])
