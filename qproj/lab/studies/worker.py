"""The process that solves: takes batches from a socket, sends one outcome per run; it may be killed at any time."""

from __future__ import annotations

import os
import pickle  # nosec B403: the parent process is the only other end
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from qproj.lab.studies.outcome import RAISED, Outcome, one_line, perform
from qproj.lab.studies.plan import PlannedRun, PlannedSolver, StudyPlan
from qproj.lab.studies.stored_problems import Instance
from qproj.projections import SignProjection
from qproj.solvers.builtin.warm import Group, needed, warm
from qproj.solvers.redact import RedactedStream
from qproj.solvers.specs import SolverSpec


@dataclass(frozen=True)
class Task:
    """One batch with everything that a worker needs for it, by value.

    Attributes
    ----------
    solver_text : str
        Its name: each worker makes the solver once for all tasks of that name.
    solver : bytes
        Pickled: a spec, or the solver itself.
    layer : LayerInstance or ModelInstance
    runs : tuple of PlannedRun
    warm_up : bool
        Solve a small problem first: compilation and imports are not a solver's time.
    record_progress : bool
        Keep the events of each search.
    """

    solver_text: str
    solver: bytes
    layer: Instance
    runs: tuple[PlannedRun, ...]
    warm_up: bool
    record_progress: bool = False


def make_task(plan: StudyPlan, runs: Sequence[PlannedRun], pickled: bytes | None = None) -> Task:
    """Return the task of runs that share a layer and a solver; `pickled` is that solver where it is known already."""
    solver, layer = plan.solvers[runs[0].solver], plan.instances[runs[0].instance]
    pickled = pickled_by_value(solver) if pickled is None else pickled
    return Task(
        solver.text, pickled, layer, tuple(runs), warm_up=not solver.costs_money, record_progress=plan.record_progress
    )


def pickled_by_value(solver: PlannedSolver) -> bytes:
    """Return a solver's spec, or the object itself, pickled together with classes of ``__main__`` and notebooks."""
    try:
        import cloudpickle  # type: ignore[import-untyped]
    except ImportError:  # joblib carried its own until 1.5
        from joblib.externals import cloudpickle
    data: bytes = cloudpickle.dumps(solver.spec if solver.spec is not None else solver.given)
    return data


def main(socket: int, lifeline: int) -> None:
    """Serve until the parent closes the socket, or dies."""
    threading.Thread(target=_die_with_parent, args=(lifeline,), daemon=True).start()
    sys.stdout, sys.stderr = RedactedStream(sys.stdout), RedactedStream(sys.stderr)
    connection = Connection(socket)
    bench = _Bench()
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        bench.serve(task, connection)


class _Bench:
    """The solvers that this process has made, each once, and the layer that it is at."""

    def __init__(self) -> None:
        self.solvers: dict[str, Any] = {}
        self.layer_key, self.problems = "", ()  # type: tuple[str, Sequence[Any]]

    def serve(self, task: Task, connection: Any) -> None:
        """Do one batch: send None when its solver is made, then the outcome of each run."""
        setup_s: float | None = None
        try:
            if task.solver_text not in self.solvers:
                start = time.perf_counter()
                self.solvers[task.solver_text] = _make(task)
                setup_s = time.perf_counter() - start
            solver = self.solvers[task.solver_text]
            if task.layer.key != self.layer_key:
                self.layer_key, self.problems = task.layer.key, task.layer.problems
        except Exception as error:
            text = one_line(f"the solver could not be made: {type(error).__name__}: {error}")
            connection.send(None)
            for run in task.runs:
                connection.send(Outcome(run.key, RAISED, text))
            return
        connection.send(None)
        for run in task.runs:
            problem, keep = self.problems[run.neuron], task.record_progress
            outcome = perform(run.key, problem, solver, run.limits, record_progress=keep)
            if setup_s is not None:  # paid once per process, stored with its first run, never part of a run's time
                outcome, setup_s = replace(outcome, setup_s=setup_s), None
            connection.send(outcome)


def groups_of(solvers: Iterable[PlannedSolver]) -> frozenset[Group]:
    """Return the groups of compiled code that a study's solvers may call; of a solver object, all of them."""
    names = ["auto" if solver.spec is None else solver.spec.base for solver in solvers]
    return needed(names)


def _make(task: Task) -> Any:
    solver = pickle.loads(task.solver)  # nosec B301: see above
    made = solver.make() if hasattr(solver, "make") else solver
    if task.warm_up:
        if isinstance(solver, SolverSpec) or type(made).__module__.startswith("qproj."):
            name = solver.base if isinstance(solver, SolverSpec) else "auto"
            for _ in warm(needed([name])):  # loads what is compiled already
                pass
        _warm_up(made)
    return made


def _warm_up(solver: Any) -> None:
    """Solve one small problem that no sign pattern meets, so that every stage of a solver is compiled and loaded."""
    rng = np.random.default_rng(0)
    problem = SignProjection(rng.choice([-1, 1], (26, 13)), rng.normal(size=26))
    limits = {"seed": 0, "time_limit_s": 0.2} if solver.capabilities.time_limit else {"seed": 0}
    if solver.capabilities.num_reads:
        limits["num_reads"] = 2
    try:
        solver.solve(problem, **limits)
    except Exception as error:  # its runs will fail in the same way, and have rows
        print(f"warm-up of {type(solver).__name__}: {error}", file=sys.stderr)


def _die_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)  # returns when the parent's end closes, however it ended
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
