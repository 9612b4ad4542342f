"""Stochastic perceptron learning with hidden integers: the cheapest way to meet all signs of a layer.

Each class of M columns keeps a hidden integer h ≡ M (mod 2) and shows u = clip(h, −M, M) = 2c − M; for a plain column
that is u = sign(h). Rows are visited in random order: a row whose sign is not met pushes all h by ±2, and one that is
met only narrowly sometimes pushes those that it agrees with deeper, which changes no sum (SBPI: Baldassi, Braunstein,
Brunel, Zecchina 2007). An epoch costs n·C multiplications of small integers, and correlated or constant columns do no
harm: a class of constant columns is one slowly moving threshold.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj._compiled import FAST, compiled, inlined
from qproj.solvers.builtin.kernels.scoring import CountArray, check_shapes, score
from qproj.solvers.builtin.kernels.sharing import (
    ENTRIES,
    NO_LIMITS,
    Limits,
    SeedArray,
    below,
    check_seeds,
    derived_seeds,
    generator_states,
    in_threads,
    next_state,
    random_integers,
    random_reals,
    word_of,
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


class _Rows(NamedTuple):
    rows: NDArray[Any]  # (G, C) int16 or int32, or float32 and scaled
    sizes: NDArray[Any]  # (C,) M, of the rows' type
    shift: Any  # added to sums: 1 where they are even, so that none is 0
    steep: Any
    zero: Any  # of the type of sums: int32 or float64


class _Learners(NamedTuple):
    """Neurons that learn together, one row each; all but `signs` change in place."""

    signs: NDArray[np.int8]  # (k, G) of the targets
    hidden: NDArray[Any]  # (k, C) h
    shown: NDArray[Any]  # (k, C) u
    order: NDArray[np.int32]  # (k, G) in which rows are visited
    states: SeedArray
    done: NDArray[np.bool_]


class _Pace(NamedTuple):
    margin: Any  # sums up to this are narrow, of the rows' type
    limit: Any  # of 2^32: the chance to push a narrow row


def learn_signs(
    A: NDArray[Any],
    M: CountArray,
    Tau: FloatArray,
    *,
    seeds: SeedArray,
    epochs: int = 100,
    starts: int = 2,
    limits: Limits = NO_LIMITS,
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
    limits : Limits
        A deadline and threads.

    Returns
    -------
    counts : (dout, C) int64
        For neurons not met, those of the last start.
    met : (dout,) bool
        Whether all signs are met, in float64 sums for real A.
    """
    check_shapes(A, M, Tau)
    if A.dtype.kind == "f" and (M != 1).any():
        raise ValueError("A is real and M has classes of several columns; pass real rows with M = 1")
    dout = len(check_seeds(seeds, Tau.shape[1]))
    rows, spread = _scaled(A, M)
    signs = np.ascontiguousarray(np.sign(Tau).T, np.int8)
    counts, met = np.zeros((dout, len(M)), np.int64), np.zeros(dout, np.bool_)
    for start in range(starts):
        left = np.flatnonzero(~met)
        if not len(left) or limits.over:
            break
        margin, share = SCHEDULE[start % len(SCHEDULE)]
        pace = _Pace(rows.rows.dtype.type(margin * spread), np.uint64(share * 2**32))
        learners = _beginners(rows, M, signs[left], seeds[left], start)
        _run(rows, learners, pace, epochs, limits)
        counts[left] = (learners.shown.astype(np.int64) + M) // 2
        met[left] = score(A, M, Tau.T[left], counts[left])[1]
    return counts, met


def _scaled(A: NDArray[Any], M: CountArray) -> tuple[_Rows, float]:
    """Return the rows as the kernel takes them, and their rms distance from the mean row: how much z varies."""
    if A.dtype.kind == "f":
        rms = np.sqrt(np.square(A, dtype=np.float64).sum(axis=1, keepdims=True))
        rows: NDArray[Any] = A / np.where(rms > 0, rms, 1.0) * np.sqrt(A.shape[1])  # σ(z) does not change
        rows = np.ascontiguousarray(rows, np.float32)
        record = _Rows(rows, M.astype(np.float32), np.float32(0), np.float32(_STEEP), np.float64(0))
    else:
        rows = np.ascontiguousarray(A, np.int16 if int(M.max(initial=1)) < _CAP else np.int32)
        kind = rows.dtype.type
        record = _Rows(rows, M.astype(kind), kind(1 - int(M.sum()) % 2), kind(1), np.int32(0))
    middle = rows.mean(axis=0, dtype=np.float64)
    apart, block = np.empty(len(rows)), max(1, ENTRIES // max(1, rows.shape[1]))
    for low in range(0, len(rows), block):
        apart[low : low + block] = np.square(rows[low : low + block] - middle) @ M
    return record, float(np.sqrt(apart.mean()))


def _beginners(
    rows: _Rows, M: CountArray, signs: NDArray[np.int8], seeds: SeedArray, start: int
) -> _Learners:  # fmt: skip
    """Return neurons with random hidden numbers, of M's parity where they are integers."""
    own = derived_seeds(seeds, _STREAM, 2 * start)
    if rows.rows.dtype.kind == "f":
        hidden: NDArray[Any] = (DEPTH * random_reals(own, len(M))).astype(rows.rows.dtype)
        shown = np.where(hidden >= 0, rows.sizes, -rows.sizes)
    else:
        odd = 2 * (random_integers(own, np.full(len(M), 2 * DEPTH - 1)) - DEPTH) + 1
        hidden = (odd - (1 - M % 2)).astype(rows.rows.dtype)
        shown = np.clip(hidden, -rows.sizes, rows.sizes)
    order = np.tile(np.arange(len(rows.rows), dtype=np.int32), (len(seeds), 1))
    states = generator_states(seeds, _STREAM, 2 * start + 1)
    return _Learners(signs, hidden, shown, order, states, np.zeros(len(seeds), np.bool_))


def _run(rows: _Rows, learners: _Learners, pace: _Pace, epochs: int, limits: Limits) -> None:
    """Learn for so many epochs, in chunks: a short first one, and more where there is a deadline."""
    neurons = len(learners.signs)
    cost = rows.rows.size * 0.3e-9 + 1e-7  # seconds per epoch, roughly: sizes the chunks, never the result
    chunk = epochs if limits.deadline is None else max(1, int(0.02 / (cost * neurons)))
    first, last = 0, min(EASY, chunk, epochs)
    while first < epochs and not learners.done.all():
        if first and limits.over:
            break

        def run(low: int, high: int, count: int = last - first) -> int:
            return int(_learn(rows, learners, pace, count, low, high))

        # most that are met at all are met soon, sooner than threads start
        still = float((~learners.done).mean())
        in_threads(run, neurons, limits.threads, cost * still * min(last - first, 20))
        first, last = last, min(last + chunk, epochs)


@compiled(fastmath=FAST)
def _learn(problem, learners, pace, epochs, low, high):
    """Run up to `epochs` epochs for each of the neurons low … high − 1 that is not done; return how many."""
    rows, sizes = problem.rows, problem.sizes
    two = rows.dtype.type(2)
    work = 0
    for i in range(low, high):
        if learners.done[i]:
            continue
        y, h, u, order = learners.signs[i], learners.hidden[i], learners.shown[i], learners.order[i]
        x = learners.states[i]
        for _ in range(epochs):
            work += 1
            changed = False
            for q in range(order.size):
                x = next_state(x)
                b = q + below(x, order.size - q)
                g = order[b]  # Fisher-Yates: another order in each epoch
                order[b] = order[q]
                order[q] = g
                if y[g] == 0:
                    continue
                z = _dot(rows, g, u, problem.zero) + problem.shift
                s = z if y[g] > 0 else -z
                step = two if y[g] > 0 else -two
                if s < 0 or (s == 0 and y[g] < 0):
                    changed = True
                    _push(rows, g, sizes, h, u, step, problem.steep)
                elif s <= pace.margin:
                    x = next_state(x)
                    if word_of(x) >> np.uint64(32) < pace.limit:
                        _deepen(rows, g, sizes, h, u, step)
            if not changed:
                learners.done[i] = True
                break
        learners.states[i] = x
    return work


@inlined
def _dot(rows, g, u, total):
    kind = type(total)
    for j in range(u.size):
        # the casts keep integers in 32 bits, where numba would widen to 64
        total = kind(total + kind(rows[g, j]) * u[j])
    return total


@inlined
def _push(rows, g, sizes, h, u, step, steep):
    """Move h along the row, and u with it."""
    narrow = rows.dtype.type
    for j in range(h.size):
        top = narrow(sizes[j] + _CAP)
        new = narrow(h[j] + rows[g, j] * step)
        new = top if new > top else new
        new = narrow(-top) if new < -top else new
        h[j] = new
        shown = narrow(new * steep)
        shown = sizes[j] if shown > sizes[j] else shown
        u[j] = narrow(-sizes[j]) if shown < -sizes[j] else shown


@inlined
def _deepen(rows, g, sizes, h, u, step):
    """Move those h outwards that agree with the row and are at their end: the sums stay."""
    narrow = rows.dtype.type
    for j in range(h.size):
        move = narrow(rows[g, j] * step)
        ends = (move > 0 and u[j] >= sizes[j]) or (move < 0 and u[j] <= -sizes[j])
        top = narrow(sizes[j] + _CAP)
        if ends and -top < h[j] < top:
            h[j] = narrow(h[j] + move)
