"""The parts of the built-in search, each beside what it replaced: walks, bounds, and ways to meet all signs.

*Walks*: equal time, one thread, one start (signSGD's direction) on neurons of the held-out set. *Bounds*: the same
depth-first search with losses counted group by group or row by row. *Meeting signs*: whole layers, each way alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import fmean, median
from typing import Any
from unittest.mock import patch

import numpy as np

import qproj
from benchmarks.measure import seconds, table, timed
from benchmarks.neuron_set import SEEDS, layers, neurons
from qproj._seeds import neuron_seeds
from qproj.solvers.builtin.kernels import soft_annealing
from qproj.solvers.builtin.kernels.branch_bound import branch_bound
from qproj.solvers.builtin.kernels.branch_bound_by_rows import search_rows
from qproj.solvers.builtin.kernels.branch_bound_problem import Neuron
from qproj.solvers.builtin.kernels.descent import descend
from qproj.solvers.builtin.kernels.exchange import exchange_layer
from qproj.solvers.builtin.kernels.message_passing import message_passing
from qproj.solvers.builtin.kernels.perceptron import learn_signs
from qproj.solvers.builtin.kernels.sharing import Limits
from qproj.solvers.builtin.kernels.soft_annealing import Heat, anneal_until, soft_anneal_layer

TITLE = "The search's parts, and what they replaced"
WALK_S = 0.1
SWEEPS = 100
TRUE_STEP = (0.1, 0.25, 0.5, 1.0)  # temperatures that annealing on the true step may choose from
TIE = 1e-9


def run(quick: bool) -> dict[str, Any]:
    return {"walks": walks(quick), "bounds": bounds(quick), "signs": signs()}


def walks(quick: bool) -> dict[str, Any]:
    """Return, for each way to walk, the loss against the best known gain of every neuron, in per cent of that gain."""
    ways: dict[str, Callable[..., np.ndarray]] = {
        "descent from random starts": _descents,
        **{
            f"annealing on the true step, temperature {heat:g}": _true_step(heat) for heat in TRUE_STEP
        },
        "annealing on the softened step, fresh starts": _fresh,
        "annealing on the softened step, incumbents reheated": _reheated,
        "walks by pairs of moves": _pairs,
    }  # fmt: skip
    lost: dict[str, list[float]] = {name: [] for name in ways}
    for _, X, t, known in neurons(SEEDS["held out"], 5 if quick else 1)[0]:
        problem = qproj.SignProjection(X, t)
        merged = problem.aggregated
        A, M, tau = merged.A, merged.columns.sizes, np.ascontiguousarray(merged.tau)
        start = np.where(tau @ A > 0, M, 0).astype(np.int64)
        best = known * problem.gain_bound
        for name, way in ways.items():
            way(A, M, tau, start, 0, time.perf_counter() + 0.01)  # compiles
            c = way(A, M, tau, start, 1, time.perf_counter() + WALK_S)
            weights = merged.columns.weights_from_counts(c[None, :])[0]
            lost[name].append(max(0.0, 100 * (1 - float(problem.gain(weights)) / best)))
    return {"seconds": WALK_S, "neurons": len(lost["walks by pairs of moves"]), "lost": lost}


def _until(deadline: float) -> Iterator[int]:
    number = 1
    while time.perf_counter() < deadline:
        yield number
        number += 1


def _descents(A: Any, M: Any, tau: Any, start: Any, seed: int, deadline: float) -> np.ndarray:
    rng, best, most = np.random.default_rng(seed), start, -np.inf
    for number in _until(deadline):
        counts = start[None, :] if number == 1 else rng.integers(0, M + 1, (8, len(M)))
        ends = descend(A, M, tau, counts)
        if ends.gains.max() > most:
            best, most = ends.counts[ends.gains.argmax()], ends.gains.max()
    return best


def _fresh(A: Any, M: Any, tau: Any, start: Any, seed: int, deadline: float) -> np.ndarray:
    best, most = start, -np.inf
    for number in _until(deadline):
        found = soft_anneal_layer(
            A, M, tau[:, None], seeds=neuron_seeds(1000 * seed + number, 1), sweeps=SWEEPS, init=start[None, :],
            limits=Limits(deadline, 1),
        )  # fmt: skip
        if found.gains[0] > most:
            best, most = found.counts[0], found.gains[0]
    return best


def _true_step(heat: float) -> Callable[..., np.ndarray]:
    def way(*given: Any) -> np.ndarray:
        with patch.object(soft_annealing, "COOLING", Heat(0.0, heat, 0.05)):
            return _fresh(*given)

    return way


def _reheated(A: Any, M: Any, tau: Any, start: Any, seed: int, deadline: float) -> np.ndarray:
    found = anneal_until(
        A, M, tau[:, None], seeds=neuron_seeds(seed, 1), init=start[None, :], limits=Limits(deadline, 1)
    )
    return found.counts[0]


def _pairs(A: Any, M: Any, tau: Any, start: Any, seed: int, deadline: float) -> np.ndarray:
    found = exchange_layer(
        A, M, tau[:, None], start[None, :], seeds=neuron_seeds(seed, 1), kicks=None, limits=Limits(deadline, 1)
    )
    return found.counts[0]


def bounds(quick: bool) -> list[dict[str, Any]]:
    """Return nodes and seconds to a proof with groups of rows and with single rows, random ±1 rows, n = 64."""
    rows = []
    for d in (16, 20, 22) if quick else (16, 20, 22, 24):
        cells: dict[str, list[float]] = {"nodes": [], "seconds": [], "nodes by rows": [], "seconds by rows": []}
        for number in range(4):
            rng = np.random.default_rng([number, d])
            A, M = rng.choice(np.array([-1, 1], np.int8), (64, d)), np.ones(d, np.int64)
            tau = rng.standard_normal(64)
            start = soft_anneal_layer(A, M, tau[:, None], seeds=neuron_seeds(0, 1), limits=Limits(threads=1)).counts[0]
            took, found = timed(lambda: branch_bound(A, M, tau, incumbent=start, threads=1))  # noqa: B023
            again, reference = timed(lambda: search_rows(Neuron.of(A, M, tau), start, None, None))  # noqa: B023
            if not (found.proved and reference.done):
                raise AssertionError(f"d = {d}: no proof")
            if number:  # the first one compiles
                for name, value in zip(cells, (found.nodes, took, reference.nodes, again), strict=True):
                    cells[name].append(value)
        rows.append({"d": d, **{name: median(values) for name, values in cells.items()}})
    return rows


def signs() -> list[dict[str, Any]]:
    """Return, for whole layers, the share of neurons whose signs each way meets, and its seconds."""
    rng = np.random.default_rng(5)
    drawn: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for n, d, dout in ((64, 128, 128), (96, 128, 128), (256, 784, 128)):
        X = rng.choice(np.array([-1, 1], np.int8), (n, d))
        drawn[f"random, n = {n}, d = {d}"] = (X, rng.standard_normal((n, dout)))
    real = (("digits", (32, 16), 32, 40), ("mnist", (64, 32), 128, 40), ("cora", (64, 16), 140, 3))
    for source, hidden, n, step in real:
        layer = layers(source, hidden, n, step, SEEDS["held out"])[0]
        drawn[f"{source} inputs, n = {n}, d = {layer.X.shape[1]}"] = (layer.X.astype(np.int8), layer.T)
    rows = []
    for name, (X, T) in drawn.items():
        T = np.ascontiguousarray(T, np.float64)
        M = np.ones(X.shape[1], np.int64)
        ways: dict[str, Callable[[], np.ndarray]] = {
            "perceptron learning": lambda X=X, M=M, T=T: learn_signs(X, M, T, seeds=neuron_seeds(0, len(T.T)))[1],
            "message passing": lambda X=X, T=T: message_passing(X, T, seeds=neuron_seeds(0, len(T.T)))[1],
            "annealing": lambda X=X, M=M, T=T: soft_anneal_layer(X, M, T, seeds=neuron_seeds(0, len(T.T))).met,
        }
        row: dict[str, Any] = {"layer": name}
        for way, call in ways.items():
            call()
            took, met = timed(call)
            row[way] = {"met": float(met.mean()), "seconds": took}
        rows.append(row)
    return rows


def section(result: dict[str, Any]) -> str:
    told = result["walks"]
    walked = table(
        ["way", "mean lost", "median lost", "best known reached"],
        [
            [name, f"{fmean(lost):.2f} %", f"{median(lost):.2f} %", f"{sum(x < 100 * TIE for x in lost)}/{len(lost)}"]
            for name, lost in told["lost"].items()
        ],
    )
    bounded = table(
        ["d", "nodes, groups of rows", "nodes, single rows", "seconds, groups", "seconds, single rows"],
        [
            [
                str(row["d"]), f"{row['nodes']:,.0f}", f"{row['nodes by rows']:,.0f}", seconds(row["seconds"]),
                seconds(row["seconds by rows"]),
            ]
            for row in result["bounds"]
        ],
    )  # fmt: skip
    ways = [name for name in result["signs"][0] if name != "layer"]
    met = table(
        ["layer", *ways],
        [
            [row["layer"], *(f"{row[way]['met']:.2f} in {seconds(row[way]['seconds'])}" for way in ways)]
            for row in result["signs"]
        ],
    )
    return f"""
**Walks**, {told["seconds"]:g} s per neuron, {told["neurons"]} neurons of the held-out set; lost against the best known
gain.
{walked}
**Bounds**: depth-first search with one incumbent, n = 64 random ±1 rows, one thread, median of three.
{bounded}
**Meeting all signs** of a layer: the share of neurons met by each way alone, with its default budget.
{met}"""
