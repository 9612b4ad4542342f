"""Depth-first search by chunks of nodes: the bounds of many nodes at once, with the tables of groups of rows.

Each level keeps a buffer of open nodes; a chunk of the deepest one is expanded, the children's table positions are
computed for sixteen groups a vector operation, their losses looked up group by group (a group's table stays in the
cache), and those that cannot beat the incumbent are dropped. A node is one byte a row: the agreements so far.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj.solvers.builtin.kernels.branch_bound_groups import GROUPS, LEVELS, REACH, Plan
from qproj.solvers.builtin.kernels.branch_bound_neuron import Found, Neuron
from qproj.solvers.builtin.kernels.scoring import CountArray

MAX_LENGTH = 254  # Σ M: agreements are bytes
_CHUNK = 512  # children expanded at once
_MEMORY = 1 << 24  # bytes of all open nodes
_SLICE = 1 << 21  # nodes of 64 rows between two looks at the clock: some 20 ms
_RATE = 1.5e8  # nodes a second and thread that no machine exceeds much: only sizes a search that is not worth a start
_SPLIT = 26  # Σ M from which the tree is split into tasks
_TASKS = 64
_ROUND = 16  # tasks that run with the same incumbent: results do not depend on the number of threads

_u8, _u16, _u64 = nb.uint8, nb.uint16, nb.uint64


def search_chunks(
    neuron: Neuron, best: CountArray, node_limit: int | None, deadline: float | None, threads: int
) -> Found:
    """Return argmin over 0 ≤ c ≤ M of what c loses, for ±1 rows with Σ M ≤ 254.

    Parameters
    ----------
    best : (C,) int64
        Where to begin; kept unless beaten.
    node_limit : int, optional
        Partial count vectors to look at; ended by it, the result depends on nothing else.
    deadline : float, optional
        `time.perf_counter()` instant.
    threads : int
        They change the time, not the result (unless the clock ends the search).
    """
    kept, lost, nodes = best.copy(), neuron.lost(best), 0
    room = np.inf if node_limit is None else float(node_limit)
    if deadline is not None:
        room = min(room, _RATE * threads * max(0.0, deadline - time.perf_counter()))
    if least_nodes(neuron.sizes) > room:
        return Found(kept, lost, 0, 0, False)
    plan = Plan.of(neuron)
    while True:
        unit = max(1, -(-lost // LEVELS))
        search = _Search(plan, *plan.tables(unit), unit)
        found = search.run(lost, None if node_limit is None else node_limit - nodes, deadline, threads)
        nodes += found.nodes
        if found.lost < lost:
            lost = found.lost
            kept = np.empty_like(best)
            kept[plan.order] = found.c
        if not found.coarse:
            return Found(kept, lost, lost if found.done else min(lost, found.open_lost), nodes, found.done)


def least_nodes(sizes: CountArray) -> float:
    """Return how many nodes every search has that proves: those above the longest tables, where nothing is cut off."""
    length, levels = 0, np.sort(sizes)
    while length < len(levels) and levels[: length + 1].sum() <= REACH:
        length += 1
    return float(np.prod(levels[length:] + 1.0))


@dataclass(frozen=True, eq=False)
class _Part(Found):
    coarse: bool  # stopped because the incumbent got so good that losses should be rounded more finely


class _Buffers:
    """The open nodes of one task; its arrays are used again by the next."""

    def __init__(self, plan: Plan) -> None:
        C, V, words = plan.steps.shape
        self.chunk = max(4, min(_CHUNK, _MEMORY // (8 * words * (C + 1))) // V)
        room = self.chunk * V
        self.nodes = np.empty((C + 1, room, words), np.uint64)
        self.children = np.empty((room, words), np.uint64)
        self.positions = np.empty((room, GROUPS), np.uint16)
        self.costs = np.zeros((C + 1, room), np.uint32)
        self.parents = np.zeros((C + 1, room), np.int32)
        self.values = np.zeros((C + 1, room), np.int16)
        self.fresh = (np.zeros(room, np.uint32), np.zeros(room, np.uint32), np.zeros(room, np.int32))
        self.ends = np.zeros((2, C + 1), np.int64)  # next node of each level, and how many it has
        self.best = np.zeros(C, np.int64)

    def begin(self, level: int, node: NDArray[np.uint64], lost: int) -> None:
        """Make one node the root."""
        self.ends[:] = 0
        self.ends[1, level] = 1
        self.nodes[level, 0] = node
        self.costs[level, 0] = 0
        self.state = np.array([level, level, lost, 0])  # root level, current level, best loss, nodes

    @property
    def done(self) -> bool:
        return bool(self.state[1] < self.state[0])

    @property
    def open_cost(self) -> int:
        """The least cost, in table units, of the nodes that wait."""
        least = [
            int(costs[first:count].min())
            for costs, first, count in zip(self.costs, *self.ends, strict=True)
            if first < count
        ]
        return min(least, default=LEVELS + 1)


class _Search:
    def __init__(self, plan: Plan, tables: NDArray[np.uint8], where: NDArray[np.int64], unit: int) -> None:
        self.plan, self.tables, self.where, self.unit = plan, tables, where, unit

    def run(self, lost: int, node_limit: int | None, deadline: float | None, threads: int) -> _Part:
        """Search all tasks, in rounds; c is in the order of levels."""
        plan = self.plan
        level, prefixes = self._tasks()
        best, nodes, open_lost, done = np.zeros(len(plan.sizes), np.int64), 0, lost, True
        free: SimpleQueue[_Buffers] = SimpleQueue()
        coarse_below = lost // 3
        slice_ = _SLICE if deadline is None else max(_CHUNK, _SLICE * 8 // plan.steps.shape[2])

        def task(prefix: CountArray, begin: int, budget: int | None) -> tuple[Any, ...]:
            buffers = free.get()
            buffers.begin(level, self._node(prefix), begin)
            while not buffers.done:
                spent = int(buffers.state[3])
                room = slice_ if budget is None else min(slice_, budget - spent)
                if room <= 0 or (deadline is not None and time.perf_counter() >= deadline):
                    break
                self._advance(buffers, room)
                if int(buffers.state[3]) == spent and not buffers.done:
                    break  # the room is too small for one more node
            found = buffers.best.copy()
            found[:level] = prefix
            reached = buffers.open_cost
            out = (int(buffers.state[2]), found, int(buffers.state[3]), buffers.done, reached * self.unit)
            free.put(buffers)
            return out

        workers = max(1, min(threads, len(prefixes)))
        for _ in range(workers):
            free.put(_Buffers(plan))
        with ThreadPoolExecutor(workers) as pool:
            for first in range(0, len(prefixes), _ROUND):
                some = prefixes[first : first + _ROUND]
                share = None if node_limit is None else (node_limit - nodes) // (len(prefixes) - first)
                run = pool.map if workers > 1 else map
                for ended in list(run(task, some, [lost] * len(some), [share] * len(some))):
                    if ended[0] < lost:
                        lost, best = ended[0], ended[1]
                    nodes += ended[2]
                    if not ended[3]:
                        done, open_lost = False, min(open_lost, ended[4])
                if lost < coarse_below and first + _ROUND < len(prefixes):
                    return _Part(best, lost, 0, nodes, False, True)
        return _Part(best, lost, min(lost, open_lost), nodes, done, False)

    def _tasks(self) -> tuple[int, list[CountArray]]:
        """Return a level and the value of every class above it, one task each."""
        sizes = self.plan.sizes
        level, count = 0, 1
        while level < len(sizes) - 1 and self.plan.left[0] >= _SPLIT and count < _TASKS:
            count *= int(sizes[level]) + 1
            level += 1
        values = itertools.product(*(range(m + 1) for m in sizes[:level].tolist()))
        return level, [np.array(value, np.int64) for value in values]

    def _node(self, prefix: CountArray) -> NDArray[np.uint64]:
        node = self.plan.start.copy()
        for level, value in enumerate(prefix.tolist()):
            node += self.plan.steps[level, value]
        return node

    def _advance(self, b: _Buffers, room: int) -> None:
        plan = self.plan
        _advance(
            plan.steps, plan.sizes, plan.left, plan.weights, plan.half, self.tables, self.where, self.unit,
            b.nodes, b.costs, b.parents, b.values, b.ends, b.children, b.positions, *b.fresh,
            b.best, b.chunk, room, b.state,
        )  # fmt: skip


@nb.njit(cache=True, nogil=True)
def _advance(
    steps, sizes, left, weights, half, tables, where, unit,
    nodes, costs, parents, values, ends, children, positions, fresh_cost, alive, fresh_parent,
    best, chunk, room, state,
):  # fmt: skip
    """Go on with the search for at most `room` nodes."""
    C = sizes.size
    blocks = steps.shape[2] // 8
    bytes_ = children.view(np.uint8).reshape(children.shape[0], blocks, 4, GROUPS)
    root, k, lost = state[0], state[1], state[2]
    fresh = 0
    while k >= root:
        if ends[0, k] >= ends[1, k]:
            k -= 1
            continue
        V = sizes[k] + 1
        take = min(chunk, ends[1, k] - ends[0, k], (room - fresh) // V)
        if take <= 0:
            break
        cut = (lost + unit - 1) // unit  # losses are rounded down: from here on no child can be better
        count = _expand(nodes[k], steps[k], costs[k], ends[0, k], take, V, cut, children, fresh_parent)
        ends[0, k] += take
        fresh += count
        for a in range(_u64(count)):
            alive[a] = a
            fresh_cost[a] = 0
        if where[k + 1] >= 0:
            base, size = left[k + 1] + 2, _u64((left[k + 1] + 2) ** 4)
            at = _u64(where[k + 1])
            below = _u8(half - left[k + 1])
            for block in range(blocks):
                _positions(bytes_, alive, count, _u64(block), positions, below, _u8(base - 1), _u16(base))
                _look_up(positions, count, tables, at, size, fresh_cost)
                at += size * _u64(GROUPS)
                count = _drop(alive, fresh_cost, count, cut)
        if k + 1 == C:
            for a in range(count):
                node = _u64(alive[a])
                cost = _leaf_cost(bytes_, weights, half, node)
                if cost < lost:
                    lost = cost
                    best[k] = fresh_parent[node] % V
                    _trace(parents, values, fresh_parent[node] // V, k, root, best)
            continue
        _keep(
            nodes[k + 1],
            costs[k + 1],
            parents[k + 1],
            values[k + 1],
            children,
            alive,
            fresh_cost,
            fresh_parent,
            count,
            V,
        )
        ends[0, k + 1], ends[1, k + 1] = 0, count
        if count > 0:
            k += 1
    state[1], state[2] = k, lost
    state[3] += fresh


@nb.njit(cache=True, nogil=True)
def _expand(nodes, steps, costs, first, take, V, cut, children, origin):
    """Write the children of nodes first … first + take − 1, and parent·V + value for each; return how many."""
    count = _u64(0)
    for i in range(_u64(first), _u64(first + take)):
        if costs[i] >= cut:
            continue
        for v in range(_u64(V)):
            for w in range(_u64(nodes.shape[1])):
                children[count, w] = nodes[i, w] + steps[v, w]
            origin[count] = i * _u64(V) + v
            count += _u64(1)
    return nb.int64(count)


@nb.njit(cache=True, nogil=True)
def _positions(rows, alive, count, block, positions, below, top, base):
    """Clip agreements to what is undecided and make one table position of each group's four."""
    # unsigned indices and no loop over the four members: only so are sixteen groups one vector
    for a in range(count):
        s = _u64(alive[a])
        for g in range(GROUPS):
            i = _u16(min(_u8(max(rows[s, block, 3, g], below) - below), top))
            i = _u16(i * base + _u16(min(_u8(max(rows[s, block, 2, g], below) - below), top)))
            i = _u16(i * base + _u16(min(_u8(max(rows[s, block, 1, g], below) - below), top)))
            positions[a, g] = _u16(i * base + _u16(min(_u8(max(rows[s, block, 0, g], below) - below), top)))


@nb.njit(cache=True, nogil=True)
def _look_up(positions, count, tables, at, size, costs):
    """Add every group's least loss, four tables at a time."""
    for g in range(0, GROUPS, 4):
        at1, at2, at3 = at + size, at + size + size, at + size + size + size
        for a in range(count):
            costs[a] += (
                nb.uint32(tables[at + _u64(positions[a, g])])
                + nb.uint32(tables[at1 + _u64(positions[a, g + 1])])
                + nb.uint32(tables[at2 + _u64(positions[a, g + 2])])
                + nb.uint32(tables[at3 + _u64(positions[a, g + 3])])
            )
        at = at3 + size


@nb.njit(cache=True, nogil=True)
def _drop(alive, costs, count, cut):
    """Keep the children that may be better than the incumbent, without a branch."""
    kept = 0
    for a in range(count):
        alive[kept], costs[kept] = alive[a], costs[a]
        kept += 1 if costs[a] < cut else 0
    return kept


@nb.njit(cache=True, nogil=True)
def _keep(nodes, costs, parents, values, children, alive, fresh_cost, origin, count, V):
    """Move the children that are left into the next level's buffer."""
    for a in range(_u64(count)):
        s = _u64(alive[a])
        for w in range(_u64(nodes.shape[1])):
            nodes[a, w] = children[s, w]
        costs[a] = fresh_cost[a]
        parents[a], values[a] = origin[s] // V, origin[s] % V


@nb.njit(cache=True, nogil=True)
def _leaf_cost(rows, weights, half, node):
    """What a leaf loses, exactly."""
    lost, r = 0, 0
    for block in range(rows.shape[1]):
        for i in range(4):
            for g in range(GROUPS):
                lost += weights[r] if rows[node, block, i, g] <= half else 0
                r += 1
    return lost


@nb.njit(cache=True, nogil=True)
def _trace(parents, values, index, k, root, best):
    """Write the values on the way from level k's node `index` up to the root."""
    while k > root:
        k -= 1
        best[k] = values[k + 1, index]
        index = parents[k + 1, index]


__all__ = ["MAX_LENGTH", "least_nodes", "search_chunks"]
