"""Compile everything that is compiled, ahead of the first call: numba's code is then loaded from its cache."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np


def warm() -> Iterator[tuple[str, float]]:
    """Run each kind of search once on small problems; yield (what, seconds), as they are done.

    Between them the problems reach every compiled function: ±1 rows of both parities, with and without merged columns,
    real rows, below capacity and above, with a time limit and without.
    """
    from qproj.projections import SignProjection
    from qproj.solvers.builtin.auto import Auto
    from qproj.solvers.builtin.local_search import LocalSearch
    from qproj.solvers.builtin.random import Random
    from qproj.solvers.composites.polished import Polished
    from qproj.solvers.layers import project
    from qproj.solvers.registry import get_solver

    rng = np.random.default_rng(0)

    def signs(n: int, d: int) -> np.ndarray:
        return rng.choice([-1, 1], (n, d))

    doubled = np.repeat(signs(40, 14), 2, axis=1)
    few = Auto(sweeps=20, starts=2, nodes=10_000)
    jobs = {
        "enumeration": (signs(20, 5), Auto(), None),
        "below capacity": (signs(24, 64), Auto(), None),
        "message passing": (signs(64, 127), Auto(epochs=1), None),
        "above capacity": (signs(40, 25), few, None),
        "above capacity, even": (signs(40, 26), few, None),
        "far above capacity": (signs(70, 30), few, None),
        "wide rows": (signs(300, 70), few, None),
        "merged columns": (doubled, few, None),
        "real rows": (rng.standard_normal((30, 12)), few, None),
        "with a time limit": (signs(48, 30), Auto(), 1.0),
        "walks by pairs, with a time limit": (signs(90, 31), Auto(), 0.5),
        "merged columns, with a time limit": (doubled, Auto(), 1.0),
        "real rows, with a time limit": (rng.standard_normal((30, 16)), Auto(), 1.0),
        "local search": (signs(40, 25), LocalSearch(), None),
        "local search, with a time limit": (signs(40, 25), LocalSearch(), 0.2),
        "descent": (signs(20, 9), Polished(Random()), None),
        "QAOA": (signs(9, 4), get_solver("qaoa-fast", reps=1, maxiter=1, restarts=1), None),
    }
    for what, (X, solver, limit) in jobs.items():
        begin = time.perf_counter()
        for dout in (1, 3):
            T = rng.standard_normal((len(X), dout))
            project(X, T, solver, time_limit_s=limit)
        yield what, time.perf_counter() - begin
    one = rng.standard_normal(40)
    begin = time.perf_counter()
    few.solve(SignProjection(doubled, one))
    few.solve(SignProjection(doubled[:, ::2], one), time_limit_s=0.5)
    yield "a neuron alone", time.perf_counter() - begin


__all__ = ["warm"]
