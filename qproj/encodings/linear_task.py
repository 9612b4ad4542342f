"""A problem as a mixed-integer linear model with the way there and back, and a feasible start where one is cheap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from qproj._arrays import FloatArray, SignArray
from qproj.encodings.constrained_model import ConstrainedModel
from qproj.encodings.encoding import Encoding
from qproj.encodings.linear_constrained import linear_of_constrained
from qproj.encodings.linear_model import LinearModel, better_row, linear_of_quadratic, linear_of_rows
from qproj.encodings.rows import Rows
from qproj.encodings.units import dyadic_unit

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class LinearTask:
    """A linear model that minimises −gain, and how its own variables stand for the problem's assignments.

    Attributes
    ----------
    model : LinearModel
    candidate : callable
        Maps values of the model's own variables, (num_own,), to an assignment of the problem, (d,).
    own : callable
        Maps an assignment of the problem back to values of the model's own variables.
    exclude : callable or None
        Maps (model, own values) to a model without these values that keeps every better assignment; None where no
        linear row does so.
    start : (d,) array or None
        A feasible assignment of the problem.
    """

    model: LinearModel
    candidate: Callable[[FloatArray], NDArray[Any]]
    own: Callable[[NDArray[Any]], FloatArray]
    exclude: Callable[[LinearModel, FloatArray], LinearModel] | None
    start: NDArray[Any] | None


def task_of_rows(rows: Rows, start: SignArray, *, bits: int, error: float) -> LinearTask:
    """Return the one-sided model of argmax_v Σ_g τ_g σ(z_g(v)).

    Parameters
    ----------
    start : (d,) int8
        Weights to start from.
    bits : int
        Fixed-point bits of real rows that are not multiples of small whole numbers.
    error : float
        By how much −gain, as the problem computes it, may differ from the model's exact objective.
    """
    columns = rows.columns

    def exclude(current: LinearModel, own: FloatArray) -> LinearModel:
        better = better_row(rows, current, own)
        return better if rows.is_binary else better.excluding(own)

    return LinearTask(
        model=replace(linear_of_rows(rows, bits=bits), error=error),
        candidate=lambda own: columns.weights_from_counts(own[None, :].astype(np.int64))[0],
        own=lambda v: columns.counts_from_weights(np.asarray(v, np.int8)[None, :])[0].astype(np.float64),
        exclude=exclude,
        start=start,
    )


@dataclass(frozen=True, eq=False)
class QuadraticForm:
    """linear·x + Σ_p products_p·x_first·x_second + offset over x ∈ {0,1}^n, x standing for itself or a spin 2x − 1.

    Attributes
    ----------
    linear : (n,) float64
    first, second, products : (P,)
    offset : float
    spin : bool
        Whether the problem's variables are spins.
    error : float
        By how much −gain, as the problem computes it, may differ from the form's exact value.
    """

    linear: FloatArray
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    products: FloatArray
    offset: float
    spin: bool
    error: float = 0.0

    @classmethod
    def of_encoding(cls, encoding: Encoding, *, constant: float, terms: int) -> QuadraticForm:
        """Return −gain = (energy − constant)/2 of an encoding in the weights alone; a gain sums `terms` numbers."""
        Q = encoding.coefficients / 2.0
        first, second = np.nonzero(np.triu(Q, 1))
        size = abs(encoding.offset) + abs(constant) + float(np.abs(Q).sum())
        return cls(
            linear=np.diagonal(Q).copy(),
            first=first,
            second=second,
            products=Q[first, second],
            offset=(encoding.offset - constant) / 2.0,
            spin=True,
            error=4.0 * _EPS * terms * size,
        )

    @classmethod
    def of_spins(
        cls, linear: FloatArray, first: NDArray[np.intp], second: NDArray[np.intp], products: FloatArray, offset: float
    ) -> QuadraticForm:
        """Return the form over x = (s + 1)/2 of an Ising model in arrays."""
        of_bits = 2.0 * linear
        np.subtract.at(of_bits, first, 2.0 * products)
        np.subtract.at(of_bits, second, 2.0 * products)
        numbers = np.concatenate([linear, products, [offset]])
        size = float(np.abs(numbers).sum())
        unit = dyadic_unit(numbers)
        exact = 4.0 * size < 2.0**53 * unit  # every sum above is a multiple of the unit that float64 holds
        return cls(
            linear=of_bits,
            first=first,
            second=second,
            products=4.0 * products,
            offset=offset - float(linear.sum()) + float(products.sum()),
            spin=True,
            error=0.0 if exact else 4.0 * _EPS * len(numbers) * size,
        )


def task_of_form(form: QuadraticForm, start: NDArray[Any] | None) -> LinearTask:
    """Return the linearised model of a quadratic form; without a start, steepest descent from x = 0 gives one."""
    model = linear_of_quadratic(
        form.linear, form.first, form.second, form.products, form.offset, spin=form.spin, error=form.error
    )
    first = descend(form) * model.factor + model.shift if start is None else np.asarray(start)
    return LinearTask(
        model=model,
        candidate=lambda own: (own * model.factor + model.shift).astype(np.int8),
        own=lambda v: (np.asarray(v, np.float64) - model.shift) / model.factor,
        exclude=LinearModel.excluding,
        start=first.astype(np.int8),
    )


def task_of_constrained(constrained: ConstrainedModel, start: NDArray[Any] | None) -> LinearTask:
    """Return the linearised model of a CQM."""
    model, factor, shift = linear_of_constrained(constrained)
    return LinearTask(
        model=model,
        candidate=lambda own: own * factor + shift,
        own=lambda v: (np.asarray(v, np.float64) - shift) / factor,
        exclude=LinearModel.excluding if model.is_finite else None,
        start=start,
    )


def descend(form: QuadraticForm) -> FloatArray:
    """Return where steepest single flips from x = 0 end, after at most 4n flips: any incumbent is better than none."""
    n = len(form.linear)
    pairs = csr_array((form.products, (form.first, form.second)), (n, n))
    pairs = csr_array(pairs + pairs.T)
    x, slope = np.zeros(n), form.linear.copy()
    for _ in range(4 * n):
        change = (1.0 - 2.0 * x) * slope
        i = int(np.argmin(change))
        if not change[i] < 0:
            break
        x[i] = 1.0 - x[i]
        row = slice(pairs.indptr[i], pairs.indptr[i + 1])
        slope[pairs.indices[row]] += (2.0 * x[i] - 1.0) * pairs.data[row]
    return x
