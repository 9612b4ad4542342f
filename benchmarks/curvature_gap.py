"""The built-in searches for curvature projections beside the optimum, on layers small enough to enumerate."""

from __future__ import annotations

from typing import Any

import numpy as np

import qproj
from benchmarks.measure import table

TITLE = "Curvature projections: the gap of the built-in searches"
SIZES = (8, 12, 16, 20, 24)
TAUS = (1.0, 4.0)
ROWS, PATTERNS, NOISE = 64, 6, 0.2


def layer(rng: np.random.Generator, d: int, neurons: int, tau: float) -> qproj.CurvatureLayerProjection:
    """Return a layer whose rows are six patterns with a fifth of the signs redrawn, so that inputs are correlated."""
    patterns = rng.choice([-1.0, 1.0], (PATTERNS, d))
    redrawn = rng.random((ROWS, d)) < NOISE
    X = np.where(redrawn, rng.choice([-1.0, 1.0], (ROWS, d)), patterns[rng.integers(PATTERNS, size=ROWS)])
    A, H = X.T @ X / ROWS, rng.standard_normal((ROWS, neurons)).T @ X / ROWS
    V0 = np.where(H >= 0, 1.0, -1.0)
    return qproj.CurvatureLayerProjection(A, H, tau * np.abs(H).sum(1) / ((V0 @ A) * V0).sum(1))


def optimum(problem: qproj.CurvatureLayerProjection) -> np.ndarray:
    """Return the least objective of every neuron over all 2^d vectors: two halves, and the product that joins them."""
    A, d = np.asarray(problem.A), problem.num_weights
    left, right = slice(0, d // 2), slice(d // 2, d)
    U, V = (_vectors(part.stop - part.start) for part in (left, right))
    least = []
    for h, rho in zip(np.asarray(problem.H), np.asarray(problem.rho)):
        of_left = 0.5 * rho * ((U @ A[left, left]) * U).sum(1) - U @ h[left]
        of_right = 0.5 * rho * ((V @ A[right, right]) * V).sum(1) - V @ h[right]
        joined = np.column_stack([rho * (V @ A[right, left]), of_right]) @ np.column_stack([U, np.ones(len(U))]).T
        least.append(float((joined.min(axis=0) + of_left).min()))
    return np.array(least)


def _vectors(d: int) -> np.ndarray:
    """Return all of {±1}^d as rows."""
    return 2.0 * (np.arange(2**d)[:, None] >> np.arange(d) & 1) - 1.0


def training_step(problem: qproj.CurvatureLayerProjection, tau: float) -> np.ndarray:
    """Return the objectives of what a first training step takes: five sweeps of single flips from sign(h)."""
    import torch

    from qproj.optim.curvature_search import direction
    from qproj.optim.curvature_state import CurvatureState, refresh

    A, H = (torch.tensor(x.tolist())[None] for x in (problem.A, problem.H))
    zeros = torch.zeros_like(H)
    state = CurvatureState(zeros, torch.ones(()), A, torch.zeros(H.shape[:2]), zeros.clone(), zeros.clone())
    refresh(state, A, torch.ones(()), H)
    V = direction(state, H, tau, 5).V[0].numpy().astype(np.int8)
    return np.array([problem.neuron(j).objective(v) for j, v in enumerate(V)])


def run(quick: bool) -> dict[str, Any]:
    neurons = 10 if quick else 60
    rng = np.random.default_rng(0)
    rows = []
    for d in SIZES:
        for tau in TAUS:
            problem = layer(rng, d, neurons, tau)
            best = optimum(problem)
            size = np.abs(np.asarray(problem.H)).sum(1)  # ‖h‖₁: sign(h) reaches (τ/2 − 1)‖h‖₁
            found = {
                "five sweeps": training_step(problem, tau),
                "local-search": qproj.project(problem, solver="local-search", seed=0).objective,
            }
            for search, objective in found.items():
                gap = (objective - best) / size
                rows.append({
                    "d": d, "tau": tau, "search": search, "gap": float(gap.mean()), "most": float(gap.max()),
                    "optimal": float((gap <= 1e-6).mean()),
                })  # fmt: skip
    return {"rows": rows, "neurons": neurons}


def section(result: dict[str, Any]) -> str:
    rows = [
        [str(row["d"]), f"{row['tau']:g}", row["search"], *(f"{row[key]:z.4f}" for key in ("gap", "most", "optimal"))]
        for row in result["rows"]
    ]
    return (
        f"""
The distance to the optimum over all 2^d vectors, divided by ‖h‖₁, per neuron: mean and largest of
{result["neurons"]} neurons, and the share of them at the optimum. {ROWS} rows are drawn from {PATTERNS} patterns with
{NOISE:.0%} of the signs redrawn. "Five sweeps" is what a training step takes on the CPU, here from sign(h), where in
training it begins at the last V; "local-search" is the built-in search without a proof.

"""
        + table(["weights", "τ", "search", "mean gap", "largest", "at the optimum"], rows)
        + "\n"
    )
