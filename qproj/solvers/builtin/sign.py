"""signSGD's direction: the linearised relaxation of the sign projection, free of charge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray
from qproj.projections import LayerProjection, LinearProjection, MetricProjection, SignProjection
from qproj.solvers import (
    Adapter,
    Capabilities,
    EndedBy,
    Ending,
    Found,
    Request,
    Solution,
    layer_of_weights,
)
from qproj.solvers.contract import Timing, check_limits

_BLOCK = 1 << 19  # entries of float64 held at once


def sign_direction(X: NDArray[Any], T: FloatArray) -> SignArray:
    """Return sign(Xᵀ T), sign(0) = +1, as (d,) or (dout, d) int8: argmax over v of Σ_i t_i x_i·v.

    A neuron's direction does not depend on the other neurons of T.
    """
    (n, d), targets = X.shape, T.reshape(len(T), -1)
    signs = np.empty((targets.shape[1], d), np.int8)
    neurons = max(1, min(len(signs), _BLOCK // n))
    columns = max(1, _BLOCK // max(n, neurons))
    for first in range(0, len(signs), neurons):
        unit = np.ascontiguousarray(targets[:, first : first + neurons].T)
        # tiny targets would underflow; a power of two rounds nothing
        unit = np.ldexp(unit, -np.frexp(np.abs(unit).max(axis=1, keepdims=True))[1])
        for low in range(0, d, columns):
            signs[first : first + neurons, low : low + columns] = _signs(unit, X[:, low : low + columns])
    return signs.reshape(*T.shape[1:], d)


def _signs(targets: FloatArray, X: NDArray[Any]) -> SignArray:
    """Return the signs of targets (k, n) times X (n, d).

    BLAS may round a sum differently beside another number of neurons. Where two orders of summation can disagree about
    the sign, the sum in numpy's order decides.
    """
    size = np.abs(targets)
    near = size.sum(axis=1, keepdims=True) if X.dtype == np.int8 else size @ np.abs(X)
    X = X.astype(np.float64)
    sums = targets @ X
    # twice as far as two orders can lie apart: a sign that is not looked at again has the sign of the exact sum
    near = 4.0 * len(X) * np.finfo(np.float64).eps * near
    up = sums >= 0
    neuron, column = np.nonzero((np.abs(sums) <= near) & (near > 0))
    step = max(1, _BLOCK // len(X))
    for low in range(0, len(neuron), step):
        i, j = neuron[low : low + step], column[low : low + step]
        up[i, j] = (targets[i] * np.ascontiguousarray(X.T[j])).sum(axis=1) >= 0
    return np.where(up, np.int8(1), np.int8(-1))


class Sign(Adapter):
    """argmax over v of ⟨v, Xᵀt⟩, the direction of signSGD: deterministic, a baseline of every comparison (``sign``)."""

    name: ClassVar[str] = "sign"
    capabilities = Capabilities(forms=frozenset({"projection"}), exact=False, seed=False)

    def build(self, problem: Any, ask: Request) -> FloatArray:
        if isinstance(problem, SignProjection):
            return problem.inputs.matrix.T.astype(np.float64) @ _unit(problem.t)
        if isinstance(problem, LinearProjection):
            return problem._x.T @ _unit(problem.weights * problem.t)
        if isinstance(problem, MetricProjection):
            return problem._field
        raise TypeError(f"sign takes the projections of qproj, not {type(problem).__name__}; use 'auto'")

    def call(self, model: FloatArray, ask: Request) -> SignArray:
        return np.where(model >= 0, 1, -1).astype(np.int8)

    def decode(self, raw: SignArray, problem: Any) -> Found:
        return Found(raw[None, :], Ending.STOPPED, EndedBy.BUDGET)

    def solve_many(
        self, problems: Iterable[Any], *, time_limit_s: float | None = None, seed: int | None = None,
        num_reads: int | None = None, hints: Sequence[ArrayLike] | None = None,
    ) -> Sequence[Solution]:  # fmt: skip
        """Return all neurons of a layer from one matrix product."""
        if not isinstance(problems, LayerProjection) or num_reads is not None or hints is not None:
            return super().solve_many(problems, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads, hints=hints)
        check_limits(time_limit_s, seed, num_reads)
        weights = sign_direction(problems.inputs.matrix, problems.T)
        return layer_of_weights(problems, weights, None, None, [EndedBy.BUDGET] * len(weights), Timing(), self.name)


def _unit(t: FloatArray) -> FloatArray:
    largest = float(np.abs(t).max(initial=0.0))
    return t / largest if largest > 0 else t
