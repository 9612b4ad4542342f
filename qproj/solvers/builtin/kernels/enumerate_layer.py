"""All column counts of a layer with few weights, scored for every neuron at once: exact.

The signs σ(A (2c − M)) of a count vector c are the same for all neurons, so they are made once; gains are then a matrix
product. Few gains come from BLAS. Many are made by a compiled loop, block by block beside the largest of them, so that
they never leave the cache (BLAS makes the product as fast, but its result goes through memory, and its threads wait for
one another wherever the machine is busy). Where every pre-activation is odd, −v has the opposite signs and gain: half
of the vectors are enough.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj._compiled import FAST, compiled, inlined
from qproj.solvers.builtin.kernels.scoring import CountArray
from qproj.solvers.builtin.kernels.sharing import ENTRIES, in_threads

_STEP = 1 << 14  # count vectors whose signs are made at once
_BLOCK = 1 << 8  # gains of one neuron that are ranked at once: they and their signs stay in the cache
_SECONDS = 5e-11  # per gain and row, roughly: decides whether threads pay, never the result
_FEW = 1 << 20  # products up to which BLAS makes all gains, which spares a first call the compiler
_LOW = 1 << 8  # count vectors of the last classes, about: row sums are those of them plus those of the first classes


class _Neurons(NamedTuple):
    """What is ranked, one row per neuron; `top`, `best` and `where` change in place.

    Attributes
    ----------
    screen : (k, U) float32
        Targets scaled to below 1, and how far gains in single precision may lie apart: they find the few vectors whose
        gain is summed again.
    slack : (k,) float32
    targets : (k, U) float64
    size : (k,) float64
        Σ|τ|, the gain at which every sign is met.
    top : (k,) float32
        Largest gain in single precision.
    best, where : (k,) float64, int64
        Largest gain, and the first vector that has it: its number, twice that and 1 for its opposite where `odd`.
    """

    screen: NDArray[np.float32]
    slack: NDArray[np.float32]
    targets: FloatArray
    size: FloatArray
    top: NDArray[np.float32]
    best: FloatArray
    where: NDArray[np.int64]

    @classmethod
    def of(cls, tau: FloatArray) -> _Neurons:
        targets = np.ascontiguousarray(tau.T)
        size = np.abs(targets).sum(axis=1)
        # largest |τ| near 1, so that none overflows
        scale = np.ldexp(1.0, -np.frexp(np.abs(targets).max(axis=1, initial=0.0))[1])
        return cls(
            screen=(targets * scale[:, None]).astype(np.float32),
            slack=(size * scale * (len(tau) + 8) * 2.0**-23).astype(np.float32),
            targets=targets,
            size=size,
            top=np.full(len(targets), -1.0, np.float32) * np.float32(len(tau) + 1),
            best=np.where(size > 0, -2.0 * size - 1.0, 0.0),  # without targets the first vector is as good as any
            where=np.zeros(len(targets), np.int64),
        )


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
        Finite targets, one column per neuron.
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
    neurons = _Neurons.of(tau)
    total, odd = int(np.prod(sizes + 1)), bool(sizes.sum() % 2)
    # c ↔ sizes − c reverses the order, so the first half holds one vector of each opposite pair
    half = total // 2 if odd else total
    signs_of = _Signs(A, sizes)
    for start in range(0, half, _STEP):
        signs = signs_of(start, min(start + _STEP, half))
        near = np.zeros((len(neurons.best), signs.shape[1]), np.bool_)
        if tau.size * half <= _FEW:
            _screen_few(neurons, signs, odd, near)
        else:

            def run(low: int, high: int, signs: Any = signs, near: Any = near) -> int:
                _screen(neurons, signs, odd, near, np.empty(_BLOCK, np.float32), (low, high))
                return 0

            in_threads(run, len(near), threads, signs.size * _SECONDS)
        _sum_again(neurons, signs, near, odd, start)
    counts = _counts(sizes, neurons.where >> int(odd))
    return np.where(neurons.where[:, None] & 1, sizes - counts, counts) if odd else counts


class _Signs:
    """σ(A (2c − M)) of count vectors by their numbers: the sums of the first classes plus those of the last ones."""

    def __init__(self, A: NDArray[Any], sizes: CountArray) -> None:
        cut, self.patterns = len(sizes), 1
        while cut > 0 and self.patterns * int(sizes[cut - 1] + 1) <= _LOW:
            cut -= 1
            self.patterns *= int(sizes[cut] + 1)
        self.rows, self.sizes = A[:, :cut].astype(np.float64), sizes[:cut]
        last = _counts(sizes[cut:], np.arange(self.patterns))
        # every entry below half of what the type holds
        self.kind: type[np.signedinteger[Any]] = np.int16 if int(sizes.sum()) < 1 << 14 else np.int32
        self.low = (A[:, cut:].astype(np.float64) @ (2 * last - sizes[cut:]).T).astype(self.kind)

    def __call__(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the signs of count vectors start … stop − 1, (U, stop − start)."""
        first = start // self.patterns
        counts = _counts(self.sizes, np.arange(first, -(-stop // self.patterns)))
        high = (self.rows @ (2 * counts - self.sizes).T).astype(self.kind)
        sums = (high[:, :, None] + self.low[:, None, :]).reshape(len(high), high.shape[1] * self.patterns)
        begin = start - first * self.patterns
        signs: NDArray[np.float32] = (sums[:, begin : begin + stop - start] >= 0).astype(np.float32)
        signs *= 2.0
        signs -= 1.0
        return signs


def _sum_again(neurons: _Neurons, signs: NDArray[np.float32], near: NDArray[np.bool_], odd: bool, start: int) -> None:
    """Sum the gains of the vectors near the top again, in numpy's order, and keep the first best of each neuron."""
    near[neurons.best >= neurons.size] = False  # every sign is met
    neuron, vector = np.divmod(np.flatnonzero(near), near.shape[1])
    step = max(1, ENTRIES // max(1, len(signs)))
    for low in range(0, len(neuron), step):
        i, k = neuron[low : low + step], vector[low : low + step]
        values = np.ascontiguousarray(signs.T[k] * neurons.targets[i]).sum(axis=1)
        position = start + k
        if odd:
            position, values = 2 * position + (values < 0), np.abs(values)
        begins = np.flatnonzero(np.diff(i, prepend=-1)).tolist()
        for first, after in zip(begins, [*begins[1:], len(i)], strict=True):
            at = first + int(values[first:after].argmax())  # the first of the largest
            if values[at] > neurons.best[i[first]]:
                neurons.best[i[first]], neurons.where[i[first]] = values[at], position[at]


def _screen_few(neurons: _Neurons, signs: NDArray[np.float32], odd: bool, near: NDArray[np.bool_]) -> None:
    """Do what `_screen` does for all neurons, by a matrix product."""
    gains = neurons.screen @ signs
    gains = np.abs(gains) if odd else gains
    np.maximum(neurons.top, gains.max(axis=1, initial=-np.inf), out=neurons.top)
    np.greater_equal(gains, (neurons.top - neurons.slack)[:, None], out=near)


@compiled(fastmath=FAST)
def _screen(neurons, signs, odd, near, gains, among):
    """Raise the top of each of the neurons (first, last), and mark the vectors whose gain may be the largest so far."""
    top, slack, weights = neurons.top, neurons.slack, neurons.screen
    total, block = signs.shape[1], gains.size
    for low in range(0, total, block):
        width = block if block < total - low else total - low
        for i in range(among[0], among[1]):
            highest = _gains(weights, i, signs, low, width, odd, gains)
            if highest > top[i]:
                top[i] = highest
            limit = top[i] - slack[i]
            if highest >= limit:
                for k in range(width):
                    near[i, low + k] = gains[k] >= limit


@inlined
def _gains(weights, i, signs, low, width, odd, gains):
    """Write Σ_g weights[i, g]·signs[g, low + k], or its size where odd, to gains[k]; return the largest.

    Sums may be reordered, which `slack` allows for.
    """
    U, high = len(signs), low + width
    for k in range(width):
        gains[k] = np.float32(0)
    g = 0
    while g + 4 <= U:  # four rows per pass: gains are loaded and stored a quarter as often
        a, b, c, d = weights[i, g], weights[i, g + 1], weights[i, g + 2], weights[i, g + 3]
        A, B = signs[g, low:high], signs[g + 1, low:high]  # contiguous, so that this becomes vector code
        C, D = signs[g + 2, low:high], signs[g + 3, low:high]
        for k in range(width):
            gains[k] += a * A[k] + b * B[k] + c * C[k] + d * D[k]
        g += 4
    while g < U:
        a, A = weights[i, g], signs[g, low:high]
        for k in range(width):
            gains[k] += a * A[k]
        g += 1
    highest = np.float32(-3e38)
    for k in range(width):
        if odd:
            gains[k] = abs(gains[k])
        highest = max(highest, gains[k])
    return highest


def _counts(sizes: CountArray, numbers: CountArray) -> CountArray:
    """Return the count vectors of given numbers, (k, C): mixed radix, the last class counting fastest."""
    if not len(sizes):
        return np.zeros((len(numbers), 0), np.int64)
    return np.stack(np.unravel_index(numbers, tuple((sizes + 1).tolist())), axis=1).astype(np.int64)


__all__ = ["enumerate_layer"]
