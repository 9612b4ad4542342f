"""The process that solves: takes batches from a socket, sends back one outcome a run; it may be killed at any time."""

from __future__ import annotations

import os
import pickle  # nosec B403: the parent process is the only other end
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from qproj.lab.studies.outcome import RAISED, Outcome, _line, perform
from qproj.lab.studies.plan import Limits, Plan, PlannedSolver, Run
from qproj.lab.studies.stored_problems import Arrays, arrays_of, problems_of
from qproj.solvers.redact import RedactedStream


@dataclass(frozen=True)
class Task:
    """What a worker needs for one batch, all by value.

    Attributes
    ----------
    solver : bytes
        Pickled; made anew in the worker where it is a spec.
    layer : mapping of arrays
        Of a layer (X, T), or of a model.
    runs : tuple of (key, neuron, Limits)
    warm_up : bool
        Solve a small problem first: compilation and imports are not a solver's time.
    """

    solver_text: str
    solver: bytes
    layer_key: str
    layer: Arrays
    runs: tuple[tuple[str, int, Limits], ...]
    warm_up: bool


def make_task(plan: Plan, runs: Sequence[Run], pickled: bytes | None = None) -> Task:
    """Return the task of runs that share a layer and a solver; `pickled` is that solver where it is known already."""
    solver, layer = plan.solvers[runs[0].solver], plan.instances[runs[0].instance]
    return Task(
        solver.text, pickled_by_value(solver) if pickled is None else pickled, layer.key, arrays_of(layer),
        tuple((run.key, run.neuron, run.limits) for run in runs), warm_up=not solver.costs_money,
    )  # fmt: skip


def pickled_by_value(solver: PlannedSolver) -> bytes:
    """Return a solver's spec, or the object itself, pickled together with classes of ``__main__`` and notebooks."""
    try:
        import cloudpickle  # type: ignore[import-untyped]
    except ImportError:  # joblib carried its own until 1.5
        from joblib.externals import cloudpickle
    data: bytes = cloudpickle.dumps(solver.spec if solver.spec is not None else solver.made)
    return data


def main(socket: int, lifeline: int) -> None:
    """Serve until the parent closes the socket."""
    threading.Thread(target=_die_with_parent, args=(lifeline,), daemon=True).start()
    sys.stdout, sys.stderr = RedactedStream(sys.stdout), RedactedStream(sys.stderr)
    connection = Connection(socket)
    solvers: dict[str, Any] = {}
    layers: dict[str, Any] = {}
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        serve(task, connection, solvers, layers)


def serve(task: Task, connection: Any, solvers: dict[str, Any], layers: dict[str, Any]) -> None:
    """Do one batch: say ("ready", seconds), then send ("done", Outcome) for each run."""
    start = time.perf_counter()
    setup_s: float | None = None
    try:
        if task.solver_text not in solvers:
            solvers[task.solver_text] = _make(task)
            setup_s = time.perf_counter() - start
        solver = solvers[task.solver_text]
        if task.layer_key not in layers:
            layers.clear()
            layers[task.layer_key] = problems_of(task.layer)
        layer = layers[task.layer_key]
    except Exception as error:
        text = _line(f"{type(error).__name__}: {error}")
        connection.send(("ready", time.perf_counter() - start))
        for key, _, _ in task.runs:
            connection.send(("done", Outcome(key, RAISED, f"the solver could not be made: {text}")))
        return
    connection.send(("ready", time.perf_counter() - start))
    for key, neuron, limits in task.runs:
        outcome = perform(key, layer[neuron], solver, limits)
        if setup_s is not None:  # paid once a process, told with its first run, never part of a run's time
            outcome, setup_s = replace(outcome, setup_s=setup_s), None
        connection.send(("done", outcome))


def _make(task: Task) -> Any:
    solver = pickle.loads(task.solver)  # nosec B301: see above
    made = solver.make() if hasattr(solver, "make") else solver
    if task.warm_up:
        _warm_up(made)
    return made


def _warm_up(solver: Any) -> None:
    """Solve one small problem that no sign pattern meets, so that every stage of a solver is compiled and loaded."""
    from qproj.projections import SignProjection

    rng = np.random.default_rng(0)
    problem = SignProjection(rng.choice([-1, 1], (26, 13)), rng.normal(size=26))
    limits = {"seed": 0, "time_limit_s": 0.2} if solver.capabilities.time_limit else {"seed": 0}
    if solver.capabilities.num_reads:
        limits["num_reads"] = 2
    try:
        solver.solve(problem, **limits)
    except Exception as error:  # its runs will say the same
        print(f"warm-up of {type(solver).__name__}: {error}", file=sys.stderr)


def _die_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)  # returns when the parent's end closes, however it ended
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
