"""Depth-first branch and bound on row sums: the plain search, for real rows and for very long ones.

A row is decided once no choice of the counts that are left can change its sign; what it costs then is lost in the
whole subtree, and a subtree that loses as much as the incumbent is cut off. It is also the slow reference of the
search over groups of rows.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import time

import numba as nb
import numpy as np

from qproj.solvers.builtin.kernels.branch_bound_neuron import Found, Neuron, lost_weight
from qproj.solvers.builtin.kernels.scoring import CountArray

_CHUNK = 1 << 15  # nodes between two looks at the clock


def search_rows(neuron: Neuron, best: CountArray, node_limit: int | None, deadline: float | None) -> Found:
    """Return argmin over 0 ≤ c ≤ M of what c loses; `best` (C,) is where to begin, and kept unless beaten.

    Parameters
    ----------
    node_limit : int, optional
        Partial count vectors to look at; ended by it, the result depends on nothing else.
    deadline : float, optional
        `time.perf_counter()` instant.
    """
    turned = neuron.turned
    pull = np.abs(neuron.weights.astype(np.float64) @ turned) * neuron.sizes
    order = np.lexsort((-pull, -neuron.sizes))
    columns = np.ascontiguousarray(turned[:, order].T)
    sizes = neuron.sizes[order]
    C, G = columns.shape
    left = np.zeros((C + 1, G), columns.dtype)
    left[:-1] = np.cumsum((np.abs(columns) * sizes[:, None])[::-1], axis=0)[::-1]
    if neuron.is_real:
        # sums in another order differ by less than this: a row that is so close is never called lost
        left = left + 4.0 * (C + 2) * np.finfo(np.float64).eps * left[0]
        start = np.zeros(G)
    else:
        # σ(0) = +1: an even sum is met from 0 on where τ > 0, from −2 on (turned) where τ < 0; shifted by one it is odd
        start = (np.where(neuron.up, 1, -1) * (1 - int(sizes.sum()) % 2)).astype(np.int32)
    most = int(sizes.max(initial=0)) + 1
    ranks, costs = np.zeros((C + 1, most), np.int64), np.zeros((C + 1, most), np.int64)
    place = np.full(C + 1, -1, np.int64)
    sums = np.empty((C + 1, G), columns.dtype)
    sums[0] = start
    kept = best[order]
    value = np.array([neuron.lost(best), 0])
    exact = (neuron.A, neuron.up, order)
    state = (ranks, costs, place, sums, kept.copy(), kept, value)
    done = False
    while not done:
        room = _CHUNK if node_limit is None else min(_CHUNK, node_limit - int(value[1]))
        if room <= 0 or (deadline is not None and time.perf_counter() >= deadline):
            break
        done = bool(_advance(columns, sizes, left, neuron.weights, exact, room, *state))
    lost = int(value[0])
    found = np.empty_like(kept)
    found[order] = kept
    open_lost = lost if done else min(lost, int(_open_cost(sizes, costs, place)))
    return Found(found, lost, open_lost, int(value[1]), done)


@nb.njit(cache=True, nogil=True)
def _advance(columns, sizes, left, weights, exact, room, ranks, costs, place, sums, current, kept, value):
    """Go on with the search for about `room` nodes; tell whether it has ended."""
    C = sizes.size
    if C == 0:
        return True
    limit = value[1] + room
    k = 0
    while k < C and place[k] >= 0:
        k += 1
    if k == 0:
        value[1] += _expand(columns, sizes, left, weights, ranks, costs, sums, 0)
        place[0] = 0
        k = 1
    k -= 1
    while k >= 0:
        if place[k] > sizes[k] or costs[k, place[k]] >= value[0]:
            place[k] = -1
            k -= 1
            if k >= 0:
                place[k] += 1
            continue
        current[k] = ranks[k, place[k]]
        if k == C - 1:
            # cheap sums may leave a real row undecided; only the definition's order may refute or accept a leaf
            lost = lost_weight(exact[0], exact[1], exact[2], sizes, weights, current)
            if lost < value[0]:
                value[0] = lost
                kept[:] = current
            place[k] += 1
            continue
        if value[1] >= limit:
            return False
        u = 2 * current[k] - sizes[k]
        for g in range(weights.size):
            sums[k + 1, g] = sums[k, g] + columns[k, g] * u
        k += 1
        value[1] += _expand(columns, sizes, left, weights, ranks, costs, sums, k)
        place[k] = 0
    return True


@nb.njit(cache=True, nogil=True)
def _expand(columns, sizes, left, weights, ranks, costs, sums, k):
    """Compute the cost of every value of class k and sort them, cheapest first; return how many there are."""
    for c in range(sizes[k] + 1):
        u = 2 * c - sizes[k]
        lost = 0
        for g in range(weights.size):
            lost += weights[g] if sums[k, g] + columns[k, g] * u + left[k + 1, g] < 0 else 0
        i = c
        while i > 0 and costs[k, i - 1] > lost:
            costs[k, i], ranks[k, i] = costs[k, i - 1], ranks[k, i - 1]
            i -= 1
        costs[k, i], ranks[k, i] = lost, c
    return sizes[k] + 1


@nb.njit(cache=True, nogil=True)
def _open_cost(sizes, costs, place):
    """The least cost of a node that was neither expanded nor cut off."""
    if place[0] < 0:
        return 0
    least = np.iinfo(np.int64).max
    for k in range(sizes.size):
        if place[k] < 0:
            break
        for i in range(place[k], sizes[k] + 1):
            least = min(least, costs[k, i])
    return least


__all__ = ["search_rows"]
