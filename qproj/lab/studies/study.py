"""A study: a plan, its file, and the loop that runs what is missing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from qproj.lab.studies.dask_pool import ClusterPool
from qproj.lab.studies.environment import environment
from qproj.lab.studies.estimate import Estimate, estimate
from qproj.lab.studies.export import read_frame
from qproj.lab.studies.neurons import load_instances
from qproj.lab.studies.outcome import FAILURES, Outcome
from qproj.lab.studies.plan import Batch, Plan, Run, make_plan
from qproj.lab.studies.pool import Pool
from qproj.lab.studies.store import Store
from qproj.lab.studies.stored_problems import Instance
from qproj.lab.studies.worker import Task, make_task, pickled_by_value
from qproj.solvers.specs import SolverSpec, parse_solvers

if TYPE_CHECKING:
    import polars

#: Seconds between looks at what another process on the same study has finished.
_POLL_S = 0.5
_BEAT_S = 30.0


@dataclass(frozen=True)
class Progress:
    """How far a study is: runs in the plan, finished, failed among the finished, seconds left as far as is known."""

    total: int
    done: int
    failed: int
    seconds_left: float | None
    solver: str = ""


class Study:
    """Solvers × layers × encodings × budgets × seeds, one row a run, in one file that survives anything.

    Parameters
    ----------
    out : path
        The study's folder; an existing study goes on, and only what is missing is run.
    instances : sequence of LayerInstance, ModelInstance or str
        Layers, models, names of sources ("digits", …) and paths of npz and QUBO files.
    solvers : sequence of str, SolverSpec or Solver
    encodings, reads, time_limits_s, seeds, nulls
        See :func:`qproj.lab.studies.plan.make_plan`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = Study(folder, ["random"], ["auto", "sign"], max_neurons=4, seeds=1, time_limits_s=[1.0])
    ...     study.plan.num_runs
    8
    """

    def __init__(
        self,
        out: str | Path,
        instances: Sequence[Instance | str],
        solvers: Sequence[Any] | str,
        *,
        encodings: Sequence[str] = (),
        reads: Sequence[int | None] = (100,),
        time_limits_s: Sequence[float | None] = (5.0,),
        seeds: int | Sequence[int] = 3,
        nulls: bool = True,
        max_neurons: int | None = None,
        instance_seed: int = 0,
    ) -> None:
        self.folder = Path(out)
        self.plan: Plan = make_plan(
            load_instances(instances, max_neurons=max_neurons, seed=instance_seed),
            _specs(solvers), encodings=encodings, reads=reads, time_limits_s=time_limits_s, seeds=seeds, nulls=nulls,
        )  # fmt: skip

    def run(
        self,
        *,
        workers: int = 2,
        dask: Any = None,
        grace_s: float = 10.0,
        retry_failed: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Progress:
        """Run what is missing and return how it ended; Ctrl-C or a kill loses no finished row.

        Parameters
        ----------
        workers : int
            Processes; results do not depend on it where no clock cuts a search.
        dask : str or distributed.Client, optional
            Scheduler of a Dask cluster, such as "tcp://host:8786", which runs everything instead of `workers`.
        grace_s : float
            A run is ended this long past its time limit.
        retry_failed : bool
            Run failed rows again.
        on_progress : callable, optional
            Called after every transaction.
        """
        with _Session(self, workers, grace_s, retry_failed, on_progress, dask=dask) as session:
            return session.run()

    def estimate(self, *, workers: int = 2, probe: bool = True) -> list[Estimate]:
        """Return what the missing runs will take, solver by solver; see :func:`qproj.lab.studies.estimate.estimate`."""
        return estimate(self.plan, self.folder, workers=workers, probe=probe)

    @property
    def frame(self) -> polars.DataFrame:
        """Every stored run as a polars frame; see ``docs/reference/metrics.md`` for its columns."""
        return read_frame(self.folder)


class _Session:
    """One process's work on a study."""

    def __init__(
        self, study: Study, workers: int, grace_s: float, retry_failed: bool,
        on_progress: Callable[[Progress], None] | None, *, dask: Any = None,
    ) -> None:  # fmt: skip
        self.plan, self.on_progress = study.plan, on_progress
        self.pool = _pool(workers, dask, grace_s, study.folder)
        self.store = Store(study.folder, create=True)
        if retry_failed:
            self.store.forget(FAILURES)
        machines = {"cluster": self.pool.machines} if isinstance(self.pool, ClusterPool) else {}
        self.ids = self.store.register(self.plan, environment(list(self.plan.seeds)) | machines)
        self.by_key: dict[str, Run] = {run.key: run for run in self.plan.runs}
        self.finished = self.store.done() & self.by_key.keys()
        self.failed = 0
        self.todo: list[Batch] = [b for b in self.plan.batches if any(r.key not in self.finished for r in b.runs)]
        self.passed: list[Batch] = []  # held by another process
        self.pickles: dict[int, bytes] = {}
        self.times: dict[int, tuple[float, int]] = {}
        self.left: Counter[int] = Counter()
        self._count_left()
        self.last_beat = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.close()
        self.store.close()

    def run(self) -> Progress:
        self._tell("")
        while True:
            for group in self.pool.run(self._next):
                self._keep(group)
            self.todo, self.passed = [b for b in self.passed if self._missing(b)], []
            if not self.todo:
                break
            time.sleep(_POLL_S)
            self._look()
        return self.progress

    @property
    def progress(self) -> Progress:
        return Progress(len(self.by_key), len(self.finished), self.failed, self._seconds_left())

    def _next(self) -> Task | None:
        """Claim the next batch that no other process has."""
        while self.todo:
            batch = self.todo.pop(0)
            if not self._missing(batch):
                continue
            if not self.store.claim(batch.key):
                self.passed.append(batch)
                continue
            runs = self._missing(batch)  # after the claim: another process may have finished it before
            if runs:
                return self._task(runs)
        return None

    def _missing(self, batch: Batch) -> list[Run]:
        self.finished |= self.store.have([run.key for run in batch.runs])
        return [run for run in batch.runs if run.key not in self.finished]

    def _task(self, runs: list[Run]) -> Task:
        number = runs[0].solver
        if number not in self.pickles:
            self.pickles[number] = pickled_by_value(self.plan.solvers[number])
        return make_task(self.plan, runs, self.pickles[number])

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
            self.store.beat()
            self.last_beat = time.monotonic()
        self._tell(self.plan.solvers[self.by_key[group[-1].key].solver].text)

    def _count_left(self) -> None:
        self.left = Counter(run.solver for key, run in self.by_key.items() if key not in self.finished)

    def _look(self) -> None:
        self.finished = self.store.done() & self.by_key.keys()
        self._count_left()
        self._tell("another process")

    def _tell(self, solver: str) -> None:
        if self.on_progress is not None:
            now = self.progress
            self.on_progress(Progress(now.total, now.done, now.failed, now.seconds_left, solver))

    def _seconds_left(self) -> float | None:
        """Mean seconds of each solver's finished runs, times what it has left, shared among the workers."""
        left = {number: count for number, count in self.left.items() if count}
        if not left:
            return 0.0
        known = {number: spent / count for number, (spent, count) in self.times.items()}
        if not known:
            return None
        typical = sum(known.values()) / len(known)
        return sum(count * known.get(number, typical) for number, count in left.items()) / self.pool.size


def _pool(workers: int, dask: Any, grace_s: float, folder: Path) -> Pool | ClusterPool:
    if dask is not None:
        return ClusterPool(dask, grace_s=grace_s)
    return Pool(workers, grace_s=grace_s, log=folder / "log.txt")


def _specs(solvers: Sequence[Any] | str) -> list[SolverSpec | Any]:
    if isinstance(solvers, str):
        return list(parse_solvers(solvers))
    specs: list[SolverSpec | Any] = []
    for solver in solvers:
        specs += parse_solvers(solver) if isinstance(solver, str) else [solver]
    return specs
