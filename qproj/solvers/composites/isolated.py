"""A solver in a process of its own, which can crash or be ended without taking the caller along."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from qproj.solvers.composites.composite import Composite, child_limits
from qproj.solvers.contract import Request, solver_name
from qproj.solvers.found import Found, rescored
from qproj.solvers.registry import get_solver


class SolverCrashedError(RuntimeError):
    """The solver's process died; the caller's continues."""


class Isolated(Composite):
    """argmin objective(v) by a solver that runs in another process.

    The process is started at the first call and kept. A call that has not returned `grace_s` after its time limit is
    ended; a process that died is replaced at the next call.

    Parameters
    ----------
    solver : str or Solver
        Has to be picklable.
    grace_s : float
        Seconds past the time limit.
    limit_s : float, optional
        The longest that a call without a time limit may take; None: without limit.

    Raises
    ------
    TimeoutError, SolverCrashedError
        From ``solve``.
    """

    def __init__(self, solver: Any, *, grace_s: float = 2.0, limit_s: float | None = None) -> None:
        child = get_solver(solver)
        if not grace_s > 0 or (limit_s is not None and not limit_s > 0):
            raise ValueError(f"grace_s={grace_s}, limit_s={limit_s}; seconds > 0 are needed")
        if not child.capabilities.picklable:
            raise ValueError(f"{solver_name(child)} declares that it cannot be pickled, so no other process can run it")
        super().__init__(child, "isolated", thread_safe=False, progress=False)
        self.grace_s, self.limit_s = float(grace_s), limit_s
        self._executor: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_executor": None}

    def call(self, model: Any, request: Request) -> Found:
        patience = self.limit_s if request.time_limit_s is None else request.time_limit_s + self.grace_s
        target = getattr(model, "model", model)  # plain models are sent without their wrapper
        # a callback stays in its process
        limits = child_limits(self.solver, replace(request, progress=None)) | {"time_limit_s": request.time_limit_s}
        answer = self._elsewhere(target, limits, patience)
        return Found.of(rescored(model, answer, self.solver))

    def close(self) -> None:
        """End the process now; the next call starts another."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None

    def _end(self) -> None:
        """End the process at once; what is left of its pool is cleared up beside the caller."""
        executor, self._executor = self._executor, None
        for process in list(getattr(executor, "_processes", {}).values()):
            process.terminate()
        thread = threading.Thread(target=executor.shutdown, kwargs={"wait": True, "kill_workers": True}, daemon=True)
        thread.start()

    def _elsewhere(self, problem: Any, limits: dict[str, Any], patience: float | None) -> Any:
        from concurrent.futures import TimeoutError as FutureTimeout
        from concurrent.futures.process import BrokenProcessPool

        from joblib.externals.loky import ProcessPoolExecutor

        if self._executor is None:
            self._executor = ProcessPoolExecutor(max_workers=1)
            self._executor.submit(_import_contract).result()  # imports are not the solver's time
        try:
            return self._executor.submit(_solve, self.solver, problem, limits).result(timeout=patience)
        except FutureTimeout:
            self._end()
            raise TimeoutError(f"{solver_name(self.solver)} was ended after {patience:g} s") from None
        except BrokenProcessPool as error:
            self.close()
            raise SolverCrashedError(f"the process of {solver_name(self.solver)} died: {error}") from error


def _import_contract() -> None:
    import qproj.solvers  # noqa: F401


def _solve(solver: Any, problem: Any, limits: dict[str, Any]) -> Any:
    return solver.solve(problem, **limits)
