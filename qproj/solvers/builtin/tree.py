"""Exact minimisation over a tree decomposition, for models of low treewidth."""

from __future__ import annotations

import heapq
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
#: Seconds per pair of variables that dwave-samplers spends beside the tables (a chain of 20,000 takes 20 s), and that
#: eliminating one variable takes, per pair of its neighbours.
PAIR_S, JOIN_S = 6e-8, 1e-7


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
        seconds = table_seconds(widths)
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


def elimination(bqm: dimod.BinaryQuadraticModel, most_s: float = np.inf) -> tuple[list[Any], list[int]]:
    """Return variables, least degree first, and how many others each meets.

    Ends early beyond the largest width taken, or where the tables so far take more than `most_s` seconds.
    """
    graph: dict[Any, set[Any]] = {v: set() for v in bqm.variables}
    for u, v in bqm.quadratic:
        graph[u].add(v)
        graph[v].add(u)
    place = {v: i for i, v in enumerate(graph)}
    heap = [(len(around), place[v], v) for v, around in graph.items()]
    heapq.heapify(heap)
    order: list[Any] = []
    widths: list[int] = []
    seconds = 0.0
    while heap and (not widths or widths[-1] <= MAX_WIDTH) and seconds <= most_s:
        degree, _, v = heapq.heappop(heap)
        if v not in graph or degree != len(graph[v]):
            continue  # a newer entry has its present degree
        around = graph.pop(v)
        order.append(v)
        widths.append(len(around))
        seconds += ENTRY_S * 2.0 ** (len(around) + 1) + JOIN_S * len(around) ** 2
        for u in around:
            graph[u] |= around
            graph[u] -= {u, v}
            heapq.heappush(heap, (len(graph[u]), place[u], u))
    return order, widths


def table_seconds(widths: list[int]) -> float:
    """Return how long the tables of an elimination take, roughly."""
    return ENTRY_S * sum(2.0 ** (width + 1) for width in widths) + PAIR_S * len(widths) ** 2
