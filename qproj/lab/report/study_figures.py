"""The figures of a study: quality, sizes, reads, time, alignment, options and training."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.report.comparison_figures import comparison_figures
from qproj.lab.report.cost import training_cost
from qproj.lab.report.figure import PALETTE, Axis, Figure, Series, Style, separated
from qproj.lab.report.scaling import success_against, tts_scaling
from qproj.lab.report.scans import scans
from qproj.lab.report.solver_styles import shown_name, solver_styles
from qproj.lab.studies.metrics import best_of_k, gap_to, gaps, means_by_problem
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import PARTS, SolverLine, seconds

#: Left end of the logarithmic gap axis: everything below, and 0, is drawn there.
LEAST_GAP = 1e-5
#: Points that bear their names in the figure; more would hide one another, and the legend has them.
MOST_NAMED = 8
#: Corners of a distribution function that are drawn.
_MOST_STEPS = 200


def study_figures(results: Results) -> list[Figure]:
    """Return the figures that the study has data for."""
    made = [
        gap_profile(results), gap_by_size(results), success_against(results, "d"), success_against(results, "n"),
        best_of_reads(results), time_and_gap(results), tts_scaling(results), time_split(results),
        alignment_and_gap(results), *scans(results), training_cost(results), *comparison_figures(results),
    ]  # fmt: skip
    return [separated(figure) for figure in made if figure is not None]


def gap_profile(results: Results) -> Figure:
    """For each solver, the share of its runs within a gap."""
    styles, gap = solver_styles(results), gaps(results.runs, results.known)
    series = []
    for line in results.lines:
        own = (results.runs["label"] == line.label) & (results.runs["status"] != "refused")
        values = gap[own]
        known = np.sort(values[~np.isnan(values)])
        if len(known):
            x, y = _distribution(np.maximum(known, LEAST_GAP), len(values))
            hover = "{y:.1%} of runs within {x:.2g}"
            series.append(Series(shown_name(line), x, y, styles[line.label], "steps", hover=hover))
    return Figure(
        "gaps", "How far from the optimum",
        "Share of runs within a gap, failed runs counted as never within, refused ones not counted: higher and further "
        "left is better. "
        "The height at the left end is the share of optimal runs.",
        Axis(f"gap (left end: {LEAST_GAP:g} or less, 0 included)", "log"),
        Axis("share of runs", ticks=".0%", limits=(0, 1.02)), series,
    )  # fmt: skip


def _distribution(values: FloatArray, total: int) -> tuple[list[float], list[float]]:
    """Return the corners of a distribution function, from the left end to 1; `values` are sorted."""
    xs, last = np.unique(values, return_index=True)
    counts = np.append(last[1:], len(values))
    if len(xs) > _MOST_STEPS:
        keep = np.unique(np.linspace(0, len(xs) - 1, _MOST_STEPS).astype(int))
        xs, counts = xs[keep], counts[keep]
    first = float(counts[0]) if xs[0] <= LEAST_GAP else 0.0
    x = [LEAST_GAP, *xs.tolist(), 1.0]
    y = [first / total, *(counts / total).tolist(), float(counts[-1]) / total]
    return x, y


def gap_by_size(results: Results) -> Figure:
    """Mean gap against fan-in and batch."""
    styles, gap, problem = solver_styles(results), gaps(results.runs, results.known), results.runs["problem"]
    names, size = _sizes(results)
    series = []
    for line in results.lines:
        own = [(results.runs["label"] == line.label) & (size == i) for i in range(len(names))]
        means = [_mean(list(means_by_problem(gap[mask], problem[mask]).values())) for mask in own]
        series.append(Series(shown_name(line), names, means, styles[line.label], "line+points"))
    return Figure(
        "sizes", "Gap against size", "Mean gap over the neurons of each size.",
        Axis("fan-in d and rows n", "category"), Axis("mean gap", from_zero=True), series,
    )  # fmt: skip


def _sizes(results: Results) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of the sizes that occur, and each run's."""
    sizes = list(zip(results.runs["d"].tolist(), results.runs["n"].tolist(), strict=True))
    place = {size: i for i, size in enumerate(sorted(set(sizes)))}
    return [f"d={d}, n={n}" if n else f"{d} variables" for d, n in place], np.array([place[size] for size in sizes])


def best_of_reads(results: Results) -> Figure | None:
    """Mean gap of the best of k reads against k; None where no solver samples."""
    styles = solver_styles(results)
    series = []
    for line in results.lines:
        own = results.of(line.label)
        sampled = []  # (gains of the reads, bound, scale) of every run: the same runs at every k
        for key, problem in zip(own["run"], own["problem"].tolist(), strict=True):
            values, scale = results.gains.get(key), float(results.known.scale[problem])
            if values is not None and len(values) and scale > 0:
                sampled.append((values, float(results.known.bound[problem]), scale))
        if sampled:
            ks = _round_numbers(max(len(values) for values, _, _ in sampled))
            means = [_mean([_gap_of_best(*one, k) for one in sampled]) for k in ks]
            series.append(Series(shown_name(line), ks, means, styles[line.label], "line+points"))
    if not series:
        return None
    return Figure(
        "reads", "What more reads buy",
        "Expected gap of the best of k reads, drawn without replacement from those of each run. "
        "Every point of a curve is a mean over the same runs; a run with fewer than k reads counts with all it has.",
        Axis("reads k", "log"), Axis("expected gap of the best of k", from_zero=True), series,
    )  # fmt: skip


def _gap_of_best(values: FloatArray, bound: float, scale: float, k: int) -> float:
    """Return the expected gap of the best of k of a run's reads, or of all where it has fewer."""
    return float(gap_to(bound, best_of_k(values, min(k, len(values))), scale))


def time_and_gap(results: Results) -> Figure:
    """Mean gap against mean wall clock, with the interval of the gap; budgets of one solver are joined."""
    styles = solver_styles(results)
    by_solver: dict[str, list[SolverLine]] = {}
    for line in results.lines:
        if not math.isnan(line.gap_mean) and not math.isnan(line.wall_s):
            by_solver.setdefault(line.solver, []).append(line)
    series = []
    for solver, lines in by_solver.items():
        lines.sort(key=lambda line: line.wall_s)
        style = styles[min(line.label for line in lines)]
        names = [shown_name(line) for line in lines]
        series.append(
            Series(
                solver + (" (null model)" if lines[0].is_null else ""), [line.wall_s for line in lines],
                [line.gap_mean for line in lines], replace(style, size=9.0), "line+points",
                low=[line.gap_low for line in lines], high=[line.gap_high for line in lines],
                labels=names, labelled=len(lines) == 1 and len(by_solver) <= MOST_NAMED,
                hover="{label}: gap {y:.3g} in {x:.3g} s",
            )
        )  # fmt: skip
    return Figure(
        "time", "Time against gap",
        "Mean wall clock from problem to weights, on one core, against mean gap with its 95 % bootstrap interval. "
        "Several budgets of a solver make its anytime curve.",
        Axis("mean seconds per neuron (wall clock)", "log"), Axis("mean gap", from_zero=True), series,
    )  # fmt: skip


def time_split(results: Results) -> Figure:
    """Mean seconds per run, split into build, embed, queue, solve and decode."""
    lines = [line for line in results.lines if not math.isnan(line.seconds["solve"])]
    names = [shown_name(line) for line in lines]
    spent = np.nan_to_num([[line.seconds[part] for part in PARTS] for line in lines]).reshape(len(lines), len(PARTS))
    total = spent.sum(axis=1)
    series = [
        Series(
            part, np.divide(own, total, out=np.zeros_like(own), where=total > 0).tolist(), names, Style(colour), "bars",
            labels=[seconds(value) for value in own.tolist()], hover="{x:.0%}, {label}",
        )
        for part, colour, own in zip(PARTS, PALETTE, spent.T, strict=False)
        if own.any()
    ]  # fmt: skip
    return Figure(
        "split", "Where the time goes", "Mean of all runs. One-off costs (imports, compilation) are not part of a run.",
        Axis("share of the time", ticks=".0%", limits=(0, 1)), Axis(scale="category"), series,
    )  # fmt: skip


def alignment_and_gap(results: Results) -> Figure:
    """Mean cosine with −gradient against mean gap."""
    styles = solver_styles(results)
    crowded = len(results.lines) > MOST_NAMED
    series = [
        Series(
            shown_name(line), [line.gap_mean], [line.cosine], replace(styles[line.label], size=10.0), "points",
            labels=[shown_name(line)], labelled=not crowded, in_legend=crowded,
            hover="cosine {y:.3f} at a gap of {x:.3g}",
        )
        for line in results.lines
        if not math.isnan(line.gap_mean) and not math.isnan(line.cosine)
    ]  # fmt: skip
    return Figure(
        "alignment", "Alignment with the gradient against gap",
        "Each solver's means over all neurons. A better projection need not point more along the gradient: "
        "sign(Xᵀt) has the largest cosine of all.",
        Axis("mean gap", from_zero=True), Axis("mean cosine of the weights with −∂L/∂W"), series,
    )  # fmt: skip


def _round_numbers(n: int) -> list[int]:
    """1, 2, 5, 10, …, and n."""
    ks = [k for exponent in range(8) for k in (10**exponent, 2 * 10**exponent, 5 * 10**exponent) if k < n]
    return [*ks, n]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan
