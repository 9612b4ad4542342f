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

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj._compiled import compiled
from qproj.solvers.builtin.kernels.branch_bound_problem import Neuron

GROUPS = 16  # groups of a block: sixteen 16-bit table positions fill one vector register
ROWS = 4 * GROUPS
REACH = 20  # the longest reach L of a table
GROUPED = 10  # last weights that groups are chosen for, about: where most nodes are cut off
WINDOW = 12  # sums that a table tells apart, at most: positions have to fit in 16 bits, and tables in the cache
LEVELS = 255  # table entries are bytes: losses in units of the incumbent's loss / 255, rounded down
SHARE = 0.55  # of the weights that the longest tables reach over, at most
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
        reach = min(REACH, self.half, max(4, round(SHARE * float(self.left[0])) - 1))
        while reach > 1 and groups * sum(min(k + 2, WINDOW) ** 4 for k in range(reach + 1)) > _MEMORY:
            reach -= 1
        return reach

    @property
    def window(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for each level, the agreements that digit 0 of a position stands for, and the number of digits.

        Digit 0 stands for fewer agreements too, the last one for a row that is met whatever follows. With
        L weights left, half − L … half + 1 are all there are; a shorter window around the middle, where nearly all
        sums are, only weakens the bound.
        """
        base = np.minimum(self.left + 2, WINDOW)
        below = self.half - self.left + (self.left + 2 - base) // 2
        return below, base

    @classmethod
    def of(cls, neuron: Neuron) -> Plan:
        """Choose groups and the order of branching for a neuron with ±1 rows."""
        turned = neuron.turned
        total = int(neuron.sizes.sum())
        weights = neuron.weights / max(1, int(neuron.weights.max(initial=1)))
        signs = turned.astype(np.int8)
        reach = min(GROUPED, max(1, total // 2))
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
        below, digits = self.window
        lengths = digits[levels] ** 4 * groups
        ends = np.concatenate(([0], np.cumsum(lengths[::-1])))
        where = np.full(len(self.left), -1, np.int64)
        where[levels] = ends[:-1][::-1]
        tables = np.empty(int(ends[-1]), np.uint8)
        # where nothing is left, bit i of a position tells whether member i is met
        weights = self.weights.reshape(-1, 4, GROUPS).transpose(0, 2, 1).reshape(-1, 1, 4)
        unmet = (np.arange(16)[:, None] >> np.arange(4) & 1) == 0
        last = np.minimum((weights * unmet).sum(axis=2) // unit, LEVELS)
        tables[where[levels[-1]] :][: last.size] = last.ravel()
        steps = self.steps.view(np.uint8)
        for k in levels[-2::-1]:
            base, inner_base = digits[k : k + 2].tolist()
            values = steps[k, : self.sizes[k] + 1].astype(np.int64).reshape(self.sizes[k] + 1, -1, 4, GROUPS)
            members = values.transpose(0, 1, 3, 2).reshape(len(values), groups, 4, 1)
            after = np.clip(np.arange(base) + below[k] + members - below[k + 1], 0, inner_base - 1)
            after[..., -1] = inner_base - 1
            places = np.ascontiguousarray(after * inner_base ** np.arange(4)[:, None])
            inner = tables[where[k + 1] : where[k + 1] + inner_base**4 * groups]
            _next_table(places, inner, tables[where[k] : where[k] + base**4 * groups])
        return tables, where


def _plan(
    signs: NDArray[np.int8], sizes: NDArray[np.int64], weights: FloatArray, reach: int, rounds: int
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:  # fmt: skip
    """Return groups (k, 4) of row numbers, heaviest first, −1 where a group is short, and the order of classes."""
    members = np.full((-(-len(signs) // 4), 4), -1)
    mean = float(weights.mean()) if len(weights) else 1.0
    # sums along the first axis are the same on every machine, which a product by BLAS is not
    pull = np.abs((weights[:, None] * signs).sum(axis=0)) * sizes
    order = np.arange(len(sizes))
    for number in range(rounds):
        before, order = order, np.argsort(-pull, kind="stable")
        if number and (order == before).all():
            break
        last = order[_first_of_last(sizes[order], reach) :]
        rows = np.ascontiguousarray(signs[:, last], np.float64)
        # in units of the mean weight, and of the typical agreement of a row with three
        pulls, together = rows * (sizes[last] / np.sqrt(sizes[last].sum())), np.empty(len(last))
        most = max(64, _LOOKS // max(1, len(rows)))
        _group(rows, pulls, weights / mean, members, np.ones(len(rows), np.bool_), together, most)
        terms = np.where(members >= 0, weights[members], 0.0)[:, :, None] * signs[members]
        pull = np.abs(terms.sum(axis=1)).sum(axis=0) * sizes
    return members, order


def _first_of_last(sizes: NDArray[np.int64], reach: int) -> int:
    """Return where the last classes begin that reach so far together, one at least."""
    first, length = len(sizes), 0
    while first > 0 and (length + sizes[first - 1] <= reach or first == len(sizes)):
        first -= 1
        length += int(sizes[first])
    return first


@compiled()
def _group(rows, pulls, weights, members, free, together, most):
    """Fill groups greedily: the heaviest row that is left, then three that disagree with the group on the last
    classes, heavy ones first; at most so many rows are looked at for each."""
    G, seed = len(rows), 0
    for k in range(len(members)):
        while not free[seed]:
            seed += 1
        for j in range(together.size):
            together[j] = 0.0
        row = seed
        for i in range(4):
            members[k, i] = row
            if row < 0:
                continue
            free[row] = False
            for j in range(together.size):
                together[j] += pulls[row, j]
            best, row, looked = -np.inf, -1, 0
            for g in range(seed + 1, G):
                if looked == most:
                    break
                if free[g]:
                    looked += 1
                    agreement = 0.0
                    for j in range(together.size):
                        agreement += together[j] * rows[g, j]
                    value = weights[g] - agreement
                    if value > best:
                        best, row = value, g


@compiled()
def _next_table(places, inner, outer):
    """outer[s] = min over the values v of one more class of inner[s + the agreements that v adds], group by group.

    A position is a number of four digits: agreements above those with which the row is lost for sure. Digit d of member
    i contributes places[v, k, i, d] to the inner position.
    """
    V, groups, _, base = places.shape
    inner_size = inner.size // groups
    at = 0
    for k in range(groups):
        for c3 in range(base):
            for c2 in range(base):
                for c1 in range(base):
                    for c0 in range(base):
                        outer[at + c0] = LEVELS
                    for v in range(V):
                        begin = k * inner_size + places[v, k, 3, c3] + places[v, k, 2, c2] + places[v, k, 1, c1]
                        for c0 in range(base):
                            lost = inner[begin + places[v, k, 0, c0]]
                            if lost < outer[at + c0]:
                                outer[at + c0] = lost
                    at += base


__all__ = ["GROUPS", "LEVELS", "REACH", "ROWS", "Plan"]
