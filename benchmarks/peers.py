"""Gurobi, HiGHS and CP-SAT called directly on one neuron, in the form that is fastest for them.

With p_g = Σ_k a_k the agreements of row g and h = ⌈d/2⌉: maximise Σ τ_g (2y_g − 1) with p_g ≥ h·y_g where τ_g > 0 and
p_g ≤ h − 1 + (d − h + 1)·y_g where τ_g < 0 (CP-SAT: the same as enforced rows). Gaps of 0; signSGD's direction as the
start; matrices are handed over whole, and Gurobi's environment is made once, outside the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from scipy import sparse

Answer = tuple[float, bool]  # gain, proved


def one_sided(X: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (a, c, b) of rows a·w + c·y_g ≥ b."""
    d = X.shape[1]
    h = -(-d // 2)
    minus = (X < 0).sum(axis=1)
    above = t > 0
    a = np.where(above[:, None], X, -X).astype(float)
    return a, np.where(above, -h, d - h + 1).astype(float), np.where(above, -minus, minus - (h - 1)).astype(float)


def start_of(X: np.ndarray, t: np.ndarray) -> np.ndarray:
    return (t @ X >= 0).astype(float)


def gain_of(X: np.ndarray, t: np.ndarray, w: np.ndarray) -> float:
    return float(t @ np.where(X @ (2 * np.rint(w) - 1) >= 0, 1.0, -1.0))


@cache
def _environment() -> Any:
    import gurobipy

    return gurobipy.Env(params={"OutputFlag": 0})


def gurobi(X: np.ndarray, t: np.ndarray, limit: float, threads: int = 1) -> Answer:
    import gurobipy

    a, c, b = one_sided(X, t)
    with gurobipy.Model(env=_environment()) as model:
        model.Params.Threads, model.Params.MIPGap, model.Params.MIPGapAbs = threads, 0.0, 0.0
        model.Params.TimeLimit = limit
        x = model.addMVar(X.shape[1] + len(t), vtype="B")
        model.addConstr(sparse.hstack([sparse.csr_matrix(a), sparse.diags(c)]).tocsr() @ x >= b)
        model.setObjective(np.concatenate([np.zeros(X.shape[1]), 2 * t]) @ x, gurobipy.GRB.MAXIMIZE)
        x[: X.shape[1]].Start = start_of(X, t)
        model.optimize()
        gain = gain_of(X, t, x.X[: X.shape[1]]) if model.SolCount else float("-inf")
        return gain, bool(model.Status == gurobipy.GRB.OPTIMAL)


@cache
def _scheduler(threads: int) -> None:
    """HiGHS keeps the threads that it began with, and refuses a model that asks for another number."""
    import highspy

    highspy.Highs.resetGlobalScheduler(True)


def highs(X: np.ndarray, t: np.ndarray, limit: float, threads: int = 1) -> Answer:
    import highspy

    _scheduler(threads)

    a, c, b = one_sided(X, t)
    n, d = X.shape
    rows = sparse.hstack([sparse.csr_matrix(a), sparse.diags(c)]).tocsr()
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = d + n, n
    lp.col_cost_ = np.concatenate([np.zeros(d), -2.0 * t])
    lp.col_lower_, lp.col_upper_ = np.zeros(d + n), np.ones(d + n)
    lp.row_lower_, lp.row_upper_ = b, np.full(n, np.inf)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = rows.indptr, rows.indices, rows.data
    lp.integrality_ = [highspy.HighsVarType.kInteger] * (d + n)
    model = highspy.Highs()
    for name, value in (
        ("output_flag", False),
        ("threads", threads),
        ("mip_rel_gap", 0.0),
        ("mip_abs_gap", 0.0),
        ("time_limit", limit),
    ):
        model.setOptionValue(name, value)
    model.passModel(lp)
    model.setSolution(d, np.arange(d, dtype=np.int32), start_of(X, t))
    model.run()
    values = np.array(model.getSolution().col_value)
    gain = gain_of(X, t, values[:d]) if len(values) else float("-inf")
    return gain, bool(model.getModelStatus() == highspy.HighsModelStatus.kOptimal)


def cpsat(X: np.ndarray, t: np.ndarray, limit: float, threads: int = 1) -> Answer:
    from ortools.sat.python import cp_model

    n, d = X.shape
    h, minus = -(-d // 2), (X < 0).sum(axis=1)
    model = cp_model.CpModel()
    w = [model.new_bool_var("") for _ in range(d)]
    y = [model.new_bool_var("") for _ in range(n)]
    for g in range(n):
        agreements = cp_model.LinearExpr.weighted_sum(w, X[g].astype(int).tolist()) + int(minus[g])
        if t[g] > 0:
            model.add(agreements >= h).only_enforce_if(y[g])
        else:
            model.add(agreements <= h - 1).only_enforce_if(~y[g])
    for k, value in enumerate(start_of(X, t).astype(int).tolist()):
        model.add_hint(w[k], value)
    whole = np.rint(t * (2.0**40 / np.abs(t).sum())).astype(int)
    model.maximize(cp_model.LinearExpr.weighted_sum(y, whole.tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.linearization_level = threads, 2
    solver.parameters.max_time_in_seconds = limit
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return float("-inf"), False
    return gain_of(X, t, np.array([solver.value(v) for v in w], float)), status == cp_model.OPTIMAL


ALL: dict[str, Callable[..., Answer]] = {"gurobi": gurobi, "highs": highs, "cpsat": cpsat}


def available(threads: int = 1) -> dict[str, Callable[..., Answer]]:
    """Return the peers that are installed and, for Gurobi, licensed; each is called once, outside any clock."""
    X, t = np.array([[1, 1, -1], [1, -1, 1]]), np.array([1.0, -0.5])
    found = {}
    for name, call in ALL.items():
        try:
            call(X, t, 5.0, threads)
        except ImportError:
            continue
        found[name] = call
    return found
