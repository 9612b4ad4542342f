"""Compile everything that is compiled, ahead of the first call: numba's code is then loaded from its cache."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from qproj import _compiled

Group = Literal["searches", "descent", "QAOA"]
GROUPS: frozenset[Group] = frozenset({"searches", "descent", "QAOA"})
#: Solvers that compile nothing of their own; where they give reads, studies let descent follow them.
WITHOUT_KERNELS = frozenset(
    {
        "exhaustive", "sign", "random", "sa", "sqa", "tabu", "greedy", "tree", "cpsat", "highs", "gurobi", "scip",
        "dwave", "dwave-hybrid", "dwave-emulated", "qaoa",
    }
)  # fmt: skip


def needed(names: Iterable[str]) -> frozenset[Group]:
    """Return the groups of compiled code that solvers of these registered names, or names of another kind, may call."""
    groups: set[Group] = set()
    for name in names:
        if name in WITHOUT_KERNELS:
            groups.add("descent")
        elif name == "qaoa-fast":
            groups |= {"descent", "QAOA"}
        else:
            groups |= {"searches", "descent"}
    return frozenset(groups)


def compile_ahead(groups: Collection[Group] = GROUPS, on_part: Callable[[str], None] | None = None) -> float:
    """Compile these groups once per machine, and return the seconds that it took, 0.0 where it was done before.

    A stamp beside numba's cache records that it was done, for this version of the code, of numba and of the processor.
    Where no folder for compiled code can be written, nothing is kept, so nothing is done: each process that solves has
    to call :func:`warm` for itself.

    Parameters
    ----------
    groups : collection of {"searches", "descent", "QAOA"}
    on_part : callable, optional
        Called with the name of each part before it is compiled.
    """
    folder = _cache_folder()
    if folder is None:
        return 0.0
    stamps = {group: folder / f"qproj-{group}-{_version()}.compiled" for group in sorted(groups)}
    todo = [group for group, stamp in stamps.items() if not stamp.exists()]
    begin = time.perf_counter()
    if todo and on_part is not None:
        _compiled.announced()
    for _ in warm(todo, on_part) if todo else ():
        pass
    for group in todo:
        with contextlib.suppress(OSError):
            stamps[group].touch()
    return time.perf_counter() - begin if todo else 0.0


def warm(
    groups: Collection[Group] = GROUPS, on_part: Callable[[str], None] | None = None
) -> Iterator[tuple[str, float]]:
    """Run each kind of search once on small problems; yield (part, seconds), as they are done.

    Between them the problems reach every compiled function: ±1 rows of both parities, with and without merged columns,
    real rows, below capacity and above. No time limit cuts a search short before it is compiled.
    """
    for part, (group, job) in _jobs().items():
        if group in groups:
            if on_part is not None:
                on_part(part)
            begin = time.perf_counter()
            job()
            yield part, time.perf_counter() - begin


def _jobs() -> dict[str, tuple[Group, Callable[[], None]]]:
    from qproj.solvers.builtin.auto import Auto
    from qproj.solvers.builtin.local_search import LocalSearch
    from qproj.solvers.layers import project
    from qproj.solvers.registry import get_solver

    rng = np.random.default_rng(0)

    def signs(n: int, d: int) -> np.ndarray:
        return rng.choice([-1, 1], (n, d))

    def layers(X: np.ndarray, make: Callable[[], Any]) -> Callable[[], None]:
        def job() -> None:
            solver = make()
            for dout in (1, 3):
                project(X, rng.standard_normal((len(X), dout)), solver)

        return job

    def few() -> Auto:
        return Auto(sweeps=20, starts=2, nodes=10_000)

    return {
        "enumeration": ("searches", layers(signs(20, 5), Auto)),
        "enumeration of many": ("searches", layers(signs(100, 14), Auto)),
        "below capacity": ("searches", layers(signs(24, 64), Auto)),
        "message passing": ("searches", layers(signs(64, 127), lambda: Auto(epochs=1))),
        "above capacity": ("searches", layers(signs(40, 25), few)),
        "above capacity, even": ("searches", layers(signs(40, 26), few)),
        "merged columns": ("searches", layers(np.repeat(signs(40, 14), 2, axis=1), few)),
        "real rows": ("searches", layers(rng.standard_normal((30, 12)), few)),
        "local search": ("searches", layers(signs(40, 25), lambda: LocalSearch(sweeps=20))),
        "descent": ("descent", lambda: _descent_and_large_models(signs(20, 9))),
        "bifurcation": ("searches", layers(signs(9, 4), lambda: get_solver("sb", num_steps=2))),
        "QAOA": ("QAOA", layers(signs(9, 4), lambda: get_solver("qaoa-fast", reps=1, maxiter=1, restarts=1))),
        "walks by pairs": ("searches", lambda: _walk(signs(40, 25).astype(np.int8), rng.standard_normal((40, 2)))),
        "curvature": ("searches", lambda: _curvature(signs(40, 25), rng.standard_normal((3, 25)))),
    }


def _walk(A: np.ndarray, Tau: np.ndarray) -> None:
    """Make some kicks of the walks that only searches with a time limit take."""
    from qproj._seeds import neuron_seeds
    from qproj.solvers.builtin.kernels.exchange import exchange_layer

    start = np.zeros((Tau.shape[1], A.shape[1]), np.int64)
    exchange_layer(A, np.ones(A.shape[1], np.int64), Tau, start, seeds=neuron_seeds(0, len(start)), kicks=2)


def _descent_and_large_models(X: np.ndarray) -> None:
    """Descend after reads, and walk and anneal as samplers and `auto` do on sparse models only."""
    import dimod

    from qproj.solvers.builtin.large_models import annealed, tabu_searched
    from qproj.solvers.builtin.random import Random
    from qproj.solvers.builtin.relinked_annealing import RelinkedAnnealing
    from qproj.solvers.composites.polished import Polished
    from qproj.solvers.layers import project

    for dout in (1, 3):
        project(X, np.random.default_rng(1).standard_normal((len(X), dout)), Polished(Random()))
    chain = dimod.BinaryQuadraticModel({}, {(i, i + 1): 1.0 for i in range(9)}, 0.0, dimod.SPIN)
    draws = np.random.default_rng(0)
    annealed(chain, 1, np.array([0.1, 1.0]), draws, lambda: False, None)
    tabu_searched(chain, 1, 20, draws, lambda: False)
    RelinkedAnnealing().solve(chain, num_reads=3, seed=0)


def _curvature(X: np.ndarray, H: np.ndarray) -> None:
    from qproj.projections import CurvatureLayerProjection
    from qproj.solvers.builtin.local_search import LocalSearch
    from qproj.solvers.layers import project

    layer = CurvatureLayerProjection(X.T @ X / len(X), H, np.full(len(H), 0.1))
    project(layer, solver=LocalSearch(sweeps=20))


def _cache_folder() -> Path | None:
    """Return the folder where numba keeps the kernels' code; None where it can keep none."""
    from qproj.solvers.builtin.kernels import descent

    path = getattr(getattr(descent._descend, "stats", None), "cache_path", None)
    if not path:
        return None
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def _version() -> str:
    """Return a digest of all that decides whether compiled code is still right: sources, numba, processor."""
    import llvmlite.binding

    parts = [sys.version, importlib.metadata.version("numba"), llvmlite.binding.get_host_cpu_name()]
    for package in ("qproj.solvers", "qproj_qiskit"):
        found = importlib.util.find_spec(package)
        for folder in (found.submodule_search_locations or ()) if found is not None else ():
            for file in sorted(Path(folder).rglob("*.py")):
                state = file.stat()
                parts.append(f"{file} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


__all__ = ["GROUPS", "Group", "compile_ahead", "needed", "warm"]
