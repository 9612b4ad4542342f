"""All column counts of a layer with few weights, scored for every neuron at once: exact.

The signs σ(A (2c − M)) of a count vector c are the same for all neurons, so they are made once; gains are then a matrix
product, made block by block beside its largest entries, so that it never leaves the cache. (BLAS makes the product as
fast, but hands it on through memory, and its threads wait for one another wherever the machine is busy.) Where every
pre-activation is odd, −v has the opposite signs and gain: half of the vectors are enough.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.kernels.branch_bound_neuron import row_sum
from qproj.solvers.builtin.kernels.scoring import CountArray
from qproj.solvers.builtin.kernels.sharing import in_threads

_STEP = 1 << 14  # count vectors whose signs are made at once
_BLOCK = 1 << 8  # gains of one neuron that are ranked at once: they and their signs stay in the cache
_SECONDS = 5e-11  # a gain's row, roughly: decides whether threads pay, never the result


def enumerate_layer(A: NDArray[Any], sizes: CountArray, tau: FloatArray, *, threads: int | None = None) -> CountArray:
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
    threads : int or None
        None: all of numba's; their number changes no result.

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
    columns = np.ascontiguousarray(A.T).astype(np.int64)
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
    for start in range(0, half, _STEP):
        first = np.zeros_like(sizes) if start == 0 else _counts(sizes, np.arange(start, start + 1))[0]
        signs = _signs(columns, sizes, first, min(_STEP, half - start))

        def run(low: int, high: int, *_: int, signs: Any = signs, start: int = start) -> int:
            some = slice(low, high)
            _rank(
                screen[some], slack[some], signs, neurons[some], size[some], odd, start, _BLOCK, top[some],
                best[some], where[some],
            )  # fmt: skip
            return 0

        in_threads(run, len(neurons), 0, 0, threads, signs.size * _SECONDS)
    counts = _counts(sizes, where >> int(odd))
    return np.where(where[:, None] & 1, sizes - counts, counts) if odd else counts


@nb.njit(cache=True, nogil=True)
def _signs(columns, sizes, first, total):
    """Return σ(A (2c − M)) of `total` count vectors from `first` on, (U, total), by steps of one count each."""
    C, U = columns.shape
    c = first.copy()
    z = np.zeros(U, np.int64)
    for j in range(C):
        z += (2 * c[j] - sizes[j]) * columns[j]
    signs = np.empty((U, total), np.float32)
    for k in range(total):
        for g in range(U):
            signs[g, k] = 1.0 if z[g] >= 0 else -1.0
        j = C - 1
        while j >= 0 and c[j] == sizes[j]:
            z -= 2 * c[j] * columns[j]
            c[j] = 0
            j -= 1
        if j >= 0:
            c[j] += 1
            z += 2 * columns[j]
    return signs


@nb.njit(cache=True, nogil=True)
def _rank(screen, slack, signs, neurons, size, odd, start, block, top, best, where):
    """Sum again, in the order of the rows, what single precision puts near the top, and keep the first best."""
    U, total = signs.shape
    gains = np.empty(block, np.float32)
    terms = np.empty(U)
    for low in range(0, total, block):
        width = min(block, total - low)
        for i in range(len(neurons)):
            highest = _gains(screen[i], signs, low, width, odd, gains)
            if highest > top[i]:
                top[i] = highest
            limit = top[i] - slack[i]
            if highest < limit:
                continue
            for k in range(width):
                if gains[k] < limit:
                    continue
                if best[i] >= size[i]:
                    break  # every sign is met
                for g in range(U):
                    terms[g] = neurons[i, g] if signs[g, low + k] > 0 else -neurons[i, g]
                value = row_sum(terms)
                position = start + low + k
                if odd:
                    position = 2 * position + (1 if value < 0 else 0)
                    value = abs(value)
                if value > best[i]:
                    best[i], where[i] = value, position


# sums may be reordered, which `slack` allows for; there are no NaN
@nb.njit(cache=True, nogil=True, fastmath={"nnan", "nsz", "reassoc", "contract"})
def _gains(weights, signs, low, width, odd, gains):
    """Write Σ_g weights[g]·signs[g, low + k], or its size where odd, to gains[k]; return the largest."""
    U, high = len(signs), low + width
    for k in range(width):
        gains[k] = np.float32(0)
    g = 0
    while g + 4 <= U:  # four rows a pass: gains are loaded and stored a quarter as often
        a, b, c, d = weights[g], weights[g + 1], weights[g + 2], weights[g + 3]
        A, B = signs[g, low:high], signs[g + 1, low:high]  # contiguous, so that this becomes vector code
        C, D = signs[g + 2, low:high], signs[g + 3, low:high]
        for k in range(width):
            gains[k] += a * A[k] + b * B[k] + c * C[k] + d * D[k]
        g += 4
    while g < U:
        a, A = weights[g], signs[g, low:high]
        for k in range(width):
            gains[k] += a * A[k]
        g += 1
    if odd:
        for k in range(width):
            gains[k] = abs(gains[k])
    highest = gains[0]
    for k in range(width):
        highest = max(highest, gains[k])
    return highest


def _counts(sizes: CountArray, numbers: CountArray) -> CountArray:
    """Return the count vectors of given numbers, (k, C): mixed radix, the last class counting fastest."""
    if not len(sizes):
        return np.zeros((len(numbers), 0), np.int64)
    return np.stack(np.unravel_index(numbers, tuple((sizes + 1).tolist())), axis=1).astype(np.int64)


__all__ = ["enumerate_layer"]
