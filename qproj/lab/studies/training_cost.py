"""The cost of a worse projection in training: the same run with each solver, accuracy beside the gap."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qproj._extras import install_hint
from qproj.solvers.contract import MissingPackageError
from qproj.solvers.specs import SolverSpec

#: Below a study's folder: the runs with their weights, and the plan.
FOLDER, FILE = "training", "training.json"


@dataclass(frozen=True)
class TrainingPlan:
    """Experiments × solvers × seeds, all else equal.

    Attributes
    ----------
    experiments : tuple of str
        Names that `qproj train` knows.
    solvers : tuple of str
        Registered names.
    optimizer : str
        "projected" or "qpsbgd".
    seeds : tuple of int
    epochs : int or None
        None: each experiment's own.
    settings : mapping
        Of the optimiser; empty: the tuned ones of `qproj train`.
    """

    experiments: tuple[str, ...]
    solvers: tuple[str, ...]
    optimizer: str = "projected"
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_runs(self) -> int:
        """Number of training runs."""
        return len(self.experiments) * len(self.solvers) * len(self.seeds)


def plain_solvers(specs: Sequence[SolverSpec | Any], *, nulls: bool) -> tuple[str, ...]:
    """Return the names that training uses: solvers without options or wrappers, and the null model.

    Raises
    ------
    ValueError
        None of them is plain.
    """
    names = [spec.name for spec in specs if isinstance(spec, SolverSpec) and spec.inner is None and not spec.options]
    if not names:
        raise ValueError("training takes solvers by plain name, such as 'auto' or 'sa'; name at least one")
    return tuple(dict.fromkeys([*names, "random"] if nulls else names))


def run_training(
    plan: TrainingPlan, folder: Path, *, watch: Callable[[int, int], None] | None = None
) -> list[dict[str, Any]]:
    """Do the training runs that are missing and return all records; `watch` is called with (runs done, runs).

    Raises
    ------
    MissingPackageError
        torch is not installed.
    ValueError
        An unknown experiment, optimiser or setting.
    """
    configs = check_training(plan)
    from qproj.lab.training.session import run_all
    from qproj.lab.training.warm_up import warm_up

    warm_up(configs)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(asdict(plan), indent=1) + "\n", encoding="utf-8")
    report = None if watch is None else lambda now: watch(now.done, now.runs)
    return run_all(configs, folder / FOLDER, watch=report)


def check_training(plan: TrainingPlan) -> list[Any]:
    """Return the configurations of all runs; a mistake is refused here, before anything is trained."""
    if find_spec("torch") is None:
        raise MissingPackageError(f"training needs torch; {install_hint('torch')}")
    from qproj.lab.training.experiments import check_optimizer, get_experiment
    from qproj.lab.training.session import plan as configurations
    from qproj.lab.training.settings import Settings, projects

    if not projects(check_optimizer(plan.optimizer)):
        raise ValueError(f"{plan.optimizer!r} projects nothing, so that no solver matters; 'projected' or 'qpsbgd'")
    settings = {plan.optimizer: Settings.of(plan.optimizer, plan.settings)} if plan.settings else None
    found: list[Any] = []
    for name in plan.experiments:
        experiment = get_experiment(name, epochs=plan.epochs)
        for solver in plan.solvers:
            found += configurations(experiment, [plan.optimizer], plan.seeds, solver=solver, settings=settings)
    return found


def read_training(folder: Path) -> list[dict[str, Any]]:
    """Return the records of the training runs that a study's folder holds; none where it has no training."""
    if not (folder / FILE).is_file():
        return []
    from qproj.lab.training.run_folder import Store

    return [
        {name: record.get(name) for name in (
            "experiment", "optimizer", "solver", "seed", "test_accuracy", "val_accuracy", "seconds", "projection_share",
            "steps", "epochs", "settings", "history",
        )}
        for record in Store(folder / FOLDER).all()
    ]  # fmt: skip


@dataclass(frozen=True)
class TrainingLine:
    """One experiment with one solver: mean and standard deviation over seeds.

    Attributes
    ----------
    accuracy, deviation : float
        On test rows, at the end.
    gap : float
        Mean over the run's projections, each solver's to its own bound: not comparable between solvers with
        different bounds. Compare by the gap on the study's neurons.
    share : float
        Of the run's seconds that went into projections.
    """

    experiment: str
    solver: str
    seeds: int
    accuracy: float
    deviation: float
    gap: float
    seconds: float
    share: float


def training_lines(records: Sequence[Mapping[str, Any]]) -> list[TrainingLine]:
    """Return one line per experiment and solver, best accuracy first within an experiment."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in records:
        if record["test_accuracy"] is not None:
            groups.setdefault((record["experiment"], str(record["solver"])), []).append(record)
    lines = []
    for (experiment, solver), own in groups.items():
        accuracies = [float(record["test_accuracy"]) for record in own]
        gaps = [row["gap"] for record in own for row in record["history"] if row.get("gap") is not None]
        lines.append(
            TrainingLine(
                experiment, solver, len(own), statistics.fmean(accuracies),
                statistics.stdev(accuracies) if len(own) > 1 else float("nan"),
                statistics.fmean(gaps) if gaps else float("nan"),
                statistics.fmean(float(record["seconds"]) for record in own),
                statistics.fmean(float(record["projection_share"] or 0.0) for record in own),
            )
        )  # fmt: skip
    return sorted(lines, key=lambda line: (line.experiment, -line.accuracy))
