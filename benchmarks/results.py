"""Rewrite docs/results.md from stored training runs; run what is missing on request.

python -m benchmarks.results                      the page and its plot, from what is stored
python -m benchmarks.results --tune [NAME …]      missing trials, then qproj/lab/training/presets.toml
python -m benchmarks.results --run [NAME …]       missing runs of experiments (all without a name)
python -m benchmarks.results --studies [NAME …]   missing runs of functions, steps, ablation, solvers
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterable

from benchmarks import training_page, training_suite
from benchmarks.training_store import ROOT, Job, complete, prune, records
from qproj.lab.training.experiments import OPTIMIZERS, get_experiment
from qproj.lab.training.tuning import best

PRESETS = ROOT / "qproj" / "lab" / "training" / "presets.toml"
STUDIES = {
    "functions": training_suite.function_jobs, "steps": training_suite.steps, "ablation": training_suite.ablations,
    "solvers": training_suite.solvers,
}  # fmt: skip
MARK = "# Tuned on validation rows"


def tune(names: Iterable[str]) -> None:
    """Run the missing trials, and write the best of every optimiser to presets.toml."""
    for name in names:
        jobs = training_suite.tuning(name)
        print(f"{name}: {complete(jobs)} of {len(jobs)} trials run", flush=True)
    write_presets()


def write_presets() -> None:
    """Write the tuned part of presets.toml from all stored trials; an experiment without all of them is left out."""
    head, line = PRESETS.read_text().split(MARK)[0], f"{MARK} by `python -m benchmarks.results --tune`; not by hand."
    tables = []
    for name in training_suite.TUNED:
        jobs = training_suite.tuning(name)
        if len(records(jobs)) < len(jobs):
            continue
        rows = []
        for optimizer in OPTIMIZERS:
            found = best(optimizer, records([job for job in jobs if job.label == optimizer])).used(optimizer)
            rows.append(f"{optimizer} = {{ {', '.join(f'{key} = {_toml(value)}' for key, value in found.items())} }}")
        tables.append("\n".join([f"[best.{get_experiment(name).preset}]", *rows]))
    text = "\n\n".join([f"{head}{line}", *tables]) + "\n"
    tomllib.loads(text)
    PRESETS.write_text(text)


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
        tune(asked.names or training_suite.TUNED)
    if asked.run:
        for name in asked.names or training_suite.NAMES:
            run(training_suite.table(name), name)
            run(training_suite.paper(name), f"{name}, the paper's method")
    if asked.studies:
        for name in asked.names or STUDIES:
            run(STUDIES[name](), name)
    if asked.prune:
        print(f"{prune(training_suite.everything())} stored runs dropped")
    training_page.write()


if __name__ == "__main__":
    main()
