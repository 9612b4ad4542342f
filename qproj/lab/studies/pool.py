"""Worker processes that can be ended: one that crashes or hangs costs one row, never the study."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Self

from qproj.lab.studies.outcome import CRASHED, HUNG, Outcome
from qproj.lab.studies.worker import Task

#: Seconds that importing a backend and compiling may take before a worker counts as hung.
START_S = 180.0
#: Threads of numeric libraries in a worker: the cores belong to the workers.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


@dataclass
class _WorkerProcess:
    process: subprocess.Popen[bytes]
    connection: Connection
    lifeline: int
    task: Task | None = None
    done: int = 0
    ready: bool = False
    since: float = 0.0

    def deadline(self, grace_s: float) -> float | None:
        """When it counts as hung, on the monotonic clock."""
        if self.task is None:
            return None
        if not self.ready:
            return self.since + START_S
        limit = self.task.runs[self.done].limits.time_limit_s
        return None if limit is None else self.since + limit + max(grace_s, limit)


class WorkerPool:
    """`workers` processes; use as a context manager.

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
        self._cold: set[str] = set()  # solvers that a warm-up ends
        self.start_seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, next_task: Callable[[], Task | None]) -> Iterator[list[Outcome]]:
        """Yield outcomes as they come, in groups; `next_task` gives one more task, or None where there is none now.

        Ends when it gives None while no worker is busy.
        """
        waiting: list[Task] = []
        while True:
            for worker in self._idle():
                task = waiting.pop() if waiting else next_task()
                if task is None:
                    break
                self._assign(worker, task)
            busy = [worker for worker in self._workers if worker.task is not None]
            if not busy:
                if not waiting:
                    return
                continue
            finished = self._collect(busy, waiting)
            if finished:
                yield finished

    def close(self) -> None:
        """End every worker now."""
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()

    def _idle(self) -> Iterator[_WorkerProcess]:
        """Yield workers without a task, starting new processes up to the pool's size."""
        yield from [worker for worker in self._workers if worker.task is None]
        while len(self._workers) < self.size:
            worker = self._start()
            self._workers.append(worker)
            yield worker
            if worker.task is None:  # it was not needed
                return

    def _start(self) -> _WorkerProcess:
        ours, theirs = socket.socketpair()
        read_end, write_end = os.pipe()
        theirs.set_inheritable(True)
        os.set_inheritable(read_end, True)
        with contextlib.ExitStack() as stack:
            output = subprocess.DEVNULL if self.log is None else stack.enter_context(self.log.open("ab"))
            process = subprocess.Popen(
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
        return _WorkerProcess(process, Connection(ours.detach()), write_end)

    def _assign(self, worker: _WorkerProcess, task: Task) -> None:
        if task.solver_text in self._cold:
            task = replace(task, warm_up=False)
        worker.task, worker.done, worker.ready, worker.since = task, 0, False, time.monotonic()
        with contextlib.suppress(OSError):  # a dead worker is found when its answer is read
            worker.connection.send(task)

    def _collect(self, busy: list[_WorkerProcess], waiting: list[Task]) -> list[Outcome]:
        deadlines = [d for worker in busy if (d := worker.deadline(self.grace_s)) is not None]
        timeout = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
        spoken = set(wait([worker.connection for worker in busy], timeout))
        finished: list[Outcome] = []
        for worker in busy:
            if worker.connection in spoken:
                finished += self._read(worker, waiting)
            else:
                deadline = worker.deadline(self.grace_s)
                if deadline is not None and time.monotonic() >= deadline:
                    finished += self._lost(worker, waiting, hung=True)
        return finished

    def _read(self, worker: _WorkerProcess, waiting: list[Task]) -> list[Outcome]:
        finished: list[Outcome] = []
        try:
            while worker.task is not None and worker.connection.poll():
                kind, value = worker.connection.recv()
                worker.since = time.monotonic()
                if kind == "ready":
                    worker.ready = True
                    self.start_seconds += value
                    continue
                finished.append(value)
                worker.done += 1
                if worker.done == len(worker.task.runs):
                    worker.task = None
        except (EOFError, OSError):
            finished += self._lost(worker, waiting, hung=False)
        return finished

    def _lost(self, worker: _WorkerProcess, waiting: list[Task], *, hung: bool) -> list[Outcome]:
        """End a worker; its current run becomes a row, the rest of its task goes to another."""
        task, done, ready = worker.task, worker.done, worker.ready
        self._workers.remove(worker)
        code = self._end(worker, died=not hung)
        if task is None:
            return []
        spent = time.monotonic() - worker.since
        if hung:
            text = f"ended after {spent:.1f} s, past its limit" if ready else f"not ready after {spent:.0f} s"
        else:
            text = f"its process died ({_cause(code)})" + ("" if ready else " while the solver was made")
        status = HUNG if hung else CRASHED
        if not ready and task.warm_up:  # the small problem may be at fault: the runs themselves decide
            self._cold.add(task.solver_text)
            waiting.append(replace(task, warm_up=False))
            return []
        lost = task.runs[done:] if not ready else task.runs[done : done + 1]
        rest = task.runs[done + len(lost) :]
        if rest:
            waiting.append(replace(task, runs=rest))
        return [Outcome(run.key, status, text, wall_s=spent) for run in lost]

    def _end(self, worker: _WorkerProcess, *, died: bool = False) -> int:
        """End a worker and whatever it started; return its exit code."""
        if died:  # its socket is closed: the exit code follows
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(timeout=2.0)
        code = worker.process.poll()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
        with contextlib.suppress(OSError):
            worker.connection.close()
        with contextlib.suppress(OSError):
            os.close(worker.lifeline)
        return worker.process.returncode if code is None else code


def kill(pool: WorkerPool) -> None:
    """End what a pool's processes are at, from another thread; the pool itself finds them dead."""
    for worker in list(pool._workers):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
