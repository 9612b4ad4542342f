"""A solver in a process of its own, which can crash or be ended without taking the caller along."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from qproj.solvers import Adapter, Found, Request, Solution, get_solver
from qproj.solvers.recheck import rechecked


class SolverCrashedError(RuntimeError):
    """The solver's process died; the caller's goes on."""


class Isolated(Adapter):
    """argmin objective(v) by a solver that runs in another process.

    The process is started at the first call and kept. A call that is not back `grace_s` past its time limit is
    ended; a process that dies is replaced at the next call.

    Parameters
    ----------
    solver : str or Solver
        Has to be picklable.
    grace_s : float
        Seconds past the time limit.
    limit_s : float, optional
        The longest that a call without a time limit may take; None: as long as it likes.

    Raises
    ------
    TimeoutError, SolverCrashedError
        From ``solve``.
    """

    name: ClassVar[str] = "isolated"

    def __init__(self, solver: Any, *, grace_s: float = 2.0, limit_s: float | None = None) -> None:
        self.solver = get_solver(solver)
        if not grace_s > 0 or (limit_s is not None and not limit_s > 0):
            raise ValueError(f"grace_s={grace_s}, limit_s={limit_s}; seconds > 0 are needed")
        if not self.solver.capabilities.picklable:
            raise ValueError(f"{_name(self.solver)} says that it cannot be pickled, so no other process can run it")
        self.name = f"isolated({_name(self.solver)})"  # type: ignore[misc]
        self.grace_s, self.limit_s = float(grace_s), limit_s
        self.capabilities = replace(self.solver.capabilities, thread_safe=False)
        self._executor: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_executor": None}

    def build(self, problem: Any, ask: Request) -> Any:
        return problem

    def call(self, model: Any, ask: Request) -> Solution:
        limits: dict[str, Any] = {"seed": ask.seed, "time_limit_s": ask.time_limit_s}
        if ask.num_reads is not None:
            limits["num_reads"] = ask.num_reads
        if ask.hint is not None:
            limits["hint"] = ask.hint
        patience = self.limit_s if ask.time_limit_s is None else ask.time_limit_s + self.grace_s
        target = getattr(model, "model", model)  # plain models travel as what they are
        answer = self._elsewhere(target, limits, patience)
        return rechecked(model, answer, self.solver)

    def decode(self, raw: Solution, problem: Any) -> Found:
        return Found(
            raw.candidates, raw.ending, raw.ended_by, gain_bound=raw.gain_bound, sampleset=raw.sampleset,
            message=raw.message, stats=dict(raw.stats),
        )  # fmt: skip

    def close(self) -> None:
        """End the process now; the next call starts another."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None

    def _elsewhere(self, problem: Any, limits: dict[str, Any], patience: float | None) -> Any:
        from concurrent.futures import TimeoutError as FutureTimeout
        from concurrent.futures.process import BrokenProcessPool

        from joblib.externals.loky import ProcessPoolExecutor

        if self._executor is None:
            self._executor = ProcessPoolExecutor(max_workers=1)
            self._executor.submit(_ready).result()  # imports are not the solver's time
        try:
            return self._executor.submit(_solve, self.solver, problem, limits).result(timeout=patience)
        except FutureTimeout:
            self.close()
            raise TimeoutError(f"{_name(self.solver)} was ended after {patience:g} s") from None
        except BrokenProcessPool as error:
            self.close()
            raise SolverCrashedError(f"the process of {_name(self.solver)} died: {error}") from error


def _ready() -> None:
    import qproj.solvers  # noqa: F401


def _solve(solver: Any, problem: Any, limits: dict[str, Any]) -> Any:
    return solver.solve(problem, **limits)


def _name(solver: Any) -> str:
    return str(getattr(solver, "name", type(solver).__name__))
