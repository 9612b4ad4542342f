"""Sweeps of annealing on the softened step, compiled: the moves of `annealing`, neuron by neuron."""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj._compiled import FAST, compiled, inlined
from qproj.solvers.builtin.kernels.scoring import CountArray
from qproj.solvers.builtin.kernels.sharing import SeedArray, copy_to, next_state, word_of

#: Logarithms of uniform numbers, looked up by twelve random bits: no exponential in the inner loop.
LOGS = np.log((np.arange(4096) + 0.5) / 4096).astype(np.float32)


class Moves(NamedTuple):
    """What the neurons of a layer share.

    Attributes
    ----------
    columns : (C, G) int16, int32 or float64
        Contiguous and of the type of row sums: a move is one pass over one column.
    sizes : (C,) int64
    units : (moves, 2) int64
        The moves of a sweep: class, and by how much its count changes.
    """

    columns: NDArray[Any]
    sizes: CountArray
    units: CountArray


class Block(NamedTuple):
    """Neurons that are annealed together; all but `taus` and `norms` change in place.

    Attributes
    ----------
    taus : (k, G)
        Targets, of the columns' type.
    norms : (k,) float64
        Square root of Σ τ²: the unit of temperature.
    now, kept : (k, C) int64
        Counts where each anneal is, and the best it has met.
    sums : (k, G)
        Row sums of `now`, shifted so that +1 is the least sum that counts as ≥ 0 for ±1 rows.
    gains : (k,) int32 or float64
        Of `kept`, in units of the targets; the type of sums of targets.
    ended : (k,) bool
        Whether `kept` meets every sign.
    states : (k,) uint64
    """

    taus: NDArray[Any]
    norms: FloatArray
    now: CountArray
    kept: CountArray
    sums: NDArray[Any]
    gains: NDArray[Any]
    ended: NDArray[np.bool_]
    states: SeedArray


class Schedule(NamedTuple):
    """Of each sweep: the width K of the softened step, of the sums' type, and the temperature."""

    K: NDArray[Any]
    heat: FloatArray


@compiled(fastmath=FAST)
def anneal(moves, block, schedule, logs, sweeps, neurons):
    """Run the sweeps (first, last) for those of the neurons (low, high) that have not ended; return how many."""
    columns, sizes, units = moves
    zero = block.gains.dtype.type(0)
    done = 0
    for i in range(neurons[0], neurons[1]):
        if block.ended[i]:
            continue
        tau, z, now = block.taus[i], block.sums[i], block.now[i]
        best, bound = block.gains[i], zero
        for g in range(tau.size):
            bound += abs(tau[g])
        x = block.states[i]
        for sweep in range(sweeps[0], sweeps[1]):
            done += 1
            temperature = schedule.heat[sweep] * block.norms[i]
            K = schedule.K[sweep]
            soft = zero
            for q in range(-1, units.shape[0]):
                j, step, word = 0, 0, x
                if q >= 0:
                    x = next_state(x)
                    word = word_of(x)  # one word per move, for its direction and its acceptance alike
                    j = units[q, 0]
                    step = _step(now[j], sizes[j], units[q, 1], word)
                move = z.dtype.type(2 * step)
                after = _soft_after(z, columns, j, move, tau, K, zero)
                if q < 0:
                    soft = after  # before the first move
                if step == 0 or after - soft < temperature * logs[word >> np.uint64(52)]:
                    continue
                gain = _move(z, columns, j, move, tau, zero)
                soft = after
                now[j] += step
                if gain > best:
                    best = gain
                    copy_to(block.kept[i], now)
                    if gain >= bound - bound * 1e-5 and _met(z, tau):
                        block.ended[i] = True
                        break
            if block.ended[i]:
                break
        block.gains[i] = best
        block.states[i] = x
    return done


@inlined
def _step(count, size, step, word):
    """The change of a count: the other value of a class of one; else ±step, 0 where neither stays within the class."""
    if size == 1:
        return 1 - 2 * count
    if word & np.uint64(1 << 20):
        step = -step
    if count + step < 0 or count + step > size:
        step = -step
    if count + step < 0 or count + step > size:
        step = 0
    return step


# The casts keep integers in 16 and 32 bits, where numba would widen them to 64: this makes the loops fast. One cast per
# sum is enough, from which the compiler narrows the sum's parts. Columns are indexed, not sliced: a slice costs two
# atomic operations. `total` is a 0 of the type of sums of targets.


@inlined
def _soft_after(z, columns, j, move, tau, K, total):
    """K·S_K = Σ τ clip(z, −K, K) after a move."""
    narrow, kind = z.dtype.type, type(total)
    low = narrow(-K)
    for g in range(z.size):
        y = narrow(z[g] + move * columns[j, g])
        if y > K:
            y = K
        if y < low:
            y = low
        total = kind(total + kind(tau[g]) * y)
    return total


@inlined
def _move(z, columns, j, move, tau, total):
    """Update z in place and return the new true gain."""
    narrow, kind = z.dtype.type, type(total)
    for g in range(z.size):
        y = narrow(z[g] + move * columns[j, g])
        z[g] = y
        total = kind(total + (tau[g] if y >= 0 else -tau[g]))
    return total


@inlined
def _met(z, tau):
    met = True
    for g in range(z.size):
        met &= tau[g] == 0 or (z[g] >= 0) == (tau[g] > 0)
    return met
