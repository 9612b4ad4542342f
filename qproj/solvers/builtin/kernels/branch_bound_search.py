"""Depth-first search by chunks of nodes: the tree is split into tasks, and threads share the tasks."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from qproj.solvers.builtin.kernels.branch_bound_nodes import Buffers, Tree, advance
from qproj.solvers.builtin.kernels.branch_bound_problem import Neuron, TreeOutcome
from qproj.solvers.builtin.kernels.branch_bound_tables import LEVELS, REACH, Plan
from qproj.solvers.builtin.kernels.scoring import CountArray

MAX_LENGTH = 254  # Σ M: agreements are bytes
_SLICE = 1 << 21  # nodes of 64 rows between two looks at the clock: some 20 ms
_RATE = 1.5e8  # nodes per second and thread that no machine exceeds much: only sizes a search that is not worth a start
_SPLIT = 26  # Σ M from which the tree is split into tasks
_TASKS = 64
_ROUND = 16  # tasks that run with the same incumbent: results do not depend on the number of threads


def search_chunks(
    neuron: Neuron, best: CountArray, node_limit: int | None, deadline: float | None, threads: int,
    stop: Callable[[], bool] | None = None,
) -> TreeOutcome:  # fmt: skip
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
    stop : callable, optional
        Asked now and then where there is a deadline; True ends the search.
    """
    kept, lost, nodes = best.copy(), neuron.lost(best), 0
    room = np.inf if node_limit is None else float(node_limit)
    if deadline is not None:
        room = min(room, _RATE * threads * max(0.0, deadline - time.perf_counter()))
    if least_nodes(neuron.sizes) > room:
        return TreeOutcome(kept, lost, 0, 0, False)
    plan = Plan.of(neuron)
    while True:
        search = _TreeSearch(plan, max(1, -(-lost // LEVELS)), deadline, stop)
        found = search.run(lost, None if node_limit is None else node_limit - nodes, threads)
        nodes += found.nodes
        if found.lost < lost:
            lost = found.lost
            kept = np.empty_like(best)
            kept[plan.order] = found.c
        if not found.coarse:
            return TreeOutcome(kept, lost, lost if found.done else min(lost, found.open_lost), nodes, found.done)


def least_nodes(sizes: CountArray) -> float:
    """Return how many nodes every search has that proves: those above the longest tables, where nothing is cut off."""
    length, levels = 0, np.sort(sizes)
    while length < len(levels) and levels[: length + 1].sum() <= REACH:
        length += 1
    return float(math.prod((levels[length:] + 1.0).tolist()))  # without a warning where it is infinite


@dataclass(frozen=True, eq=False)
class _Part(TreeOutcome):
    coarse: bool  # stopped because the incumbent got so good that losses should be rounded more finely


class _TreeSearch:
    """One pass over the tree with losses in one unit."""

    def __init__(self, plan: Plan, unit: int, deadline: float | None, stop: Callable[[], bool] | None) -> None:
        self.plan, self.tree, self.deadline, self.stop = plan, Tree.of(plan, unit), deadline, stop
        self.free: SimpleQueue[Buffers] = SimpleQueue()

    def run(self, lost: int, node_limit: int | None, threads: int) -> _Part:
        """Search all tasks, in rounds; c is in the order of levels."""
        prefixes = self._tasks()
        best, nodes, open_lost, done = np.zeros(len(self.plan.sizes), np.int64), 0, lost, True
        coarse_below = lost // 3
        workers = max(1, min(threads, len(prefixes)))
        for _ in range(workers):
            self.free.put(Buffers.of(self.tree))
        with ThreadPoolExecutor(workers) as pool:
            for first in range(0, len(prefixes), _ROUND):
                some = prefixes[first : first + _ROUND]
                share = None if node_limit is None else (node_limit - nodes) // (len(prefixes) - first)
                run = pool.map if workers > 1 else map
                for found in list(run(self._task, some, [lost] * len(some), [share] * len(some))):
                    if found.lost < lost:
                        lost, best = found.lost, found.c
                    nodes += found.nodes
                    if not found.done:
                        done, open_lost = False, min(open_lost, found.open_lost)
                if lost < coarse_below and first + _ROUND < len(prefixes):
                    return _Part(best, lost, 0, nodes, False, True)
        return _Part(best, lost, min(lost, open_lost), nodes, done, False)

    def _task(self, prefix: CountArray, lost: int, budget: int | None) -> TreeOutcome:
        """Search below one node, whose first classes have the values of `prefix`."""
        buffers, level = self.free.get(), len(prefix)
        buffers.begin(level, self._node(prefix), lost)
        slice_ = _SLICE if self.deadline is None else max(512, _SLICE * 8 // self.tree.steps.shape[2])
        while not buffers.done:
            spent = int(buffers.state[3])
            room = slice_ if budget is None else min(slice_, budget - spent)
            if room <= 0 or (self.deadline is not None and self._is_over(self.deadline)):
                break
            advance(self.tree, buffers, room)
            if int(buffers.state[3]) == spent and not buffers.done:
                break  # the room is too small for one more node
        found = buffers.best.copy()
        found[:level] = prefix
        best, nodes = buffers.state[2:].tolist()
        result = TreeOutcome(found, best, buffers.open_cost * self.tree.unit, nodes, buffers.done)
        self.free.put(buffers)
        return result

    def _is_over(self, deadline: float) -> bool:
        return time.perf_counter() >= deadline or (self.stop is not None and self.stop())

    def _tasks(self) -> list[CountArray]:
        """Return the values of the classes above some level, one array per task."""
        sizes = self.plan.sizes
        level, count = 0, 1
        while level < len(sizes) - 1 and self.plan.left[0] >= _SPLIT and count < _TASKS:
            count *= int(sizes[level]) + 1
            level += 1
        values = itertools.product(*(range(m + 1) for m in sizes[:level].tolist()))
        return [np.array(value, np.int64) for value in values]

    def _node(self, prefix: CountArray) -> NDArray[np.uint64]:
        node = self.plan.start.copy()
        for level, value in enumerate(prefix.tolist()):
            node += self.plan.steps[level, value]
        return node


__all__ = ["MAX_LENGTH", "least_nodes", "search_chunks"]
