"""Depth-first branch and bound on row sums: the plain search, for real rows and for very long ones.

A row is decided once no choice of the counts that are left can change its sign; its cost is then lost in the whole
subtree, and a subtree that loses as much as the incumbent is cut off. It is also the slow reference of the
search over groups of rows.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj._compiled import compiled, inlined
from qproj.solvers.builtin.kernels.branch_bound_problem import Neuron, TreeOutcome
from qproj.solvers.builtin.kernels.scoring import CountArray

_CHUNK = 1 << 15  # nodes between two looks at the clock
_ROOM_USED, _LEAF, _ENDED = range(3)  # why the compiled search returns


class _Tree(NamedTuple):
    """What does not change: levels are classes in the order of branching; float64 throughout, which is exact for ±1.

    Attributes
    ----------
    columns : (C, G) float64
        Turned so that each row asks for a sum above 0.
    sizes : (C,) int64
    left : (C + 1, G) float64
        What the levels from each one on can add to a row, at most.
    weights : (G,) int64
    """

    columns: FloatArray
    sizes: CountArray
    left: FloatArray
    weights: NDArray[np.int64]


class _Path(NamedTuple):
    """Where the search is; everything changes in place.

    Attributes
    ----------
    ranks, costs : (C, V) int64
        Values of each level, cheapest first, and their least costs.
    place : (C,) int64
        The rank that is looked at; −1: the level has not been reached.
    sums : (C + 1, G) float64
        Row sums of the levels above.
    known : (2,) int64
        What the best leaf loses, and the nodes so far.
    """

    ranks: CountArray
    costs: CountArray
    place: CountArray
    sums: FloatArray
    known: NDArray[np.int64]

    @property
    def counts(self) -> CountArray:
        """The values of the levels on the path, which ends in a leaf."""
        counts: CountArray = self.ranks[np.arange(len(self.place)), self.place]
        return counts

    def open_cost(self, sizes: CountArray) -> int:
        """Return the least cost of a node that was neither expanded nor cut off."""
        if self.place[0] < 0:
            return 0
        least = int(np.iinfo(np.int64).max)
        for size, costs, place in zip(sizes.tolist(), self.costs, self.place.tolist(), strict=True):
            if place < 0:
                break
            least = min(least, int(costs[place : size + 1].min(initial=least)))
        return least


def search_rows(
    neuron: Neuron, best: CountArray, node_limit: int | None, deadline: float | None,
    stop: Callable[[], bool] | None = None,
) -> TreeOutcome:  # fmt: skip
    """Return argmin over 0 ≤ c ≤ M of what c loses; `best` (C,) is where to begin, and kept unless beaten.

    Parameters
    ----------
    node_limit : int, optional
        Partial count vectors to look at; ended by it, the result depends on nothing else.
    deadline : float, optional
        `time.perf_counter()` instant.
    stop : callable, optional
        Asked now and then where there is a deadline; True ends the search.
    """
    tree, order = _tree(neuron)
    C, G = tree.columns.shape
    values = np.zeros((2, C, int(tree.sizes.max(initial=0)) + 1), np.int64)
    path = _Path(values[0], values[1], np.full(C, -1, np.int64), np.zeros((C + 1, G)), np.array([neuron.lost(best), 0]))
    if not neuron.is_real:
        # σ(0) = +1: an even sum is met from 0 on where τ > 0, from −2 on (turned) where τ < 0; shifted by one it is odd
        path.sums[0] = np.where(neuron.up, 1, -1) * (1 - int(tree.sizes.sum()) % 2)
    found, state = best.copy(), _ROOM_USED if C else _ENDED
    while state != _ENDED:
        room = _CHUNK if node_limit is None else min(_CHUNK, node_limit - int(path.known[1]))
        if state == _LEAF:
            # cheap sums leave real rows near 0 undecided; only the definition's order may refute or accept a leaf
            leaf = np.empty_like(found)
            leaf[order] = path.counts
            lost = neuron.lost(leaf)
            if lost < path.known[0]:
                path.known[0], found = lost, leaf
            path.place[-1] += 1
        elif room <= 0 or (deadline is not None and (time.perf_counter() >= deadline or (stop is not None and stop()))):
            break
        state = int(_advance(tree, path, max(room, 0)))
    lost, nodes = path.known.tolist()
    done = state == _ENDED
    return TreeOutcome(found, lost, lost if done else min(lost, path.open_cost(tree.sizes)), nodes, done)


def _tree(neuron: Neuron) -> tuple[_Tree, NDArray[np.intp]]:
    """Return the tree of a neuron, and the class of each of its levels."""
    turned = neuron.turned.astype(np.float64)
    pull = np.abs((neuron.weights[:, None] * turned).sum(axis=0)) * neuron.sizes
    order = np.lexsort((-pull, -neuron.sizes))
    columns = np.ascontiguousarray(turned[:, order].T)
    sizes = neuron.sizes[order]
    left = np.zeros((len(sizes) + 1, len(turned)))
    left[:-1] = np.cumsum((np.abs(columns) * sizes[:, None])[::-1], axis=0)[::-1]
    if neuron.is_real:
        # sums in another order differ by less than this: a row that is so close is never called lost
        left = left + 4.0 * (len(sizes) + 2) * np.finfo(np.float64).eps * left[0]
    return _Tree(columns, sizes, left, neuron.weights), order


@compiled()
def _advance(tree, path, room):
    """Continue the search for about `room` nodes, to a leaf that may be better than the best, or to the end."""
    sizes, columns = tree.sizes, tree.columns
    place, known, ranks, costs, sums = path.place, path.known, path.ranks, path.costs, path.sums
    C = sizes.size
    limit = known[1] + room
    k = 0
    while k < C and place[k] >= 0:
        k += 1
    unseen = k == 0
    k -= 0 if unseen else 1
    while k >= 0:
        if unseen:
            known[1] += _expand(tree, path, k)
            place[k] = 0
            unseen = False
        if place[k] > sizes[k] or costs[k, place[k]] >= known[0]:
            place[k] = -1
            k -= 1
            if k >= 0:
                place[k] += 1
            continue
        if k == C - 1:
            return _LEAF
        if known[1] >= limit:
            return _ROOM_USED
        u = 2 * ranks[k, place[k]] - sizes[k]
        for g in range(sums.shape[1]):
            sums[k + 1, g] = sums[k, g] + columns[k, g] * u
        k += 1
        unseen = True
    return _ENDED


@inlined
def _expand(tree, path, k):
    """Compute the cost of every value of level k and sort them, cheapest first; return how many there are."""
    ranks, costs, sums = path.ranks, path.costs, path.sums
    columns, left, weights, size = tree.columns, tree.left, tree.weights, tree.sizes[k]
    for c in range(size + 1):
        u = 2 * c - size
        lost = 0
        for g in range(weights.size):
            lost += weights[g] if sums[k, g] + columns[k, g] * u + left[k + 1, g] < 0 else 0
        i = c
        while i > 0 and costs[k, i - 1] > lost:
            costs[k, i], ranks[k, i] = costs[k, i - 1], ranks[k, i - 1]
            i -= 1
        costs[k, i], ranks[k, i] = lost, c
    return size + 1


__all__ = ["search_rows"]
