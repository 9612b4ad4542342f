"""Training runs and tuning trials, kept small: benchmarks/results/training/, a file a study and experiment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import commit, machine
from qproj.lab.training import loop, on_functions
from qproj.lab.training.data import Data, load
from qproj.lab.training.settings import Config

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks" / "results" / "training"
CHECKPOINTS = ROOT / "build" / "training"
#: Experiments whose runs take minutes.
LONG = ("mnist-10-long",)
#: What is kept of a record; of its history only the accuracy that trials are chosen by.
KEPT = (
    "experiment", "optimizer", "seed", "test_accuracy", "best_val_test_accuracy", "val_accuracy", "seconds",
    "binary_parameters", "float_parameters", "steps", "epochs", "settings", "solver", "weights_sha256", "key",
)  # fmt: skip
#: What is kept of a trial: what the choice among trials needs, and its cost.
_TRIAL = ("optimizer", "seed", "test_accuracy", "seconds", "steps", "settings", "key")
#: Kept of those that have them.
_MORE = ("mean_gap", "mean_audit_gap", "projection_share", "batches")


@dataclass(frozen=True)
class Job:
    """One run of a study: `label` tells its runs apart where the optimiser's name does not.

    With `audit`, every so-many-th projection is solved exactly too, and its gap kept.
    """

    study: str
    label: str
    config: Config
    audit: int = 0

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.study}-{self.config.experiment.name}.json"


def stored(study: str, experiment: str) -> list[dict[str, Any]]:
    """Return the stored runs of a study and experiment; none where there is no file."""
    file = FOLDER / f"{study}-{experiment}.json"
    return json.loads(file.read_text())["runs"] if file.exists() else []


def records(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return the stored runs of these jobs, in their order; those that are missing are left out."""
    found: dict[Path, dict[str, dict[str, Any]]] = {}
    for job in jobs:
        if job.file not in found:
            found[job.file] = {run["key"]: run for run in stored(job.study, job.config.experiment.name)}
    return [
        {**found[job.file][job.config.key], "label": job.label} for job in jobs if job.config.key in found[job.file]
    ]


def complete(jobs: Sequence[Job]) -> int:
    """Run what is not stored, each run kept as soon as it is over; returns how many were run.

    A run of minutes that was stopped continues from its checkpoint in build/training, which
    git does not see.
    """
    done, last = 0, None
    data: Data | None = None
    for job in jobs:
        if records([job]):
            continue
        config = job.config
        if config.experiment.kind == "function":
            _keep(job, on_functions.run(config))
            done += 1
            continue
        what = (config.experiment, config.tuning, config.seed if config.tuning or config.experiment.shots else 0)
        if what != last:
            data, last = load(config.experiment, tuning=config.tuning, seed=config.seed), what
        folder = CHECKPOINTS if config.experiment.name in LONG else None
        _keep(job, loop.run(config, folder, checkpoint_s=60.0, data=data, audit=job.audit))
        done += 1
    return done


def _keep(job: Job, record: dict[str, Any]) -> None:
    # as short as the choice among trials, or a table, allows
    run = {name: record[name] for name in (_TRIAL if job.config.tuning else KEPT)}
    if "figures" in record:
        run["figures"] = record["figures"]
        run["history"] = record["history"]
    elif job.config.tuning:
        run["history"] = [{"test": round(row["test"], 5)} for row in record["history"]]
    else:
        run.update({name: record[name] for name in _MORE if name in record})
        run["history"] = [
            {"step": row["step"], "seconds": row["seconds"], "test": round(row["test"], 5)} for row in record["history"]
        ]
    run["commit"] = commit()
    others = [one for one in stored(job.study, job.config.experiment.name) if one["key"] != run["key"]]
    FOLDER.mkdir(parents=True, exist_ok=True)
    at = {name: value for name, value in machine().items() if name != "load"}
    _write(job.file, at, [*others, run])


def prune(jobs: Iterable[Job]) -> int:
    """Drop stored runs that belong to none of these jobs, files that hold no others too; returns how many."""
    wanted: dict[Path, set[str]] = {}
    for job in jobs:
        wanted.setdefault(job.file, set()).add(job.config.key)
    dropped = 0
    for file in sorted(FOLDER.glob("*.json")):
        content = json.loads(file.read_text())
        if "runs" not in content:
            continue
        kept = [run for run in content["runs"] if run["key"] in wanted.get(file, ())]
        dropped += len(content["runs"]) - len(kept)
        if not kept:
            file.unlink()
        elif len(kept) < len(content["runs"]):
            _write(file, content["machine"], kept)
    return dropped


def _write(file: Path, at: dict[str, Any], runs: Sequence[dict[str, Any]]) -> None:
    lines = ",\n".join(json.dumps(one) for one in runs)
    part = file.with_suffix(".part")  # a run that is cut short, or read meanwhile, loses nothing
    part.write_text(f'{{"machine": {json.dumps(at)},\n"runs": [\n{lines}\n]}}\n')
    part.replace(file)
