"""Iterated local search by pairs of moves: for neurons whose signs cannot all be met.

A flip changes every sum by ±2, so a weight that moves alone loses nearly one row for each that it gains; two that move
together leave half of the rows as they are. All pairs of 64 weights on 64 rows are looked at in some 30 µs, so local
optima of pairs are cheap. A walk kicks a few counts at random, descends by single moves and pairs, continues from the
result if it is not much worse, returns to its best after a while, and begins again at random after some returns
(iterated local search: Lourenço, Martin, Stützle 2003). In a tenth of a second that finds the best gain known where
annealing still loses some, on up to a hundred weights; a first descent of wider neurons takes longer, so they are
annealed before (docs/performance.md).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.kernels.exchange_walk import WINDOW, Walk, begin_walk, walk
from qproj.solvers.builtin.kernels.scoring import CountArray, check_shapes, score
from qproj.solvers.builtin.kernels.sharing import (
    NO_LIMITS,
    Limits,
    SeedArray,
    check_seeds,
    generator_states,
    in_threads,
)

PAIR_S = 4e-10  # seconds that a descent takes, about, per row and pair of classes
_STREAM = 3  # among the searches that draw from one neuron's seed
_CHUNK_S = 0.004  # between two looks at the clock
_MEMORY = 1 << 25  # bytes of the rows of neurons that walk at once, each with its own


@dataclass(frozen=True, eq=False)
class Exchanged:
    """Best vectors found, one row per neuron: counts (dout, C) int64, gains (dout,), met (dout,) bool, kicks in all."""

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
    limits: Limits = NO_LIMITS,
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
    limits : Limits
        A deadline, threads, and a function that may stop the search.

    Raises
    ------
    TypeError, ValueError
        Real rows, shapes that do not fit, or neither kicks nor a deadline.
    """
    check_shapes(A, M, Tau, counts)
    dout = len(counts)
    if A.dtype.kind == "f":
        raise TypeError("A is real; exchanges take rows of ±1: use soft_anneal_layer")
    if kicks is None and limits.deadline is None:
        raise ValueError("kicks and the deadline are None, and the search would not end; pass one of them")
    states = generator_states(check_seeds(seeds, dout), _STREAM)
    found, spent = counts.astype(np.int64), 0
    block = max(1, _MEMORY // (2 * A.size + 1))
    for low in range(0, dout, block):
        part, share = slice(low, low + block), limits.share(block / (dout - low))
        walks = []
        for tau, start, state in zip(Tau.T[part], found[part], states[part, None], strict=True):
            if share.over:
                break  # the others stay where they begin
            walks.append(begin_walk(A, M, tau, start, state))
        spent += _go(walks, kicks, share)
        for place, it in enumerate(walks):
            found[low + place] = it.best
    gains, met = score(A, M, Tau.T, found)
    before, _ = score(A, M, Tau.T, counts)
    worse = gains < before  # by rounding only
    found[worse], gains[worse] = counts[worse], before[worse]
    return Exchanged(found, gains, met, spent)


def _go(walks: list[Walk], kicks: int | None, limits: Limits) -> int:
    """Let all walks make their kicks, or kick until the deadline; return the kicks of all."""
    if not walks:
        return 0
    # seconds per kick, roughly: this sizes the chunks, never the result
    cost = PAIR_S * len(walks[0].exact) * min(len(walks[0].sizes), WINDOW) ** 2 + 2e-6
    chunk = kicks or 0 if limits.deadline is None else max(1, int(_CHUNK_S / (cost * len(walks))))
    spent, first = 0, 0
    with _halted_at(limits.deadline) as halt:
        while not halt[0]:
            last = first + chunk if kicks is None else min(first + chunk, kicks)

            def run(low: int, high: int, count: int = last - first) -> int:
                return sum(int(walk(it, count, halt)) for it in walks[low:high] if it.lost[0] > 0)

            spent += in_threads(run, len(walks), limits.threads, cost * (last - first + 1))
            if limits.watch is not None:
                limits.report(np.stack([it.best for it in walks]))
            first = last
            if first == kicks or all(it.lost[0] == 0 for it in walks):
                break
            if limits.deadline is not None and limits.stop is not None and limits.stop():
                break
    return spent


@contextmanager
def _halted_at(deadline: float | None) -> Iterator[NDArray[np.uint8]]:
    """Yield a flag that is raised at the deadline: compiled loops, which cannot ask a clock, look at it."""
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


__all__ = ["Exchanged", "exchange_layer"]
