"""All column counts of a layer with few weights, scored for every neuron at once: exact, by matrix products.

The signs σ(A (2c − M)) of a count vector c are the same for all neurons, so they are made once; gains are then one
matrix product. Where every pre-activation is odd, −v has the opposite signs and gain: half of the vectors are enough.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.kernels.branch_bound_neuron import row_sum
from qproj.solvers.kernels.descent import CountArray

_STEP = 1 << 10  # count vectors of one block
_BLOCK = 1 << 18  # gains of one block: they stay in the cache between the product and the ranking


def enumerate_layer(A: NDArray[Any], sizes: CountArray, tau: FloatArray) -> CountArray:
    """Return argmax over integer 0 ≤ c ≤ sizes of Σ_g tau[g, i] σ(Σ_j A[g, j] (2c_j − sizes_j)) for every neuron i.

    Ties go to the c that comes first with the last class counting fastest; where Σ sizes is odd, each c is followed
    by its opposite, sizes − c.

    Parameters
    ----------
    A : (U, C) int8
        Rows, ±1.
    sizes : (C,) int64
        Members of each column class, ones for plain columns. Π (sizes + 1) vectors are scored.
    tau : (U, dout) float64
        Finite targets, one column a neuron.

    Returns
    -------
    (dout, C) int64
        Ranked by gains as float64 sums over the rows in order; 0 ≤ c ≤ sizes.

    Raises
    ------
    ValueError
        Shapes that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> A = np.array([[1, 1], [1, -1]], np.int8)
    >>> enumerate_layer(A, np.ones(2, np.int64), np.array([[1.0, -1.0], [2.0, -1.0]]))
    array([[1, 0],
           [0, 0]])
    """
    U, C = A.shape
    if sizes.shape != (C,) or tau.ndim != 2 or len(tau) != U:
        raise ValueError(f"A {A.shape}, sizes {sizes.shape}, tau {tau.shape}: pass A (U, C), sizes (C,), tau (U, dout)")
    rows = A.astype(np.float32)  # sums of ±1 over fewer than 2^24 weights are exact
    neurons = np.ascontiguousarray(tau.T)
    size = np.abs(neurons).sum(axis=1)
    # single precision finds the few vectors whose gain is summed again: largest |τ| near 1, so that none overflows
    scale = np.ldexp(1.0, -np.frexp(np.abs(neurons).max(axis=1, initial=0.0))[1])
    screen = (neurons * scale[:, None]).astype(np.float32)
    slack = (size * scale * (U + 8) * 2.0**-23).astype(np.float32)
    total = int(np.prod(sizes + 1))
    odd = bool(sizes.sum() % 2)
    # c ↔ sizes − c reverses the order, so the first half holds one vector of each opposite pair
    half = total // 2 if odd else total
    best = np.full(len(neurons), -np.inf)
    where = np.zeros(len(neurons), np.int64)
    top = np.full(len(neurons), -np.inf, np.float32)
    step, some = _STEP, max(1, _BLOCK // _STEP)
    for start in range(0, half, step):
        counts = _counts(sizes, np.arange(start, min(start + step, half)))
        up = rows @ (2 * counts - sizes).astype(np.float32).T >= 0
        signs = np.where(up, np.float32(1), np.float32(-1))
        patterns = np.ascontiguousarray(up.T)
        for low in range(0, len(neurons), some):
            part = slice(low, low + some)
            gains = screen[part] @ signs
            highest = gains.max(axis=1)
            if odd:
                highest = np.maximum(highest, -gains.min(axis=1))
            top[part] = np.maximum(top[part], highest)
            near = np.flatnonzero(highest >= top[part] - slack[part])
            limit = (top[part] - slack[part])[near]
            _rank(gains, near, limit, patterns, neurons[part], size[part], odd, start, best[part], where[part])
    counts = _counts(sizes, where >> int(odd))
    return np.where(where[:, None] & 1, sizes - counts, counts) if odd else counts


@nb.njit(cache=True, nogil=True)
def _rank(gains, near, limit, patterns, neurons, size, odd, start, best, where):
    """Sum again, in the order of the rows, what single precision puts near the top, and keep the first best."""
    terms = np.empty(patterns.shape[1])
    for q in range(len(near)):
        i = near[q]
        for k in range(gains.shape[1]):
            gain = abs(gains[i, k]) if odd else gains[i, k]
            if gain < limit[q]:
                continue
            if best[i] >= size[i]:
                break  # every sign is met
            for g in range(len(terms)):
                terms[g] = neurons[i, g] if patterns[k, g] else -neurons[i, g]
            value = row_sum(terms)
            position = start + k
            if odd:
                position = 2 * position + (1 if value < 0 else 0)
                value = abs(value)
            if value > best[i]:
                best[i], where[i] = value, position


def _counts(sizes: CountArray, numbers: CountArray) -> CountArray:
    """Return the count vectors of given numbers, (k, C): mixed radix, the last class counting fastest."""
    if not len(sizes):
        return np.zeros((len(numbers), 0), np.int64)
    return np.stack(np.unravel_index(numbers, tuple((sizes + 1).tolist())), axis=1).astype(np.int64)


__all__ = ["enumerate_layer"]
