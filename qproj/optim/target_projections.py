"""The projections of a layer that need its rows: each from X and T (or the gradient) to a :class:`LayerSolution`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj._seeds import neuron_seeds
from qproj.optim.margin_search import margin_search
from qproj.projections import CurvatureLayerProjection, LayerProjection, MetricProjection, linear_layer
from qproj.solvers import LayerFound, LayerSolution, Termination, Timing, get_solver, project, solve_many
from qproj.solvers.builtin.auto import Auto
from qproj.solvers.layer_solution import scored_layer

#: Multiplications of one step's search of a layer, some seconds in all, and nodes of branch and bound.
WORK, NODES = 5e8, 5e6
#: The budget of "auto" elsewhere.
FULL = Auto()

PROJECTIONS = ("curvature", "sign", "margin", "linear", "metric")


@dataclass(frozen=True)
class TargetOptions:
    """How a layer is projected from its targets; see :class:`~qproj.optim.Projector`."""

    projection: str
    solver: Any
    seed: int
    time_limit_s: float | None
    num_reads: int | None
    kappa: float
    sweeps: int
    scale: float | str
    metric: NDArray[Any] | None
    weights: FloatArray | None = None  # of the rows, where all neurons of "margin" share them


def project_targets(X: NDArray[Any], T: FloatArray, options: TargetOptions, hints: SignArray | None) -> LayerSolution:
    """Return argmin over V ∈ {±1}^(dout×d) for "sign", "margin" or "linear"; "margin" is scored as "sign" is."""
    if options.projection == "sign":
        solver = within_budget(len(X), X.shape[1], T.shape[1]) if options.solver == "auto" else options.solver
        return project(X, T, solver, hints=hints, **_limits(options)).require()
    if options.projection == "linear":
        return _separate(linear_layer(X, T, scale=options.scale), options, hints)
    if options.solver == "auto":
        seeds = neuron_seeds(options.seed, T.shape[1])
        V = margin_search(
            X, T, kappa=options.kappa, seeds=seeds, sweeps=options.sweeps, init=hints, weights=options.weights
        )
        return sign_scores(X, T, V)
    targets = options.kappa * np.sqrt(X.shape[1]) * np.sign(T)
    searched = _separate(linear_layer(X, targets, sample_weight=np.abs(T)), options, hints)
    return replace(sign_scores(X, T, searched.weights), stats=searched.stats)


def within_budget(n: int, d: int, dout: int) -> Auto:
    """Return the built-in solver with a work budget that ends in seconds for a layer of any size.

    Small layers have the full budget of "auto".
    """
    sweeps = max(1, int(WORK / (n * d * dout))) if n and dout else 1
    rounds = min(FULL.sweeps, max(1, sweeps // 2))
    return Auto(
        epochs=min(FULL.epochs, sweeps), iterations=min(FULL.iterations, sweeps), sweeps=rounds,
        starts=max(1, min(FULL.starts, sweeps // rounds)), nodes=min(FULL.nodes, max(1, int(NODES / max(dout, 1)))),
    )  # fmt: skip


def project_metric(G: FloatArray, options: TargetOptions, hints: SignArray | None) -> LayerSolution:
    """Return argmin over V of Σ_j (v_j − g_j)ᵀM(v_j − g_j), g_j row j of G (dout, d); sign(G) without a metric."""
    if options.metric is not None:
        return _separate([MetricProjection(options.metric, g) for g in G], options, hints)
    layer = CurvatureLayerProjection(np.zeros((G.shape[1], G.shape[1])), G, 0.0)
    V = np.where(G >= 0, 1, -1).astype(np.int8)
    found = scored_layer(layer, _known(V, Termination.PROVED), "sign", Timing())
    constant = (G * G).sum(axis=1) + G.shape[1]  # (v − g)ᵀ(v − g) = −2 g·v + this
    return replace(found, objective=2.0 * found.objective + constant, bound=2.0 * found.bound + constant)


def sign_scores(X: NDArray[Any], T: FloatArray, V: SignArray) -> LayerSolution:
    """Return the scores of given weights by the sign projection, against the bound Σ|τ|."""
    return scored_layer(LayerProjection(X, T), _known(V, Termination.BUDGET), "given", Timing())


def _known(V: SignArray, termination: Termination) -> LayerFound:
    return LayerFound(np.ascontiguousarray(V, np.int8), np.array([termination] * len(V), object))


def _limits(options: TargetOptions) -> dict[str, Any]:
    return {"seed": options.seed, "time_limit_s": options.time_limit_s, "num_reads": options.num_reads}


def _separate(problems: list[Any], options: TargetOptions, hints: SignArray | None) -> LayerSolution:
    solver = get_solver(options.solver)
    solutions = [s.require() for s in solve_many(solver, problems, hints=hints, **_limits(options))]
    return LayerSolution.of(problems[0].num_weights, solutions, str(solver.name))
