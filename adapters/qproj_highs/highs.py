"""HiGHS: exact by branch and cut on the linear model; it takes no products of integers, so they are linearised."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj.encodings.linear_model import WHOLE, LinearModel
from qproj.solvers import Capabilities, Found, Termination
from qproj.solvers.interrupt import DidNotEndError, interruptible
from qproj.solvers.mip import MIPAdapter, check_mip_options, floating_found, mip_found
from qproj.solvers.mip_watch import LinearWatch

#: Linearised products of more rows than this are left as they are by presolve, whose work does not heed the clock.
PRESOLVE_ROWS = 20_000
#: And those whose numbers are so many times apart: on some of them presolve never ends (HiGHS 1.16).
PRESOLVE_SPREAD = 2.0**26

#: Seconds after which a run that does not heed a Ctrl-C is left behind: a root relaxation of 45,000 linearised products
#: looks at nothing for most of a minute.
PATIENCE_S = 0.7
#: Seconds past its time limit at which a run is left behind.
LATE_S = 5.0
LEFT_BEHIND = (
    "HiGHS ended neither at its time limit nor when it was asked to stop; it goes on in a thread of this process: "
    "`qproj.Isolated` can end it, and other solvers take the same models"
)
#: What each status means; None: infeasible or unbounded.
TERMINATIONS: dict[str, Termination | None] = {
    "kNotset": Termination.FAILED,
    "kLoadError": Termination.FAILED,
    "kModelError": Termination.FAILED,
    "kPresolveError": Termination.FAILED,
    "kSolveError": Termination.FAILED,
    "kPostsolveError": Termination.FAILED,
    "kModelEmpty": Termination.FAILED,
    "kOptimal": Termination.PROVED,
    "kInfeasible": Termination.REFUTED,
    "kUnboundedOrInfeasible": None,
    "kUnbounded": Termination.FAILED,
    "kObjectiveBound": Termination.BUDGET,
    "kObjectiveTarget": Termination.BUDGET,
    "kTimeLimit": Termination.CLOCK,
    "kIterationLimit": Termination.BUDGET,
    "kUnknown": Termination.FAILED,
    "kSolutionLimit": Termination.BUDGET,
    "kInterrupt": Termination.BUDGET,
    "kMemoryLimit": Termination.BUDGET,
    "kHighsInterrupt": Termination.BUDGET,
}


class HiGHS(MIPAdapter):
    """argmin objective(v) by HiGHS: projections in their one-sided form, any BQM and CQM by linearisation.

    Parameters
    ----------
    threads : int
        One value for the whole process: HiGHS shares its threads.
    node_limit : int, optional
        A work budget, in nodes.

    Raises
    ------
    MissingPackageError
        highspy is not installed.
    """

    name = "highs"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm", "cqm"}), exact=True, hint=True, progress=True)
    extra = "highs"
    requires = ("highspy",)
    row_bits = 12
    term_s = 5e-7

    def __init__(self, *, threads: int = 1, node_limit: int | None = None) -> None:
        self.require_backend()
        check_mip_options(threads, node_limit)
        self.threads = threads
        self.node_limit = node_limit

    def optimise(
        self, model: LinearModel, *, start: FloatArray | None, seed: int | None, deadline: float | None,
        watch: LinearWatch | None = None,
    ) -> Found:  # fmt: skip
        import highspy

        # the class below Highs: Highs() itself writes a banner to standard output before that can be switched off
        native = highspy.Highs.__mro__[1]()
        options: dict[str, Any] = {
            "output_flag": False, "threads": self.threads, "random_seed": (seed or 0) % 2**31,
            "mip_rel_gap": 0.0, "mip_abs_gap": 0.0, "mip_feasibility_tolerance": 1e-9,
            "primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9,
        }  # fmt: skip
        if not _is_presolved(model):
            options["presolve"] = "off"
        if self.node_limit is not None:
            options["mip_max_nodes"] = self.node_limit
        if deadline is not None:
            options["time_limit"] = max(deadline - time.perf_counter(), 1e-3)
        _share_threads(self.threads)
        for option, value in options.items():
            _require(native.setOptionValue(option, value), f"option {option}={value}")
        _require(native.passModel(native_model(model)), "the model")
        if start is not None:
            hint = highspy.HighsSolution()
            hint.col_value = start.tolist()
            _require(native.setSolution(hint), "the start")
        latest = None if deadline is None else deadline + LATE_S
        try:
            status = interruptible(native.run, _stop_at(native, watch).set, PATIENCE_S, latest)
        except DidNotEndError:
            return mip_found(model, Termination.CLOCK, None, -np.inf, LEFT_BEHIND, {"left_behind": True})
        name = native.getModelStatus().name
        termination = (
            Termination.FAILED if status == highspy.HighsStatus.kError else TERMINATIONS.get(name, Termination.FAILED)
        )
        solution, info = native.getSolution(), native.getInfo()
        found = solution.value_valid and info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        values = np.array(solution.col_value) if found else None
        # without integer variables the model is an LP, and the optimum is its own bound
        bound = float(info.mip_dual_bound if (model.kinds == WHOLE).any() else info.objective_function_value)
        stats = {"nodes": max(int(info.mip_node_count), 0), "mip_gap": float(info.mip_gap), "status": name}
        return floating_found(model, termination, values, bound, f"HiGHS: {name}", stats)


def _is_presolved(model: LinearModel) -> bool:
    sizes = np.abs(model.rows.data[model.rows.data != 0.0])
    is_even = bool(sizes.max(initial=0.0) <= PRESOLVE_SPREAD * sizes.min(initial=np.inf))
    return is_even and len(model.row_lower) <= PRESOLVE_ROWS


def _stop_at(native: Any, watch: LinearWatch | None) -> threading.Event:
    """Return an event that ends HiGHS's run, which looks at it between its own steps, and listen for a watch."""
    from highspy import cb

    event = threading.Event()

    def look(kind: Any, message: str, output: Any, answer: Any, data: Any) -> None:
        if event.is_set():  # nobody listens any longer
            answer.user_interrupt = True
            return
        if kind == cb.HighsCallbackType.kCallbackMipImprovingSolution and watch is not None:
            watch.incumbent(output.mip_solution)
            return
        if kind == cb.HighsCallbackType.kCallbackMipInterrupt and watch is not None:
            watch.floating_bound(output.mip_dual_bound)

    _require(native.setCallback(look, None), "a callback")
    kinds = [cb.HighsCallbackType.kCallbackMipInterrupt, cb.HighsCallbackType.kCallbackSimplexInterrupt]
    if watch is not None:
        kinds.append(cb.HighsCallbackType.kCallbackMipImprovingSolution)
    for kind in kinds:
        _require(native.startCallback(kind), "a callback")
    return event


_SCHEDULER = threading.Lock()
_threads_in_use: list[int] = []


def _share_threads(threads: int) -> None:
    """Restart HiGHS's threads, which the whole process shares, where another number was asked for before."""
    import highspy

    with _SCHEDULER:
        if _threads_in_use not in ([], [threads]):
            highspy.Highs.resetGlobalScheduler(True)
        _threads_in_use[:] = [threads]


def native_model(model: LinearModel) -> Any:
    """Return a HighsLp of the model, its objective divided by the largest coefficient."""
    import highspy

    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(model.cost), len(model.row_lower)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = model.cost / model.scale, model.lower, model.upper
    matrix, lp.row_lower_, lp.row_upper_ = model.scaled_rows()
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.num_col_, lp.a_matrix_.num_row_ = lp.num_col_, lp.num_row_
    lp.a_matrix_.start_ = matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = matrix.data.astype(np.float64)
    kinds = highspy.HighsVarType
    lp.integrality_ = [kinds.kInteger if kind == WHOLE else kinds.kContinuous for kind in model.kinds.tolist()]
    return lp


def _require(status: Any, what: str) -> None:
    """Raise RuntimeError where HiGHS rejects the call; warnings are not refusals."""
    if status.name == "kError":
        raise RuntimeError(f"HiGHS refuses {what}; use 'cpsat' or 'scip', or other options")
