"""Iterated local search by pairs of moves: for neurons whose signs cannot all be met.

A flip changes every sum by ±2, so a weight that moves alone breaks a row for nearly each that it mends; two that move
together leave half of the rows as they are. All pairs of 64 weights on 64 rows are looked at in some 30 µs, so local
optima of pairs are cheap: kick a few counts at random, descend by single moves and pairs, go on from what is not much
worse, return to the best after a while, begin anew at random after some returns (iterated local search: Lourenço,
Martin, Stützle 2003). In a tenth of a second that finds the best gain known where annealing still loses some, on up to
a hundred weights; a first descent of wider neurons takes longer, so they are annealed before (docs/performance.md).
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.kernels.scoring import CountArray, score
from qproj.solvers.builtin.kernels.sharing import (
    FAST,
    SeedArray,
    check_seeds,
    generator_states,
    in_threads,
    share_of_time,
)

WINDOW = 64  # classes that one kick and its descent look at: all, or a random choice
KICK = (4, 16)  # moves of a kick: at least, and below
WORSE = 0.1  # the walk goes on from what loses at most this share more
PATIENCE = 200  # kicks without a better vector after which the walk returns to the best since it began
RETURNS = 5  # without a better vector, after which it begins anew at random
_STREAM = 3  # among the searches that draw from one neuron's seed
PAIR_S = 4e-10  # seconds that a descent takes, about, a row and pair of classes
_LANES = 32  # rows are filled up to a multiple, with weight 0
_CHUNK_S = 0.004  # between two looks at the clock
_MEMORY = 1 << 25  # bytes of the rows of neurons that walk at once, each with its own


@dataclass(frozen=True, eq=False)
class Exchanged:
    """Best vectors found, one row a neuron: counts (dout, C) int64, gains (dout,), met (dout,) bool, kicks in all."""

    counts: CountArray
    gains: FloatArray
    met: NDArray[np.bool_]
    kicks: int


def exchange_layer(
    A: NDArray[Any],
    M: CountArray,
    Tau: FloatArray,
    counts: CountArray,
    *,
    seeds: SeedArray,
    kicks: int | None,
    deadline: float | None = None,
    threads: int | None = None,
    stop: Callable[[], bool] | None = None,
) -> Exchanged:
    """Seek argmax_{0 ≤ c ≤ M} Σ_g Tau[g,i] σ(Σ_j A[g,j] (2c_j − M_j)) for every neuron i, from `counts` on.

    Parameters
    ----------
    A : (G, C)
        ±1 of an integer dtype.
    M : (C,) int64
        Class sizes ≥ 1.
    Tau : (G, dout) float64
        Targets.
    counts : (dout, C) int64
        Where to begin; not modified, and the result is at least as good.
    seeds : (dout,) uint64
        One per neuron. A neuron's result depends on its own target, seed, counts and the work budget alone.
    kicks
        The work budget per neuron, fewer once its signs are all met; 0 is one descent. None: until the deadline.
    deadline : float, optional
        `time.perf_counter()` instant at which to return.
    threads : int, optional
        Default `numba.get_num_threads()`.
    stop : callable, optional
        Asked now and then where there is a deadline; True ends the search.

    Raises
    ------
    TypeError, ValueError
        Real rows, shapes that do not fit, or neither kicks nor a deadline.
    """
    G, C = A.shape
    dout = len(counts)
    if M.shape != (C,) or Tau.shape != (G, dout) or counts.shape != (dout, C):
        raise ValueError(
            f"A {A.shape}, M {M.shape}, Tau {Tau.shape}, counts {counts.shape}: "
            "pass A (G, C), M (C,), Tau (G, dout), counts (dout, C)"
        )
    if A.dtype.kind == "f":
        raise TypeError("A is real; exchanges take rows of ±1: use soft_anneal_layer")
    if kicks is None and deadline is None:
        raise ValueError("kicks is None and there is no deadline; pass one of them")
    sizes = M.astype(np.int64)
    states = generator_states(check_seeds(seeds, dout), _STREAM)
    found, spent = counts.astype(np.int64), 0
    block = max(1, _MEMORY // (2 * G * C + 1))
    for low in range(0, dout, block):
        part = slice(low, low + block)
        end = share_of_time(deadline, block / (dout - low))
        spent += _walk_block(A, sizes, Tau[:, part], found[part], states[part], kicks, end, threads, stop)
    gains, met = score(A, M, Tau.T, found)
    before, _ = score(A, M, Tau.T, counts)
    worse = gains < before  # by rounding only
    found[worse], gains[worse] = counts[worse], before[worse]
    return Exchanged(found, gains, met, spent)


def _walk_block(
    A: NDArray[Any],
    sizes: CountArray,
    Tau: FloatArray,
    found: CountArray,
    states: NDArray[np.uint64],
    kicks: int | None,
    deadline: float | None,
    threads: int | None,
    stop: Callable[[], bool] | None,
) -> int:
    """Walk from `found`, put the best into its place, and return the kicks of all."""
    walks = []
    for tau, start in zip(Tau.T, found, strict=True):
        if deadline is not None and time.perf_counter() >= deadline:
            break  # the others stay where they begin
        walks.append(_Walk.of(A, sizes, tau, start))
    # seconds a kick, roughly: this sizes the chunks, never the result
    cost = PAIR_S * len(A) * min(len(sizes), WINDOW) ** 2 + 2e-6
    chunk = kicks or 0 if deadline is None else max(1, int(_CHUNK_S / (cost * max(1, len(walks)))))
    spent, first = 0, 0
    with _halted_at(deadline) as halt:

        def run(low: int, high: int, first: int, last: int) -> int:
            return sum(walks[i].go(sizes, states[i:], last - first, halt) for i in range(low, high))

        while walks and not halt[0]:
            last = first + chunk if kicks is None else min(first + chunk, kicks)
            spent += in_threads(run, len(walks), first, last, threads, cost * (last - first + 1))
            first = last
            if first == kicks or all(walk.lost[0] == 0 for walk in walks):
                break
            if deadline is not None and stop is not None and stop():
                break
    for place, walk in enumerate(walks):
        found[place] = walk.best
    return spent


@contextmanager
def _halted_at(deadline: float | None) -> Iterator[NDArray[np.uint8]]:
    """Give a flag that is raised at the deadline: compiled loops, which cannot ask a clock, look at it."""
    halt = np.zeros(1, np.uint8)
    if deadline is None:
        yield halt
        return
    timer = threading.Timer(max(0.0, deadline - time.perf_counter()), halt.fill, (1,))
    timer.daemon = True
    timer.start()
    try:
        yield halt
    finally:
        timer.cancel()


@dataclass(frozen=True, eq=False)
class _Walk:
    """One neuron's walk: rows turned so that each asks for an odd sum above 0, where it is, and the best it has met."""

    columns: NDArray[Any]  # (C, rows)
    weights: NDArray[Any]  # (rows,) whole numbers for descents
    exact: FloatArray  # (rows,) |τ|: what decides what is better
    now: CountArray
    z: NDArray[Any]
    home: CountArray  # the best since the walk began, where it returns to
    best: CountArray
    lost: FloatArray  # of best, now, home; kicks since home (−1: no descent yet), returns to it

    @classmethod
    def of(cls, A: NDArray[Any], M: CountArray, tau: FloatArray, start: CountArray) -> _Walk:
        rows = np.flatnonzero(tau)
        width = -(-len(rows) // _LANES) * _LANES
        kind = np.int16 if int(M.sum()) < 1 << 13 else np.int32
        sign = np.where(tau[rows] > 0, 1, -1).astype(kind)
        columns = np.zeros((len(M), width), kind)
        z: NDArray[Any] = np.ones(width, kind)
        weights, exact = np.zeros(width, kind), np.zeros(width)
        np.multiply(A.T[:, rows], sign, out=columns[:, : len(rows)])
        shift = 1 - int(M.sum()) % 2  # σ(0) = +1 for even sums
        sums: NDArray[Any] = (2 * start - M).astype(kind) @ columns[:, : len(rows)]
        z[: len(rows)] = sums + sign * shift
        exact[: len(rows)] = np.abs(tau[rows])
        unit = min(32767.0, (1 << 30) / max(1, len(rows))) / float(exact.max(initial=1e-300))
        weights[: len(rows)] = np.maximum(1, np.rint(exact[: len(rows)] * unit))
        lost = float(exact[z < 0].sum())
        state = np.array([lost, lost, lost, -1.0, 0.0])
        return cls(columns, weights, exact, start.copy(), z, start.copy(), start.copy(), state)

    def go(self, sizes: CountArray, state: NDArray[np.uint64], kicks: int, halt: NDArray[np.uint8]) -> int:
        """Kick and descend `kicks` times, fewer once nothing is lost or `halt` is raised; return how often."""
        if self.lost[0] == 0:
            return 0
        return int(
            _walk(
                self.columns, sizes, self.weights, self.exact, self.now, self.z, self.home, self.best, self.lost, state,
                kicks, halt, WINDOW, *KICK, WORSE, PATIENCE, RETURNS,
            )
        )  # fmt: skip


@nb.njit(cache=True, nogil=True)
def _walk(
    columns, sizes, weights, exact, now, z, home, best, lost, state, kicks, halt,
    window, least, most, worse, patience, returns,
):  # fmt: skip
    C = sizes.size
    order = np.arange(C)
    counts, sums, room = now.copy(), z.copy(), np.empty_like(z)
    x = state[0]
    if lost[3] < 0:
        _descend_pairs(columns, sizes, weights, now, z, room, order, halt)
        _arrived(now, _loss(z, exact), home, best, lost)
    window = min(C, window)
    done = 0
    while done < kicks and lost[0] > 0 and halt[0] == 0:
        done += 1
        for a in range(window):
            x = _next(x)
            b = a + _below(x, C - a)
            order[a], order[b] = order[b], order[a]
        if lost[4] >= returns:
            for j in range(C):
                x = _next(x)
                _set(now, z, columns, j, _below(x, sizes[j] + 1))
            _descend_pairs(columns, sizes, weights, now, z, room, order, halt)
            lost[2] = np.inf
            _arrived(now, _loss(z, exact), home, best, lost)
            continue
        counts[:], sums[:] = now, z
        x = _next(x)
        for _ in range(least + _below(x, most - least)):
            x = _next(x)
            j = order[_below(x, window)]
            step = 1 if x & np.uint64(1 << 20) else -1
            if counts[j] + step < 0 or counts[j] + step > sizes[j]:
                step = -step
            _set(counts, sums, columns, j, counts[j] + step)
        _descend_pairs(columns, sizes, weights, counts, sums, room, order[:window], halt)
        after = _loss(sums, exact)
        if after <= lost[1] * (1.0 + worse) or after < lost[2]:
            now[:], z[:] = counts, sums
            _arrived(now, after, home, best, lost)
        lost[3] += 1
        if lost[3] >= patience:
            for j in range(C):
                if home[j] != now[j]:
                    _set(now, z, columns, j, home[j])
            lost[1], lost[3] = lost[2], 0
            lost[4] += 1
    state[0] = x
    return done


@nb.njit(cache=True, nogil=True)
def _arrived(now, after, home, best, lost):
    """Note where the walk is, as its best and the best of all where it is that."""
    lost[1] = after
    lost[3] = max(lost[3], 0)
    if after < lost[2]:
        home[:] = now
        lost[2], lost[3], lost[4] = after, 0, 0
    if after < lost[0]:
        best[:] = now
        lost[0] = after


@nb.njit(cache=True, nogil=True)
def _next(x):
    x ^= x >> np.uint64(12)  # xorshift64*, Marsaglia 2003 / Vigna 2016
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    return x


@nb.njit(cache=True, nogil=True)
def _below(x, n):
    """A number from 0 to n − 1."""
    word = (x * np.uint64(2685821657736338717)) >> np.uint64(32)
    return np.int64((word * np.uint64(n)) >> np.uint64(32))


@nb.njit(cache=True, nogil=True)
def _loss(z, exact):
    total = 0.0
    for g in range(z.size):
        total += exact[g] if z[g] < 0 else 0.0
    return total


@nb.njit(cache=True, nogil=True)
def _descend_pairs(columns, sizes, weights, c, z, room, order, halt):
    """Make the first single move or pair within `order` that loses less, until there is none or `halt` is raised."""
    lost = _lost_to(room, z, columns, 0, z.dtype.type(0), weights)
    better = True
    while better:
        better = False
        for a in range(order.size):
            if halt[0] != 0:
                return
            i = order[a]
            for up in (1, -1):
                if c[i] + up < 0 or c[i] + up > sizes[i]:
                    continue
                after = _lost_to(room, z, columns, i, z.dtype.type(2 * up), weights)
                j, also = -1, 0
                if after >= lost:
                    after, j, also = _second(columns, sizes, weights, c, room, order, a, lost)
                if after < lost:
                    lost, better = after, True
                    c[i] += up
                    _shift(z, columns, i, z.dtype.type(2 * up))
                    if j >= 0:
                        c[j] += also
                        _shift(z, columns, j, z.dtype.type(2 * also))


@nb.njit(cache=True, nogil=True)
def _second(columns, sizes, weights, c, z, order, a, lost):
    """Return (what is lost, class, step) of the first move after z that loses less than `lost`."""
    for b in range(a + 1, order.size):
        j = order[b]
        for also in (1, -1):
            if c[j] + also < 0 or c[j] + also > sizes[j]:
                continue
            after = _lost(z, columns, j, z.dtype.type(2 * also), weights)
            if after < lost:
                return after, j, also
    return lost, -1, 0


# As in annealing.py: casts keep integers narrow, and columns are indexed, not sliced. The product with a flag of −1 or
# 0 is one multiply-add of 16-bit numbers, ten times faster than a selection.


@nb.njit(cache=True, nogil=True, fastmath=FAST)
def _lost(z, columns, j, move, weights):
    """What is lost after a move."""
    total = nb.int32(0)
    for g in range(z.size):
        y = z.dtype.type(z[g] + z.dtype.type(move * columns[j, g]))
        flag = min(max(y, z.dtype.type(-1)), z.dtype.type(0))
        total = nb.int32(total - nb.int32(nb.int32(weights[g]) * nb.int32(flag)))
    return total


@nb.njit(cache=True, nogil=True, fastmath=FAST)
def _lost_to(out, z, columns, j, move, weights):
    """Write z after a move to `out`, and return what is lost then."""
    total = nb.int32(0)
    for g in range(z.size):
        y = z.dtype.type(z[g] + z.dtype.type(move * columns[j, g]))
        out[g] = y
        flag = min(max(y, z.dtype.type(-1)), z.dtype.type(0))
        total = nb.int32(total - nb.int32(nb.int32(weights[g]) * nb.int32(flag)))
    return total


@nb.njit(cache=True, nogil=True)
def _set(counts, z, columns, j, value):
    """Give class j a count, and the sums what it adds."""
    _shift(z, columns, j, z.dtype.type(2 * (value - counts[j])))
    counts[j] = value


@nb.njit(cache=True, nogil=True)
def _shift(z, columns, j, move):
    for g in range(z.size):
        z[g] = z.dtype.type(z[g] + z.dtype.type(move * columns[j, g]))


__all__ = ["Exchanged", "exchange_layer"]
