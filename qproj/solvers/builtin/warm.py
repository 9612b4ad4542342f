"""Compile everything that is compiled, ahead of the first call: numba's code is then loaded from its cache."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np


def warm() -> Iterator[tuple[str, float]]:
    """Run each kind of search once on small problems; yield (what, seconds), as they are done.

    Between them the problems reach every compiled function: ±1 rows of both parities, with and without merged columns,
    real rows, below capacity and above. No time limit cuts a search short before it is compiled.
    """
    from qproj.projections import CurvatureLayerProjection
    from qproj.solvers.builtin.auto import Auto
    from qproj.solvers.builtin.local_search import LocalSearch
    from qproj.solvers.builtin.random import Random
    from qproj.solvers.composites.polished import Polished
    from qproj.solvers.layers import project
    from qproj.solvers.registry import get_solver

    rng = np.random.default_rng(0)

    def signs(n: int, d: int) -> np.ndarray:
        return rng.choice([-1, 1], (n, d))

    few = Auto(sweeps=20, starts=2, nodes=10_000)
    jobs = {
        "enumeration": (signs(20, 5), Auto()),
        "enumeration of many": (signs(100, 14), Auto()),
        "below capacity": (signs(24, 64), Auto()),
        "message passing": (signs(64, 127), Auto(epochs=1)),
        "above capacity": (signs(40, 25), few),
        "above capacity, even": (signs(40, 26), few),
        "merged columns": (np.repeat(signs(40, 14), 2, axis=1), few),
        "real rows": (rng.standard_normal((30, 12)), few),
        "local search": (signs(40, 25), LocalSearch(sweeps=20)),
        "descent": (signs(20, 9), Polished(Random())),
        "QAOA": (signs(9, 4), get_solver("qaoa-fast", reps=1, maxiter=1, restarts=1)),
    }
    for what, (X, solver) in jobs.items():
        begin = time.perf_counter()
        for dout in (1, 3):
            project(X, rng.standard_normal((len(X), dout)), solver)
        yield what, time.perf_counter() - begin
    begin = time.perf_counter()
    _walk(signs(40, 25).astype(np.int8), rng.standard_normal((40, 2)))
    yield "walks by pairs", time.perf_counter() - begin
    begin = time.perf_counter()
    X, H = signs(40, 25), rng.standard_normal((3, 25))
    project(CurvatureLayerProjection(X.T @ X / 40, H, np.full(3, 0.1)), solver=LocalSearch(sweeps=20))
    yield "curvature", time.perf_counter() - begin


def _walk(A: np.ndarray, Tau: np.ndarray) -> None:
    """Make some kicks of the walks that only searches with a time limit take."""
    from qproj._seeds import neuron_seeds
    from qproj.solvers.builtin.kernels.exchange import exchange_layer

    start = np.zeros((Tau.shape[1], A.shape[1]), np.int64)
    exchange_layer(A, np.ones(A.shape[1], np.int64), Tau, start, seeds=neuron_seeds(0, len(start)), kicks=2)


__all__ = ["warm"]
