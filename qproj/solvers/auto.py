"""The default solver: bound → heuristic → exact search for what is left; always an incumbent and a valid bound.

A neuron's gain is at most Σ|τ|, and reached where every group's sign is met: then the search that met it is the proof.
Layers are searched together: signSGD's direction, enumeration of few weights, perceptron learning, message passing,
annealing on a softened step; what is left goes to branch and bound. With a time limit, walks by pairs of moves take
annealing's place, and go on beside branch and bound and CP-SAT.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from qproj._arrays import as_signs
from qproj.projections import SignLayer, SignProjection
from qproj.solvers.layer_search import LayerSearch
from qproj.solvers.local_search import LayerRows
from qproj.solvers.timed_search import TimedSearch
from qproj.solving import Adapter, Capabilities, Found, Request, Solution
from qproj.solving.contract import Timing, check_limits
from qproj.solving.layer import layer_of_weights
from qproj.solving.sampling import require_positive


class Auto(Adapter):
    """argmin objective(v) by whatever proves it soonest (``auto``).

    Sign projections and their layers are solved by qproj's own searches; linear and metric projections and plain models
    by annealing and then CP-SAT, which also proves.

    Parameters
    ----------
    epochs : int
        Of perceptron learning, a start.
    iterations : int
        Of message passing.
    sweeps, starts : int
        Of annealing, a neuron: one anneal and `starts` − 1 rounds from its incumbent.
    nodes : int
        Of branch and bound, a neuron, where no time limit is given; with one, the clock ends it. Some 50 million a
        second and core; a tree that is surely larger is not begun.
    threads : int or None
        None: all of numba's.
    """

    name: ClassVar[str] = "auto"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm", "cqm"}), exact=True, seed=True, hint=True)

    def __init__(
        self,
        *,
        epochs: int = 100,
        iterations: int = 200,
        sweeps: int = 1000,
        starts: int = 8,
        nodes: int = 20_000_000,
        threads: int | None = None,
    ) -> None:
        require_positive(epochs=epochs, iterations=iterations, sweeps=sweeps, starts=starts, nodes=nodes)
        if threads is not None:
            require_positive(threads=threads)
        self.epochs = int(epochs)
        self.iterations, self.sweeps, self.starts, self.nodes = int(iterations), int(sweeps), int(starts), int(nodes)
        self.threads = threads

    def build(self, problem: Any, ask: Request) -> Any:
        return problem

    def call(self, model: Any, ask: Request) -> Found:
        if not isinstance(model, SignProjection):
            from qproj.solvers.models import solve_model

            return solve_model(model, ask)
        rows = LayerRows.of_projection(model)
        start = None if ask.hint is None else ask.hint[None, :].astype(np.int8)
        search = self._search(rows, [model], ask, start)
        search.run()
        return search.found(0)

    def decode(self, raw: Found, problem: Any) -> Found:
        return raw

    def solve_many(
        self,
        problems: Iterable[Any],
        *,
        time_limit_s: float | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        hints: Sequence[ArrayLike] | None = None,
    ) -> Sequence[Solution]:
        """Return all neurons of a layer, searched together; the time limit is the layer's."""
        if not isinstance(problems, SignLayer) or num_reads is not None:
            return super().solve_many(problems, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads, hints=hints)
        check_limits(time_limit_s, seed, num_reads)
        begin = time.perf_counter()
        ask = Request(time_limit_s, seed, deadline=None if time_limit_s is None else begin + time_limit_s)
        rows = LayerRows.of_layer(problems)
        starts = None if hints is None else as_signs(np.asarray(hints), "hints", problems.num_weights)
        built = time.perf_counter()
        search = self._search(rows, problems, ask, starts)
        search.run()
        timing = Timing(build=built - begin, solve=time.perf_counter() - built)
        bounds = search.bound * rows.scale
        return layer_of_weights(
            problems, search.weights, bounds, search.proved, search.ended_by, timing, self.name, search.stats
        )

    def _search(self, rows: LayerRows, problems: Any, ask: Request, starts: Any) -> LayerSearch:
        kind = LayerSearch if ask.deadline is None else TimedSearch
        return kind(self, rows, problems, ask, starts)
