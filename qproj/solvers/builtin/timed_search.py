"""One search of one layer under a time limit: walks and exact search side by side, until a proof or the deadline.

The limit is shared out among the neurons that are left. Walks by pairs of moves (`exchange`) get a first share alone,
so that exact search starts from a good incumbent; then one thread continues walking, while another searches exactly.
Narrow neurons are proved before all that, in milliseconds.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj.solvers.builtin.layer_rows import LayerRows
from qproj.solvers.builtin.layer_search import LayerSearch, Options
from qproj.solvers.contract import MissingLicenceError, MissingPackageError, Status, Termination, TooLargeError
from qproj.solvers.interrupt import race
from qproj.solvers.layers import LayerRequest
from qproj.solvers.registry import get_solver

#: Share of the time that is left which walks get before exact search, and where no second thread continues beside it.
WALK_SHARE, ALONE_SHARE = 0.2, 0.6
#: Share of the time that is left within which message passing begins again, and how often at most.
MESSAGE_SHARE, ATTEMPTS = 0.1, 10
#: Iterations and memory of the later attempts: at n = 0.75 d they meet twice as many neurons as the defaults.
SLOWLY = (1200, 0.995)
#: Share of the walks' time for the anneal that they begin at, and its sweeps at most.
ANNEAL_SHARE, ANNEAL_SWEEPS = 0.1, 200
#: Narrow neurons are proved first where a tree is expected to take at most this share of their time. Measured at 64
#: rows: 1.7 nodes more a weight bit, 50 million nodes a second; the incumbent is found in some sweeps of annealing.
NARROW_SHARE, GROWTH, NODES_A_SECOND, NARROW_SWEEPS = 0.5, 1.7, 5e7, 400
#: A tree expected to take this many times the time that is left is not begun.
HOPELESS = 100.0
#: Up to so many groups per column class, CP-SAT is asked before branch and bound.
NEAR_CAPACITY = 1.25
#: Shares of the time that is left for the first exact search and the second.
PROOF_SHARES = (0.7, 1.0)
#: Other exact solvers that are asked; the last is always there. Gurobi's cuts prove most where a linear relaxation is
#: tight, as on sparse inputs; its package's own licence takes 2000 rows and columns.
ASKED, MOST_ROWS = ("gurobi", "cpsat"), 2000
#: Seconds below which CP-SAT, or Gurobi, is not worth its start, and what a term of a model takes before and after.
LEAST_ASKED_S, LEAST_FLOATING_S, TERM_S = 0.02, 0.1, 5e-7
#: Entries of rows, all neurons', up to which the search is finished after the deadline, and by how many sweeps.
LATE, LAST_SWEEPS = 1 << 20, 16


class TimedSearch(LayerSearch):
    """A search that the clock ends; `request.deadline` is set."""

    def __init__(self, options: Options, rows: LayerRows, problems: Any, request: LayerRequest) -> None:
        super().__init__(options, rows, problems, request)
        self._refused: set[str] = set()

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
        """Walk before any exact search."""
        share = WALK_SHARE if self._walks_beside or not self.rows.is_binary else ALONE_SHARE
        self._walk(self.left, time.perf_counter() + share * self._left_s)

    def _finish(self) -> None:
        """Anneal for some sweeps, and descend: where the clock came before any walk, that is much for little."""
        from qproj.solvers.builtin.kernels.sharing import Limits
        from qproj.solvers.builtin.kernels.soft_annealing import soft_anneal_layer

        left, rows = self.left, self.rows
        if not len(left) or len(left) * rows.A.size > LATE:
            return
        found = soft_anneal_layer(
            rows.A, rows.columns.sizes, np.ascontiguousarray(rows.tau[:, left]), seeds=self.seeds[left],
            sweeps=LAST_SWEEPS, init=rows.columns.counts_from_weights(self.weights[left]),
            limits=Limits(threads=self.options.threads, watch=self.watch),
        )  # fmt: skip
        self._improved(left, found.counts, found.met)

    def _repeat_messages(self) -> None:
        """Pass messages from several starts: near capacity not every one ends where all signs are met."""
        end = time.perf_counter() + MESSAGE_SHARE * self._left_s
        self._pass_messages()
        for attempt in range(1, ATTEMPTS):
            if time.perf_counter() >= end or not len(self.left):
                break
            self._pass_messages(attempt, iterations=SLOWLY[0], memory=SLOWLY[1])

    @property
    def _deadline(self) -> float:
        assert self.request.deadline is not None
        return self.request.deadline

    @property
    def _left_s(self) -> float:
        return self._deadline - time.perf_counter()

    @property
    def _walks_beside(self) -> bool:
        """Whether a thread walks while another searches exactly."""
        return self.rows.is_binary and self._threads > 1

    @property
    def _expected_s(self) -> float:
        """Roughly how long a neuron's tree takes."""
        bits = float(np.log2(self.rows.columns.sizes + 1.0).sum())
        return float(GROWTH ** min(bits, 256.0)) / NODES_A_SECOND

    def _prove_narrow(self) -> None:
        """Prove what takes milliseconds, before walks use their share of the time."""
        from qproj.solvers.builtin.kernels.sharing import Limits
        from qproj.solvers.builtin.kernels.soft_annealing import soft_anneal_layer

        left, rows = self.left, self.rows
        if not len(left) or self._expected_s * len(left) > NARROW_SHARE * self._left_s:
            return
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
                self._branch(neuron, time.perf_counter() + NARROW_SHARE * self._left_s / (len(left) - place))

    def _walk(self, left: NDArray[np.intp], end: float) -> None:
        """Anneal a little and walk until `end`; one neuron alone is walked on by every thread."""
        from qproj.solvers.builtin.kernels.exchange import PAIR_S
        from qproj.solvers.builtin.kernels.sharing import Limits
        from qproj.solvers.builtin.kernels.soft_annealing import anneal_until, soft_anneal_layer

        rows, threads = self.rows, self.options.threads
        init = rows.columns.counts_from_weights(self.weights[left])
        tau = np.ascontiguousarray(rows.tau[:, left])
        common: dict[str, Any] = {"seeds": self.seeds[left], "init": init}
        now = time.perf_counter()
        pairs_s = PAIR_S * len(rows.A) * rows.A.shape[1] ** 2 * len(left) / self._threads
        if not rows.is_binary or pairs_s > end - now:  # walks take rows of ±1, and time for a first descent
            found = anneal_until(
                rows.A, rows.columns.sizes, tau, limits=Limits(end, threads, watch=self.watch), **common
            )
            self._improved(left, found.counts, found.met)
            return
        first = Limits(now + ANNEAL_SHARE * (end - now), threads, watch=self.watch)
        found = soft_anneal_layer(rows.A, rows.columns.sizes, tau, sweeps=ANNEAL_SWEEPS, limits=first, **common)
        self._improved(left, found.counts, found.met)
        left = left[~self.proved[left]]
        if len(left) > 1 or self._threads == 1:
            self._step_in_pairs(left, 0, end)
        elif len(left):
            stop = Event()
            with ThreadPoolExecutor(self._threads) as pool:
                walks = [pool.submit(self._pairs, left, i, end, stop) for i in range(self._threads)]
                try:
                    for walk in walks:
                        self._better(left, *walk.result())
                finally:
                    stop.set()  # Ctrl-C does not wait for the other walks

    def _step_in_pairs(self, left: NDArray[np.intp], walk: int, end: float) -> None:
        self._improved(left, *self._pairs(left, walk, end))

    def _pairs(
        self, left: NDArray[np.intp], walk: int, end: float, stop: Event | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return counts (k, C) of the incumbents improved by walks, and which meet every sign; `walk` numbers them."""
        from qproj.solvers.builtin.kernels.exchange import exchange_layer
        from qproj.solvers.builtin.kernels.sharing import Limits, derived_seeds

        rows = self.rows
        found = exchange_layer(
            rows.A,
            rows.columns.sizes,
            np.ascontiguousarray(rows.tau[:, left]),
            rows.columns.counts_from_weights(self.weights[left]),
            seeds=derived_seeds(self.seeds[left], walk),
            kicks=None,
            limits=Limits(end, self.options.threads, None if stop is None else stop.is_set, self.watch),
        )
        return found.counts, found.met

    def _better(self, left: NDArray[np.intp], counts: NDArray[np.int64], met: NDArray[np.bool_]) -> None:
        """Take over those counts that gain more than the incumbents."""
        from qproj.solvers.builtin.kernels.scoring import score

        rows = self.rows
        tau, before = rows.tau[:, left].T, rows.columns.counts_from_weights(self.weights[left])
        gains = [score(rows.A, rows.columns.sizes, tau, each)[0] for each in (counts, before)]
        better = met | (gains[0] > gains[1])
        self.weights[left[better]] = rows.columns.weights_from_counts(counts[better])
        self.proved[left[met]] = True

    def _prove(self) -> None:
        """Search exactly, neuron by neuron, each in its share of the time, and walk on beside."""
        left = self.left.tolist()
        for place, neuron in enumerate(left):
            share = self._left_s / (len(left) - place)
            if share <= 0:
                break
            end = time.perf_counter() + share
            if not self._walks_beside:
                self._exactly(neuron, end)
                continue
            stop, alone = Event(), np.array([neuron])
            with ThreadPoolExecutor(1) as pool:
                beside = pool.submit(self._pairs, alone, self._threads, end, stop)
                try:
                    self._exactly(neuron, end)
                    if not self.proved[neuron] and time.perf_counter() < end:
                        self._step_in_pairs(alone, self._threads + 1, end)
                finally:
                    stop.set()
                if not self.proved[neuron]:
                    self._better(alone, *beside.result())
        for neuron in self.left.tolist():
            self.terminations[neuron] = Termination.CLOCK

    def _exactly(self, neuron: int, end: float) -> None:
        """Search by branch and bound and by other solvers, the likelier first."""
        # where nearly all signs can be met CP-SAT's bounds close the rest, beyond that its search is too slow
        near = len(self.rows.A) <= NEAR_CAPACITY * self.rows.A.shape[1]
        steps = (self._ask, self._branch) if near else (self._branch, self._ask)
        if self._expected_s > HOPELESS * (end - time.perf_counter()):
            steps = (self._ask,) * 2
        for share, step in zip(PROOF_SHARES, steps, strict=True):
            now = time.perf_counter()
            if now < end and not self.proved[neuron]:
                step(neuron, now + share * (end - now))

    def _branch(self, neuron: int, deadline: float) -> None:
        self._take(neuron, self._search(neuron, deadline, self._threads))

    def _ask(self, neuron: int, deadline: float) -> None:
        """Ask CP-SAT and, where it is installed and takes the model, Gurobi beside it: the first proof ends both."""
        limit = deadline - time.perf_counter() - TERM_S * self.rows.A.size
        if not self.rows.is_binary or limit < LEAST_ASKED_S:
            return
        problem = self.problems[neuron]
        asked = [name for name in ASKED if name == "cpsat" or self._is_worth(name, problem, limit)]
        searches = [partial(self._answer, name, neuron, limit) for name in asked]
        answers = [searches[0]()] if len(searches) == 1 else race(searches, _is_proof)
        for found in answers:
            if found is not None and found.best is not None and found.gain_bound is not None:
                self._learnt(neuron, found.best, found.gain_bound, proved=found.status is Status.OPTIMAL)
            if _is_proof(found):
                self.steps[found.solver] = self.steps.get(found.solver, 0) + 1

    def _is_worth(self, name: str, problem: Any, limit: float) -> bool:
        merged = problem.aggregated
        return limit >= LEAST_FLOATING_S and sum(merged.A.shape) <= MOST_ROWS and name not in self._refused

    def _answer(self, name: str, neuron: int, limit: float) -> Any:
        """Return a solver's solution of one neuron; None where it is not installed, or refuses."""
        seed, hint = int(self.seeds[neuron] >> np.uint64(33)), self.weights[neuron]
        try:
            return get_solver(name).solve(
                self.problems[neuron], time_limit_s=limit, seed=seed, hint=hint,
                on_progress=None if self.request.progress is None else self.request.progress.event,
            )  # fmt: skip
        except (MissingPackageError, MissingLicenceError, TooLargeError):
            self._refused.add(name)
            return None


def _is_proof(found: Any) -> bool:
    return found is not None and found.status is Status.OPTIMAL


__all__ = ["TimedSearch"]
