"""Annealing in v on a softened step, all neurons of a layer at once: never wastes a flip on slack variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import SignArray
from qproj._seeds import kernel_seeds
from qproj.projections import CurvatureLayerProjection, CurvatureProjection, Layer, LayerProjection, SignProjection
from qproj.solvers.adapter import Adapter
from qproj.solvers.builtin.layer_rows import LayerRows, watch_of
from qproj.solvers.builtin.quadratic_search import search_curvature, search_curvature_layer
from qproj.solvers.builtin.sign_direction import sign_direction
from qproj.solvers.contract import Capabilities, Request, Termination, check_positive
from qproj.solvers.found import Found, LayerFound
from qproj.solvers.layers import LayerRequest

#: Sweeps on a quadratic objective per sweep on a step, whose flips cost more.
QUADRATIC_SHARE = 10


class LocalSearch(Adapter[Any, Found]):
    """argmax over v of gain(v) by annealing in v on Σ τ clip(z/K), K shrinking to 1 (``local-search``).

    Curvature projections are annealed on their own objective, with `sweeps`/10 sweeps per round.

    The first anneal begins at signSGD's direction, or at the hint; the rounds after it reheat the incumbent, the vector
    of best true gain met so far, and every eighth restarts at random. A neuron whose signs are all met is proved
    optimal and stops.

    Parameters
    ----------
    sweeps, starts : int
        The work budget of a neuron: `starts` rounds of `sweeps` sweeps; with a time limit, rounds fill it instead.
    threads : int or None
        Of one layer; results do not depend on it. None: all of numba's.
    """

    name = "local-search"
    capabilities = Capabilities(forms=frozenset({"projection"}), hint=True, progress=True)

    def __init__(self, *, sweeps: int = 1000, starts: int = 8, threads: int | None = None) -> None:
        check_positive(sweeps=sweeps, starts=starts)
        if threads is not None:
            check_positive(threads=threads)
        self.sweeps, self.starts, self.threads = int(sweeps), int(starts), threads

    def check(self, problem: Any, request: Request) -> None:
        """Refuse problems other than sign and curvature projections."""
        if not isinstance(problem, SignProjection | CurvatureProjection):
            raise TypeError(
                f"local-search takes sign and curvature projections, not {type(problem).__name__}; use 'auto' or 'tabu'"
            )

    def call(self, model: Any, request: Request) -> Found:
        if isinstance(model, CurvatureProjection):
            return search_curvature(
                model, request, sweeps=self.sweeps // QUADRATIC_SHARE, starts=self.starts, threads=self.threads
            )
        start = None if request.hint is None else request.hint[None, :].astype(np.int8)
        rows = LayerRows.of_projection(model)
        watch = watch_of(request.progress, rows)
        weights, termination = self._search(rows, [request.seed], request.deadline, start, watch)
        return Found(weights, termination)

    def search_layer(self, layer: Layer, request: LayerRequest) -> LayerFound | None:
        """Return the best weights found for all neurons, annealed together."""
        if request.num_reads is not None:
            return None
        if isinstance(layer, CurvatureLayerProjection):
            return search_curvature_layer(
                layer, request, sweeps=self.sweeps // QUADRATIC_SHARE, starts=self.starts, threads=self.threads
            )
        if not isinstance(layer, LayerProjection):
            return None
        rows = LayerRows.of_layer(layer)
        weights, termination = self._search(rows, request.seeds, request.deadline, request.hints)
        return LayerFound(weights, [termination] * len(weights))

    def _search(
        self, rows: LayerRows, seeds: Sequence[int | None], deadline: float | None, starts: SignArray | None,
        watch: Callable[[NDArray[Any]], None] | None = None,
    ) -> tuple[SignArray, Termination]:  # fmt: skip
        from qproj.solvers.builtin.kernels.sharing import Limits
        from qproj.solvers.builtin.kernels.soft_annealing import anneal_until, soft_anneal_layer

        first = sign_direction(rows.X, rows.T) if starts is None else starts
        init = rows.columns.counts_from_weights(first)
        if watch is not None:
            watch(init)
        common: dict[str, Any] = {
            "seeds": kernel_seeds(seeds),
            "init": init,
            "limits": Limits(deadline, self.threads, watch=watch),
        }
        if deadline is None:
            found = soft_anneal_layer(
                rows.A, rows.columns.sizes, rows.tau, sweeps=self.sweeps, starts=self.starts, **common
            )
        else:
            found = anneal_until(rows.A, rows.columns.sizes, rows.tau, **common)
        weights = rows.columns.weights_from_counts(found.counts)
        return weights, Termination.BUDGET if deadline is None else Termination.CLOCK
