"""The direction of signSGD: the linearised relaxation of a projection, which costs one matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj.projections import Layer, LayerProjection
from qproj.projections.models import hook
from qproj.solvers.adapter import Adapter
from qproj.solvers.contract import Capabilities, Request, Termination
from qproj.solvers.found import Found, LayerFound
from qproj.solvers.layers import LayerRequest

_BLOCK = 1 << 19  # entries of float64 held at once


class Sign(Adapter[FloatArray, Found]):
    """argmax over v of ⟨v, u⟩, u the linear direction of the projection: Xᵀt, the direction of signSGD (``sign``).

    It is deterministic, and a baseline of every comparison.
    """

    name = "sign"
    capabilities = Capabilities(forms=frozenset({"projection"}), exact=False, seed=False)

    def build(self, problem: Any, request: Request) -> FloatArray:
        direction: FloatArray = hook(problem, "linear_direction")()
        return direction

    def call(self, model: FloatArray, request: Request) -> Found:
        return Found(np.where(model >= 0, 1, -1).astype(np.int8)[None, :])

    def search_layer(self, layer: Layer, request: LayerRequest) -> LayerFound | None:
        """Return the directions of all neurons from one matrix product."""
        if not isinstance(layer, LayerProjection) or request.num_reads is not None or request.hints is not None:
            return None
        weights = sign_direction(layer.inputs.matrix, layer.T)
        return LayerFound(weights, [Termination.BUDGET] * len(weights))


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
