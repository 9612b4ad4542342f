"""The figures of docs/results.md from stored training runs."""

from __future__ import annotations

import math
import statistics
from typing import Any

from benchmarks import training_suite as suite
from benchmarks.training_page import NAMED, OURS, duel, step_means, verdict
from benchmarks.training_store import ROOT, records
from qproj.lab.training.experiments import get_experiment
from qproj.lab.training.presets import preset

STATIC = ROOT / "docs" / "_static"
#: One colour per optimiser in every panel, whichever of them it shows.
COLOURS = {name: f"C{place}" for place, name in enumerate(NAMED)}


def draw() -> None:
    """Rewrite all figures."""
    import matplotlib

    matplotlib.use("svg")
    glance()
    curves()
    published()
    step_sizes()


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


#: What accuracy is drawn against: the figure's file, what a row of a history calls it, the words under the panels.
AXES = (
    ("accuracy-against-time.svg", "seconds", "seconds of training, one thread"),
    ("accuracy-against-gradients.svg", "step", "gradients: one per step"),
)


def curves() -> None:
    """Draw test accuracy against seconds of training and against gradients, the mean over seeds, a panel per row."""
    import matplotlib.pyplot as plt

    names = [name for name in suite.NAMES if records(suite.table(name))]
    for file, axis, words in AXES:
        with plt.rc_context({"svg.hashsalt": "qproj", "font.size": 7.5}):
            figure, grid = plt.subplots(math.ceil(len(names) / 4), 4, figsize=(9.6, 1.75 * math.ceil(len(names) / 4)))
            for axes in grid.flat[len(names) :]:
                axes.axis("off")
            for axes, name in zip(grid.flat, names):
                _curve(axes, name, axis)
            figure.supxlabel(words, fontsize=8)
            figure.supylabel("test accuracy", fontsize=8)
            looks = [_line(one) for one in NAMED]
            figure.legend(looks, NAMED.values(), ncols=len(NAMED), loc="upper center", frameon=False, fontsize=8)
            figure.tight_layout(rect=(0, 0, 1, 0.97))
            figure.savefig(STATIC / file, metadata={"Date": None})
            plt.close(figure)


def _line(optimizer: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], ls="-" if optimizer == OURS else "--", color=COLOURS[optimizer], lw=1.2)


def _curve(axes: Any, name: str, axis: str) -> None:
    runs = records(suite.table(name))
    for one in suite.compared(name):
        own = [run["history"] for run in runs if run["label"] == one]
        at = [statistics.fmean(row[axis] for row in rows) for rows in zip(*own)]
        means = [statistics.fmean(row["test"] for row in rows) for rows in zip(*own)]
        axes.plot(at, means, "-o" if one == OURS else "--", color=COLOURS[one], ms=2.2, lw=1.1)
    axes.set_title(name, fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter("")  # numbers between powers of ten would overlap


def published() -> None:
    """Draw what the article's notebooks draw, and beside it the accuracy of the same runs on test rows.

    Accuracy on the batch just stepped on for 20 steps, or the training loss of all steps of the ten layers; each run is
    smoothed (σ = 1), and the mean of the seeds is drawn within one standard deviation.
    """
    import matplotlib.pyplot as plt

    with plt.rc_context({"svg.hashsalt": "qproj", "font.size": 8.5}):
        figure, grid = plt.subplots(2, 2, figsize=(8.4, 5.2))
        shown = (("adult-2layer-published", "accuracy", 20), ("adult-10layer-published", "loss", 83))
        for (left, right), (name, what, steps) in zip(grid, shown):
            runs = records(suite.table(name))
            for one in suite.compared(name):
                own = [run for run in runs if run["label"] == one]
                batches = [_smooth([row[what] for row in run["batches"]][:steps]) for run in own]
                _band(left, range(1, len(batches[0]) + 1), batches, one)
                within = [[row for row in run["history"] if row["step"] <= steps] for run in own]
                _band(right, [row["step"] for row in within[0]], [[r["test"] for r in rows] for rows in within], one)
            left.set_title(f"{name}: {what} on the batch just stepped on", fontsize=8.5)
            right.set_title("the same runs on test rows: accuracy", fontsize=8.5)
            right.axhline(0.759, color="0.7", lw=0.8)
        figure.supxlabel("steps (grey: the share of the majority class)", fontsize=8.5)
        grid[1, 0].legend(frameon=False, fontsize=7.5)
        figure.tight_layout()
        figure.savefig(STATIC / "as-published.svg", metadata={"Date": None})
        plt.close(figure)


def _smooth(values: list[float]) -> list[float]:
    from scipy.ndimage import gaussian_filter1d

    smoothed: list[float] = gaussian_filter1d(values, sigma=1.0).tolist()
    return smoothed


def _band(axes: Any, at: Any, runs: list[list[float]], optimizer: str) -> None:
    means = [statistics.fmean(values) for values in zip(*runs)]
    spreads = [statistics.stdev(values) for values in zip(*runs)]
    colour = COLOURS[optimizer]
    axes.plot(at, means, "-" if optimizer == OURS else "--", color=colour, label=NAMED[optimizer], lw=1.2)
    low, high = ([mean + sign * spread for mean, spread in zip(means, spreads)] for sign in (-1, 1))
    axes.fill_between(at, low, high, color=colour, alpha=0.12, lw=0)


def step_sizes() -> None:
    """Draw accuracy against step size for all optimisers, a panel per experiment."""
    import matplotlib.pyplot as plt

    with plt.rc_context({"svg.hashsalt": "qproj", "font.size": 9}):
        size = (1.5 + 4.5 * len(suite.STEPS_ON), 3.4)
        figure, panels = plt.subplots(1, len(suite.STEPS_ON), figsize=size, sharey=True, squeeze=False)
        for axes, name in zip(panels.flat, suite.STEPS_ON):
            experiment, means = get_experiment(name), step_means(name)
            for one, row in means.items():
                tuned = preset("best", experiment, one).lr
                axes.plot(
                    [tuned * factor for factor in row], row.values(), "-o" if one == OURS else "--s",
                    color=COLOURS[one], label=NAMED[one], ms=3, lw=1.2,
                )  # fmt: skip
            axes.axhline(0.95 * max(v for row in means.values() for v in row.values()), color="0.7", lw=0.8)
            axes.set(xscale="log", xlabel="step size η", ylim=(0.0, 1.0))
            axes.set_title(f"{name}, all else as tuned", fontsize=9)
        panels[0, 0].set_ylabel("test accuracy")
        panels[0, 0].legend(frameon=False, fontsize=8)
        figure.tight_layout()
        figure.savefig(STATIC / "step-size.svg", metadata={"Date": None})
        plt.close(figure)
