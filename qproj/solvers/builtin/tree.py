"""Exact minimisation over a tree decomposition, for models of low treewidth."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dimod
import numpy as np

from qproj.encodings import SampledModel
from qproj.solvers.builtin.samplers import SamplerSolver
from qproj.solvers.contract import Capabilities, Request, Termination, TooLargeError
from qproj.solvers.found import Found
from qproj.solvers.sampling import Reads

#: Width beyond which the tables (2^width floats) do not fit; dwave-samplers refuses late and with a crash.
MAX_WIDTH = 22
#: Seconds per entry of the tables, measured at widths from 12 to 18.
ENTRY_S = 3e-7


class TreeDecomposition(SamplerSolver):
    """argmin of a plain BQM, or of a projection's exact encoding, by dynamic programming of dwave-samplers (``tree``).

    Exact where the treewidth, found by eliminating a variable of least degree first, is at most 22. The tables cannot
    be interrupted: their time is known before (a second at width 15, minutes at 22), and where a time limit is shorter
    they are not begun.

    Raises
    ------
    TooLargeError
        A wider model; 'cpsat' and 'auto' take those.
    """

    name = "tree"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm"}), exact=True, seed=False, num_reads=False)

    def __init__(self, *, encoding: str = "majority", encoding_options: Mapping[str, Any] | None = None) -> None:
        from dwave.samplers import TreeDecompositionSolver

        super().__init__(TreeDecompositionSolver(), encoding=encoding, encoding_options=encoding_options)

    def build(self, problem: Any, request: Request) -> SampledModel:
        model = super().build(problem, request)
        width = max(elimination(model.bqm)[1], default=0)
        if width > MAX_WIDTH:
            raise TooLargeError(
                f"the model has treewidth {width}; tree takes at most {MAX_WIDTH}: use 'auto' or 'cpsat'"
            )
        return model

    def call(self, model: SampledModel, request: Request) -> Reads:
        """Return the ground state, or nothing where the time limit is shorter than the tables take."""
        if not model.bqm.num_variables:
            return replace(super().call(model, request), termination=Termination.PROVED)
        order, widths = elimination(model.bqm)
        seconds = ENTRY_S * sum(2.0 ** (width + 1) for width in widths)
        if request.deadline is not None and time.perf_counter() + seconds > request.deadline:
            none = np.empty((0, model.bqm.num_variables), np.int8)
            nothing = dimod.SampleSet.from_samples_bqm((none, list(model.bqm.variables)), model.bqm)
            return Reads(model, nothing, Termination.CLOCK)
        reads = self.sampler.sample(model.bqm, num_reads=1, elimination_order=order)
        return Reads(model, reads, Termination.PROVED if model.exact else Termination.BUDGET)

    def decode(self, raw: Reads, problem: Any) -> Found:
        found = super().decode(raw, problem)
        if not len(found.candidates):
            return replace(found, message="the tables take longer than the time limit; raise it, or use 'auto'")
        if found.termination is not Termination.PROVED:
            return found
        return replace(found, gain_bound=float(np.max(problem.gain(found.candidates))))


def elimination(bqm: dimod.BinaryQuadraticModel) -> tuple[list[Any], list[int]]:
    """Return variables, least degree first, and how many others each meets; ends beyond the largest width taken."""
    graph = {v: set(bqm.adj[v]) for v in bqm.variables}
    order: list[Any] = []
    widths: list[int] = []
    while graph and max(widths, default=0) <= MAX_WIDTH:
        v = min(graph, key=lambda u: len(graph[u]))
        around = graph.pop(v)
        order.append(v)
        widths.append(len(around))
        for u in around:
            graph[u] |= around
            graph[u] -= {u, v}
    return order, widths
