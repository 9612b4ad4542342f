"""One process's work on a study: claim a batch, hand it to the worker pool, write each outcome as it comes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from qproj.lab.studies.dask_pool import ClusterPool
from qproj.lab.studies.environment import environment
from qproj.lab.studies.outcome import FAILURES, Outcome
from qproj.lab.studies.plan import PlannedRun, RunBatch, StudyPlan
from qproj.lab.studies.pool import WorkerPool
from qproj.lab.studies.store import StudyStore
from qproj.lab.studies.worker import Task, make_task, pickled_by_value

#: Seconds between looks at what another process on the same study has finished.
_POLL_S = 0.5
#: Seconds between signs of life, by which other processes know that this one's leases hold.
_BEAT_S = 30.0


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is.

    Attributes
    ----------
    total, done : int
        Runs of the plan, and those that have a row.
    failed : int
        Of the runs that this call finished.
    seconds_left : float or None
        None while no run is finished.
    solver : str
        Whose run was finished last.
    """

    total: int
    done: int
    failed: int
    seconds_left: float | None
    solver: str = ""


class StudySession:
    """Runs what a plan lacks in a study's folder; use as a context manager, inside that of its pool.

    Several processes may work on one folder: a batch is claimed before it is run.
    """

    def __init__(
        self, plan: StudyPlan, folder: Path, pool: WorkerPool | ClusterPool, *, retry_failed: bool = False,
        on_progress: Callable[[StudyProgress], None] | None = None,
    ) -> None:  # fmt: skip
        self.plan, self.pool, self.on_progress = plan, pool, on_progress
        self.store = StudyStore(folder, create=True)
        if retry_failed:
            self.store.delete(FAILURES)
        machines: dict[str, Any] = {"cluster": pool.machines} if isinstance(pool, ClusterPool) else {}
        self.ids = self.store.register(plan, environment(plan.seeds) | machines)
        self.by_key: dict[str, PlannedRun] = {run.key: run for run in plan.runs}
        self.finished = self.store.done() & self.by_key.keys()
        self.failed = 0
        self.todo: list[RunBatch] = [b for b in plan.batches if any(run.key not in self.finished for run in b.runs)]
        self.elsewhere: list[RunBatch] = []  # claimed by another process
        self.pickles: dict[int, bytes] = {}
        self.times: dict[int, tuple[float, int]] = {}
        self.left: Counter[int] = Counter()
        self._count_left()
        self.last_beat = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.store.close()

    def run(self) -> StudyProgress:
        """Run until all runs of the plan have rows, by this process or another."""
        self._report("")
        while True:
            for group in self.pool.run(self._next_task):
                self._keep(group)
            self.todo, self.elsewhere = [batch for batch in self.elsewhere if self._missing(batch)], []
            if not self.todo:
                return self._progress("")
            time.sleep(_POLL_S)
            self.finished = self.store.done() & self.by_key.keys()
            self._count_left()
            self._report("another process")

    def _next_task(self) -> Task | None:
        """Claim the next batch that no other process has."""
        while self.todo:
            batch = self.todo.pop(0)
            if not self._missing(batch):
                continue
            if not self.store.claim(batch.key):
                self.elsewhere.append(batch)
                continue
            runs = self._missing(batch)  # after the claim: another process may have finished it before
            if runs:
                number = runs[0].solver
                if number not in self.pickles:
                    self.pickles[number] = pickled_by_value(self.plan.solvers[number])
                return make_task(self.plan, runs, self.pickles[number])
        return None

    def _missing(self, batch: RunBatch) -> list[PlannedRun]:
        self.finished |= self.store.stored([run.key for run in batch.runs])
        return [run for run in batch.runs if run.key not in self.finished]

    def _keep(self, group: list[Outcome]) -> None:
        self.store.add(self.ids, [(self.by_key[outcome.key], outcome) for outcome in group])
        for outcome in group:
            number = self.by_key[outcome.key].solver
            self.left[number] -= outcome.key not in self.finished
            self.finished.add(outcome.key)
            self.failed += outcome.status in FAILURES
            spent, count = self.times.get(number, (0.0, 0))
            self.times[number] = (spent + (outcome.wall_s or 0.0), count + 1)
        if time.monotonic() - self.last_beat > _BEAT_S:
            self.store.heartbeat()
            self.last_beat = time.monotonic()
        self._report(self.plan.solvers[self.by_key[group[-1].key].solver].text)

    def _count_left(self) -> None:
        self.left = Counter(run.solver for key, run in self.by_key.items() if key not in self.finished)

    def _report(self, solver: str) -> None:
        if self.on_progress is not None:
            self.on_progress(self._progress(solver))

    def _progress(self, solver: str) -> StudyProgress:
        return StudyProgress(len(self.by_key), len(self.finished), self.failed, self._seconds_left(), solver)

    def _seconds_left(self) -> float | None:
        """Mean seconds of each solver's finished runs, times the runs it has left, shared among the workers."""
        left = {number: count for number, count in self.left.items() if count}
        if not left:
            return 0.0
        known = {number: spent / count for number, (spent, count) in self.times.items()}
        if not known:
            return None
        typical = sum(known.values()) / len(known)
        return sum(count * known.get(number, typical) for number, count in left.items()) / self.pool.size
