"""SCIP: exact by branch and cut on the linear model."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj.encodings.linear_model import REAL, WHOLE, LinearModel
from qproj.solvers import Capabilities, Found, Termination
from qproj.solvers.interrupt import interruptible
from qproj.solvers.mip import MIPAdapter, check_mip_options, floating_found, mip_found
from qproj.solvers.mip_watch import LinearWatch

#: What each status means; None: infeasible or unbounded.
TERMINATIONS: dict[str, Termination | None] = {
    "unknown": Termination.FAILED,
    "optimal": Termination.PROVED,
    "infeasible": Termination.REFUTED,
    "unbounded": Termination.FAILED,
    "inforunbd": None,
    "timelimit": Termination.CLOCK,
    "nodelimit": Termination.BUDGET,
    "totalnodelimit": Termination.BUDGET,
    "stallnodelimit": Termination.BUDGET,
    "gaplimit": Termination.BUDGET,
    "memlimit": Termination.BUDGET,
    "sollimit": Termination.BUDGET,
    "bestsollimit": Termination.BUDGET,
    "restartlimit": Termination.BUDGET,
    "primallimit": Termination.BUDGET,
    "duallimit": Termination.BUDGET,
    "userinterrupt": Termination.BUDGET,
}


class SCIP(MIPAdapter):
    """argmin objective(v) by SCIP: projections in their one-sided form, any BQM and CQM by linearisation.

    Parameters
    ----------
    node_limit : int, optional
        A work budget, in nodes.

    Raises
    ------
    MissingPackageError
        pyscipopt is not installed.
    """

    name = "scip"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm", "cqm"}), exact=True, hint=True, progress=True)
    extra = "scip"
    requires = ("pyscipopt",)
    product_bytes = 11000
    row_bits = 12

    def __init__(self, *, node_limit: int | None = None) -> None:
        self.require_backend()
        check_mip_options(1, node_limit)
        self.node_limit = node_limit

    def optimise(
        self, model: LinearModel, *, start: FloatArray | None, seed: int | None, deadline: float | None,
        watch: LinearWatch | None = None,
    ) -> Found:  # fmt: skip
        native, variables = native_model(model, deadline)
        if native is None:
            return mip_found(
                model, Termination.CLOCK, None, -np.inf, "SCIP: the time was up before its model was built", {}
            )
        settings: dict[str, Any] = {
            "limits/gap": 0.0, "limits/absgap": 0.0, "numerics/feastol": 1e-9, "numerics/dualfeastol": 1e-9,
            "misc/catchctrlc": False, "parallel/maxnthreads": 1, "randomization/randomseedshift": (seed or 0) % 2**31,
        }  # fmt: skip
        if self.node_limit is not None:
            settings["limits/nodes"] = self.node_limit
        if deadline is not None:
            settings["limits/time"] = max(deadline - time.perf_counter(), 1e-3)
        native.setParams(settings)
        if start is not None:
            guess = native.createSol()
            for variable, value in zip(variables, start.tolist(), strict=True):
                native.setSolVal(guess, variable, value)
            native.addSol(guess)
        if watch is not None:
            _report_to(watch, native, variables)
        interruptible(native.optimizeNogil, native.interruptSolve)
        name = native.getStatus()
        termination = TERMINATIONS.get(name, Termination.FAILED)
        values = None
        if native.getNSols() and termination != Termination.REFUTED:
            best = native.getBestSol()
            values = np.array([native.getSolVal(best, variable) for variable in variables])
        bound, stats = float(native.getDualbound()), {"nodes": int(native.getNTotalNodes()), "status": name}
        return floating_found(model, termination, values, bound, f"SCIP: {name}", stats)


def _report_to(watch: LinearWatch, native: Any, variables: list[Any]) -> None:
    """Have SCIP report its incumbents and bounds."""
    from pyscipopt import Eventhdlr
    from pyscipopt.scip import PY_SCIP_EVENTTYPE as SCIP_EVENTTYPE

    kinds = (SCIP_EVENTTYPE.BESTSOLFOUND, SCIP_EVENTTYPE.DUALBOUNDIMPROVED)

    class Reports(Eventhdlr):
        def eventinit(self) -> None:
            for kind in kinds:
                self.model.catchEvent(kind, self)

        def eventexit(self) -> None:
            for kind in kinds:
                self.model.dropEvent(kind, self)

        def eventexec(self, event: Any) -> None:
            if event.getType() == SCIP_EVENTTYPE.BESTSOLFOUND:
                best = self.model.getBestSol()
                watch.incumbent([self.model.getSolVal(best, variable) for variable in variables])
            else:
                watch.floating_bound(self.model.getDualbound())

    native.includeEventhdlr(Reports(), "qproj-progress", "reports incumbents and bounds")


def native_model(model: LinearModel, deadline: float | None) -> tuple[Any, list[Any]]:
    """Return a SCIP model, its objective divided by the largest coefficient, and its variables; None if too late."""
    from pyscipopt import Model, quicksum

    native = Model()
    native.hideOutput()
    letters = {REAL: "C", WHOLE: "I"}
    variables = []
    columns_of = zip(model.kinds.tolist(), model.lower.tolist(), model.upper.tolist(), strict=True)
    for j, ((kind, low, high), cost) in enumerate(zip(columns_of, (model.cost / model.scale).tolist(), strict=True)):
        if j % 4096 == 0 and deadline is not None and time.perf_counter() >= deadline:
            return None, []
        variables.append(native.addVar(vtype=letters.get(kind, "C"), lb=low, ub=high, obj=cost))
    matrix, lower, upper = model.scaled_rows()
    columns, data = matrix.indices.tolist(), matrix.data.tolist()
    bounds = zip(lower.tolist(), upper.tolist(), strict=True)
    for r, ((begin, end), (low, high)) in enumerate(zip(pairwise(matrix.indptr.tolist()), bounds, strict=True)):
        if r % 256 == 0 and deadline is not None and time.perf_counter() >= deadline:
            return None, []
        if begin == end:
            continue
        terms = quicksum(data[k] * variables[columns[k]] for k in range(begin, end))
        if low == high:
            native.addCons(terms == low)
        elif np.isfinite(low) and np.isfinite(high):
            native.addCons((terms <= high) >= low)
        elif np.isfinite(low):
            native.addCons(terms >= low)
        elif np.isfinite(high):
            native.addCons(terms <= high)
    return native, variables
