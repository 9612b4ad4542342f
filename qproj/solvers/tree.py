"""Exact minimisation over a tree decomposition, for models of low treewidth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dimod
import numpy as np

from qproj.solvers.sampler import SamplerSolver
from qproj.solving import Capabilities, EndedBy, Ending, Found, Request, TooLargeError
from qproj.solving.sampling import Model

#: Width beyond which the tables (2^width floats) do not fit; dwave-samplers refuses late and with a crash.
MAX_WIDTH = 22


class TreeDecomposition(SamplerSolver):
    """argmin of a plain BQM, or of a projection's exact encoding, by dynamic programming of dwave-samplers (``tree``).

    Exact where the treewidth, found by the min-fill order, is at most 22.

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

    def build(self, problem: Any, ask: Request) -> Model:
        model = super().build(problem, ask)
        width = treewidth(model.bqm)
        if width > MAX_WIDTH:
            raise TooLargeError(
                f"the model has treewidth {width}; tree takes at most {MAX_WIDTH}: use 'auto' or 'cpsat'"
            )
        return model

    def sample(self, model: Model, num_reads: int, seed: int | None, deadline: float | None) -> dimod.SampleSet:
        """Return the ground state; it runs to its end, which the treewidth limits to about a second."""
        reads: dimod.SampleSet = self.sampler.sample(model.bqm, num_reads=1)
        return reads

    def sample_model(self, model: Model, ask: Request) -> tuple[dimod.SampleSet, EndedBy]:
        if not model.bqm.num_variables:
            return super().sample_model(model, ask)
        return self.sample(model, 1, None, None), EndedBy.PROOF

    def decode(self, raw: tuple[Model, dimod.SampleSet, EndedBy], problem: Any) -> Found:
        found = super().decode(raw, problem)
        model = raw[0]
        exact = model.encoding is None or model.encoding.exact
        if not exact or not len(found.candidates):
            return found
        gain = float(np.max(problem.gain(found.candidates)))
        return Found(
            found.candidates, Ending.PROVED, EndedBy.PROOF, gain_bound=gain, energies=found.energies,
            sampleset=found.sampleset, stats=found.stats,
        )  # fmt: skip


def treewidth(bqm: dimod.BinaryQuadraticModel) -> int:
    """Return the width of the min-fill elimination order: an upper bound on the treewidth."""
    graph = {v: set(bqm.adj[v]) for v in bqm.variables}
    width = 0
    while graph:
        v = min(graph, key=lambda u: len(graph[u]))
        around = graph.pop(v)
        width = max(width, len(around))
        if width > MAX_WIDTH:
            return width
        for u in around:
            graph[u] |= around
            graph[u] -= {u, v}
    return width
