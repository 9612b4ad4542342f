"""Gurobi: exact by branch and cut on the linear model, which needs none of its licence's quadratic variables."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj._extras import install_hint
from qproj.encodings.linear_model import WHOLE, LinearModel
from qproj.solvers import (
    Availability,
    Capabilities,
    Found,
    MissingLicenceError,
    MissingPackageError,
    Termination,
    TooLargeError,
)
from qproj.solvers.interrupt import interruptible, is_over
from qproj.solvers.mip import MIPAdapter, check_mip_options, floating_found
from qproj.solvers.mip_watch import LinearWatch

#: Variables, and linear constraints, of the licence that comes with the package.
PACKAGE_LIMIT = 2000
_NO_LICENCE, _SIZE_LIMIT = 10009, 10010

#: What each status means; None: infeasible or unbounded.
TERMINATIONS: dict[str, Termination | None] = {
    "LOADED": Termination.FAILED,
    "OPTIMAL": Termination.PROVED,
    "INFEASIBLE": Termination.REFUTED,
    "INF_OR_UNBD": None,
    "UNBOUNDED": Termination.FAILED,
    "CUTOFF": Termination.FAILED,
    "ITERATION_LIMIT": Termination.BUDGET,
    "NODE_LIMIT": Termination.BUDGET,
    "TIME_LIMIT": Termination.CLOCK,
    "SOLUTION_LIMIT": Termination.BUDGET,
    "INTERRUPTED": Termination.BUDGET,
    "NUMERIC": Termination.FAILED,
    "SUBOPTIMAL": Termination.BUDGET,
    "INPROGRESS": Termination.FAILED,
    "USER_OBJ_LIMIT": Termination.BUDGET,
    "WORK_LIMIT": Termination.BUDGET,
    "MEM_LIMIT": Termination.BUDGET,
    "LOCALLY_OPTIMAL": Termination.BUDGET,
    "LOCALLY_INFEASIBLE": Termination.FAILED,
}


class Gurobi(MIPAdapter):
    """argmin objective(v) by Gurobi: projections in their one-sided form, any BQM and CQM by linearisation.

    Parameters
    ----------
    threads : int
    node_limit : int, optional
        A work budget, in nodes.

    Raises
    ------
    MissingPackageError
        gurobipy is not installed.
    MissingLicenceError
        When solving: no valid licence.
    TooLargeError
        When solving: more variables or constraints than the licence takes (2000 each for the package's own).
    """

    name = "gurobi"
    capabilities = Capabilities(
        forms=frozenset({"projection", "bqm", "cqm"}),
        exact=True,
        hint=True,
        progress=True,
        note=f"without a licence of your own: at most {PACKAGE_LIMIT} variables and {PACKAGE_LIMIT} constraints",
    )
    extra = "gurobi"
    requires = ("gurobipy",)
    row_bits = 12

    def __init__(self, *, threads: int = 1, node_limit: int | None = None) -> None:
        self.require_backend()
        check_mip_options(threads, node_limit)
        self.threads = threads
        self.node_limit = node_limit

    @classmethod
    def availability(cls) -> Availability:
        """Say whether the package is there and a licence file is named, without importing it."""
        state = super().availability()
        if not state.installed:
            return state
        named = os.environ.get("GRB_LICENSE_FILE")
        if named and not Path(named).is_file():
            return Availability(
                licensed=False,
                reason=f"GRB_LICENSE_FILE names {named}, which does not exist",
                remedy="correct it, or unset it to use the package's own licence",
            )
        if named or (Path.home() / "gurobi.lic").is_file():
            return Availability(licensed=True)
        return Availability(
            licensed=True,
            reason=f"the package's own licence: {PACKAGE_LIMIT} variables, {PACKAGE_LIMIT} constraints, until it ends",
        )

    def optimise(
        self, model: LinearModel, *, start: FloatArray | None, seed: int | None, deadline: float | None,
        watch: LinearWatch | None = None,
    ) -> Found:  # fmt: skip
        gurobipy = _import()
        parameters: dict[str, Any] = {
            "OutputFlag": 0, "Threads": self.threads, "Seed": (seed or 0) % 2_000_000_000,
            "MIPGap": 0.0, "MIPGapAbs": 0.0, "IntFeasTol": 1e-9, "FeasibilityTol": 1e-9, "OptimalityTol": 1e-9,
            "DualReductions": 0,  # tells infeasible from unbounded
        }  # fmt: skip
        if self.node_limit is not None:
            parameters["NodeLimit"] = self.node_limit
        if deadline is not None:
            parameters["TimeLimit"] = max(deadline - time.perf_counter(), 1e-3)
        try:
            with gurobipy.Env(params=parameters) as environment, gurobipy.Model(env=environment) as native:
                x = _fill(native, model, start)
                reports = None if watch is None else _reports(gurobipy.GRB.Callback, watch, x)
                interruptible(lambda: native.optimize(reports), native.terminate)
                if native.Status == gurobipy.GRB.Status.INTERRUPTED and not is_over():
                    raise KeyboardInterrupt  # its own handler kept a Ctrl-C to itself
                return _answer(gurobipy, native, model)
        except gurobipy.GurobiError as error:
            raise _refusal(error, model) from error


def _import() -> Any:
    try:
        import gurobipy
    except ImportError as error:
        raise MissingPackageError(f"solver 'gurobi': {error}; {install_hint('gurobi')}") from error
    return gurobipy


def _reports(codes: Any, watch: LinearWatch, x: Any) -> Any:
    """Return Gurobi's callback that reports incumbents and bounds."""

    def report(native: Any, where: int) -> None:
        if where == codes.MIPSOL:
            watch.incumbent(native.cbGetSolution(x))
            watch.floating_bound(native.cbGet(codes.MIPSOL_OBJBND))
        elif where == codes.MIP:
            watch.floating_bound(native.cbGet(codes.MIP_OBJBND))

    return report


def _fill(native: Any, model: LinearModel, start: FloatArray | None) -> Any:
    """Give Gurobi variables, rows and start, and return the variables."""
    kinds = np.where(model.kinds == WHOLE, "I", "C")
    x = native.addMVar(
        len(model.cost), lb=model.lower, ub=model.upper, obj=model.cost / model.scale, vtype=kinds.tolist()
    )
    matrix, lower, upper = model.scaled_rows()
    equal = lower == upper
    for rows, sense, rhs in (
        (equal, "=", lower),
        (~equal & np.isfinite(lower), ">", lower),
        (~equal & np.isfinite(upper), "<", upper),
    ):
        if rows.any():
            native.addMConstr(matrix[np.flatnonzero(rows)], x, sense, rhs[rows])
    if start is not None:
        x.Start = start
    return x


def _answer(gurobipy: Any, native: Any, model: LinearModel) -> Found:
    codes = {getattr(gurobipy.GRB.Status, name): name for name in dir(gurobipy.GRB.Status) if name.isupper()}
    name = codes.get(native.Status, str(native.Status))
    termination = TERMINATIONS.get(name, Termination.FAILED)
    values = np.array(native.getAttr("X")) if native.SolCount else None
    bound = -np.inf
    if termination in (Termination.PROVED, Termination.CLOCK, Termination.BUDGET) and (native.IsMIP or native.SolCount):
        bound = float(native.ObjBound if native.IsMIP else native.ObjVal)
    stats = {"nodes": int(native.NodeCount) if native.IsMIP else 0, "work": float(native.Work), "status": name}
    return floating_found(model, termination, values, bound, f"Gurobi: {name}", stats)


def _refusal(error: Any, model: LinearModel) -> Exception:
    """Return what a GurobiError means for the caller: no licence, a licence too small, or the error itself."""
    if error.errno == _NO_LICENCE:
        return MissingLicenceError(
            f"solver 'gurobi' is installed, without a valid licence ({error}); see gurobi.com, or use 'cpsat'"
        )
    if error.errno == _SIZE_LIMIT:
        return TooLargeError(
            f"the linear model has {len(model.cost)} variables and {len(model.row_lower)} constraints; this Gurobi "
            f"licence takes {PACKAGE_LIMIT} of each: use 'cpsat', 'highs' or 'scip', or a full licence"
        )
    return RuntimeError(f"Gurobi broke off (error {error.errno}): {error}; use 'cpsat' or 'highs'")
