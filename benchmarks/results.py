"""Rewrite docs/results.md from stored training runs; run what is missing on request.

python -m benchmarks.results                      the page and its plot, from what is stored
python -m benchmarks.results --tune [NAME …]      missing trials, then qproj/lab/training/presets.toml
python -m benchmarks.results --run [NAME …]       missing runs of experiments (all without a name)
python -m benchmarks.results --studies [NAME …]   missing runs of functions, steps, ablation, solvers,
                                                  curvature-solvers, splits
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterable
from typing import Any

from benchmarks import training_page, training_plots, training_suite
from benchmarks.training_store import FOLDER, ROOT, Job, complete, prune, records
from qproj.lab.training import on_functions
from qproj.lab.training.experiments import get_experiment
from qproj.lab.training.tuning import best

PRESETS = ROOT / "qproj" / "lab" / "training" / "presets.toml"
STUDIES = {
    "functions": training_suite.function_jobs, "steps": training_suite.all_steps, "ablation": training_suite.ablations,
    "solvers": training_suite.solvers, "curvature-solvers": training_suite.curvature_solvers,
    "splits": lambda: [job for name in training_suite.CITATIONS for job in training_suite.splits(name)],
}  # fmt: skip
MARK = "# Tuned on validation rows"


def tune(names: Iterable[str]) -> None:
    """Run the missing trials, and write the best of every optimiser to presets.toml."""
    for name in names:
        if name in training_suite.FUNCTIONS:
            _tune_function(name)
            continue
        jobs = training_suite.tuning(name)
        print(f"{name}: {complete(jobs)} of {len(jobs)} trials run", flush=True)
    write_presets()


def _tune_function(name: str) -> None:
    """Choose step size and momentum of every optimiser, and keep the choice; what is kept is not chosen again."""
    file, experiment = FOLDER / f"tuned-{name}.json", get_experiment(name)
    kept = json.loads(file.read_text()) if file.exists() else {}
    for optimizer in training_suite.compared(name):
        if optimizer not in kept:
            kept[optimizer] = on_functions.tune(experiment, optimizer).used(optimizer)
            file.write_text(json.dumps(kept, indent=1) + "\n")
            print(f"{name}, {optimizer}: {kept[optimizer]}", flush=True)


def write_presets() -> None:
    """Write the tuned part of presets.toml from all stored trials; an experiment without all of them is left out."""
    head, line = PRESETS.read_text().split(MARK)[0], f"{MARK} by `python -m benchmarks.results --tune`; not by hand."
    tables = []
    for name in training_suite.TUNED:
        jobs = training_suite.tuning(name)
        if len(records(jobs)) < len(jobs):
            continue
        chosen = {
            one: best(one, records([job for job in jobs if job.label == one])).used(one)
            for one in training_suite.compared(name)
        }
        tables.append(_preset(name, chosen))
    for name in training_suite.FUNCTIONS:
        file = FOLDER / f"tuned-{name}.json"
        if file.exists():
            tables.append(_preset(name, json.loads(file.read_text())))
    text = "\n\n".join([f"{head}{line}", *tables]) + "\n"
    tomllib.loads(text)
    PRESETS.write_text(text)


def _preset(name: str, chosen: dict[str, dict[str, Any]]) -> str:
    rows = [
        f"{optimizer} = {{ {', '.join(f'{key} = {_toml(value)}' for key, value in found.items())} }}"
        for optimizer, found in chosen.items()
    ]
    return "\n".join([f"[best.{get_experiment(name).preset}]", *rows])


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def run(jobs: list[Job], what: str) -> None:
    print(f"{what}: {complete(jobs)} of {len(jobs)} runs done now", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("names", nargs="*", metavar="NAME", help="experiments, or studies; default: all")
    flags = {
        "tune": "missing trials", "run": "missing runs", "studies": "missing studies",
        "prune": "drop what is out of date",
    }  # fmt: skip
    for flag, about in flags.items():
        options.add_argument(f"--{flag}", action="store_true", help=about)
    asked = options.parse_args()
    if asked.tune:
        tune(asked.names or (*training_suite.TUNED, *training_suite.FUNCTIONS))
    if asked.run:
        for name in asked.names or training_suite.NAMES:
            run(training_suite.table(name), name)
            run(training_suite.paper(name), f"{name}, the paper's method")
    if asked.studies:
        for name in asked.names or STUDIES:
            run(STUDIES[name](), name)
    if asked.prune:
        print(f"{prune(training_suite.everything())} stored runs dropped")
    training_plots.draw()
    training_page.write()


if __name__ == "__main__":
    main()
