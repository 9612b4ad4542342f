"""Walks and anneals of a search under a time limit: what improves incumbents until a share of the time is over."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.layer_search import LayerSearch

#: Share of the walks' time for the anneal that they begin at, and its sweeps at most.
ANNEAL_SHARE, ANNEAL_SWEEPS = 0.1, 200
#: Descents by pairs that there has to be time for: one alone ends below what annealing reaches in that time.
DESCENTS = 8
#: Entries of rows, all neurons', up to which the search is finished after the deadline, and by how many sweeps.
LATE, LAST_SWEEPS = 1 << 20, 16
#: Entries of rows, all neurons', up to which incumbents are scored between two steps: some ten milliseconds.
SCORED = 1 << 24


class TimedWalks(LayerSearch):
    """The steps that heuristics take under a deadline, which `request.deadline` sets."""

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
        if not rows.is_binary or DESCENTS * pairs_s > end - now:  # walks take rows of ±1, and time for descents
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

    def _gaps(self, neurons: NDArray[np.intp]) -> FloatArray:
        """Return (Σ|τ| − gain)/(2 Σ|τ|) of the incumbents; 1, the worst, where scoring them would take long."""
        from qproj.solvers.builtin.kernels.scoring import score

        rows = self.rows
        if not len(neurons) or len(neurons) * rows.A.size > SCORED:
            return np.ones(len(neurons))
        tau, counts = rows.tau[:, neurons].T, rows.columns.counts_from_weights(self.weights[neurons])
        most = np.abs(tau).sum(axis=1)
        gaps: FloatArray = (most - score(rows.A, rows.columns.sizes, tau, counts)[0]) / np.maximum(2.0 * most, 1e-300)
        return gaps

    def _finish(self) -> bool:
        """Anneal for some sweeps, and descend: where the clock came before any walk, that is much for little."""
        from qproj.solvers.builtin.kernels.sharing import Limits
        from qproj.solvers.builtin.kernels.soft_annealing import soft_anneal_layer

        left, rows = self.left, self.rows
        if not len(left) or len(left) * rows.A.size > LATE:
            return False
        found = soft_anneal_layer(
            rows.A, rows.columns.sizes, np.ascontiguousarray(rows.tau[:, left]), seeds=self.seeds[left],
            sweeps=LAST_SWEEPS, init=rows.columns.counts_from_weights(self.weights[left]),
            limits=Limits(threads=self.options.threads, watch=self.watch),
        )  # fmt: skip
        self._improved(left, found.counts, found.met)
        return True


__all__ = ["TimedWalks"]
