"""One neuron's walk by single moves and pairs, compiled: kicks, descents, and when the walk returns or begins again."""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj._compiled import compiled, inlined, linked
from qproj.solvers.builtin.kernels.scoring import CountArray
from qproj.solvers.builtin.kernels.sharing import SeedArray, below, copy_to, next_state

WINDOW = 64  # classes that one kick and its descent look at: all, or a random choice
KICK = (4, 16)  # moves of a kick: at least, and below
WORSE = 0.1  # the walk continues from a vector that loses at most this share more
PATIENCE = 200  # kicks without a better vector after which the walk returns to the best since it began
RETURNS = 5  # without a better vector, after which it begins at random
_UNKNOWN = (1 << 31) - 1  # more than rows can lose
_LANES = 32  # rows are filled up to a multiple, with weight 0


class Walk(NamedTuple):
    """One neuron's walk: rows turned so that each asks for an odd sum above 0. All from `now` on change in place.

    Attributes
    ----------
    columns : (C, rows) int16 or int32
    weights : (rows,) of that type
        Whole numbers for descents.
    exact : (rows,) float64
        |τ|, which decides which counts are better.
    sizes : (C,) int64
    now, sums : (C,) int64, (rows,) of the columns' type
        The counts where the walk is, and their row sums.
    near, near_sums, room : work space
        Counts and sums where a kick and its descent lead, and sums after one more move.
    home, best : (C,) int64
        The best since the walk began, where it returns to, and the best of all.
    order : (C,) int64
        A permutation of the classes, whose first ones a kick looks at.
    lost : (5,) float64
        Lost by best, now and home; kicks since home was found (−1: before the first descent); returns to it.
    state : (1,) uint64
    """

    columns: NDArray[Any]
    weights: NDArray[Any]
    exact: FloatArray
    sizes: CountArray
    now: CountArray
    sums: NDArray[Any]
    near: CountArray
    near_sums: NDArray[Any]
    room: NDArray[Any]
    home: CountArray
    best: CountArray
    order: CountArray
    lost: FloatArray
    state: SeedArray


def begin_walk(A: NDArray[Any], M: CountArray, tau: FloatArray, start: CountArray, state: SeedArray) -> Walk:
    """Return the walk of a neuron, rows A (G, C) of ±1 and targets (G,), from counts (C,)."""
    rows = np.flatnonzero(tau)
    width = -(-len(rows) // _LANES) * _LANES
    kind = np.int16 if int(M.sum()) < 1 << 13 else np.int32
    sign = np.where(tau[rows] > 0, 1, -1).astype(kind)
    columns = np.zeros((len(M), width), kind)
    sums: NDArray[Any] = np.ones(width, kind)
    weights, exact = np.zeros(width, kind), np.zeros(width)
    np.multiply(A.T[:, rows], sign, out=columns[:, : len(rows)])
    shift = 1 - int(M.sum()) % 2  # σ(0) = +1 for even sums
    turned: NDArray[Any] = (2 * start - M).astype(kind) @ columns[:, : len(rows)]
    sums[: len(rows)] = turned + sign * shift
    exact[: len(rows)] = np.abs(tau[rows])
    unit = min(32767.0, (1 << 30) / max(1, len(rows))) / float(exact.max(initial=1e-300))
    weights[: len(rows)] = np.maximum(1, np.rint(exact[: len(rows)] * unit))
    lost = float(exact[sums < 0].sum())
    return Walk(
        columns, weights, exact, M.astype(np.int64),
        now=start.copy(), sums=sums, near=start.copy(), near_sums=sums.copy(), room=np.empty_like(sums),
        home=start.copy(), best=start.copy(), order=np.arange(len(M)), lost=np.array([lost, lost, lost, -1.0, 0.0]),
        state=state,
    )  # fmt: skip


@compiled()
def walk(it, kicks, halt):
    """Kick and descend `kicks` times, fewer once nothing is lost or `halt` is raised; return how often.

    Before the first kick the walk descends from where it begins.
    """
    now, near, home, best, order = it.now, it.near, it.home, it.best, it.order
    sums, near_sums, exact, sizes, columns = it.sums, it.near_sums, it.exact, it.sizes, it.columns
    lost = it.lost  # numbers of their own below, which are less to compile than entries of an array
    best_lost, now_lost, home_lost, age, returns = lost[0], lost[1], lost[2], lost[3], lost[4]
    C = now.size
    window = C if C < WINDOW else WINDOW
    x = it.state[0]
    done = 0
    while age < 0 or (done < kicks and best_lost > 0 and halt[0] == 0):
        kicked, again = age >= 0, returns >= RETURNS
        copy_to(near, now)
        copy_to(near_sums, sums)
        if kicked:
            done += 1
            x = _shuffle(order, window, x)
            x = _draw(near, sizes, x) if again else _kick(near, sizes, order, window, x)
            _add_changes(near_sums, columns, now, near)
        _descend(it, window if kicked and not again else C, halt)
        after = 0.0
        for g in range(exact.size):
            after += exact[g] if near_sums[g] < 0 else 0.0
        if again:
            home_lost = np.inf
        elif kicked:
            age += 1.0
        if not kicked or again or after <= now_lost * (1.0 + WORSE) or after < home_lost:
            now_lost = after
            copy_to(now, near)
            copy_to(sums, near_sums)
            if after < home_lost or not kicked:
                copy_to(home, near)
                home_lost, age, returns = after, 0.0, 0.0
            if after < best_lost:
                copy_to(best, near)
                best_lost = after
        if age >= PATIENCE:
            _add_changes(sums, columns, now, home)
            copy_to(now, home)
            now_lost, age = home_lost, 0.0
            returns += 1.0
    lost[0], lost[1], lost[2], lost[3], lost[4] = best_lost, now_lost, home_lost, age, returns
    it.state[0] = x
    return done


@inlined
def _shuffle(order, window, x):
    """Draw the classes that a kick and its descent look at to the front of `order`; return the generator's state."""
    for a in range(window):
        x = next_state(x)
        b = a + below(x, order.size - a)
        order[a], order[b] = order[b], order[a]
    return x


@inlined
def _draw(counts, sizes, x):
    for j in range(counts.size):
        x = next_state(x)
        counts[j] = below(x, sizes[j] + 1)
    return x


@inlined
def _kick(counts, sizes, order, window, x):
    """Move some counts among the first of `order` by ±1 each; return the generator's state."""
    x = next_state(x)
    for _ in range(KICK[0] + below(x, KICK[1] - KICK[0])):
        x = next_state(x)
        j = order[below(x, window)]
        step = 1 if x & np.uint64(1 << 20) else -1
        if counts[j] + step < 0 or counts[j] + step > sizes[j]:
            step = -step
        counts[j] += step
    return x


@linked()
def _add_changes(z, columns, before, after):
    """Update row sums for a change of counts."""
    narrow = z.dtype.type
    for j in range(before.size):
        if before[j] != after[j]:
            move = narrow(2 * (after[j] - before[j]))
            for g in range(z.size):
                z[g] = narrow(z[g] + move * columns[j, g])


@inlined
def _descend(it, looked_at, halt):
    """Make the first move or pair among the first of `order` that loses less, until none does or `halt` is raised."""
    columns, weights, sizes, order = it.columns, it.weights, it.sizes, it.order
    c, z, room = it.near, it.near_sums, it.room
    narrow = z.dtype.type
    lost = np.int32(_UNKNOWN)
    better = True
    while better:
        better = False
        for a in range(looked_at):
            if halt[0] != 0:
                better = False
                break
            i = order[a]
            for k in range(3):
                up = k if k < 2 else -1  # the first of all "moves" changes nothing and finds what is lost
                if (up == 0 and lost != _UNKNOWN) or c[i] + up < 0 or c[i] + up > sizes[i]:
                    continue
                after = _lost_to(room, z, columns, i, narrow(2 * up), weights)
                j, also = 0, 0
                if after >= lost:
                    after, j, also = _second(room, columns, weights, order, c, sizes, a + 1, looked_at, lost)
                if after < lost:
                    lost = after
                    better |= up != 0
                    c[i] += up
                    c[j] += also
                    move = narrow(2 * also)
                    for g in range(z.size):
                        z[g] = narrow(room[g] + move * columns[j, g])


@inlined
def _second(room, columns, weights, order, c, sizes, first, last, lost):
    """Return (loss, class, step) of the first move after `room` that loses less than `lost`; step 0: none."""
    for b in range(first, last):
        j = order[b]
        for also in range(1, -2, -2):
            if c[j] + also < 0 or c[j] + also > sizes[j]:
                continue
            after = _lost(room, columns, j, room.dtype.type(2 * also), weights)
            if after < lost:
                return after, j, also
    return lost, 0, 0


# As in annealing_sweeps.py: casts keep integers narrow, and columns are indexed, not sliced. The product with a flag of
# −1 or 0 is one multiply-add of 16-bit numbers, ten times faster than a selection.


@inlined
def _lost(z, columns, j, move, weights):
    """The loss after a move: the weights of the rows whose sum is below 0."""
    narrow, total = z.dtype.type, np.int32(0)
    one, none = narrow(-1), narrow(0)
    for g in range(z.size):
        flag = one if narrow(z[g] + move * columns[j, g]) < 0 else none
        total = np.int32(total - weights[g] * flag)
    return total


@inlined
def _lost_to(out, z, columns, j, move, weights):
    """Write z after a move to `out`, and return the loss there."""
    narrow, total = z.dtype.type, np.int32(0)
    one, none = narrow(-1), narrow(0)
    for g in range(z.size):
        y = narrow(z[g] + move * columns[j, g])
        out[g] = y
        flag = one if y < 0 else none
        total = np.int32(total - weights[g] * flag)
    return total
