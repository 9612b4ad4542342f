"""A study: solvers on the same neurons within the same budgets; :func:`run` does the missing runs and reads all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qproj.lab.studies.dask_pool import ClusterPool
from qproj.lab.studies.estimate import Estimate, estimate
from qproj.lab.studies.neurons import load_instances
from qproj.lab.studies.plan import StudyPlan, make_plan
from qproj.lab.studies.pool import WorkerPool
from qproj.lab.studies.results import Results
from qproj.lab.studies.running import StudyProgress, StudySession
from qproj.lab.studies.stored_problems import Instance
from qproj.lab.studies.study_export import read_frame
from qproj.lab.studies.training_cost import TrainingPlan, run_training
from qproj.lab.studies.tuning_plan import TuningPlan, require_fixed_encoding, write_tuning
from qproj.lab.studies.worker import groups_of
from qproj.solvers.builtin.warm import compile_ahead
from qproj.solvers.specs import SolverSpec, parse_solvers

if TYPE_CHECKING:
    import polars


class Study:
    """Solvers × neurons × encodings × budgets × seeds, in a folder with one row per finished run.

    Making a study loads its neurons and checks every name and limit; nothing is run or written yet. In the folder of
    an earlier study, only the missing runs are run.

    Parameters
    ----------
    out : path
        The study's folder; made by the first run.
    instances : sequence of LayerInstance, ModelInstance or str
        Layers, models, names of sources ("digits", …) and paths of npz and QUBO files.
    solvers : str, or sequence of str, SolverSpec or Solver
        As after ``qproj compare --solvers``, or solver objects, which reach the workers by value.
    encodings, reads, time_limits_s, seeds, nulls, record_progress
        See :func:`qproj.lab.studies.plan.make_plan`.
    max_neurons : int, optional
        Neurons of each source, shared by its layers.
    instance_seed : int
        Of training or generating the layers.
    training : TrainingPlan, optional
        What :func:`run` trains after the runs.
    tuning : sequence of TuningPlan
        Solvers whose settings are run like solvers of their own, and judged on unseen neurons.

    Raises
    ------
    ValueError, TypeError
        An unknown source, solver or encoding (the nearest is offered), limits that no solver takes, no run at all.
    FileNotFoundError
        A file of neurons is missing, or a data set that is neither on this machine nor to be downloaded.
    MissingPackageError, MissingTokenError, MissingLicenceError
        A solver's backend cannot be used here.

    Examples
    --------
    >>> study = Study("compared", ["random:n=8,d=5,neurons=4"], ["auto", "sign"], seeds=1)
    >>> study.plan.num_runs
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
        training: TrainingPlan | None = None,
        record_progress: bool = False,
        tuning: Sequence[TuningPlan] = (),
    ) -> None:
        self.folder, self.training, self.tuning = Path(out), training, tuple(tuning)
        require_fixed_encoding(self.tuning, encodings)
        settings = [spec for plan in self.tuning for spec in plan.specs]
        self.plan: StudyPlan = make_plan(
            load_instances(instances, max_neurons=max_neurons, seed=instance_seed),
            _specs(solvers) + settings, encodings=encodings, reads=reads, time_limits_s=time_limits_s, seeds=seeds,
            nulls=nulls, record_progress=record_progress,
        )  # fmt: skip

    def run(
        self,
        *,
        workers: int = 2,
        dask: Any = None,
        grace_s: float = 10.0,
        retry_failed: bool = False,
        on_progress: Callable[[StudyProgress], None] | None = None,
        on_compile: Callable[[str], None] | None = None,
    ) -> StudyProgress:
        """Do the missing runs and return how far the study is; Ctrl-C or a kill loses no finished row.

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
        on_compile : callable, optional
            Called with each part of the built-in searches that is compiled before the first run, once per machine.

        Raises
        ------
        OSError
            The disk is full or the folder cannot be written; finished rows are kept.
        ConnectionError
            No Dask scheduler answers, or the cluster went away.
        """
        if dask is None:  # the machines of a cluster compile in their own workers
            compile_ahead(groups_of(self.plan.solvers), on_compile)
        pool = WorkerPool(workers, grace_s=grace_s, log=self.folder / "log.txt") if dask is None else None
        with (
            pool or ClusterPool(dask, grace_s=grace_s) as opened,
            StudySession(self.plan, self.folder, opened, retry_failed=retry_failed, on_progress=on_progress) as session,
        ):
            if self.tuning:
                write_tuning(self.folder, self.tuning)
            return session.run()

    def estimate(self, *, workers: int = 2, probe: bool = True) -> list[Estimate]:
        """Return what the missing runs will take, solver by solver; see :func:`qproj.lab.studies.estimate.estimate`."""
        return estimate(self.plan, self.folder, workers=workers, probe=probe)

    @property
    def frame(self) -> polars.DataFrame:
        """Every stored run as a polars frame; see ``docs/reference/metrics.md`` for its columns."""
        return read_frame(self.folder)


def run(
    study: Study | str | Path,
    out: str | Path = "study",
    *,
    workers: int = 0,
    dask: Any = None,
    grace_s: float | None = None,
    retry_failed: bool = False,
    on_progress: Callable[[StudyProgress], None] | None = None,
    on_training: Callable[[int, int], None] | None = None,
    on_compile: Callable[[str], None] | None = None,
) -> Results:
    """Do a study's missing runs, its training included, and return its results; ``qproj compare`` calls this.

    Parameters
    ----------
    study : Study or path
        A study, or a study file (.toml, .yaml).
    out : path
        The folder of a study file's results; a :class:`Study` has its own.
    workers : int
        Processes; 0: as many as the study file states, else one per core.
    grace_s : float, optional
        A run is ended this long past its time limit; None: as the study file states, else 10.
    dask, retry_failed, on_progress, on_compile
        See :meth:`Study.run`.
    on_training : callable, optional
        Called with (training runs done, all training runs).

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        A mistake in the study file (with its line) or in the study, before any run.
    OSError, ConnectionError
        See :meth:`Study.run`. A solver that fails raises nothing: its rows have the error.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = run(Study(folder, ["random:n=8,d=5,neurons=2"], "sign", seeds=1), workers=1)
    >>> [(line.label, line.runs, line.failed) for line in results.lines]
    [('sign', 2, 0)]
    """
    if not isinstance(study, Study):
        from qproj.lab.studies.study_file import read_study_file

        content = read_study_file(study)
        study, workers = Study(out, **content.study()), workers or content.workers
        grace_s = content.grace_s if grace_s is None else grace_s
    study.run(
        workers=workers or cores(), dask=dask, grace_s=10.0 if grace_s is None else grace_s, retry_failed=retry_failed,
        on_progress=on_progress, on_compile=on_compile,
    )  # fmt: skip
    if study.training is not None:
        run_training(study.training, study.folder, watch=on_training)
    return Results.read(study.folder)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _specs(solvers: Sequence[Any] | str) -> list[SolverSpec | Any]:
    specs: list[SolverSpec | Any] = []
    for solver in [solvers] if isinstance(solvers, str) else solvers:
        specs += parse_solvers(solver) if isinstance(solver, str) else [solver]
    return specs
