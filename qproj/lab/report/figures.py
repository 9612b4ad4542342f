"""The page's figures as plotly's own plain data: drawn by the browser, in its light or dark colours.

Every text that reaches plotly is escaped, because plotly reads a little markup in labels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj.lab.report.cost import training_cost
from qproj.lab.report.scaling import success_against, tts_scaling
from qproj.lab.report.scans import scans
from qproj.lab.report.style import PALETTE, Figure, colours, named, safe
from qproj.lab.studies.metrics import best_of_k, gaps, means_by_problem
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import PARTS

#: Left end of the logarithmic gap axis: everything below, and 0, is drawn there.
LEAST_GAP = 1e-5
#: Points that bear their names in the figure; more would hide one another, and the legend has them.
MOST_NAMED = 8


def figures(results: Results) -> list[Figure]:
    """Return the figures that the study has data for."""
    made = [
        gap_profile(results), gap_by_size(results), success_against(results, "d"), success_against(results, "n"),
        best_of_reads(results), time_and_gap(results), tts_scaling(results), time_split(results),
        alignment_and_gap(results), *scans(results), training_cost(results),
    ]  # fmt: skip
    return [figure for figure in made if figure is not None]


def gap_profile(results: Results) -> Figure:
    """For each solver, the share of its runs within a gap."""
    styles, gap = colours(results), gaps(results.runs, results.known)
    traces: list[dict[str, Any]] = []
    for line in results.lines:
        values = gap[results.runs["label"] == line.label]
        total = int((results.runs["label"] == line.label).sum())
        known = np.sort(values[~np.isnan(values)])
        if not len(known):
            continue
        x, y = _steps(np.maximum(known, LEAST_GAP), total)
        traces.append({
            "type": "scatter", "mode": "lines", "name": named(line), "x": x, "y": y,
            "line": {**styles[line.label], "shape": "hv"},
            "hovertemplate": "%{y:.1%} of runs within %{x:.2g}<extra>" + named(line) + "</extra>",
        })  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": {
            "type": "log",
            "title": f"gap (left end: {LEAST_GAP:g} or less, 0 included)",
            "exponentformat": "power",
        },
        "yaxis": {"title": "share of runs", "range": [0, 1.02], "tickformat": ".0%"},
    }
    return Figure(
        "gaps", "How far from the optimum",
        "Share of runs within a gap, failed runs counted as never within: higher and further left is better. "
        "The height at the left end is the share of optimal runs.", traces, layout,
    )  # fmt: skip


def _steps(values: FloatArray, total: int) -> tuple[list[float], list[float]]:
    """Return a distribution function's corners, at most 200 of them, from the left end to 1."""
    xs, last = np.unique(values, return_index=True)
    counts = np.append(last[1:], len(values))
    if len(xs) > 200:
        keep = np.unique(np.linspace(0, len(xs) - 1, 200).astype(int))
        xs, counts = xs[keep], counts[keep]
    x = [LEAST_GAP, *xs.tolist(), 1.0]
    first = float(counts[0]) if xs[0] <= LEAST_GAP else 0.0
    y = [first / total, *(counts / total).tolist(), float(counts[-1]) / total]
    return x, y


def _sizes(results: Results) -> tuple[list[str], np.ndarray[Any, Any]]:
    runs = results.runs
    pairs = sorted({(d, n) for d, n in zip(runs["d"].tolist(), runs["n"].tolist(), strict=True)})
    place = {pair: i for i, pair in enumerate(pairs)}
    index = np.array([place[pair] for pair in zip(runs["d"].tolist(), runs["n"].tolist(), strict=True)])
    return [f"d={d}, n={n}" if n else f"{d} variables" for d, n in pairs], index


def gap_by_size(results: Results) -> Figure:
    """Mean gap against fan-in and batch."""
    styles, gap = colours(results), gaps(results.runs, results.known)
    names, index = _sizes(results)
    traces: list[dict[str, Any]] = []
    for line in results.lines:
        own = results.runs["label"] == line.label
        means = [
            _mean(list(means_by_problem(gap[own & (index == i)], results.runs["problem"][own & (index == i)]).values()))
            for i in range(len(names))
        ]
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": named(line), "x": names, "y": means,
            "line": styles[line.label], "connectgaps": False,
        })  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": {"title": "fan-in d and rows n", "type": "category"},
        "yaxis": {"title": "mean gap", "rangemode": "tozero"},
    }
    return Figure("sizes", "Gap against size", "Mean gap over the neurons of each size.", traces, layout)


def best_of_reads(results: Results) -> Figure | None:
    """Mean gap of the best of k reads against k."""
    styles = colours(results)
    traces: list[dict[str, Any]] = []
    for line in results.lines:
        own = results.of(line.label)
        curves: dict[int, list[float]] = {}
        for key, problem in zip(own["run"], own["problem"].tolist(), strict=True):
            values = results.gains.get(key)
            scale = float(results.known.scale[problem])
            if values is None or not len(values) or scale == 0:
                continue
            for k in _powers(len(values)):
                missing = (float(results.known.bound[problem]) - best_of_k(values, k)) / (2 * scale)
                curves.setdefault(k, []).append(min(1.0, max(0.0, missing)))
        if not curves:
            continue
        ks = sorted(curves)
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": named(line), "x": ks,
            "y": [_mean(curves[k]) for k in ks],
            "line": styles[line.label], "marker": {"size": 5},
        })  # fmt: skip
    if not traces:
        return None
    layout: dict[str, Any] = {
        "xaxis": {"title": "reads k", "type": "log", "dtick": 1},
        "yaxis": {"title": "expected gap of the best of k", "rangemode": "tozero"},
    }
    return Figure(
        "reads", "What more reads buy",
        "Expected gap of the best of k reads, drawn without replacement from those of each run.", traces, layout,
    )  # fmt: skip


def time_and_gap(results: Results) -> Figure:
    """Mean gap against mean wall clock, with the interval of the gap; budgets of one solver are joined."""
    styles = colours(results)
    by_solver: dict[str, list[Any]] = {}
    for line in results.lines:
        if not math.isnan(line.gap_mean) and not math.isnan(line.wall_s):
            by_solver.setdefault(line.solver, []).append(line)
    traces: list[dict[str, Any]] = []
    for solver, lines in by_solver.items():
        lines.sort(key=lambda line: line.wall_s)
        first = lines[0]
        suffix = " (null model)" if first.is_null else ""
        traces.append({
            "type": "scatter",
            "mode": "lines+markers+text" if len(by_solver) <= MOST_NAMED and len(lines) == 1 else "lines+markers",
            "name": safe(solver) + suffix, "x": [line.wall_s for line in lines], "y": [line.gap_mean for line in lines],
            "text": [named(line) for line in lines], "textposition": "middle right", "cliponaxis": False,
            "line": styles[min(line.label for line in lines)],
            "marker": {"size": 9, "color": styles[first.label]["color"]},
            "error_y": {
                "type": "data", "symmetric": False, "thickness": 1,
                "array": [line.gap_high - line.gap_mean for line in lines],
                "arrayminus": [line.gap_mean - line.gap_low for line in lines],
            },
            "hovertemplate": "%{text}<br>gap %{y:.3g} in %{x:.3g} s<extra></extra>",
        })  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": {"title": "mean seconds a neuron (wall clock)", "type": "log", "exponentformat": "power"},
        "yaxis": {"title": "mean gap", "rangemode": "tozero"}, "showlegend": True,
    }  # fmt: skip
    return Figure(
        "time", "Time against gap",
        "Mean wall clock from problem to weights, on one core, against mean gap with its 95 % bootstrap interval. "
        "Several budgets of a solver make its anytime curve.", traces, layout,
    )  # fmt: skip


def time_split(results: Results) -> Figure:
    """Mean seconds a run, split into build, embed, queue, solve and decode."""
    lines = [line for line in results.lines if not math.isnan(line.seconds["solve"])]
    totals = [sum(_zero(line.seconds[part]) for part in PARTS) for line in lines]
    traces: list[dict[str, Any]] = []
    for part, colour in zip(PARTS, PALETTE, strict=False):
        values = [_zero(line.seconds[part]) for line in lines]
        if not any(values):
            continue
        traces.append({
            "type": "bar", "orientation": "h", "name": part, "y": [named(line) for line in lines],
            "x": [value / total if total > 0 else 0.0 for value, total in zip(values, totals, strict=True)],
            "customdata": values, "marker": {"color": colour},
            "hovertemplate": "%{x:.0%}, %{customdata:.3g} s<extra>" + part + "</extra>",
        })  # fmt: skip
    layout: dict[str, Any] = {
        "barmode": "stack", "xaxis": {"title": "share of the time", "tickformat": ".0%", "range": [0, 1]},
        "yaxis": {"automargin": True, "autorange": "reversed"},
        "height": 160 + 32 * len(lines),
    }  # fmt: skip
    return Figure(
        "split", "Where the time goes", "Mean of all runs. One-off costs (imports, compilation) are not part of a run.",
        traces, layout,
    )  # fmt: skip


def alignment_and_gap(results: Results) -> Figure:
    """Mean cosine with −gradient against mean gap."""
    styles = colours(results)
    shown = [line for line in results.lines if not math.isnan(line.gap_mean) and not math.isnan(line.cosine)]
    widest = max((line.gap_mean for line in shown), default=0.0)
    traces = [
        {
            "type": "scatter", "mode": "markers+text" if len(results.lines) <= MOST_NAMED else "markers",
            "name": named(line), "x": [line.gap_mean], "y": [line.cosine], "cliponaxis": False,
            # neighbours' names above and below, and all of them inside
            "text": [named(line)], "showlegend": len(results.lines) > MOST_NAMED,
            "textposition": f"{('top', 'bottom')[i % 2]} {'left' if line.gap_mean > widest / 2 else 'right'}",
            "hovertemplate": "cosine %{y:.3f} at a gap of %{x:.3g}<extra>" + named(line) + "</extra>",
            "marker": {"size": 10, "color": styles[line.label]["color"]},
        }
        for i, line in enumerate(shown)
    ]  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": {"title": "mean gap", "rangemode": "tozero"},
        "yaxis": {"title": "mean cosine of the weights with −∂L/∂W"},
    }
    return Figure(
        "alignment", "Alignment with the gradient against gap",
        "Each solver's means over all neurons. A better projection need not point more along the gradient: "
        "sign(Xᵀt) has the largest cosine of all.",
        traces, layout,
    )  # fmt: skip


def _powers(n: int) -> list[int]:
    ks = [k for exponent in range(8) for k in (10**exponent, 2 * 10**exponent, 5 * 10**exponent) if k < n]
    return [*ks, n]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value
