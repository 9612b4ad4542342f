"""CP-SAT: exact on whole numbers, which the coefficients are scaled to here, the scaling's error inside the bound."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj._options import nearest
from qproj.encodings.linear_model import REAL, LinearModel
from qproj.solvers import Availability, Capabilities, Found, Request, Termination
from qproj.solvers.interrupt import interruptible
from qproj.solvers.mip import MIPAdapter, mip_found
from qproj.solvers.mip_watch import LinearWatch
from qproj.solvers.whole_numbers import ROW_REACH, scaled_objective, scaled_row


class CPSAT(MIPAdapter):
    """argmin objective(v) by CP-SAT, with a proof: projections in their one-sided form, any BQM, whole-number CQMs.

    Parameters
    ----------
    num_workers : int
        Threads. 1 by default: on dense QUBOs one worker with a full linear relaxation proves more than several.
    linearization_level : int
        0, 1 or 2.
    deterministic_time : float, optional
        A work budget in CP-SAT's own units, which ends the search at the same place on every machine.
    parameters : mapping, optional
        Further fields of SatParameters.

    Raises
    ------
    MissingPackageError
        ortools is not installed.
    """

    name = "cpsat"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm", "cqm"}), exact=True, hint=True, progress=True)
    requires = ("ortools",)
    product_bytes = 6000
    floating = False

    def __init__(
        self,
        *,
        num_workers: int = 1,
        linearization_level: int = 2,
        deterministic_time: float | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        self.require_backend()
        if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 1:
            raise ValueError(f"num_workers is {num_workers!r}; an integer ≥ 1 is allowed")
        if linearization_level not in (0, 1, 2):
            raise ValueError(f"linearization_level is {linearization_level!r}; 0, 1 or 2 is allowed")
        if deterministic_time is not None and not 0 < deterministic_time < np.inf:
            raise ValueError(f"deterministic_time is {deterministic_time!r}; a number > 0 is allowed, or None")
        self.settings: dict[str, Any] = {"num_workers": num_workers, "linearization_level": linearization_level}
        if deterministic_time is not None:
            self.settings["max_deterministic_time"] = float(deterministic_time)
        self.settings.update(parameters or {})
        self._solver(None, None)  # a misspelt parameter fails here

    @classmethod
    def availability(cls) -> Availability:
        """Say whether ortools, a dependency of qproj itself, is there."""
        state = super().availability()
        return state if state.installed else replace(state, remedy="pip install ortools, which qproj depends on")

    def check(self, problem: Any, request: Request) -> None:
        """Refuse real variables, of which CP-SAT has none, and more products than memory holds."""
        super().check(problem, request)
        if problem.kind == "cqm":
            real = [v for v in problem.variables if problem.cqm.vartype(v).name == "REAL"]
            if real:
                raise ValueError(f"variable {real[0]!r} is REAL; cpsat takes whole numbers: use 'highs' or 'scip'")

    def optimise(
        self, model: LinearModel, *, start: FloatArray | None, seed: int | None, deadline: float | None,
        watch: LinearWatch | None = None,
    ) -> Found:  # fmt: skip
        from ortools.sat.python import cp_model

        native, variables = native_model(model, deadline)
        if native is None:
            return mip_found(
                model, Termination.CLOCK, None, -np.inf, "the time limit came before the model was built", {}
            )
        factor, whole, rounding = scaled_objective(model)
        native.minimize(cp_model.LinearExpr.weighted_sum(variables, whole))
        if start is not None:
            for variable, value in zip(variables, start.tolist(), strict=True):
                native.add_hint(variable, int(value))
        wrong = native.validate()
        if wrong:
            raise ValueError(f"cpsat refuses the model ({wrong.strip()}); tighten the bounds of its variables")
        left = None if deadline is None else max(deadline - time.perf_counter(), 1e-3)
        solver = self._solver(seed, left)

        def lowest(bound: float) -> float:
            return bound * factor - rounding - 2.0**-52 * abs(bound) * factor + model.offset

        callback = None
        if watch is not None:
            callback = _incumbents(watch, variables)
            solver.best_bound_callback = lambda bound: watch.bound(lowest(bound))
        status = interruptible(lambda: solver.solve(native, callback), solver.stop_search)
        name = solver.status_name(status)
        work = float(solver.response_proto.deterministic_time)  # older CpSolvers have no property of that name
        stats = {
            "nodes": int(solver.num_branches), "conflicts": int(solver.num_conflicts),
            "deterministic_time": work, "status": name, "whole_numbers": True,
        }  # fmt: skip
        if status == cp_model.INFEASIBLE:
            return mip_found(model, Termination.REFUTED, None, -np.inf, name, stats)
        if status == cp_model.MODEL_INVALID:
            return mip_found(model, Termination.FAILED, None, -np.inf, f"{name}: {solver.solution_info()}", stats)
        late = deadline is not None and work < self.settings.get("max_deterministic_time", np.inf)
        termination = Termination.CLOCK if late else Termination.BUDGET
        if status == cp_model.UNKNOWN:  # stopped before its first solution: its bound is then an empty field, 0
            return mip_found(model, termination, None, -np.inf, name, stats)
        if status == cp_model.OPTIMAL:
            termination = Termination.PROVED
        values = np.array([solver.value(variable) for variable in variables], np.float64)
        best = float(solver.best_objective_bound)
        rounding_all = rounding + 2.0**-52 * abs(best) * factor
        return mip_found(model, termination, values, lowest(best), name, stats, rounding=rounding_all)

    def _solver(self, seed: int | None, time_limit_s: float | None) -> Any:
        from ortools.sat.python import cp_model

        solver = cp_model.CpSolver()
        solver.parameters.catch_sigint_signal = False  # its handler would keep a Ctrl-C to itself
        for name, value in self.settings.items():
            if not hasattr(solver.parameters, name):
                known = [field for field in dir(solver.parameters) if not field.startswith("_")]
                raise TypeError(f"cpsat has no parameter {name!r}; {nearest(name, known)}")
            setattr(solver.parameters, name, value)
        if seed is not None:
            solver.parameters.random_seed = seed % 2**31
        if time_limit_s is not None:
            solver.parameters.max_time_in_seconds = time_limit_s
        return solver


def _incumbents(watch: LinearWatch, variables: list[Any]) -> Any:
    """Return CP-SAT's callback that reports each of its solutions."""
    from ortools.sat.python import cp_model

    class Incumbents(cp_model.CpSolverSolutionCallback):
        def on_solution_callback(self) -> None:
            watch.incumbent([self.value(variable) for variable in variables])

    return Incumbents()


def native_model(model: LinearModel, deadline: float | None) -> tuple[Any, list[Any]]:
    """Return a CpModel with the model's variables and rows, and its variables; None where the time is up before."""
    from ortools.sat.python import cp_model

    native = cp_model.CpModel()
    if (model.kinds == REAL).any():
        raise ValueError("the model has real variables; cpsat takes whole numbers: use 'highs' or 'scip'")
    variables = [
        native.new_int_var(int(low), int(high), "")
        for low, high in zip(model.lower.tolist(), model.upper.tolist(), strict=True)
    ]
    largest = np.maximum(np.abs(model.lower), np.abs(model.upper))
    reach = float((abs(model.rows) @ largest).max(initial=0.0)) if model.rows.shape[0] else 0.0
    whole_rows = reach <= ROW_REACH and bool((model.rows.data == np.rint(model.rows.data)).all())
    starts, columns, data = model.rows.indptr.tolist(), model.rows.indices, model.rows.data
    lows, highs = model.row_lower.tolist(), model.row_upper.tolist()
    for r, (begin, end) in enumerate(pairwise(starts)):
        if r % 256 == 0 and deadline is not None and time.perf_counter() >= deadline:
            return None, []
        if begin == end:
            continue
        j, a = columns[begin:end], data[begin:end]
        whole, low, high = (a, lows[r], highs[r]) if whole_rows else scaled_row(a, largest[j], lows[r], highs[r])
        domain = cp_model.Domain(_int64(low, up=True), _int64(high, up=False))
        terms = cp_model.LinearExpr.weighted_sum([variables[k] for k in j.tolist()], [int(x) for x in whole.tolist()])
        native.add_linear_expression_in_domain(terms, domain)
    return native, variables


def _int64(value: float, *, up: bool) -> int:
    """A row's bound as a whole number; beyond 64 bits, which no row's sum reaches, the outermost one."""
    if abs(value) >= 2.0**63:
        return int(np.iinfo(np.int64).max if value > 0 else np.iinfo(np.int64).min)
    return int(np.ceil(value) if up else np.floor(value))
