"""The four projections of a layer, each from X, T (or the gradient) to V and what is known of its quality."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray, round_down
from qproj.optim.margin import margin_search
from qproj.projections import MetricProjection, linear_layer
from qproj.solvers import project
from qproj.solvers.adapter import solve_each
from qproj.solvers.builtin.kernels.sharing import neuron_seeds

PROJECTIONS = ("sign", "margin", "linear", "metric")


@dataclass(frozen=True, eq=False)
class Projected:
    """V and, a neuron, its objective, a lower bound on it (NaN: none), its gap, and whether it is proved optimal.

    `failures` counts what went wrong with the solvers of a fallback on the way, in this process.
    """

    V: SignArray
    objective: FloatArray
    bound: FloatArray
    gap: FloatArray
    proved: NDArray[np.bool_]
    failures: int = 0


@dataclass(frozen=True)
class Ask:
    """How a layer is to be projected; see :class:`~qproj.optim.Projector`."""

    projection: str
    solver: Any
    seed: int
    time_limit_s: float | None
    num_reads: int | None
    kappa: float
    sweeps: int
    scale: float | str
    metric: NDArray[Any] | None


def project_layer(X: NDArray[Any], T: FloatArray, ask: Ask, hints: SignArray | None) -> Projected:
    """Return argmin over V ∈ {±1}^(dout×d) for the projection that `ask` names: "sign", "margin" or "linear"."""
    if ask.projection == "sign":
        return _sign(X, T, ask, hints)
    if ask.projection == "margin":
        return _margin(X, T, ask, hints)
    solutions = _many(linear_layer(X, T, scale=ask.scale), ask, hints)
    return _columns(solutions)


def project_metric(G: FloatArray, ask: Ask, hints: SignArray | None) -> Projected:
    """Return argmin over V of Σ_j (v_j − g_j)ᵀM(v_j − g_j), g_j row j of G (dout, d); sign(G) without a metric."""
    if ask.metric is not None:
        return _columns(_many([MetricProjection(ask.metric, g) for g in G], ask, hints))
    V = np.where(G >= 0, 1, -1).astype(np.int8)
    objective = ((V - G) ** 2).sum(axis=1)
    nothing = np.zeros(len(V))
    return Projected(V, objective, np.nextafter(objective * (1 - 1e-12), -np.inf), nothing, np.ones(len(V), bool))


def sign_scores(X: NDArray[Any], T: FloatArray, V: SignArray) -> Projected:
    """Return what the sign projection says of given weights, against the bound Σ|t|."""
    # float64 products of ±1 rows are whole numbers, hence exact
    signs = np.where(X.astype(np.float64) @ V.T.astype(np.float64) >= 0, 1.0, -1.0)
    gain = (signs * T).sum(axis=0)
    most = np.abs(T).sum(axis=0)
    constant = len(T) + (T * T).sum(axis=0)
    met: NDArray[np.bool_] = np.asarray((signs * T >= 0).all(axis=0))
    bound = np.array([round_down(float(c - 2 * m), float(c + 2 * m), len(T)) for c, m in zip(constant, most)])
    gap = np.where(met, 0.0, (most - gain) / np.where(most > 0, 2.0 * most, 1.0))
    return Projected(V, constant - 2.0 * gain, bound, gap, met)


def _sign(X: NDArray[Any], T: FloatArray, ask: Ask, hints: SignArray | None) -> Projected:
    found = project(
        X, T, ask.solver, seed=ask.seed, time_limit_s=ask.time_limit_s, num_reads=ask.num_reads, hints=hints
    ).require()
    failures = len(found.stats.get("failures", ()))
    return Projected(np.asarray(found.weights), found.objective, found.bound, found.gap, found.proved, failures)


def _margin(X: NDArray[Any], T: FloatArray, ask: Ask, hints: SignArray | None) -> Projected:
    if ask.solver == "auto":
        seeds = neuron_seeds(ask.seed, T.shape[1])
        V = margin_search(X, T, kappa=ask.kappa, seeds=seeds, sweeps=ask.sweeps, init=hints)
    else:
        targets = ask.kappa * np.sqrt(X.shape[1]) * np.sign(T)
        searched = _columns(_many(linear_layer(X, targets, weights=np.abs(T)), ask, hints))
        return replace(sign_scores(X, T, searched.V), failures=searched.failures)
    return sign_scores(X, T, V)


def _many(problems: list[Any], ask: Ask, hints: SignArray | None) -> Any:
    from qproj.solvers import get_solver

    solver = get_solver(ask.solver)
    limits: dict[str, Any] = {"seed": ask.seed, "time_limit_s": ask.time_limit_s, "num_reads": ask.num_reads}
    if hints is not None:
        limits["hints"] = hints
    many = getattr(solver, "solve_many", None)
    return many(problems, **limits) if many is not None else solve_each(solver, problems, **limits)


def _columns(solutions: Any) -> Projected:
    found = [solution.require() for solution in solutions]
    nan = float("nan")
    return Projected(
        np.stack([s.best for s in found]).astype(np.int8),
        np.array([s.objective for s in found]),
        np.array([nan if s.bound is None else s.bound for s in found]),
        np.array([nan if s.gap is None else s.gap for s in found]),
        np.array([s.ending == "proved" for s in found]),
        sum(len(s.stats.get("failures", ())) for s in found),
    )
