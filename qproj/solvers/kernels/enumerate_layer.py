"""All column counts of a layer with few weights, scored for every neuron at once: exact, by matrix products.

The signs σ(A (2c − M)) of a count vector c are the same for all neurons, so they are made once; gains are then one
matrix product. Where every pre-activation is odd, −v has the opposite signs and gain: half of the vectors are enough.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray

CountArray = NDArray[np.int64]

_BLOCK = 1 << 20  # entries of one block of signs or gains: 8 MiB of float64
_TOLERANCE = 1e-12  # of Σ|τ|: what a matrix product may differ from the sum that ranks; nearer gains are summed again


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
    tolerance = _TOLERANCE * np.abs(neurons).sum(axis=1)
    total = int(np.prod(sizes + 1))
    odd = bool(sizes.sum() % 2)
    best = np.full(len(neurons), -np.inf)
    where = np.zeros(len(neurons), np.int64)
    step = max(1, _BLOCK // max(U, len(neurons), 1))
    # c ↔ sizes − c reverses the order, so the first half holds one vector of each opposite pair
    half = total // 2 if odd else total
    for start in range(0, half, step):
        counts = _counts(sizes, np.arange(start, min(start + step, half)))
        up = rows @ (2 * counts - sizes).astype(np.float32).T >= 0
        signs = np.where(up, 1.0, -1.0)
        gains = neurons @ signs
        if odd:
            gains = np.abs(gains)
        found, values = _first_best(gains, neurons, up, best, tolerance, odd)
        better = values > best
        best[better], where[better] = values[better], found[better] + (start << int(odd))
    counts = _counts(sizes, where >> int(odd))
    return np.where(where[:, None] & 1, sizes - counts, counts) if odd else counts


def _first_best(
    gains: FloatArray, neurons: FloatArray, up: NDArray[np.bool_], best: FloatArray, tolerance: FloatArray, odd: bool
) -> tuple[CountArray, FloatArray]:
    """Return, for every neuron, the first best vector of a block by the sum that ranks, and that sum.

    Only vectors within the tolerance of the block's best are summed, and only if they may improve on `best`. With
    `odd`, positions count opposite vectors too: 2k is vector k of the block, 2k + 1 its opposite.
    """
    top = gains.max(axis=1)
    values, found = np.full(len(gains), -np.inf), np.zeros(len(gains), np.int64)
    todo = np.flatnonzero(top + tolerance > best)
    near = gains[todo] >= (top - 2 * tolerance)[todo, None]
    owner, column = np.nonzero(near)
    step = max(1, _BLOCK // max(1, up.shape[0]))
    for start in range(0, len(owner), step):
        i, k = todo[owner[start : start + step]], column[start : start + step]
        terms = np.where(up[:, k].T, neurons[i], -neurons[i])
        sums = terms.sum(axis=1)
        position = 2 * k + (sums < 0) if odd else k
        sums = np.abs(sums) if odd else sums
        order = np.lexsort((position, -sums, i))
        first = order[np.concatenate(([True], np.diff(i[order]) > 0))] if len(order) else order
        won = first[sums[first] > values[i[first]]]
        values[i[won]], found[i[won]] = sums[won], position[won]
    return found, values


def _counts(sizes: CountArray, numbers: CountArray) -> CountArray:
    """Return the count vectors of given numbers, (k, C): mixed radix, the last class counting fastest."""
    if not len(sizes):
        return np.zeros((len(numbers), 0), np.int64)
    return np.stack(np.unravel_index(numbers, tuple((sizes + 1).tolist())), axis=1).astype(np.int64)


__all__ = ["enumerate_layer"]
