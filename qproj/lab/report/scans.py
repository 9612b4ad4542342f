"""Figures over one option of a solver: noise and chain strength of an annealer, κ of the margin, sweeps, …"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qproj.lab.report.style import PALETTE, Figure, colours, named, safe
from qproj.lab.studies.metrics import gaps, means_by_problem
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import SolverLine
from qproj.solvers.specs import SolverSpec, parse_solver

#: Options that are one knob: the noise of h and of J are scanned together.
TOGETHER = {"sigma_h": ("sigma_h", "sigma_j")}
TITLES = {
    "sigma_h": ("Noise", "standard deviation of h's error, of the full range (J's in proportion)"),
    "chain_prefactor": ("Chain strength", "chain strength, times uniform torque compensation"),
    "chain_strength": ("Chain strength", "chain strength, of the largest coefficient"),
    "encoding.kappa": ("κ of the margin", "κ"),
}


def scans(results: Results) -> list[Figure]:
    """Return one figure an option that takes three or more numbers among solvers that are else alike."""
    known = _specs(results.lines)
    options = sorted({option for spec, _ in known for option in _options(spec)} - {"sigma_j"})
    return [figure for option in options if (figure := _scan(results, option, known)) is not None]


def _specs(lines: list[SolverLine]) -> list[tuple[SolverSpec, SolverLine]]:
    found = []
    for line in lines:
        try:
            found.append((parse_solver(line.solver), line))
        except (TypeError, ValueError, ImportError):  # an object that a Python caller gave
            continue
    return found


def _options(spec: SolverSpec) -> dict[str, float]:
    inner = spec.inner
    own = {} if inner is None else _options(inner)
    for name, value in spec.options.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            own[name] = float(value)
    return own


def _without(spec: SolverSpec, names: tuple[str, ...]) -> str:
    inner = None if spec.inner is None else parse_solver(_without(spec.inner, names))
    return SolverSpec(spec.name, {k: v for k, v in spec.options.items() if k not in names}, inner).text


def _scan(results: Results, option: str, known: list[tuple[SolverSpec, SolverLine]]) -> Figure | None:
    together = TOGETHER.get(option, (option,))
    groups: dict[str, list[tuple[float, SolverLine]]] = {}
    for spec, line in known:
        value = _options(spec).get(option)
        if value is not None:
            budget = line.label.removeprefix(line.solver)
            groups.setdefault(_without(spec, together) + budget, []).append((value, line))
    groups = {name: points for name, points in groups.items() if len({x for x, _ in points}) >= 3}
    if not groups:
        return None
    traces: list[dict[str, Any]] = []
    chosen = PALETTE * (1 + len(groups) // len(PALETTE))
    breaks = False
    for colour, (name, points) in zip(chosen, groups.items(), strict=False):
        points.sort(key=lambda point: point[0])
        x = [value for value, _ in points]
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": safe(name), "x": x,
            "y": [line.gap_mean for _, line in points], "line": {"color": colour, "width": 2},
            "error_y": {
                "type": "data", "symmetric": False, "thickness": 1,
                "array": [line.gap_high - line.gap_mean for _, line in points],
                "arrayminus": [line.gap_mean - line.gap_low for _, line in points],
            },
        })  # fmt: skip
        if any(not math.isnan(line.chain_breaks) for _, line in points):
            breaks = True
            traces.append({
                "type": "scatter", "mode": "lines+markers", "name": safe(name) + ": broken chains", "x": x,
                "y": [line.chain_breaks for _, line in points], "yaxis": "y2",
                "line": {"color": colour, "width": 1, "dash": "dot"}, "marker": {"size": 5},
            })  # fmt: skip
    everything = [value for points in groups.values() for value, _ in points]
    gap = gaps(results.runs, results.known)
    for line in results.lines:
        if line.is_null:
            own = results.runs["label"] == line.label
            level = float(np.mean(list(means_by_problem(gap[own], results.runs["problem"][own]).values())))
            traces.append({
                "type": "scatter", "mode": "lines", "name": named(line), "x": [min(everything), max(everything)],
                "y": [level, level], "line": colours(results)[line.label],
            })  # fmt: skip
    title, axis = TITLES.get(option, (option, option))
    layout: dict[str, Any] = {
        "xaxis": {"title": safe(axis)}, "yaxis": {"title": "mean gap", "rangemode": "tozero"},
    }  # fmt: skip
    if breaks:
        layout["yaxis2"] = {
            "title": "broken chains", "overlaying": "y", "side": "right", "tickformat": ".1~%", "rangemode": "tozero",
            "showgrid": False,
        }  # fmt: skip
    text = "Mean gap with its 95 % bootstrap interval over neurons, all else equal, beside the null models."
    return Figure(f"scan-{option}", title, text + (" Dotted, right: broken chains." if breaks else ""), traces, layout)
