"""Worker processes that can be ended: one that crashes or hangs costs one row, never the study.

No kept library does all of this on every machine: ``docs/decisions.md`` lists those that were tried.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Self

from qproj.lab.studies.outcome import CRASHED, HUNG, Outcome
from qproj.lab.studies.worker import Task

#: Seconds that importing a backend and compiling may take before a worker counts as hung.
START_S = 180.0
#: Seconds until the exit code of a process whose socket is closed must be there.
_EXIT_S = 2.0
#: Threads of numeric libraries in a worker: the cores belong to the workers.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


class WorkerPool:
    """`workers` processes, started as they are needed; use as a context manager.

    Parameters
    ----------
    workers : int
    grace_s : float
        A run is ended this long (or as long as its limit, if that is more) past its time limit.
    log : Path or None
        Where solvers' own printing goes; None drops it.
    """

    def __init__(self, workers: int, *, grace_s: float = 10.0, log: Path | None = None) -> None:
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
            raise ValueError(f"workers is {workers!r}; an integer ≥ 1 is needed")
        self.size, self.grace_s, self.log = workers, grace_s, log
        self._workers: list[_WorkerProcess] = []
        self._waiting: list[Task] = []  # the remaining runs of lost workers
        self._no_warm_up: set[str] = set()  # solvers whose warm-up ends the process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def run(self, next_task: Callable[[], Task | None]) -> Iterator[list[Outcome]]:
        """Yield outcomes as they come, in groups; `next_task` gives one more task, or None where there is none now.

        Ends when it gives None while no worker is busy.
        """
        while True:
            self._assign(next_task)
            busy = [worker for worker in self._workers if worker.task is not None]
            if busy:
                finished = self._collect(busy)
                if finished:
                    yield finished
            elif not self._waiting:
                return

    def close(self) -> None:
        """End every worker now."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._waiting.clear()

    def kill(self) -> None:
        """Kill the processes from another thread; the one that is in :meth:`run` finds them dead."""
        for worker in list(self._workers):
            worker.kill()

    def _assign(self, next_task: Callable[[], Task | None]) -> None:
        """Give every idle worker a task, starting processes up to the pool's size."""
        idle = [worker for worker in self._workers if worker.task is None]
        while idle or len(self._workers) < self.size:
            task = self._waiting.pop() if self._waiting else next_task()
            if task is None:
                return
            if task.solver_text in self._no_warm_up:
                task = replace(task, warm_up=False)
            worker = idle.pop() if idle else self._start()
            worker.begin(task)

    def _start(self) -> _WorkerProcess:
        worker = _WorkerProcess(self.log)
        self._workers.append(worker)
        return worker

    def _collect(self, busy: list[_WorkerProcess]) -> list[Outcome]:
        """Wait for the next message or deadline, and return the outcomes that it brings."""
        deadlines = [deadline for worker in busy if (deadline := worker.deadline(self.grace_s)) is not None]
        timeout = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        readable = set(wait([worker.connection for worker in busy], timeout))
        finished: list[Outcome] = []
        for worker in busy:
            if worker.connection in readable:
                outcomes, alive = worker.read()
                finished += outcomes
                if not alive:
                    finished += self._lost(worker, hung=False)
            else:
                deadline = worker.deadline(self.grace_s)
                if deadline is not None and time.monotonic() >= deadline:
                    finished += self._lost(worker, hung=True)
        return finished

    def _lost(self, worker: _WorkerProcess, *, hung: bool) -> list[Outcome]:
        """End a worker; its current run becomes one row, the rest of its task goes to another."""
        task, done, ready = worker.task, worker.done, worker.ready
        spent = time.monotonic() - worker.since
        self._workers.remove(worker)
        code = worker.end(wait_s=0.0 if hung else _EXIT_S)
        if task is None:
            return []
        if not ready and task.warm_up:  # the small problem may be at fault: the runs themselves decide
            self._no_warm_up.add(task.solver_text)
            self._waiting.append(replace(task, warm_up=False))
            return []
        if hung:
            status = HUNG
            text = f"ended after {spent:.1f} s, past its limit" if ready else f"not ready after {spent:.0f} s"
        else:
            status = CRASHED
            text = f"its process died ({_cause(code)})" + ("" if ready else " while the solver was made")
        lost = task.runs[done : done + 1] if ready else task.runs[done:]
        rest = task.runs[done + len(lost) :]
        if rest:
            self._waiting.append(replace(task, runs=rest))
        return [Outcome(run.key, status, text, wall_s=spent) for run in lost]


class _WorkerProcess:
    """A process that runs :mod:`qproj.lab.studies.worker`, and the task that it is at.

    A socket carries tasks there and messages back. The lifeline is a pipe that nothing is written to: its other end
    closes when this process ends, however it ends, and the worker then ends as well.
    """

    def __init__(self, log: Path | None) -> None:
        ours, theirs = socket.socketpair()
        read_end, self.lifeline = os.pipe()
        theirs.set_inheritable(True)
        os.set_inheritable(read_end, True)
        with contextlib.ExitStack() as stack:
            output = subprocess.DEVNULL if log is None else stack.enter_context(log.open("ab"))
            self.process = subprocess.Popen(
                [sys.executable, "-m", "qproj.lab.studies.worker", str(theirs.fileno()), str(read_end)],
                pass_fds=(theirs.fileno(), read_end),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is the parent's to handle
                env={**os.environ, **_ONE_THREAD},
            )
        theirs.close()
        os.close(read_end)
        self.connection = Connection(ours.detach())
        self.task: Task | None = None
        self.done, self.ready, self.since = 0, False, 0.0

    def begin(self, task: Task) -> None:
        """Send a task."""
        self.task, self.done, self.ready, self.since = task, 0, False, time.monotonic()
        with contextlib.suppress(OSError):  # a dead process is noticed when its answer is read
            self.connection.send(task)

    def deadline(self, grace_s: float) -> float | None:
        """When the process counts as hung, on the monotonic clock; None: never."""
        if self.task is None:
            return None
        if not self.ready:
            return self.since + START_S
        limit = self.task.runs[self.done].limits.time_limit_s
        return None if limit is None else self.since + limit + max(grace_s, limit)

    def read(self) -> tuple[list[Outcome], bool]:
        """Return the outcomes that have come, and whether the process lives."""
        finished: list[Outcome] = []
        try:
            while self.task is not None and self.connection.poll():
                outcome: Outcome | None = self.connection.recv()
                self.since = time.monotonic()
                if outcome is None:  # the solver is made, and the first run begins
                    self.ready = True
                    continue
                finished.append(outcome)
                self.done += 1
                if self.done == len(self.task.runs):
                    self.task = None
        except (EOFError, OSError):
            return finished, False
        return finished, True

    def end(self, *, wait_s: float = 0.0) -> int:
        """End the process, `wait_s` later where it does not end by itself, and its children; return its exit code."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=wait_s)
        code = self.process.poll()
        self.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            self.connection.close()
        with contextlib.suppress(OSError):
            os.close(self.lifeline)
        return self.process.returncode if code is None else code

    def kill(self) -> None:
        """Kill the process and whatever it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
