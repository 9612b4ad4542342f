"""Stochastic perceptron learning with hidden integers: the cheapest way to meet all signs of a layer.

Each class of M columns keeps a hidden integer h ≡ M (mod 2) and shows u = clip(h, −M, M) = 2c − M; for a plain column
that is u = sign(h). Rows are visited in random order: a row whose sign is not met pushes all h by ±2, and one that is
met only narrowly sometimes pushes those that it agrees with deeper, which changes no sum (SBPI: Baldassi, Braunstein,
Brunel, Zecchina 2007). An epoch costs n·C multiplications of small integers, and correlated or constant columns do no
harm: a class of constant columns is one slowly moving threshold.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import time
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.kernels.scoring import CountArray, score
from qproj.solvers.builtin.kernels.sharing import (
    ENTRIES,
    FAST,
    SeedArray,
    check_seeds,
    derived_seeds,
    generator_states,
    in_threads,
    random_integers,
    random_reals,
)

#: (margin in units of the rows' spread, chance to push a narrow row) of each start. Small shares are slower, and
#: still find something nearer to capacity.
SCHEDULE = ((0.3, 0.1), (0.4, 0.03))
#: Epochs of a first look at every neuron.
EASY = 4
#: Start of |h|: larger values only take longer to leave.
DEPTH = 2
_STREAM = 2  # among the searches that draw from one neuron's seed
_STEEP = 1e30  # real h: clip(h·steep, −1, 1) is sign(h)
_CAP = 8192  # |h| beyond M + this stays: keeps 16 bits from overflowing


def learn_signs(
    A: NDArray[Any],
    M: CountArray,
    Tau: FloatArray,
    *,
    seeds: SeedArray,
    epochs: int = 100,
    starts: int = 2,
    deadline: float | None = None,
    threads: int | None = None,
) -> tuple[CountArray, NDArray[np.bool_]]:
    """Seek, for each neuron i, counts 0 ≤ c ≤ M with σ(Σ_j A[g,j] (2c_j − M_j)) = sign Tau[g,i] wherever Tau ≠ 0.

    Parameters
    ----------
    A : (G, C)
        ±1 of an integer dtype, or real.
    M : (C,) int64
        Class sizes; ones for plain columns, and for real A.
    Tau : (G, dout) float64
        Targets; their sizes do not matter here.
    seeds : (dout,) uint64
        One per neuron. A neuron's result depends on its own target and seed and the work budget alone.
    epochs, starts
        The work budget per neuron.
    deadline : float, optional
        `time.perf_counter()` instant at which to return.

    Returns
    -------
    counts : (dout, C) int64
        For neurons not met, those of the last start.
    met : (dout,) bool
        Whether all signs are met, in float64 sums for real A.
    """
    G, C = A.shape
    if M.shape != (C,) or Tau.ndim != 2 or Tau.shape[0] != G:
        raise ValueError(f"A {A.shape}, M {M.shape}, Tau {Tau.shape}: pass A (G, C), M (C,), Tau (G, dout)")
    if A.dtype.kind == "f" and (M != 1).any():
        raise ValueError("A is real and M has classes of several columns; pass real rows with M = 1")
    dout = Tau.shape[1]
    check_seeds(seeds, dout)
    rows, spread = _scaled(A, M)
    sizes = M.astype(rows.dtype)
    signs = np.ascontiguousarray(np.sign(Tau).T, np.int8)
    shift = rows.dtype.type(1 - int(M.sum()) % 2 if rows.dtype.kind == "i" else 0)
    steep = rows.dtype.type(1 if rows.dtype.kind == "i" else _STEEP)
    kind: type = np.int32 if rows.dtype.kind == "i" else np.float64  # of sums
    counts, met = np.zeros((dout, C), np.int64), np.zeros(dout, np.bool_)
    cost = G * C * 0.3e-9 + 1e-7  # seconds an epoch, roughly: sizes the chunks, never the result
    for start in range(starts):
        left = np.flatnonzero(~met)
        if not len(left) or (deadline is not None and time.perf_counter() >= deadline):
            break
        margin, share = SCHEDULE[start % len(SCHEDULE)]
        hidden = _hidden(derived_seeds(seeds[left], _STREAM, 2 * start), M, rows.dtype)
        states = generator_states(seeds[left], _STREAM, 2 * start + 1)
        shown = _shown(hidden, sizes)
        y, order = signs[left], np.tile(np.arange(G, dtype=np.int32), (len(left), 1))
        done = np.zeros(len(left), np.bool_)
        theta = rows.dtype.type(margin * spread)

        def run(
            low: int, high: int, first: int, last: int,
            *, y=y, h=hidden, u=shown, order=order, states=states, theta=theta, share=share, done=done,
        ) -> int:  # fmt: skip
            part = slice(low, high)
            return int(
                _learn(rows, sizes, y[part], h[part], u[part], order[part], states[part],
                       last - first, theta, share, shift, steep, done[part], kind)
            )  # fmt: skip

        chunk = epochs if deadline is None else max(1, int(0.02 / (cost * len(left))))
        first, last = 0, min(EASY, chunk, epochs)
        while first < epochs and not done.all():
            if deadline is not None and first and time.perf_counter() >= deadline:
                break
            # most that are met at all are met soon, sooner than threads start
            still = float((~done).mean())
            in_threads(run, len(left), first, last, threads, cost * still * min(last - first, 20))
            first, last = last, min(last + chunk, epochs)
        counts[left] = (shown.astype(np.int64) + M) // 2
        met[left] = score(A, M, Tau.T[left], counts[left])[1]
    return counts, met


def _scaled(A: NDArray[Any], M: CountArray) -> tuple[NDArray[Any], float]:
    """Return the rows as the kernel takes them, and their rms distance from the mean row: how much z varies."""
    if A.dtype.kind == "f":
        rms = np.sqrt(np.square(A, dtype=np.float64).sum(axis=1, keepdims=True))
        rows: NDArray[Any] = A / np.where(rms > 0, rms, 1.0) * np.sqrt(A.shape[1])  # σ(z) does not change
        rows = np.ascontiguousarray(rows, np.float32)
    else:
        rows = np.ascontiguousarray(A, np.int16 if int(M.max(initial=1)) < _CAP else np.int32)
    middle = rows.mean(axis=0, dtype=np.float64)
    apart, block = np.empty(len(rows)), max(1, ENTRIES // max(1, rows.shape[1]))
    for low in range(0, len(rows), block):
        apart[low : low + block] = np.square(rows[low : low + block] - middle) @ M
    return rows, float(np.sqrt(apart.mean()))


def _hidden(seeds: SeedArray, M: CountArray, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return where the hidden numbers begin, (len(seeds), C): of M's parity where they are integers."""
    if dtype.kind == "f":
        return (DEPTH * random_reals(seeds, len(M))).astype(dtype)
    odd = 2 * (random_integers(seeds, np.full(len(M), 2 * DEPTH - 1)) - DEPTH) + 1
    hidden: NDArray[Any] = (odd - (1 - M % 2)).astype(dtype)
    return hidden


def _shown(hidden: NDArray[Any], sizes: NDArray[Any]) -> NDArray[Any]:
    real = hidden.dtype.kind == "f"
    shown: NDArray[Any] = np.where(hidden >= 0, sizes, -sizes) if real else np.clip(hidden, -sizes, sizes)
    return shown


@nb.njit(cache=True, nogil=True)
def _learn(rows, sizes, signs, hidden, shown, order, states, epochs, theta, share, shift, steep, done, kind):
    """Run up to `epochs` epochs for each neuron that is not done; hidden … states and done change in place."""
    work = 0
    for i in range(signs.shape[0]):
        if not done[i]:
            work += _learn_one(
                rows,
                sizes,
                signs[i],
                hidden[i],
                shown[i],
                order[i],
                states[i:],
                epochs,
                theta,
                share,
                shift,
                steep,
                done[i:],
                kind,
            )
    return work


@nb.njit(cache=True, nogil=True)
def _learn_one(rows, sizes, y, h, u, order, state, epochs, theta, share, shift, steep, done, kind):
    limit = np.uint64(share * 4294967296.0)
    x = state[0]
    two = rows.dtype.type(2)
    for epoch in range(epochs):
        changed = False
        for q in range(order.size):
            x = _next(x)
            word = (x * np.uint64(2685821657736338717)) >> np.uint64(32)
            b = q + np.int64((word * np.uint64(order.size - q)) >> np.uint64(32))
            g = order[b]  # Fisher-Yates: a fresh order each epoch
            order[b] = order[q]
            order[q] = g
            if y[g] == 0:
                continue
            z = _dot(rows, g, u, kind) + shift
            s = z if y[g] > 0 else -z
            step = two if y[g] > 0 else -two
            if s < 0 or (s == 0 and y[g] < 0):
                changed = True
                _push(rows, g, sizes, h, u, step, steep)
            elif s <= theta:
                x = _next(x)
                if (x * np.uint64(2685821657736338717)) >> np.uint64(32) < limit:
                    _deepen(rows, g, sizes, h, u, step)
        if not changed:
            done[0] = True
            state[0] = x
            return epoch + 1
    state[0] = x
    return epochs


@nb.njit(cache=True, nogil=True)
def _next(x):
    x ^= x >> np.uint64(12)  # xorshift64*, Marsaglia 2003 / Vigna 2016
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    return x


@nb.njit(cache=True, nogil=True, fastmath=FAST)
def _dot(rows, g, u, kind):
    total = kind(0)  # the casts keep integers in 32 bits, where numba would widen to 64
    for j in range(u.size):
        total = kind(total + kind(kind(rows[g, j]) * kind(u[j])))
    return total


@nb.njit(cache=True, nogil=True)
def _push(rows, g, sizes, h, u, step, steep):
    """Move h along the row, and what it shows."""
    narrow = rows.dtype.type
    for j in range(h.size):
        top = narrow(sizes[j] + narrow(_CAP))
        new = narrow(h[j] + narrow(rows[g, j] * step))
        new = top if new > top else new
        new = narrow(-top) if new < -top else new
        h[j] = new
        shown = narrow(new * steep)
        shown = sizes[j] if shown > sizes[j] else shown
        u[j] = narrow(-sizes[j]) if shown < -sizes[j] else shown


@nb.njit(cache=True, nogil=True)
def _deepen(rows, g, sizes, h, u, step):
    """Move those h outwards that agree with the row and are at their end: the sums stay."""
    narrow = rows.dtype.type
    for j in range(h.size):
        move = narrow(rows[g, j] * step)
        ends = (move > 0 and u[j] >= sizes[j]) or (move < 0 and u[j] <= -sizes[j])
        top = narrow(sizes[j] + narrow(_CAP))
        if ends and -top < h[j] < top:
            h[j] = narrow(h[j] + move)
