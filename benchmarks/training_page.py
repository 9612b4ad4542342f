"""docs/results.md and its plot from stored training runs."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from benchmarks import training_suite as suite
from benchmarks.measure import table
from benchmarks.training_store import FOLDER, ROOT, Job, records
from benchmarks.training_text import COMMANDS, INTRODUCTION, SECTIONS
from qproj.lab.training.experiments import OPTIMIZERS, get_experiment
from qproj.lab.training.tables import mean_std

PAGE = ROOT / "docs" / "results.md"
PLOT = ROOT / "docs" / "_static" / "step-size.svg"
OURS, THEIRS = ("qpsbgd", "projected"), ("binaryconnect", "signsgd", "proxquant")
NOTES = FOLDER / "notes.md"


def write() -> None:
    """Rewrite the page and the plot."""
    plot()
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")


def page() -> str:
    """Return the text of docs/results.md."""
    parts = [
        INTRODUCTION, main_table(), SECTIONS["targets"], targets(), SECTIONS["baselines"], duels(), SECTIONS["steps"],
        step_table(), SECTIONS["ablation"], ablation_tables(), SECTIONS["solvers"], solver_table(),
        SECTIONS["functions"], function_tables(), SECTIONS["trials"], chosen(),
        NOTES.read_text() if NOTES.exists() else "", COMMANDS, provenance(),
    ]  # fmt: skip
    return "\n".join(part.strip("\n") + "\n" for part in parts if part)


def accuracies(jobs: Sequence[Job], label: str | None = None) -> list[float]:
    """Return the test accuracies of stored runs, of one label or all."""
    return [run["test_accuracy"] for run in records(jobs) if label in (None, run["label"])]


def scores(name: str) -> dict[str, list[float]]:
    """Return the accuracies of every optimiser with tuned settings."""
    try:
        jobs = suite.table(name)
    except ValueError:  # not tuned yet
        return {one: [] for one in OPTIMIZERS}
    return {one: accuracies(jobs, one) for one in OPTIMIZERS}


def main_table() -> str:
    rows = []
    for name in suite.NAMES:
        found, experiment = scores(name), get_experiment(name)
        means = {one: statistics.fmean(values) for one, values in found.items() if values}
        top = max(means.values(), default=0.0)
        cells = []
        for one in OPTIMIZERS:
            text = _cell(found[one])
            cells.append(f"**{text}**" if one in means and round(means[one], 3) == round(top, 3) else text)
        plain = accuracies(suite.paper(name))
        rows.append([f"`{name}`", *cells, _cell(plain), _number(experiment.paper), _number(experiment.target)])
    head = (
        "experiment",
        "QP-SBGD",
        "projected",
        "BinaryConnect",
        "signSGD",
        "ProxQuant",
        "plain method",
        "paper",
        "target",
    )
    return table(head, rows)


def targets() -> str:
    """Return each target with what was measured, and by how much it was missed."""
    rows = []
    for name in suite.NAMES:
        experiment, found = get_experiment(name), scores(name)
        if experiment.target is None or not any(found[one] for one in OURS):
            continue
        means = {one: statistics.fmean(found[one]) for one in OURS if found[one]}
        one = max(means, key=lambda key: means[key])
        short = experiment.target - means[one]
        verdict = "met" if short <= 0 else f"missed by {short:.4f}"
        rows.append([f"`{name}`", f"≥ {experiment.target:.2f}", f"{_cell(found[one])} ({one})", verdict])
    return table(("experiment", "target", "measured", ""), rows)


def duels() -> str:
    """Return, an experiment, the better of ours against the best baseline: difference and standard error."""
    rows = []
    for name in suite.NAMES:
        found = scores(name)
        if any(len(values) < 2 for values in found.values()):
            continue
        ours = max(OURS, key=lambda one: statistics.fmean(found[one]))
        best = max(THEIRS, key=lambda one: statistics.fmean(found[one]))
        gap, error = difference(found[ours], found[best])
        rows.append([f"`{name}`", ours, best, f"{gap:+.4f} ± {error:.4f}", verdict(gap, error)])
    return table(("experiment", "ours", "best baseline", "difference ± standard error", ""), rows)


def difference(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Return mean(a) − mean(b) and its standard error (Welch's, seeds being independent)."""
    error = (statistics.variance(a) / len(a) + statistics.variance(b) / len(b)) ** 0.5
    return statistics.fmean(a) - statistics.fmean(b), error


def verdict(gap: float, error: float) -> str:
    """Return "ahead" or "behind" beyond two standard errors, "level" within them."""
    if abs(gap) <= 2 * error or gap == 0:
        return "level"
    return "ahead" if gap > 0 else "behind"


def step_table() -> str:
    """Return accuracy against step size, and the span of step sizes above .95."""
    found = {one: runs for one, runs in _by_optimizer(suite.steps).items() if runs}
    head = ["step size, times the tuned one", *(f"{factor:g}" for factor in suite.FACTORS), "span with ≥ .95"]
    rows = []
    for one, runs in found.items():
        means = {f: [run["test_accuracy"] for run in runs if run["label"] == f"{f:g}"] for f in suite.FACTORS}
        rows.append([one, *(_number(statistics.fmean(v)) if v else "–" for v in means.values()), span(means)])
    return table(head, rows)


def span(means: dict[float, list[float]], floor: float = 0.95) -> str:
    """Return the ratio of the largest to the least factor of the longest unbroken row of means at or above a floor."""
    longest = 0.0
    for good, row in groupby(means.items(), lambda item: bool(item[1]) and statistics.fmean(item[1]) >= floor):
        if good:
            factors = [factor for factor, _ in row]
            longest = max(longest, factors[-1] / factors[0])
    return f"× {longest:.0f}" if longest else "none"


def plot() -> None:
    """Draw accuracy against step size for the five optimisers."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    found = {one: runs for one, runs in _by_optimizer(suite.steps).items() if runs}
    if not found:
        return
    with plt.rc_context({"svg.hashsalt": "qproj", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(6.4, 3.4))
        for one, runs in found.items():
            points: dict[float, list[float]] = {}
            for run in runs:
                points.setdefault(run["settings"]["lr"], []).append(run["test_accuracy"])
            rates = sorted(points)
            style = "-o" if one in OURS else "--s"
            axes.plot(rates, [statistics.fmean(points[rate]) for rate in rates], style, label=one, ms=3, lw=1.2)
        axes.axhline(0.95, color="0.7", lw=0.8)
        axes.set(xscale="log", xlabel="step size η", ylabel="test accuracy", ylim=(0.4, 1.0))
        axes.set_title(f"{suite.STEPS_ON}: accuracy against step size, all else as tuned", fontsize=9)
        axes.legend(frameon=False, fontsize=8)
        figure.tight_layout()
        figure.savefig(PLOT, metadata={"Date": None})
        plt.close(figure)


def ablation_tables() -> str:
    try:
        jobs = suite.ablations()
    except ValueError:
        return ""
    cells: dict[str, dict[str, list[float]]] = {}
    for job, run in _paired(jobs):
        cells.setdefault(job.label, {}).setdefault(job.config.experiment.name, []).append(run["test_accuracy"])
    names = list(dict.fromkeys(job.config.experiment.name for job in jobs))
    rows = [[label, *(_cell(found.get(name, [])) for name in names)] for label, found in cells.items()]
    return table(("projected QP-SBGD", *(f"`{name}`" for name in names)), rows)


def solver_table() -> str:
    rows = []
    for solver, runs in groupby(records(suite.solvers()), lambda run: run["label"]):
        found = list(runs)
        gaps = [run["mean_audit_gap"] for run in found if "mean_audit_gap" in run]
        rows.append([
            f"`{solver}`", mean_std(gaps, digits=4), _cell([run["test_accuracy"] for run in found]),
            f"{statistics.fmean(run['seconds'] for run in found):.1f}",
        ])  # fmt: skip
    return table(("solver", "gap to the proved optimum", "test accuracy", "seconds a run"), rows)


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
        runs = suite.table(name)
        picked = {job.label: job.config.settings.used(job.label) for job in runs}
        texts = [" ".join(f"{key}={_short(value)}" for key, value in picked[one].items()) for one in OPTIMIZERS]
        rows.append(
            [f"`{name}`", str(counts[OPTIMIZERS[0]]), "<br>".join(f"{o}: {t}" for o, t in zip(OPTIMIZERS, texts))]
        )
    return table(("experiment", "trials each", "chosen"), rows)


def provenance() -> str:
    """Return seeds, seconds, commits and machines of all that is stored."""
    import json

    runs: list[dict[str, Any]] = []
    machines = set()
    for file in sorted(FOLDER.glob("*.json")):
        content = json.loads(file.read_text())
        runs += content["runs"]
        at = content["machine"]
        machines.add(f"{at['cpu']}, {at['cores']} cores, Python {at['python']}, {at['date']}")
    commits = ", ".join(sorted({run["commit"] for run in runs}))
    hours = sum(run["seconds"] for run in runs) / 3600
    return (
        f"{len(runs)} stored runs, trials included, of {hours:.1f} hours of one thread of a machine that others "
        f"used at the same time; commits {commits}; {'; '.join(sorted(machines))}.\n"
    )


def _by_optimizer(make: Any) -> dict[str, list[dict[str, Any]]]:
    try:
        found = records(make())
    except ValueError:
        return {}
    return {one: [run for run in found if run["optimizer"] == one] for one in OPTIMIZERS}


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
