"""Problems as linear models, with the way there and back, and a feasible assignment where one is free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from qproj._arrays import FloatArray
from qproj.encodings.linear_constrained import linear_of_constrained
from qproj.encodings.linear_model import LinearModel, better_row, linear_of_quadratic, linear_of_rows
from qproj.projections import SignProjection
from qproj.projections.models import BQMProblem, CQMProblem

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class LinearTask:
    """A problem as a linear model, and the way there and back.

    Attributes
    ----------
    model : LinearModel
    candidate : callable
        Own values (num_own,) to the problem's terms (d,).
    own : callable
        The way back.
    exclude : callable
        (model, own values) to a model without them that keeps everything better, or None where there is no such row.
    start : (d,) array or None
        A feasible assignment: the hint, or a cheap one.
    """

    problem: Any
    model: LinearModel
    candidate: Callable[[FloatArray], NDArray[Any]]
    own: Callable[[NDArray[Any]], FloatArray]
    exclude: Callable[[LinearModel, FloatArray], LinearModel] | None
    start: NDArray[Any] | None


def linear_task(problem: Any, hint: NDArray[Any] | None, row_bits: int) -> LinearTask:
    """Return a problem's linear model, in units of −gain, with a feasible assignment where one is free."""
    if isinstance(problem, SignProjection):
        return _sign_task(problem, hint, row_bits)
    if problem.kind == "projection":
        encoding = problem.encode()
        Q = encoding.coefficients / 2.0
        first, second = np.nonzero(np.triu(Q, 1))
        size = abs(encoding.offset) + abs(problem.constant) + float(np.abs(Q).sum())
        form = _Form(
            np.diagonal(Q).copy(), first, second, Q[first, second], (encoding.offset - problem.constant) / 2.0,
            spin=True, error=4.0 * _EPS * problem._terms * size,
        )  # fmt: skip
        return _quadratic_task(problem, form, hint)
    if problem.kind == "bqm":
        return _quadratic_task(problem, _form_of_bqm(problem), hint)
    model, factor, shift = linear_of_constrained(problem.cqm, atol=CQMProblem.TOLERANCE, rtol=1e-9)
    return LinearTask(
        problem,
        model,
        candidate=lambda own: own * factor + shift,
        own=lambda v: (np.asarray(v, np.float64) - shift) / factor,
        exclude=LinearModel.excluding if model.is_finite else None,
        start=hint,
    )


def _sign_task(problem: SignProjection, hint: NDArray[Any] | None, row_bits: int) -> LinearTask:
    rows, columns = problem.rows, problem.rows.columns
    # the gain is summed over the rows as given, whose targets may cancel in the merged ones
    error = 4.0 * _EPS * (len(problem.t) + 1) * float(np.abs(problem.t).sum())
    model = replace(linear_of_rows(rows, bits=row_bits), error=error)
    start = hint
    if start is None:
        direction = problem.X.astype(np.float64).T @ (problem.t / (float(np.abs(problem.t).max()) or 1.0))
        start = np.where(direction >= 0, 1, -1).astype(np.int8)

    def exclude(current: LinearModel, own: FloatArray) -> LinearModel:
        better = better_row(rows, current, own)
        return better if problem.inputs.is_binary else better.excluding(own)

    return LinearTask(
        problem,
        model,
        candidate=lambda own: columns.weights_from_counts(own[None, :].astype(np.int64))[0],
        own=lambda v: columns.counts_from_weights(np.asarray(v, np.int8)[None, :])[0].astype(np.float64),
        exclude=exclude,
        start=start,
    )


@dataclass(frozen=True, eq=False)
class _Form:
    """linear·x + Σ products·x_first·x_second + offset over x ∈ {0,1}^n, which stands for spins where `spin`."""

    linear: FloatArray
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    products: FloatArray
    offset: float
    spin: bool
    error: float = 0.0


def _form_of_bqm(problem: BQMProblem) -> _Form:
    linear, first, second, products, offset = problem.arrays
    if problem.model.vartype.name == "BINARY":
        return _Form(linear, first, second, products, offset, spin=False)
    of_bits = 2.0 * linear
    np.subtract.at(of_bits, first, 2.0 * products)
    np.subtract.at(of_bits, second, 2.0 * products)
    size = abs(offset) + float(np.abs(linear).sum() + np.abs(products).sum())
    return _Form(
        of_bits, first, second, 4.0 * products, offset - float(linear.sum()) + float(products.sum()),
        spin=True, error=4.0 * _EPS * (len(linear) + len(products) + 1) * size,
    )  # fmt: skip


def _quadratic_task(problem: Any, form: _Form, hint: NDArray[Any] | None) -> LinearTask:
    model = linear_of_quadratic(
        form.linear, form.first, form.second, form.products, form.offset, spin=form.spin, error=form.error
    )
    start = descend(form) * model.factor + model.shift if hint is None else hint
    return LinearTask(
        problem,
        model,
        candidate=lambda own: (own * model.factor + model.shift).astype(np.int8),
        own=lambda v: (np.asarray(v, np.float64) - model.shift) / model.factor,
        exclude=LinearModel.excluding,
        start=start.astype(np.int8),
    )


def descend(form: _Form) -> FloatArray:
    """Return where steepest single flips from x = 0 end, after at most 4n: any incumbent is better than none."""
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
