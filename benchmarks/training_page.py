"""docs/results.md and its plot from stored training runs."""

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
STATIC = ROOT / "docs" / "_static"
OURS = "qpsbgd"
NAMED = {
    "qpsbgd": "QP-SBGD", "binaryconnect": "BinaryConnect", "signsgd": "signSGD", "proxquant": "ProxQuant",
    "adam": "Adam", "bop": "Bop",
}  # fmt: skip
#: One colour per optimiser in every panel, whichever of them it shows.
COLOURS = {name: f"C{place}" for place, name in enumerate(NAMED)}
NOTES = FOLDER / "notes.md"


def write() -> None:
    """Rewrite the page and its plots."""
    import matplotlib

    matplotlib.use("svg")
    glance()
    plot()
    curves()
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")


def page() -> str:
    """Return the text of docs/results.md."""
    parts = [
        INTRODUCTION, glance_table(), SECTIONS["table"], main_table(), SECTIONS["targets"], targets(),
        SECTIONS["cost"], cost_table(), SECTIONS["published"], published_table(), SECTIONS["steps"], step_table(),
        SECTIONS["ablation"], ablation_tables(), why_curvature.section(), confirmation_table(),
        SECTIONS["solvers"], solver_table(suite.solvers()),
        SECTIONS["curvature-solvers"], solver_table(suite.curvature_solvers()), SECTIONS["functions"],
        function_tables(), SECTIONS["trials"], chosen(), NOTES.read_text() if NOTES.exists() else "", COMMANDS,
        provenance(),
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
    return best, *difference(found[OURS], found[best])


def glance_table() -> str:
    """Return, per row, QP-SBGD against the best tuned baseline: difference and standard error."""
    rows = []
    for name in suite.NAMES:
        if (found := duel(name)) is not None:
            best, gap, error = found
            rows.append([f"`{name}`", NAMED[best], f"{gap:+.4f} ± {error:.4f}", verdict(gap, error)])
    return table(("experiment", "best baseline", "QP-SBGD minus it ± standard error", ""), rows)


def glance() -> None:
    """Draw QP-SBGD minus the best baseline of every row, with intervals of two standard errors."""
    import matplotlib.pyplot as plt

    found = [(name, duel(name)) for name in reversed(suite.NAMES)]
    known = [(name, *pair) for name, pair in found if pair is not None]
    with plt.rc_context({"svg.hashsalt": "qproj", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(6.4, 0.26 * len(known) + 0.9))
        for at, (_, best, gap, error) in enumerate(known):
            colour = {"ahead": "#1b7837", "level": "0.45", "behind": "#b2182b"}[verdict(gap, error)]
            axes.errorbar(100 * gap, at, xerr=200 * error, fmt="o", color=colour, ms=4, lw=1.3, capsize=2)
            axes.annotate(NAMED[best], (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=7.5)
        axes.axvline(0.0, color="0.7", lw=0.8)
        axes.set_yticks(range(len(known)), [name for name, *_ in known])
        axes.set_xlabel("points of test accuracy, QP-SBGD minus the best tuned baseline (named at the right)")
        figure.tight_layout()
        figure.savefig(STATIC / "results-at-a-glance.svg", metadata={"Date": None})
        plt.close(figure)


#: Rows whose accuracy is drawn against seconds.
DRAWN = ("mnist-10", "mnist-1-2", "mnist-fewshot-10", "cora", "pubmed", "conv-digits")


def curves() -> None:
    """Draw test accuracy against seconds of training, the mean over seeds, a panel per row."""
    import matplotlib.pyplot as plt

    with plt.rc_context({"svg.hashsalt": "qproj", "font.size": 8}):
        figure, grid = plt.subplots(2, 3, figsize=(8.4, 5.0))
        for axes, name in zip(grid.flat, DRAWN):
            runs = records(suite.table(name))
            for one in suite.compared(name):
                own = [run["history"] for run in runs if run["label"] == one]
                if not own:
                    continue
                seconds = [statistics.fmean(row["seconds"] for row in rows) for rows in zip(*own)]
                means = [statistics.fmean(row["test"] for row in rows) for rows in zip(*own)]
                look, colour = "-o" if one == OURS else "--", COLOURS[one]
                axes.plot(seconds, means, look, color=colour, label=NAMED[one], ms=2.5, lw=1.2)
            axes.set_title(name, fontsize=8.5)
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter("")  # numbers between powers of ten would overlap
        figure.supxlabel("seconds of training, one thread", fontsize=8)
        figure.supylabel("test accuracy", fontsize=8)
        lines, names = grid.flat[0].get_legend_handles_labels()
        figure.legend(lines, names, ncols=len(names), loc="upper center", frameon=False, fontsize=7.5)
        figure.tight_layout(rect=(0, 0, 1, 0.95))
        figure.savefig(STATIC / "accuracy-against-time.svg", metadata={"Date": None})
        plt.close(figure)


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
    """Return milliseconds per step of every optimiser, and the parameters of the network."""
    rows = []
    for name in suite.NAMES:
        runs = records(suite.table(name))
        if not runs:
            continue
        cells = []
        for one in NAMED:
            own = [1000 * run["seconds"] / run["steps"] for run in runs if run["label"] == one]
            cells.append(f"{statistics.median(own):.2g}" if own else "–")
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
    """Draw accuracy against step size for all optimisers."""
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
            style = "-o" if one == OURS else "--s"
            axes.plot(
                rates,
                [statistics.fmean(points[rate]) for rate in rates],
                style,
                color=COLOURS[one],
                label=NAMED[one],
                ms=3,
                lw=1.2,
            )
        axes.axhline(0.95, color="0.7", lw=0.8)
        axes.set(xscale="log", xlabel="step size η", ylabel="test accuracy", ylim=(0.4, 1.0))
        axes.set_title(f"{suite.STEPS_ON}: accuracy against step size, all else as tuned", fontsize=9)
        axes.legend(frameon=False, fontsize=8)
        figure.tight_layout()
        figure.savefig(STATIC / "step-size.svg", metadata={"Date": None})
        plt.close(figure)


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


def _by_optimizer(make: Any) -> dict[str, list[dict[str, Any]]]:
    found = records(make())
    return {one: [run for run in found if run["optimizer"] == one] for one in NAMED}


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
