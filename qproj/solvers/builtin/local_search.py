"""Annealing in v on a softened step, all neurons of a layer at once: never wastes a flip on slack variables."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from qproj._arrays import SignArray
from qproj.projections import SignProjection
from qproj.solvers import Capabilities, EndedBy, Ending, Found, Request
from qproj.solvers.builtin.layer_rows import LayerAdapter, LayerRows, Searched
from qproj.solvers.builtin.sign import sign_direction
from qproj.solvers.sampling import require_positive


class LocalSearch(LayerAdapter):
    """argmax over v of gain(v) by annealing in v on Σ τ clip(z/K), K shrinking to 1 (``local-search``).

    The first anneal begins at signSGD's direction, or at the hint; the rounds after it reheat the incumbent, the vector
    of best true gain met so far, and every eighth begins anew at random. A neuron whose signs are all met is proved
    optimal and stops.

    Parameters
    ----------
    sweeps, starts : int
        The work budget of a neuron: `starts` rounds of `sweeps` sweeps; with a time limit, rounds fill it instead.
    threads : int or None
        Of one layer; results do not depend on it. None: all of numba's.
    """

    name: ClassVar[str] = "local-search"
    capabilities = Capabilities(forms=frozenset({"projection"}), exact=False, seed=True, hint=True)

    def __init__(self, *, sweeps: int = 1000, starts: int = 8, threads: int | None = None) -> None:
        require_positive(sweeps=sweeps, starts=starts)
        if threads is not None:
            require_positive(threads=threads)
        self.sweeps, self.starts, self.threads = int(sweeps), int(starts), threads

    def check(self, problem: Any, ask: Request) -> None:
        """Refuse projections whose gain is not a weighted step."""
        if not isinstance(problem, SignProjection):
            raise TypeError(f"local-search takes sign projections, not {type(problem).__name__}; use 'auto' or 'tabu'")

    def build(self, problem: Any, ask: Request) -> LayerRows:
        return LayerRows.of_projection(problem)

    def call(self, model: LayerRows, ask: Request) -> tuple[SignArray, EndedBy]:
        start = None if ask.hint is None else ask.hint[None, :].astype(np.int8)
        weights, ended_by = self.search(model, ask, start)
        return weights, ended_by

    def decode(self, raw: tuple[SignArray, EndedBy], problem: Any) -> Found:
        return Found(raw[0], Ending.STOPPED, raw[1])

    def search_layer(self, rows: LayerRows, problems: Any, ask: Request, starts: SignArray | None) -> Searched:
        weights, ended_by = self.search(rows, ask, starts)
        return Searched(weights, [ended_by] * len(weights))

    def search(self, rows: LayerRows, ask: Request, starts: SignArray | None) -> tuple[SignArray, EndedBy]:
        """Return weights (dout, d) and what ended the search."""
        from qproj.solvers.builtin.kernels.annealing import anneal_until, soft_anneal_layer
        from qproj.solvers.builtin.kernels.sharing import Limits, neuron_seeds

        first = sign_direction(rows.X, rows.T) if starts is None else starts
        init = rows.columns.counts_from_weights(first)
        common: dict[str, Any] = {
            "seeds": neuron_seeds(ask.seed, len(init)),
            "init": init,
            "limits": Limits(ask.deadline, self.threads),
        }
        if ask.deadline is None:
            found = soft_anneal_layer(
                rows.A, rows.columns.sizes, rows.tau, sweeps=self.sweeps, starts=self.starts, **common
            )
            ended_by = EndedBy.BUDGET
        else:
            found = anneal_until(rows.A, rows.columns.sizes, rows.tau, **common)
            ended_by = EndedBy.CLOCK
        return rows.columns.weights_from_counts(found.counts), ended_by
