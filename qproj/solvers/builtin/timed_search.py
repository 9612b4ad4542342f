"""One search of one layer under a time limit: walks and exact search side by side, until a proof or the deadline.

The limit is shared out among the neurons that are left. Walks by pairs of moves (`exchange`) get a first share alone,
so that exact search starts from a good incumbent; then one thread continues walking, while another searches exactly.
Narrow neurons are proved before all that, in milliseconds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

import numpy as np

from qproj.solvers.builtin.backends import Backends, is_proof
from qproj.solvers.builtin.layer_rows import LayerRows
from qproj.solvers.builtin.layer_search import Options
from qproj.solvers.builtin.timed_walks import TimedWalks
from qproj.solvers.contract import Termination
from qproj.solvers.interrupt import end_of_race, race
from qproj.solvers.layers import LayerRequest

#: Share of the time that is left which walks get before exact search, and where no second thread continues beside it.
WALK_SHARE, ALONE_SHARE = 0.2, 0.6
#: Share of the time that is left for message passing once, and within which it begins again, and how often at most.
FIRST_MESSAGE_SHARE, MESSAGE_SHARE, ATTEMPTS = 0.2, 0.06, 10
#: Iterations and memory of the later attempts: at n = 0.75 d they meet twice as many neurons as the defaults.
SLOWLY = (1200, 0.995)
#: Narrow neurons are proved first where a tree is expected to take at most the first share of their time, and then gets
#: the second one; the incumbent is found in some sweeps of annealing.
NARROW_SHARE, TREE_SHARE, NARROW_SWEEPS = 0.5, 0.8, 400
#: Measured on random rows: a tree has 2^(c·bits) nodes, c = 0.12 + 0.1·log₂ groups and at most 1 (within a factor of
#: three for 32 to 256 groups), and a thread looks at 50 million nodes of 64 groups a second.
NODE_BITS, NODES_A_SECOND = (0.12, 0.1), 5e7
#: A tree expected to take this many times the time that is left is not begun.
HOPELESS = 100.0
#: Other exact solvers are asked first, and walks are short, up to so many groups per column class, and where incumbents
#: lose at most this share of what they can: those that Gurobi or CP-SAT proved within seconds lost less than .01, those
#: that none proved more than .03 (digits and a1a, 32 to 256 rows).
NEAR_CAPACITY, CLOSE = 1.25, 0.02
#: Share of the time left that walks get before exact search there, and of a neuron's time that they go on beside it.
SHORT_SHARE, BESIDE_SHARE = 0.05, 0.3
#: Share of the time that is left for the first exact search where one follows another.
FIRST_SHARE = 0.7
#: What a term takes Gurobi and CP-SAT, before their search and after it, in seconds, and the least limit to ask them.
TERM_S, LEAST_ASKED_S = 5e-7, 0.02


class TimedSearch(TimedWalks):
    """A search that the clock ends."""

    def __init__(self, options: Options, rows: LayerRows, problems: Any, request: LayerRequest) -> None:
        super().__init__(options, rows, problems, request)
        self.backends = Backends()

    def run(self) -> None:
        """Enumerate, or learn and pass messages, prove what is narrow, walk, and search exactly beside the walks."""
        if self._few_patterns():
            self._take_step("enumeration", self._enumerate)
            return
        self.report()
        for name, step in (
            ("perceptron learning", self._learn),
            ("message passing", self._repeat_messages),
            ("branch and bound", self._prove_narrow),
            ("walks", self._walk_first),
        ):
            if self._left_s > 0:
                self._take_step(name, step)
        self._take_step("exact search beside walks", self._prove)
        self._take_step("descent", self._finish)

    def _walk_first(self) -> None:
        """Walk before any exact search: shortly where other solvers probably end it."""
        begin, left = time.perf_counter(), self._left_s
        if self._is_crowded:
            self._walk(self.left, self._deadline)
            return
        share = WALK_SHARE if self._walks_beside or not self.rows.is_binary else ALONE_SHARE
        short = min(SHORT_SHARE, share) if self.rows.is_binary else share
        self._walk(self.left, begin + short * left)
        far = self.left if short < share and not self._is_near else self.left[:0]
        far = far[self._gaps(far) > CLOSE]
        if len(far):
            self._walk(far, begin + share * left)

    @property
    def _is_crowded(self) -> bool:
        """Whether a neuron's share of the time is too short for any exact search, and for walks of one alone."""
        share = self._left_s / max(1, len(self.left))
        return len(self.left) > 1 and share < min(LEAST_ASKED_S, self._expected_s)

    def _repeat_messages(self) -> bool:
        """Pass messages from several starts: near capacity not every one ends where all signs are met."""
        from qproj.solvers.builtin.kernels.sharing import Limits

        begin, left = time.perf_counter(), self._left_s
        end = begin + MESSAGE_SHARE * left
        if not self._pass_messages(limits=Limits(begin + FIRST_MESSAGE_SHARE * left)):
            return False
        for attempt in range(1, ATTEMPTS):
            if time.perf_counter() >= end or not len(self.left):
                break
            self._pass_messages(attempt, iterations=SLOWLY[0], memory=SLOWLY[1])
        return True

    @property
    def _expected_s(self) -> float:
        """Roughly how long a neuron's tree takes."""
        groups = len(self.rows.A)
        nodes = expected_nodes(groups, float(np.log2(self.rows.columns.sizes + 1.0).sum()))
        return nodes * max(1.0, groups / 64.0) / (NODES_A_SECOND * self._threads)

    def _prove_narrow(self) -> bool:
        """Prove what takes milliseconds, before walks use their share of the time."""
        from qproj.solvers.builtin.kernels.sharing import Limits
        from qproj.solvers.builtin.kernels.soft_annealing import soft_anneal_layer

        left, rows = self.left, self.rows
        if not len(left) or self._expected_s * len(left) > NARROW_SHARE * self._left_s:
            return False
        init = rows.columns.counts_from_weights(self.weights[left])
        tau = np.ascontiguousarray(rows.tau[:, left])
        end = time.perf_counter() + WALK_SHARE * self._left_s
        found = soft_anneal_layer(
            rows.A, rows.columns.sizes, tau, seeds=self.seeds[left], sweeps=NARROW_SWEEPS, init=init,
            limits=Limits(end, self.options.threads, watch=self.watch),
        )  # fmt: skip
        self._improved(left, found.counts, found.met)
        for place, neuron in enumerate(left.tolist()):
            if not self.proved[neuron]:
                self._branch(neuron, time.perf_counter() + TREE_SHARE * self._left_s / (len(left) - place))
        return True

    def _prove(self) -> None:
        """Search exactly, neuron by neuron, each in its share of the time, and walk on beside."""
        left = self.left[np.argsort(self._gaps(self.left), kind="stable")].tolist()  # soonest proved first
        for place, neuron in enumerate(left):
            share = self._left_s / (len(left) - place)
            if share <= 0:
                break
            end = time.perf_counter() + share
            close = self._is_close(neuron)
            if not self._walks_beside:
                self._exactly(neuron, end, close)
                if not self.proved[neuron] and time.perf_counter() < end:
                    self._walk(np.array([neuron]), end)
                continue
            stop, alone = Event(), np.array([neuron])
            until = end - (1.0 - BESIDE_SHARE) * share if close else end
            with ThreadPoolExecutor(1) as pool:
                beside = pool.submit(self._pairs, alone, self._threads, until, stop)
                try:
                    self._exactly(neuron, end, close)
                    if not self.proved[neuron] and time.perf_counter() < end:
                        self._step_in_pairs(alone, self._threads + 1, end)
                finally:
                    stop.set()
                if not self.proved[neuron]:
                    self._better(alone, *beside.result())
        for neuron in self.left.tolist():
            self.terminations[neuron] = Termination.CLOCK

    def _exactly(self, neuron: int, end: float, close: bool) -> None:
        """Search by branch and bound and by other solvers: the likelier first, or side by side."""
        begin = time.perf_counter()
        if self._expected_s > HOPELESS * (end - begin):
            self._ask(neuron, end, close=close)
        elif close and self._threads > 1:
            self._ask(neuron, end, close=True, branch=True)
        else:
            first = begin + FIRST_SHARE * (end - begin)
            ask = partial(self._ask, close=close)
            steps: tuple[Callable[[int, float], None], ...] = (ask, self._branch) if close else (self._branch, ask)
            for step, until in zip(steps, (first, end), strict=True):
                if not self.proved[neuron] and time.perf_counter() < until:
                    step(neuron, until)

    def _is_close(self, neuron: int) -> bool:
        """Whether a relaxation's bound is probably near: there are few rows, or the incumbent meets nearly all of Σ|τ|.

        There cuts and clause learning close the rest; beyond, they are too slow.
        """
        return self._is_near or bool(self._gaps(np.array([neuron]))[0] <= CLOSE)

    @property
    def _is_near(self) -> bool:
        return bool(len(self.rows.A) <= NEAR_CAPACITY * self.rows.A.shape[1])

    def _branch(self, neuron: int, deadline: float) -> None:
        self._take(neuron, self._search(neuron, deadline, self._threads))

    def _ask(self, neuron: int, deadline: float, *, close: bool = False, branch: bool = False) -> None:
        """Ask CP-SAT and Gurobi, and search by branch and bound beside them: the first proof ends all."""
        from qproj.solvers.builtin.kernels.branch_bound import BranchBoundResult

        limit = deadline - time.perf_counter() - TERM_S * self.rows.A.size
        if not self.rows.is_binary or limit < LEAST_ASKED_S:
            if branch:
                self._branch(neuron, deadline)
            return
        problem = self.problems[neuron]
        names = self.backends.chosen(problem, limit, several=close and self._threads > 1)
        ask = partial(
            self.backends.answer, problem=problem, limit=limit, seed=int(self.seeds[neuron] >> np.uint64(33)),
            hint=self.weights[neuron], progress=self.request.progress,
        )  # fmt: skip
        searches: list[Callable[[], Any]] = [partial(ask, name) for name in names]
        if branch:
            threads = max(1, self._threads - 1)
            searches.append(lambda: self._search(neuron, deadline, threads, end_of_race()))
        for name in names:
            self.steps.setdefault(name, 0)
        answers = [searches[0]()] if len(searches) == 1 else race(searches, is_proof)
        if answers == [None] and names != ["cpsat"]:  # it refuses from now on
            self._ask(neuron, deadline)
        for found in answers:
            if isinstance(found, BranchBoundResult):
                self._take(neuron, found)
            elif found is not None and found.best is not None and found.gain_bound is not None:
                self._learnt(neuron, found.best, found.gain_bound, proved=is_proof(found))
                self.steps[found.solver] += is_proof(found)


def expected_nodes(groups: int, bits: float) -> float:
    """Return roughly how many nodes the tree of a neuron has whose counts take so many bits."""
    share = min(1.0, NODE_BITS[0] + NODE_BITS[1] * math.log2(max(groups, 1)))
    return float(2.0 ** min(share * bits, 256.0))


__all__ = ["TimedSearch", "expected_nodes"]
