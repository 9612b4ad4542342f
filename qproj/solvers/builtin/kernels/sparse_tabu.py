"""Tabu search on sparse Ising models: the best flip from a tournament of all of them, in O(degree·log N) per flip.

Memory is O(N + couplings), where samplers that keep a dense matrix need N². The walk takes the flip of least change
among those that are not tabu, or a tabu one that leads below the best energy seen (Glover 1989).
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj._compiled import compiled, inlined
from qproj.solvers.builtin.kernels.ising import Ising

#: An energy counts as lower by more than this, in units of the largest coefficient: rounding does not count.
_LOWER = 1e-9
#: Columns of ``TabuWalk.counts``.
_STEP, _LOGGED, _MARK, _LOST = range(4)


class TabuWalk(NamedTuple):
    """Where a walk is; every array is changed in place.

    Attributes
    ----------
    spins, fields : (N,) float64
        fields = h + J·s.
    keys : (2, P) float64
        The change that each flip makes: in row 0 where it is free, in row 1 where it is tabu, else infinite; P is a
        power of two.
    winners : (2, P) int64
        Tournament trees over the keys; entry 1 is the least key's place.
    queue : (tenure,) int64
        The flips that are tabu, in a ring; −1 where there is none.
    until : (N,) int64
        The step at which each flip becomes free.
    energies : (2,) float64
        Of the walk, and the best seen.
    best : (N,) float64
        The best spins, but for the first ``mark`` flips of the log.
    log : (N,) int64
        The flips since `best` was brought up to date.
    counts : (4,) int64
        Steps done, flips in the log, those of them that belong to the best, and whether the log overflowed.
    """

    spins: FloatArray
    fields: FloatArray
    keys: FloatArray
    winners: NDArray[np.int64]
    queue: NDArray[np.int64]
    until: NDArray[np.int64]
    energies: FloatArray
    best: FloatArray
    log: NDArray[np.int64]
    counts: NDArray[np.int64]

    @staticmethod
    def begin(model: Ising, spins: FloatArray, tenure: int) -> TabuWalk:
        """Return a walk that begins at `spins`, (N,) of ±1, without tabu flips."""
        N = len(spins)
        P = max(2, 1 << max(N - 1, 1).bit_length())
        walk = TabuWalk(
            spins.astype(np.float64),
            np.empty(N),
            np.full((2, P), np.inf),
            np.zeros((2, P), np.int64),
            np.full(tenure, -1, np.int64),
            np.zeros(N, np.int64),
            np.zeros(2),
            spins.astype(np.float64),
            np.zeros(N, np.int64),
            np.zeros(4, np.int64),
        )
        _fill(model, walk)
        return walk

    def found(self) -> FloatArray:
        """Return the best spins seen, (N,)."""
        flips = self.log[: self.counts[_MARK]]
        best = self.best.copy()
        np.multiply.at(best, flips, -1.0)
        return best


@inlined
def _match(keys, winners, node):
    """Play a node of the tournament again; return its winner. Ties go to the lower place."""
    P = keys.size
    if 2 * node >= P:
        left, right = 2 * node - P, 2 * node - P + 1
    else:
        left, right = winners[2 * node], winners[2 * node + 1]
    return left if keys[left] <= keys[right] else right


@inlined
def _set(keys, winners, i, key):
    """Change a key, and play the matches on its way to the root again, as far as they may change."""
    keys[i] = key
    node = (i + keys.size) >> 1
    while node >= 1:
        winner = _match(keys, winners, node)
        same = winner == winners[node]
        winners[node] = winner
        if same and winner != i:
            break
        node >>= 1


def _fill(model: Ising, walk: TabuWalk) -> None:
    """Compute fields, keys, tournaments and energy of a walk that begins; numpy is fast enough for once."""
    s, f, keys = walk.spins, walk.fields, walk.keys
    f[:] = model.h
    np.add.at(f, np.repeat(np.arange(len(s)), np.diff(model.start)), model.J * s[model.other])
    keys[0, : len(s)] = -2.0 * s * f
    for tree in range(2):
        players = np.arange(keys.shape[1])
        while len(players) > 1:
            left, right = players[::2], players[1::2]
            players = np.where(keys[tree, left] <= keys[tree, right], left, right)
            walk.winners[tree, len(players) : 2 * len(players)] = players
    walk.energies[:] = np.cumsum(np.append(0.0, 0.5 * s * (f + model.h)))[-1]


@compiled()
def walk_on(model, walk, steps):
    """Do `steps` flips of a walk, in place."""
    s, f, keys, winners, counts = walk.spins, walk.fields, walk.keys, walk.winners, walk.counts
    for _ in range(steps):
        step = counts[_STEP]
        slot = step % walk.queue.size
        freed = walk.queue[slot]
        if freed >= 0 and walk.until[freed] == step:
            change = keys[1, freed]
            for tree in range(2):
                _set(keys[tree], winners[tree], freed, np.inf if tree else change)
        free, tabu = winners[0, 1], winners[1, 1]
        i, tree = free, 0
        lower = walk.energies[0] + keys[1, tabu] < walk.energies[1] - _LOWER
        if keys[0, free] == np.inf or (lower and keys[1, tabu] < keys[0, free]):
            i, tree = tabu, 1
        change = keys[tree, i]
        step_of_field = -2.0 * s[i]
        s[i] = -s[i]
        walk.energies[0] += change
        end = model.start[i + 1]
        for k in range(model.start[i], end + 2):  # neighbours, then i itself in both trees
            j, held, key = i, k - end, -change if k > end else np.inf
            if k < end:
                j = model.other[k]
                f[j] += step_of_field * model.J[k]
                held = 1 if walk.until[j] > step else 0
                key = -2.0 * s[j] * f[j]
            _set(keys[held], winners[held], j, key)
        walk.queue[slot] = i
        walk.until[i] = step + walk.queue.size
        counts[_STEP] = step + 1
        _note(walk, i)
    return 0


@inlined
def _note(walk, i):
    """Log a flip that was made, and mark the best; a log that overflows costs one copy at the next improvement."""
    counts, best = walk.counts, walk.best
    if not counts[_LOST] and counts[_LOGGED] == walk.log.size:
        mark = counts[_MARK]
        for k in range(mark):
            best[walk.log[k]] = -best[walk.log[k]]
        for k in range(mark, walk.log.size):
            walk.log[k - mark] = walk.log[k]
        counts[_LOGGED] -= mark
        counts[_MARK] = 0
        counts[_LOST] = 1 if mark == 0 else 0
    if not counts[_LOST]:
        walk.log[counts[_LOGGED]] = i
        counts[_LOGGED] += 1
    if walk.energies[0] < walk.energies[1] - _LOWER:
        walk.energies[1] = walk.energies[0]
        if counts[_LOST]:
            for k in range(best.size):
                best[k] = walk.spins[k]
            counts[_LOST] = counts[_LOGGED] = counts[_MARK] = 0
        else:
            counts[_MARK] = counts[_LOGGED]
