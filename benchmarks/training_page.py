"""docs/results.md from stored training runs; its figures are in benchmarks.training_plots."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from benchmarks import training_suite as suite
from benchmarks import why_curvature
from benchmarks.measure import table
from benchmarks.training_store import FOLDER, ROOT, Job, records
from benchmarks.training_text import COMMANDS, INTRODUCTION, SECTIONS
from qproj.lab.training.experiments import get_experiment
from qproj.lab.training.tables import mean_std

PAGE = ROOT / "docs" / "results.md"
OURS = "qpsbgd"
NAMED = {
    "qpsbgd": "QP-SBGD", "binaryconnect": "BinaryConnect", "signsgd": "signSGD", "proxquant": "ProxQuant",
    "adam": "Adam", "bop": "Bop",
}  # fmt: skip
NOTES = FOLDER / "notes.md"
#: Of a busy core, for the energy of tuning.
WATTS = 10


def write() -> None:
    """Rewrite the page."""
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")


def page() -> str:
    """Return the text of docs/results.md."""
    parts = [
        INTRODUCTION, glance_table(), SECTIONS["table"], main_table(), SECTIONS["targets"], targets(),
        SECTIONS["cost"], cost_table(), minutes_per_epoch(), SECTIONS["published"], published_table(),
        SECTIONS["steps"], step_tables(), SECTIONS["ablation"], ablation_tables(), why_curvature.section(),
        confirmation_table(), split_table(), SECTIONS["solvers"], solver_table(suite.solvers()),
        SECTIONS["curvature-solvers"], solver_table(suite.curvature_solvers()), SECTIONS["functions"],
        function_tables(), SECTIONS["trials"], chosen(), tuning_cost(),
        NOTES.read_text() if NOTES.exists() else "", COMMANDS, provenance(),
    ]  # fmt: skip
    return "\n".join(part.strip("\n") + "\n" for part in parts if part)


def accuracies(jobs: Sequence[Job], label: str | None = None) -> list[float]:
    """Return the test accuracies of stored runs, of one label or all."""
    return [run["test_accuracy"] for run in records(jobs) if label in (None, run["label"])]


def scores(name: str) -> dict[str, list[float]]:
    """Return the accuracies of every optimiser of a row."""
    jobs = suite.table(name)
    return {one: accuracies(jobs, one) for one in suite.compared(name)}


def duel(name: str) -> tuple[str, float, float] | None:
    """Return the best baseline of a row, QP-SBGD's mean minus its mean, and the standard error of that."""
    found = scores(name)
    if any(len(values) < 2 for values in found.values()):
        return None
    best = max((one for one in found if one != OURS), key=lambda one: statistics.fmean(found[one]))
    compare = paired if get_experiment(name).shots else difference
    return best, *compare(found[OURS], found[best])


def glance_table() -> str:
    """Return, per row, QP-SBGD against the best tuned baseline: difference and standard error."""
    rows = []
    for name in suite.NAMES:
        if (found := duel(name)) is not None:
            best, gap, error = found
            rows.append([f"`{name}`", NAMED[best], f"{gap:+.4f} ± {error:.4f}", verdict(gap, error)])
    return table(("experiment", "best baseline", "QP-SBGD minus it ± standard error", ""), rows)


def main_table() -> str:
    rows = []
    for name in suite.NAMES:
        found, experiment = scores(name), get_experiment(name)
        means = {one: statistics.fmean(values) for one, values in found.items() if values}
        top = max(means.values(), default=0.0)
        cells = []
        for one in NAMED:
            text = _cell(found.get(one, []))
            cells.append(f"**{text}**" if one in means and round(means[one], 3) == round(top, 3) else text)
        plain = accuracies(suite.paper(name))
        rows.append([f"`{name}`", *cells, _cell(plain), _number(experiment.paper), _number(experiment.target)])
    return table(("experiment", *NAMED.values(), "plain method", "paper", "target"), rows)


def targets() -> str:
    """Return each target with what was measured, and by how much it was missed."""
    rows = []
    for name in suite.NAMES:
        experiment, found = get_experiment(name), scores(name)[OURS]
        if experiment.target is None or not found:
            continue
        short = experiment.target - statistics.fmean(found)
        outcome = "met" if short <= 0 else f"missed by {short:.4f}"
        rows.append([f"`{name}`", f"≥ {experiment.target:.3f}", _cell(found), outcome])
    return table(("experiment", "target", "measured", ""), rows)


def cost_table() -> str:
    """Return the least milliseconds per step of every optimiser, and the parameters of the network."""
    rows = []
    for name in suite.NAMES:
        runs = records(suite.table(name))
        if not runs:
            continue
        cells = []
        for one in NAMED:
            own = [1000 * run["seconds"] / run["steps"] for run in runs if run["label"] == one]
            cells.append(f"{min(own):.2g}" if min(own, default=99.5) < 99.5 else f"{min(own):.0f}" if own else "–")
        rows.append([f"`{name}`", *cells, str(runs[0]["binary_parameters"]), str(runs[0]["float_parameters"])])
    return table(("experiment", *NAMED.values(), "±1 parameters", "float parameters"), rows)


def published_table() -> str:
    """Return the accuracy on the batch just stepped on, as the notebooks show it, beside test rows."""
    rows = []
    for name in ("adult-2layer-published", "adult-10layer-published"):
        runs = records(suite.table(name))
        for one in suite.compared(name):
            own = [run for run in runs if run["label"] == one]
            if not own:
                continue
            on_batch = [statistics.fmean(row["accuracy"] for row in run["batches"][-10:]) for run in own]
            losses = [statistics.fmean(row["loss"] for row in run["batches"][-10:]) for run in own]
            rows.append([f"`{name}`", NAMED[one], mean_std(on_batch), mean_std(losses),
                         mean_std([run["test_accuracy"] for run in own])])  # fmt: skip
    return table(("experiment", "optimiser", "accuracy on the batch just stepped on", "loss", "test rows"), rows)


def difference(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Return mean(a) − mean(b) and its standard error (Welch's, seeds being independent)."""
    error = (statistics.variance(a) / len(a) + statistics.variance(b) / len(b)) ** 0.5
    return statistics.fmean(a) - statistics.fmean(b), error


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Return mean(a − b) and its standard error, for runs whose seeds draw the same rows for both optimisers."""
    gaps = [one - other for one, other in zip(a, b, strict=True)]
    return statistics.fmean(gaps), statistics.stdev(gaps) / len(gaps) ** 0.5


def verdict(gap: float, error: float) -> str:
    """Return "ahead" or "behind" beyond two standard errors, "level" within them."""
    if abs(gap) <= 2 * error or gap == 0:
        return "level"
    return "ahead" if gap > 0 else "behind"


def step_tables() -> str:
    """Return accuracy against step size, and the span of step sizes with at least .95 of a row's best accuracy."""
    head = ["step size, times the tuned one", *(f"{factor:g}" for factor in suite.FACTORS), "span with ≥ .95 of best"]
    parts = []
    for name in suite.STEPS_ON:
        means = step_means(name)
        best = max((value for row in means.values() for value in row.values()), default=0.0)
        rows = [
            [NAMED[one], *(_number(row.get(factor)) for factor in suite.FACTORS), span(row, 0.95 * best)]
            for one, row in means.items()
        ]
        if rows:
            parts.append(f"`{name}`, best accuracy {best:.3f}:\n{table(head, rows)}")
    return "\n".join(parts)


def step_means(name: str) -> dict[str, dict[float, float]]:
    """Return the mean accuracy of every optimiser of a row by the factor of its tuned step size."""
    runs = records(suite.steps(name))
    found: dict[str, dict[float, float]] = {}
    for one in suite.compared(name):
        for factor in suite.FACTORS:
            own = [r["test_accuracy"] for r in runs if (r["optimizer"], r["label"]) == (one, f"{factor:g}")]
            if own:
                found.setdefault(one, {})[factor] = statistics.fmean(own)
    return found


def span(means: dict[float, float], floor: float) -> str:
    """Return the ratio of the largest to the least factor of the longest unbroken row of means at or above a floor."""
    longest = 0.0
    for good, row in groupby(means.items(), lambda item: item[1] >= floor):
        if good:
            factors = [factor for factor, _ in row]
            longest = max(longest, factors[-1] / factors[0])
    return f"× {longest:.0f}" if longest else "none"


def ablation_tables() -> str:
    jobs = suite.ablations()
    cells: dict[str, dict[str, list[float]]] = {}
    for job, run in _paired(jobs):
        cells.setdefault(job.label, {}).setdefault(job.config.experiment.name, []).append(run["test_accuracy"])
    names = list(dict.fromkeys(job.config.experiment.name for job in jobs))
    rows = [[label, *(_cell(found.get(name, [])) for name in names)] for label, found in cells.items()]
    return table(("QP-SBGD", *(f"`{name}`" for name in names)), rows)


def solver_table(jobs: Sequence[Job]) -> str:
    """Return gap, accuracy and seconds of every solver."""
    rows = []
    for solver, runs in groupby(records(jobs), lambda run: run["label"]):
        found = list(runs)
        gaps = [run[name] for run in found for name in ("mean_audit_gap", "mean_gap") if name in run][: len(found)]
        rows.append([
            f"`{solver}`", mean_std(gaps, digits=4), _cell([run["test_accuracy"] for run in found]),
            f"{statistics.fmean(run['seconds'] for run in found):.1f}",
        ])  # fmt: skip
    return table(("solver", "gap", "test accuracy", "seconds per run"), rows)


def confirmation_table() -> str:
    """Return the headline rows on seeds that nothing was chosen with; empty where none is stored."""
    rows = []
    for name in suite.HEADLINES:
        jobs = suite.confirmation(name)
        if len(records(jobs)) < len(jobs):
            continue
        best = (duel(name) or ("",))[0]
        cells = [
            f"{NAMED[one]} {statistics.fmean(accuracies(given, one)):.4f}"
            for given in (suite.table(name), jobs)
            for one in (OURS, best)
        ]
        rows.append([f"`{name}`", " / ".join(cells[:2]), " / ".join(cells[2:])])
    if not rows:
        return ""
    return SECTIONS["confirmation"] + table(("experiment", "mean over the row's seeds", "the two unused seeds"), rows)


def split_table() -> str:
    """Return the accuracy on validation nodes of further splits, and the paired difference from the best baseline."""
    rows = []
    for name in suite.CITATIONS:
        jobs = suite.splits(name)
        found = {one: accuracies(jobs, one) for one in suite.compared(name)}
        if len(records(jobs)) < len(jobs):
            continue
        best = max((one for one in found if one != OURS), key=lambda one: statistics.fmean(found[one]))
        gap, error = paired(found[OURS], found[best])
        cells = [mean_std(values) for values in found.values()]
        rows.append([f"`{name}`", *cells, f"{gap:+.4f} ± {error:.4f} ({NAMED[best]})", verdict(gap, error)])
    if not rows:
        return ""
    return SECTIONS["splits"] + table(("experiment", *NAMED.values(), "QP-SBGD minus the best baseline", ""), rows)


def function_tables() -> str:
    """Return the mean of every figure over seeds, a table an experiment."""
    parts = []
    for name, jobs in groupby(suite.function_jobs(), lambda job: job.config.experiment.name):
        runs = records(list(jobs))
        if not runs:
            continue
        figures = list(runs[0]["figures"])
        labels = list(dict.fromkeys(run["label"] for run in runs))
        rows = []
        for figure in figures:
            cells = [[run["figures"][figure] for run in runs if run["label"] == label] for label in labels]
            rows.append([figure.replace("_", " "), *(_figure(values) for values in cells)])
        parts.append(f"`{name}`, mean of {len(runs) // len(labels)} seeds:\n" + table(("", *labels), rows))
    return "\n".join(parts)


def _figure(values: Sequence[Any]) -> str:
    numbers = [float(value) for value in values if value is not None]
    return f"{statistics.fmean(numbers):.3g}" if numbers else "–"


def chosen() -> str:
    """Return how many trials each optimiser had, and what was chosen."""
    rows = []
    for name in suite.TUNED:
        jobs = suite.tuning(name)
        if len(records(jobs)) < len(jobs):
            continue
        counts = Counter(job.label for job in jobs)
        if len(set(counts.values())) != 1:
            raise ValueError(f"{name}: optimisers have different numbers of trials: {counts}")
        picked = {job.label: job.config.settings.used(job.label) for job in suite.table(name)}
        texts = {one: " ".join(f"{key}={_short(value)}" for key, value in own.items()) for one, own in picked.items()}
        rows.append([f"`{name}`", str(counts[OURS]), "<br>".join(f"{one}: {text}" for one, text in texts.items())])
    return table(("experiment", "trials each", "chosen"), rows)


def tuning_cost() -> str:
    """Return trials and seconds of tuning of every optimiser, and the energy of all at an assumed power."""
    rows, total = [], 0.0
    for name in suite.TUNED:
        runs = records(suite.tuning(name))
        seconds = {one: sum(run["seconds"] for run in runs if run["label"] == one) for one in NAMED}
        total += sum(seconds.values())
        settings = len({repr(run["settings"]) for run in runs if run["label"] == OURS})
        seeds = len({run["seed"] for run in runs})
        cells = [f"{value:.0f}" if value else "–" for value in seconds.values()]
        rows.append([f"`{name}`", f"{settings} × {seeds}", *cells])
    words = (
        f"\nIn all {total / 3600:.1f} hours of one thread; at {WATTS} W for a busy core, which is an assumption (the "
        f"machine has no counter of energy), {total * WATTS / 3.6e6:.3f} kWh.\n"
    )
    return table(("experiment", "settings × seeds", *(f"{one}, s" for one in NAMED.values())), rows) + words


def minutes_per_epoch(name: str = "mnist-10-long") -> str:
    """Return the least minutes that an epoch of the long row took every optimiser."""
    runs = records(suite.table(name))
    parts = []
    for one in suite.compared(name):
        own = [run["seconds"] / run["epochs"] / 60 for run in runs if run["label"] == one]
        if own:
            parts.append(f"{NAMED[one]} {min(own):.2f}")
    return f"\nMinutes per epoch of `{name}`, evaluation included: {', '.join(parts)}.\n" if parts else ""


def provenance() -> str:
    """Return seeds, seconds, commits and machines of all that is stored."""
    import json

    runs: list[dict[str, Any]] = []
    machines = set()
    for file in sorted(FOLDER.glob("*.json")):
        content = json.loads(file.read_text())
        if "runs" not in content:  # what was chosen for a function
            continue
        runs += content["runs"]
        at = content["machine"]
        machines.add(f"{at['cpu']}, {at['cores']} cores, Python {at['python']}, {at['date']}")
    commits = ", ".join(sorted({run["commit"] for run in runs}))
    hours = sum(run["seconds"] for run in runs) / 3600
    return (
        f"{len(runs)} stored runs, trials included, of {hours:.1f} hours of one thread of a machine that others "
        f"used at the same time; commits {commits}; {'; '.join(sorted(machines))}.\n"
    )


def _paired(jobs: Sequence[Job]) -> list[tuple[Job, dict[str, Any]]]:
    return [(job, run) for job in jobs for run in records([job])]


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "–"
    few = "" if len(values) >= len(suite.SEEDS) else f" ({len(values)} seed{'s' if len(values) > 1 else ''})"
    return mean_std(values) + few


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
