"""Bounds from groups of four rows: what four rows lose at least, whatever the last weights are, read from a table.

A row on its own is lost only when nothing that is left can save it. Rows that pull against each other are lost much
earlier: the last L weights (Σ M of the last classes) have to serve all of a group at once. For every group and every
tuple of its four sums, clipped to what L can change, a table holds the least loss over all values of those weights,
made level by level: T_L(s) = min over the next class's values of T_L'(s + column·value). Groups are disjoint, so their
least losses add up. Groups hold rows that disagree on the last weights, and those weights are chosen so that groups
disagree most.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj.solvers.builtin.kernels.branch_bound_neuron import Neuron

GROUPS = 16  # groups of a block: sixteen 16-bit table positions fill one vector register
ROWS = 4 * GROUPS
REACH = 14  # the longest reach L of a table: (L + 2)^4 positions have to fit in 16 bits
LEVELS = 255  # table entries are bytes: losses in units of the incumbent's loss / 255, rounded down
_MEMORY = 1 << 25  # bytes of all tables
_ROUNDS = 6  # of choosing groups for the last weights and the last weights for the groups
_LOOKS = 1 << 22  # at rows, in choosing groups of very many: every group then looks at the next heaviest only


@dataclass(frozen=True, eq=False)
class Plan:
    """Order of branching and groups of rows; rows are laid out as (block, member, group).

    Attributes
    ----------
    order : (C,) intp
        Class of each level.
    steps : (C, V, words) uint64
        What value c of a level's class adds to the rows' agreements, eight rows of one byte in a word.
    start : (words,) uint64
    sizes : (C,) int64
        M of each level.
    left : (C + 1,) int64
        Σ M of the levels from each one on.
    weights : (rows,) int64
        0 for places that no row fills.
    """

    order: NDArray[np.intp]
    steps: NDArray[np.uint64]
    start: NDArray[np.uint64]
    sizes: NDArray[np.int64]
    left: NDArray[np.int64]
    weights: NDArray[np.int64]

    @property
    def half(self) -> int:
        """A row is met in a leaf when more than this many of its terms agree (the start counts σ(0) = +1)."""
        return int(self.left[0]) // 2

    @property
    def reach(self) -> int:
        """The longest tables worth their making: they grow with the fourth power of their reach."""
        groups = len(self.weights) // 4
        reach = min(REACH, self.half, max(4, round(0.45 * float(self.left[0])) - 1))
        while reach > 1 and groups * sum((k + 2) ** 4 for k in range(reach + 1)) > _MEMORY:
            reach -= 1
        return reach

    @classmethod
    def of(cls, neuron: Neuron) -> Plan:
        """Choose groups and the order of branching for a neuron with ±1 rows."""
        turned = neuron.turned
        total = int(neuron.sizes.sum())
        weights = neuron.weights / max(1, int(neuron.weights.max(initial=1)))
        signs = turned.astype(np.int8)
        reach = min(REACH - 4, max(1, total // 2))
        members, order = _plan(signs, neuron.sizes, weights, reach, _ROUNDS if len(signs) <= 512 else 2)
        blocks = -(-len(members) // GROUPS)
        place = np.full((blocks * GROUPS, 4), -1)
        place[: len(members)] = members
        rows = place.reshape(blocks, GROUPS, 4).transpose(0, 2, 1).ravel()
        filled = rows >= 0
        agree = np.ones((len(rows), len(order)), bool)
        agree[filled] = signs[rows[filled]][:, order] > 0
        sizes = neuron.sizes[order]
        counts = np.arange(int(sizes.max(initial=0)) + 1)
        steps = np.where(agree.T[:, None, :], counts[:, None], np.maximum(sizes[:, None] - counts, 0)[:, :, None])
        start = np.zeros(len(rows), np.uint8)
        if total % 2 == 0:
            start[filled] = neuron.up[rows[filled]]
        placed = np.zeros(len(rows), np.int64)
        placed[filled] = neuron.weights[rows[filled]]
        left = np.concatenate((np.cumsum(sizes[::-1])[::-1], [0]))
        words = np.ascontiguousarray(steps.astype(np.uint8)).view(np.uint64)
        return cls(order, words, start.view(np.uint64), sizes, left, placed)

    def tables(self, unit: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return all tables in one array, losses in `unit` rounded down, and where each level's begins (−1: none).

        Tables of level k bound nodes whose first k classes have values.
        """
        levels = [k for k in range(len(self.left)) if self.left[k] <= self.reach]
        groups = len(self.weights) // 4
        lengths = (self.left[levels] + 2) ** 4 * groups
        ends = np.concatenate(([0], np.cumsum(lengths[::-1])))
        where = np.full(len(self.left), -1, np.int64)
        where[levels] = ends[:-1][::-1]
        tables = np.empty(int(ends[-1]), np.uint8)
        weights = self.weights.reshape(-1, 4, GROUPS).transpose(0, 2, 1).reshape(-1, 4)
        _last_table(np.ascontiguousarray(weights), unit, tables)
        steps = self.steps.view(np.uint8)
        for k in levels[-2::-1]:
            most = int(self.sizes[k])
            values: NDArray[Any] = steps[k, : most + 1].reshape(most + 1, -1, 4, GROUPS).transpose(0, 1, 3, 2)
            inner = tables[where[k + 1] : where[k + 1] + (self.left[k + 1] + 2) ** 4 * groups]
            outer = tables[where[k] : where[k] + (self.left[k] + 2) ** 4 * groups]
            _next_table(values.reshape(most + 1, groups, 4).astype(np.int64), most, int(self.left[k]), inner, outer)
        return tables, where


@nb.njit(cache=True, nogil=True)
def _plan(signs, sizes, weights, reach, rounds):
    """Return groups (k, 4) of row numbers, heaviest first, −1 where a group is short, and the order of classes."""
    G, C = signs.shape
    order = np.arange(C)
    members = np.full(((G + 3) // 4, 4), -1)
    pull = np.zeros(C)
    for j in range(C):
        for g in range(G):
            pull[j] += weights[g] * signs[g, j]
        pull[j] = abs(pull[j]) * sizes[j]
    for _ in range(rounds):
        order = np.argsort(-pull, kind="mergesort")
        last, length = C, 0
        while last > 0 and (length + sizes[order[last - 1]] <= reach or last == C):
            last -= 1
            length += sizes[order[last]]
        _group(signs, sizes, weights, order[last:], members)
        pull[:] = 0.0
        for j in range(C):
            for k in range(len(members)):
                together = 0.0
                for g in members[k]:
                    if g >= 0:
                        together += weights[g] * signs[g, j]
                pull[j] += abs(together) * sizes[j]
    return members, order


@nb.njit(cache=True, nogil=True)
def _group(signs, sizes, weights, last, members):
    """Fill groups greedily: the heaviest row that is left, then three that disagree with the group on the last
    classes, heavy ones first."""
    G = len(weights)
    free = np.ones(G, np.bool_)
    length = np.sqrt(sizes[last].sum())
    mean = weights.mean()
    members[:] = -1
    together = np.zeros(len(last))
    seed, most = 0, max(64, _LOOKS // G)
    for k in range(len(members)):
        while not free[seed]:
            seed += 1
        together[:] = 0.0
        row = seed
        for i in range(4):
            free[row] = False
            members[k, i] = row
            for j in range(len(last)):
                together[j] += signs[row, last[j]] * sizes[last[j]]
            best, row, looked = -np.inf, -1, 0
            for g in range(seed + 1, G):
                if looked == most:
                    break
                if free[g]:
                    looked += 1
                    agreement = 0.0
                    for j in range(len(last)):
                        agreement += together[j] * signs[g, last[j]]
                    value = weights[g] / mean - agreement / length
                    if value > best:
                        best, row = value, g
            if row < 0:
                break


@nb.njit(cache=True, nogil=True)
def _last_table(weights, unit, table):
    """Losses where nothing is left: bit i of a position tells that member i is met."""
    for k in range(len(weights)):
        for position in range(16):
            lost = 0
            for i in range(4):
                lost += 0 if position >> i & 1 else weights[k, i]
            table[16 * k + position] = min(lost // unit, LEVELS)


@nb.njit(cache=True, nogil=True)
def _next_table(values, most, left, inner, outer):
    """outer[s] = min over the values of one more class, M = most, of inner[s + what the value adds].

    Positions are four digits below left + 2: agreements above those with which the row is lost for sure.
    """
    base, inner_base = left + 2, left - most + 2
    V = most + 1
    moved = np.empty((4, V, base), np.int64)
    size, inner_size = base**4, inner_base**4
    for k in range(values.shape[1]):
        for i in range(4):
            for v in range(V):
                for digit in range(base):
                    after = min(max(digit - most + values[v, k, i], 0), inner_base - 1)
                    moved[i, v, digit] = after * inner_base**i
        for c3 in range(base):
            for c2 in range(base):
                for c1 in range(base):
                    at = k * size + ((c3 * base + c2) * base + c1) * base
                    for c0 in range(base):
                        outer[at + c0] = LEVELS
                    for v in range(V):
                        begin = k * inner_size + moved[3, v, c3] + moved[2, v, c2] + moved[1, v, c1]
                        for c0 in range(base):
                            outer[at + c0] = min(outer[at + c0], inner[begin + moved[0, v, c0]])


__all__ = ["GROUPS", "LEVELS", "REACH", "ROWS", "Plan"]
