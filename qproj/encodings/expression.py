"""Quadratic expressions in arrays: the objective and the rows of plain models, evaluated exactly on whole values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, feed
from qproj._sums import split, total

#: Products of variables that are held at once while many assignments are evaluated.
_BLOCK = 1 << 18
#: Beyond this many terms times the largest product of values, sums are made of fractions.
_REACH = 2.0**46


@dataclass(frozen=True, eq=False)
class Expression:
    """Σ_i linear_i x_i + Σ_p products_p x_first x_second + offset, over some of the variables of a model.

    Attributes
    ----------
    place : (m,) intp
        The variable of each linear term.
    linear : (m,) float64
    first, second : (P,) intp
        The variables of each product.
    products : (P,) float64
    offset : float
    """

    place: NDArray[np.intp]
    linear: FloatArray
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    products: FloatArray
    offset: float

    @classmethod
    def of(cls, model: Any, place: dict[Any, int]) -> Expression:
        """Return the expression of a dimod model or of its view in a CQM; `place` numbers the labels."""
        linear = [(place[v], float(bias)) for v, bias in model.linear.items()]
        quadratic = [(place[u], place[v], float(bias)) for (u, v), bias in model.quadratic.items()]
        return cls(
            np.array([i for i, _ in linear], np.intp),
            np.array([bias for _, bias in linear], np.float64),
            np.array([i for i, _, _ in quadratic], np.intp),
            np.array([j for _, j, _ in quadratic], np.intp),
            np.array([bias for _, _, bias in quadratic], np.float64),
            float(model.offset),
        )

    def renumbered(self, place: NDArray[np.intp]) -> Expression:
        """Return the expression over variables of which number i became place[i]; terms are sorted, zeros dropped."""
        at, kept = place[self.place], np.flatnonzero(self.linear)
        kept = kept[np.argsort(at[kept], kind="stable")]
        ends = np.sort(np.stack([place[self.first], place[self.second]]), axis=0)
        pairs = np.flatnonzero(self.products)
        pairs = pairs[np.lexsort((ends[1][pairs], ends[0][pairs]))]
        return Expression(
            at[kept], self.linear[kept], ends[0][pairs], ends[1][pairs], self.products[pairs], self.offset
        )

    def feed(self, digest: Any, place: NDArray[np.intp]) -> None:
        """Add the arrays of ``renumbered(place)`` to a hash, block by block, without a copy of the terms."""
        n = len(place)
        kept = np.flatnonzero(self.linear)
        kept = kept[np.argsort(place[self.place[kept]], kind="stable")]
        ends = np.empty(len(self.products), np.int64)  # both variables of a product in one number, the earlier first
        for part in _parts_of(len(ends)):
            one, other = place[self.first[part]], place[self.second[part]]
            ends[part] = np.minimum(one, other) * n + np.maximum(one, other)
        pairs = np.argsort(ends, kind="stable")
        if not self.products.all():
            pairs = pairs[self.products[pairs] != 0.0]
        takes: list[tuple[int, Callable[[slice], NDArray[Any]]]] = [
            (len(kept), lambda part: place[self.place[kept[part]]]),
            (len(kept), lambda part: self.linear[kept[part]]),
            (len(pairs), lambda part: ends[pairs[part]] // n),
            (len(pairs), lambda part: ends[pairs[part]] % n),
            (len(pairs), lambda part: self.products[pairs[part]]),
        ]
        for count, take in takes:
            for part in _parts_of(count):
                feed(digest, take(part))
        feed(digest, np.array([self.offset]))

    def dense_linear(self, count: int) -> FloatArray:
        """Return the linear coefficients of variables 0, …, count − 1."""
        dense = np.zeros(count)
        dense[self.place] = self.linear
        return dense

    @cached_property
    def coefficients(self) -> FloatArray:
        """(m + P,) the linear ones, then those of products."""
        return np.concatenate([self.linear, self.products])

    @property
    def variables(self) -> NDArray[np.intp]:
        """The variables with a term, sorted."""
        return np.unique(np.concatenate([self.place, self.first, self.second]))

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Return all that makes the expression, for digests."""
        return self.place, self.linear, self.first, self.second, self.products, np.array([self.offset])

    def terms(self, V: NDArray[Any]) -> FloatArray:
        """Return the values of the variables' products, (k, m + P), without coefficients, of assignments (k, n)."""
        x = V.astype(np.float64)
        return np.concatenate([x[:, self.place], x[:, self.first] * x[:, self.second]], axis=1)

    def values(self, V: NDArray[Any], *, offset: bool = True) -> FloatArray:
        """Return the values, (k,), of assignments (k, n): rounded once where all values are whole.

        Elsewhere they are float64 sums.
        """
        values = np.empty(len(V))
        step = max(1, _BLOCK // max(1, len(self.coefficients)))
        for low in range(0, len(V), step):
            values[low : low + step] = self._block(self.terms(V[low : low + step]), self.offset if offset else 0.0)
        return values

    def sizes(self, V: NDArray[Any]) -> FloatArray:
        """Return Σ|term| without the offset, (k,): what rounding is relative to."""
        sizes: FloatArray = np.abs(self.terms(V)) @ np.abs(self.coefficients)
        return sizes

    def _block(self, terms: FloatArray, offset: float) -> FloatArray:
        if not len(self.coefficients):
            return np.full(len(terms), offset)
        largest = float(np.abs(terms).max(initial=0.0))
        if not (terms == np.rint(terms)).all():
            plain: FloatArray = terms @ self.coefficients + offset
            return plain
        if largest * len(self.coefficients) > _REACH:
            return np.array([float(self._exact(row) + Fraction(offset)) for row in terms.tolist()])
        parts = self._parts if largest <= 1.0 else split(self.coefficients, largest)
        sums = parts @ terms.T
        return total(np.concatenate([np.full((1, len(terms)), offset), sums]))

    @cached_property
    def _parts(self) -> FloatArray:
        return split(self.coefficients)

    def exact(self, v: NDArray[Any]) -> Fraction:
        """Return the value of one assignment, (n,), offset included, without rounding; products are below 2^53."""
        return self._exact(self.terms(v[None, :])[0].tolist()) + Fraction(self.offset)

    def _exact(self, terms: list[float]) -> Fraction:
        pairs = zip(self.coefficients.tolist(), terms, strict=True)
        return sum((Fraction(a) * Fraction(x) for a, x in pairs), Fraction(0))


def _parts_of(count: int) -> Iterator[slice]:
    return (slice(low, low + _BLOCK) for low in range(0, count, _BLOCK))
