"""Open nodes of a depth-first search, and their expansion in chunks, compiled.

Each level keeps a buffer of open nodes; a chunk of the deepest one is expanded, the children's table positions are
computed for sixteen groups per vector operation, their losses looked up group by group (a group's table stays in the
cache), and those that cannot beat the incumbent are dropped. A node is one byte per row: the agreements so far.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qproj._compiled import compiled, inlined, linked
from qproj.solvers.builtin.kernels.branch_bound_tables import GROUPS, LEVELS, Plan

_CHUNK = 512  # children expanded at once
_MEMORY = 1 << 24  # bytes of all open nodes

_u8, _u16, _u64 = np.uint8, np.uint16, np.uint64


class Tree(NamedTuple):
    """What the nodes of one search share: see `Plan` and `Tables`, whose losses are in `unit`."""

    steps: NDArray[np.uint64]
    sizes: NDArray[np.int64]
    weights: NDArray[np.int64]
    half: int
    tables: NDArray[np.uint8]
    where: NDArray[np.int64]
    below: NDArray[np.int64]
    base: NDArray[np.int64]
    unit: int

    @classmethod
    def of(cls, plan: Plan, unit: int) -> Tree:
        """Return the tree of a plan, with tables of losses in `unit`."""
        made = plan.tables(unit)
        window = plan.window
        return cls(plan.steps, plan.sizes, plan.weights, plan.half, *made, window[0], window[1], unit)


class Buffers(NamedTuple):
    """The open nodes of one task; its arrays are used again by the next.

    Attributes
    ----------
    nodes : (C + 1, room, words) uint64
        Open nodes of each level, eight rows per word.
    costs, parents, values : (C + 1, room)
        What each node loses at least in table units, its parent's place, and its value of the class above.
    ends : (2, C + 1) int64
        The next node of each level, and how many it has.
    children, rows, positions, fresh_costs, alive, origins
        Work space of one expansion: `rows` are the children's bytes by block, member and group, origins hold
        parent · V + value.
    best : (C,) int64
        Counts of the best leaf below the root.
    state : (4,) int64
        Root level, current level, best loss, nodes.
    """

    nodes: NDArray[np.uint64]
    costs: NDArray[np.uint32]
    parents: NDArray[np.int32]
    values: NDArray[np.int16]
    ends: NDArray[np.int64]
    children: NDArray[np.uint64]
    rows: NDArray[np.uint8]
    positions: NDArray[np.uint16]
    fresh_costs: NDArray[np.uint32]
    alive: NDArray[np.uint32]
    origins: NDArray[np.int32]
    best: NDArray[np.int64]
    state: NDArray[np.int64]

    @classmethod
    def of(cls, tree: Tree) -> Buffers:
        """Return buffers for the nodes of a tree."""
        C, V, words = tree.steps.shape
        room = V * max(4, min(_CHUNK, _MEMORY // (8 * words * (C + 1))) // V)
        children = np.empty((room, words), np.uint64)
        return cls(
            nodes=np.empty((C + 1, room, words), np.uint64),
            costs=np.zeros((C + 1, room), np.uint32),
            parents=np.zeros((C + 1, room), np.int32),
            values=np.zeros((C + 1, room), np.int16),
            ends=np.zeros((2, C + 1), np.int64),
            children=children,
            rows=children.view(np.uint8).reshape(room, words // 8, 4, GROUPS),
            positions=np.empty((room, GROUPS), np.uint16),
            fresh_costs=np.zeros(room, np.uint32),
            alive=np.zeros(room, np.uint32),
            origins=np.zeros(room, np.int32),
            best=np.zeros(C, np.int64),
            state=np.zeros(4, np.int64),
        )

    def begin(self, level: int, node: NDArray[np.uint64], lost: int) -> None:
        """Make one node the root."""
        self.ends[:] = 0
        self.ends[1, level] = 1
        self.nodes[level, 0] = node
        self.costs[level, 0] = 0
        self.state[:] = level, level, lost, 0

    @property
    def done(self) -> bool:
        """Whether no node is open."""
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


@compiled()
def advance(tree, open_, room):
    """Continue the search for at most `room` nodes."""
    sizes, where, tables, unit = tree.sizes, tree.where, tree.tables, tree.unit
    ends, rows, alive, costs, state = open_.ends, open_.rows, open_.alive, open_.fresh_costs, open_.state
    C, chunk = sizes.size, rows.shape[0] // tree.steps.shape[1]
    root, k, lost = state[0], state[1], state[2]
    fresh = 0
    while k >= root:
        if ends[0, k] >= ends[1, k]:
            k -= 1
            continue
        V = sizes[k] + 1
        take, fit = ends[1, k] - ends[0, k], (room - fresh) // V
        take = chunk if chunk < take else take
        take = fit if fit < take else take
        if take <= 0:
            break
        cut = (lost + unit - 1) // unit  # losses are rounded down: from here on no child can be better
        count = _expand(tree, open_, k, take, cut)
        ends[0, k] += take
        fresh += count
        for a in range(_u64(count)):
            alive[a] = a
            costs[a] = 0
        if where[k + 1] >= 0:
            base = tree.base[k + 1]
            at, size, below = _u64(where[k + 1]), _u64(base * base * base * base), _u8(tree.below[k + 1])
            for block in range(rows.shape[1]):
                _positions(rows, alive, count, _u64(block), open_.positions, below, _u16(base))
                _look_up(open_.positions, count, tables, at, size, costs)
                at += size * _u64(GROUPS)
                count = _drop(alive, costs, count, cut)
        if k + 1 == C:
            for a in range(count):
                node = _u64(alive[a])
                cost = _leaf_cost(rows, tree.weights, tree.half, node)
                if cost < lost:
                    lost = cost
                    _trace(open_, open_.origins[node], V, k, root)
            continue
        _keep(open_, k + 1, count, V)
        ends[0, k + 1], ends[1, k + 1] = 0, count
        if count > 0:
            k += 1
    state[1], state[2] = k, lost
    state[3] += fresh


@inlined
def _expand(tree, open_, k, take, cut):
    """Write the children of the next `take` nodes of level k, and their origins; return how many."""
    nodes, costs, steps, children, origins = open_.nodes, open_.costs, tree.steps, open_.children, open_.origins
    first, V, words = open_.ends[0, k], _u64(tree.sizes[k] + 1), _u64(open_.nodes.shape[2])
    count = _u64(0)
    for i in range(_u64(first), _u64(first + take)):
        if costs[k, i] >= cut:
            continue
        for v in range(V):
            for w in range(words):
                children[count, w] = nodes[k, i, w] + steps[k, v, w]
            origins[count] = i * V + v
            count += _u64(1)
    return np.int64(count)


@inlined
def _positions(rows, alive, count, block, positions, below, base):
    """Clip agreements to the undecided range and make one table position of each group's four."""
    # unsigned indices and no loop over the four members: only so are sixteen groups one vector
    top = _u8(base - _u16(1))
    for a in range(count):
        s = _u64(alive[a])
        for g in range(GROUPS):
            i = _clipped(rows[s, block, 3, g], below, top)
            i = _u16(i * base + _clipped(rows[s, block, 2, g], below, top))
            i = _u16(i * base + _clipped(rows[s, block, 1, g], below, top))
            positions[a, g] = _u16(i * base + _clipped(rows[s, block, 0, g], below, top))


@linked()
def _clipped(agreements, below, top):
    above = _u8(agreements - below) if agreements > below else _u8(0)
    return _u16(above if above < top else top)


@inlined
def _look_up(positions, count, tables, at, size, costs):
    """Add every group's least loss, four tables at a time."""
    for g in range(0, GROUPS, 4):
        at1, at2, at3 = at + size, at + size + size, at + size + size + size
        for a in range(count):
            costs[a] += (
                np.uint32(tables[at + _u64(positions[a, g])])
                + np.uint32(tables[at1 + _u64(positions[a, g + 1])])
                + np.uint32(tables[at2 + _u64(positions[a, g + 2])])
                + np.uint32(tables[at3 + _u64(positions[a, g + 3])])
            )
        at = at3 + size


@inlined
def _drop(alive, costs, count, cut):
    """Keep the children that may be better than the incumbent, without a branch."""
    kept = 0
    for a in range(count):
        alive[kept], costs[kept] = alive[a], costs[a]
        kept += 1 if costs[a] < cut else 0
    return kept


@inlined
def _keep(open_, level, count, V):
    """Move the children that are left into the next level's buffer."""
    nodes, costs, parents, values = open_.nodes, open_.costs, open_.parents, open_.values
    children, alive, fresh_costs, origins = open_.children, open_.alive, open_.fresh_costs, open_.origins
    words = _u64(nodes.shape[2])
    for a in range(_u64(count)):
        s = _u64(alive[a])
        for w in range(words):
            nodes[level, a, w] = children[s, w]
        costs[level, a] = fresh_costs[a]
        parents[level, a] = origins[s] // V
        values[level, a] = origins[s] % V


@inlined
def _leaf_cost(rows, weights, half, node):
    """The exact loss of a leaf."""
    lost, r = 0, 0
    for block in range(rows.shape[1]):
        for i in range(4):
            for g in range(GROUPS):
                lost += weights[r] if rows[node, block, i, g] <= half else 0
                r += 1
    return lost


@inlined
def _trace(open_, origin, V, k, root):
    """Write the values on the way from a leaf below level k up to the root."""
    best, values, parents = open_.best, open_.values, open_.parents
    best[k] = origin % V
    index = origin // V
    while k > root:
        k -= 1
        best[k] = values[k + 1, index]
        index = parents[k + 1, index]


__all__ = ["Buffers", "Tree", "advance"]
