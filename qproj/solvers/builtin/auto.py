"""The default solver: bound → heuristic → exact search for what is left; always an incumbent and a valid bound.

A neuron's gain is at most Σ|τ|, and reached where every group's sign is met: then the search that met it is the proof.
Layers are searched together: signSGD's direction, enumeration of few weights, perceptron learning, message passing,
annealing on a softened step; what is left goes to branch and bound. With a time limit, walks by pairs of moves take
annealing's place, and go on beside branch and bound and CP-SAT.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from qproj._arrays import SignArray
from qproj.projections import SignProjection
from qproj.solvers import Capabilities, Found, Request
from qproj.solvers.builtin.layer_rows import LayerAdapter, LayerRows, Searched
from qproj.solvers.builtin.layer_search import LayerSearch
from qproj.solvers.builtin.timed_search import TimedSearch
from qproj.solvers.sampling import require_positive


class Auto(LayerAdapter):
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
            from qproj.solvers.builtin.plain_models import solve_model

            return solve_model(model, ask)
        rows = LayerRows.of_projection(model)
        start = None if ask.hint is None else ask.hint[None, :].astype(np.int8)
        search = self._search(rows, [model], ask, start)
        search.run()
        return search.found(0)

    def decode(self, raw: Found, problem: Any) -> Found:
        return raw

    def search_layer(self, rows: LayerRows, problems: Any, ask: Request, starts: SignArray | None) -> Searched:
        search = self._search(rows, problems, ask, starts)
        search.run()
        return Searched(search.weights, search.ended_by, search.bound, search.proved, search.stats)

    def _search(self, rows: LayerRows, problems: Any, ask: Request, starts: SignArray | None) -> LayerSearch:
        kind = LayerSearch if ask.deadline is None else TimedSearch
        return kind(self, rows, problems, ask, starts)
