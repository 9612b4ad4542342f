"""The default solver: bound → heuristic → exact search for what is left; always an incumbent and a valid bound.

A neuron's gain is at most Σ|τ|, and reached where every group's sign is met: then the search that met it is the proof.
Layers are searched together: signSGD's direction, enumeration of few weights, perceptron learning, message passing,
annealing on a softened step; what is left goes to branch and bound. With a time limit, walks by pairs of moves take
annealing's place, and go on beside branch and bound and CP-SAT.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qproj.projections import Layer, LayerProjection, SignProjection
from qproj.solvers.adapter import Adapter
from qproj.solvers.builtin.layer_rows import LayerRows
from qproj.solvers.builtin.layer_search import LayerSearch
from qproj.solvers.builtin.timed_search import TimedSearch
from qproj.solvers.contract import Capabilities, Request, check_positive
from qproj.solvers.found import Found, LayerFound
from qproj.solvers.layers import LayerRequest


class Auto(Adapter[Any, Found]):
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
        Of annealing, per neuron: one anneal and `starts` − 1 rounds from its incumbent.
    nodes : int
        Of branch and bound, per neuron, where no time limit is given; with one, the clock ends it. Some 50 million a
        second and core; a tree that is surely larger is not begun.
    threads : int or None
        None: all of numba's.
    """

    name = "auto"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm", "cqm"}), exact=True, hint=True, progress=True)

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
        check_positive(epochs=epochs, iterations=iterations, sweeps=sweeps, starts=starts, nodes=nodes)
        if threads is not None:
            check_positive(threads=threads)
        self.epochs = int(epochs)
        self.iterations, self.sweeps, self.starts, self.nodes = int(iterations), int(sweeps), int(starts), int(nodes)
        self.threads = threads

    def call(self, model: Any, request: Request) -> Found:
        if not isinstance(model, SignProjection):
            from qproj.solvers.builtin.plain_models import solve_model

            return solve_model(model, request)
        hints = None if request.hint is None else request.hint[None, :].astype(np.int8)
        one = LayerRequest([request.seed], hints=hints, deadline=request.deadline, progress=request.progress)
        search = self._search(LayerRows.of_projection(model), [model], one)
        return search.found(0)

    def search_layer(self, layer: Layer, request: LayerRequest) -> LayerFound | None:
        """Return the outcome of one search of all neurons of a sign layer."""
        if not isinstance(layer, LayerProjection) or request.num_reads is not None:
            return None
        return self._search(LayerRows.of_layer(layer), layer, request).layer_found()

    def _search(self, rows: LayerRows, problems: Any, request: LayerRequest) -> LayerSearch:
        search = (LayerSearch if request.deadline is None else TimedSearch)(self, rows, problems, request)
        search.run()
        return search
