"""Exact: conflict-driven search over linear constraints in whole numbers of any size, with checkable proofs."""

from __future__ import annotations

import atexit
import ctypes
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj.encodings.linear_model import REAL, LinearModel
from qproj.solvers import Capabilities, Found, Request, Termination
from qproj.solvers.interrupt import native_handler
from qproj.solvers.mip import MIPAdapter, mip_found
from qproj.solvers.mip_watch import LinearWatch
from qproj.solvers.whole_numbers import scaled_objective, scaled_row

#: Seconds of one uninterrupted piece of the search, after which a Ctrl-C is heard.
SLICE_S = 0.5
#: Largest range of an integer variable: beyond, its bits would be most of the model.
MOST_RANGE = 2**31
#: What each answer means; "UNSAT" with a solution: nothing is better than it.
TERMINATIONS: dict[str, Termination | None] = {
    "UNSAT": None, "INCONSISTENT": Termination.REFUTED, "SAT": Termination.BUDGET, "TIMEOUT": Termination.CLOCK
}  # fmt: skip


class Exact(MIPAdapter):
    """argmin objective(v) by Exact: projections in their one-sided form, any BQM, whole-number CQMs.

    All sums are whole numbers of any size, so a proof rests on no tolerance but the scaling of the coefficients, whose
    error is inside the bound. Dense real objectives are beyond it: a spin model of 20 variables took longer than 60 s.

    Parameters
    ----------
    proof_log : path, optional
        Where the last search's proof is written: PATH.formula and PATH.proof, which VeriPB checks. Every step is in it,
        for which some of Exact's techniques are switched off. In a folder that exists, every search has files of its
        own, named after its model, so that a study keeps all of them; ``stats["proof"]`` is the path.
    options : mapping, optional
        Further options of Exact, as on its command line, such as {"opt-ratio": "0.5"}.

    Raises
    ------
    MissingPackageError
        exact is not installed.
    """

    name = "exact"
    capabilities = Capabilities(
        forms=frozenset({"projection", "bqm", "cqm"}),
        exact=True,
        hint=True,
        stops=False,
        note="whole numbers, proofs for VeriPB",
    )
    extra = "exact"
    requires = ("exact",)
    product_bytes = 12000
    floating = False

    def __init__(self, *, proof_log: str | Path | None = None, options: dict[str, str] | None = None) -> None:
        self.require_backend()
        self.proof_log = None if proof_log is None else Path(proof_log)
        self.narrows = proof_log is None  # a proof is to be one of the whole model
        self.options = {str(name): str(value) for name, value in (options or {}).items()}

    def check(self, problem: Any, request: Request) -> None:
        """Refuse real variables, of which Exact has none, and more products than memory holds."""
        super().check(problem, request)
        if problem.kind == "cqm":
            real = [v for v in problem.variables if problem.cqm.vartype(v).name == "REAL"]
            if real:
                raise ValueError(f"variable {real[0]!r} is REAL; exact takes whole numbers: use 'highs' or 'scip'")

    def _proof_of(self, model: LinearModel) -> Path | None:
        """Return where a search's proof goes."""
        if self.proof_log is None or not self.proof_log.is_dir():
            return self.proof_log
        parts = (model.cost, model.lower, model.upper, model.rows.indptr, model.rows.indices, model.rows.data)
        digest = sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in (*parts, model.row_lower)))
        return self.proof_log / digest.hexdigest()[:16]

    def optimise(
        self, model: LinearModel, *, start: FloatArray | None, seed: int | None, deadline: float | None,
        watch: LinearWatch | None = None,
    ) -> Found:  # fmt: skip
        import exact

        settings = {"seed": str((seed or 0) % 2**31 + 1)}
        proof = self._proof_of(model)
        if proof is not None:  # Exact's default leaves gaps: bounds that the proof takes for granted
            settings |= {"proof-log": str(proof), "proof-assumptions": "0"}
        settings |= self.options
        _LEFT.clear()
        with _MAKING, _Interrupts() as interrupts:
            native = exact.Exact(list(settings.items()))
        try:
            found = _searched(native, model, start, deadline, interrupts)
        except KeyboardInterrupt:
            _LEFT.append(native)
            raise
        return found if proof is None else replace(found, stats={**found.stats, "proof": str(proof)})


#: Searches that a Ctrl-C ended. To free a model of 45,000 products takes seconds, which the next search spends instead.
_LEFT: list[Any] = []


@atexit.register
def _leave() -> None:
    """Let the system take back at once, as the process ends, what it would take seconds to free object by object."""
    for native in _LEFT:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(native))


#: Exact takes them as soon as it is made: left so, a process would not end when it is told to.
_TAKEN = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGXCPU") if hasattr(signal, name)]
_MAKING = threading.Lock()  # handlers are the whole process's


class _Interrupts:
    """Whose a signal is: Exact takes three as soon as it is made, and looks at them only while it searches.

    Entered while Exact is made, this keeps Exact's handler of SIGINT and gives all back to whose they were;
    :meth:`to_exact` lends SIGINT to a search, whose slices may overrun their time by minutes.
    """

    def __enter__(self) -> _Interrupts:
        self._before = {number: native_handler(number) for number in _TAKEN}
        return self

    def __exit__(self, *error: object) -> None:
        self._exact = native_handler(signal.SIGINT)
        for number, handler in self._before.items():
            _handle(number, handler)

    @contextmanager
    def to_exact(self) -> Iterator[None]:
        """Let Exact hear a Ctrl-C, in the main thread: its search then ends with an error."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = native_handler(signal.SIGINT)
        _handle(signal.SIGINT, self._exact)
        try:
            yield
        finally:
            _handle(signal.SIGINT, before)


def _handle(number: int, handler: int | None) -> None:
    """Install a handler of compiled code for a signal; None: leave it."""
    if handler is not None:
        function = ctypes.CDLL(None).signal
        function.argtypes, function.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
        function(number, handler)


def _searched(
    native: Any, model: LinearModel, start: FloatArray | None, deadline: float | None, interrupts: _Interrupts
) -> Found:
    if not fill(native, model, deadline):
        text = "the time limit came before the model was built"
        return mip_found(model, Termination.CLOCK, None, -np.inf, text, {})
    unit, whole, rounding = scaled_objective(model)
    names = [f"x{j}" for j in range(len(whole))]
    native.setObjective([(c, name) for c, name in zip(whole, names, strict=True) if c], True)
    if start is not None:
        native.setSolutionHints([(name, int(x)) for name, x in zip(names, start.tolist(), strict=True)])
    answer = run(native, deadline, interrupts)
    stats = {"status": answer, "whole_numbers": True, **_figures(native)}
    solved = bool(native.hasSolution())
    values = np.array(native.getLastSolutionFor(names), np.float64) if solved else None
    termination = TERMINATIONS.get(answer, Termination.FAILED)
    if termination is None:
        termination = Termination.PROVED if solved else Termination.REFUTED
    elif termination is Termination.REFUTED and solved:
        termination = Termination.PROVED
    bound = -np.inf
    if termination is not Termination.REFUTED:
        lowest = native.getBestSoFar() if termination is Termination.PROVED else native.getDualBound()
        rounding += 2.0**-52 * abs(float(lowest)) * unit
        bound = float(lowest) * unit - rounding + model.offset
    return mip_found(model, termination, values, bound, f"Exact: {answer}", stats, rounding=rounding)


def fill(native: Any, model: LinearModel, deadline: float | None) -> bool:
    """Give Exact the model's variables and rows; False where the time is up before."""
    if (model.kinds == REAL).any():
        raise ValueError("the model has real variables; exact takes whole numbers: use 'highs' or 'scip'")
    if not (model.upper - model.lower <= MOST_RANGE).all():
        raise ValueError(f"a variable's range exceeds {MOST_RANGE}; exact needs tighter bounds: use 'highs'")
    for j, (low, high) in enumerate(zip(model.lower.tolist(), model.upper.tolist(), strict=True)):
        native.addVariable(f"x{j}", int(low), int(high))
    largest = np.maximum(np.abs(model.lower), np.abs(model.upper))
    columns, data = model.rows.indices, model.rows.data
    bounds = zip(model.row_lower.tolist(), model.row_upper.tolist(), strict=True)
    for r, ((begin, end), (low, high)) in enumerate(zip(pairwise(model.rows.indptr.tolist()), bounds, strict=True)):
        if r % 256 == 0 and deadline is not None and time.perf_counter() >= deadline:
            return False
        if begin == end:
            continue
        j, a = columns[begin:end], data[begin:end]
        if not (a == np.rint(a)).all():
            a, low, high = scaled_row(a, largest[j], low, high)
        terms = [(int(c), f"x{k}") for c, k in zip(a.tolist(), j.tolist(), strict=True)]
        below, above = np.isfinite(low), np.isfinite(high)
        native.addConstraint(
            terms, bool(below), int(np.ceil(low)) if below else 0, bool(above), int(np.floor(high)) if above else 0
        )
    return True


def run(native: Any, deadline: float | None, interrupts: _Interrupts) -> str:
    """Search to the end or the deadline, in pieces between which Python hears a Ctrl-C; return Exact's last word."""
    while True:
        left = np.inf if deadline is None else deadline - time.perf_counter()
        if left <= 0:
            return "TIMEOUT"
        try:
            with interrupts.to_exact():
                answer = str(native.runFull(True, min(SLICE_S, float(max(left, 1e-3)))))
        except RuntimeError as error:
            if "interrupted by user" in str(error):
                raise KeyboardInterrupt from error
            raise
        if answer != "TIMEOUT":
            return answer


def _figures(native: Any) -> dict[str, int]:
    wanted = {"conflicts": "conflicts", "decisions": "nodes"}
    return {wanted[name]: int(value) for name, value in native.getStats() if name in wanted}
