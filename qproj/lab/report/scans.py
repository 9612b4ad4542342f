"""Figures over one option of a solver: noise and chain strength of an annealer, κ of the margin, sweeps, …"""

from __future__ import annotations

import math

import numpy as np

from qproj.lab.report.figure import PALETTE, Axis, Figure, Series, Style
from qproj.lab.report.solver_styles import shown_name, solver_styles
from qproj.lab.studies.metrics import gaps, means_by_problem
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import SolverLine
from qproj.solvers.specs import SolverSpec, parse_solver

#: Different values of an option that make a scan.
LEAST_VALUES = 3
#: Options that are one knob: the noise of h and of J are scanned together.
TOGETHER = {"sigma_h": ("sigma_h", "sigma_j")}
TITLES = {
    "sigma_h": ("Noise", "standard deviation of h's error, of the full range (J's in proportion)"),
    "chain_prefactor": ("Chain strength", "chain strength, times uniform torque compensation"),
    "chain_strength": ("Chain strength", "chain strength, of the largest coefficient"),
    "encoding.kappa": ("κ of the margin", "κ"),
}


def scans(results: Results) -> list[Figure]:
    """Return one figure per option that takes three or more numbers among solvers that are otherwise alike."""
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
    groups = {name: points for name, points in groups.items() if len({x for x, _ in points}) >= LEAST_VALUES}
    if not groups:
        return None
    series: list[Series] = []
    for number, (name, points) in enumerate(groups.items()):
        series += _curves(name, sorted(points, key=lambda point: point[0]), PALETTE[number % len(PALETTE)])
    values = [value for points in groups.values() for value, _ in points]
    series += _null_levels(results, [min(values), max(values)])
    title, label = TITLES.get(option, (option, option))
    breaks = any(one.on_right for one in series)
    text = "Mean gap with its 95 % bootstrap interval over neurons, all else equal, beside the null models."
    return Figure(
        f"scan-{option}", title, text + (" Dotted, right: broken chains." if breaks else ""), Axis(label),
        Axis("mean gap", from_zero=True), series,
        right=Axis("broken chains", ticks=".1~%", from_zero=True) if breaks else None,
    )  # fmt: skip


def _curves(name: str, points: list[tuple[float, SolverLine]], colour: str) -> list[Series]:
    """Return the gaps of solvers that differ in one option, and their broken chains where they have chains."""
    x, lines = [value for value, _ in points], [line for _, line in points]
    curves = [
        Series(
            name, x, [line.gap_mean for line in lines], Style(colour), "line+points",
            low=[line.gap_low for line in lines], high=[line.gap_high for line in lines],
        )
    ]  # fmt: skip
    if not all(math.isnan(line.chain_breaks) for line in lines):
        style = Style(colour, "dot", width=1, size=5)
        breaks = [line.chain_breaks for line in lines]
        curves.append(Series(f"{name}: broken chains", x, breaks, style, "line+points", on_right=True))
    return curves


def _null_levels(results: Results, x: list[float]) -> list[Series]:
    """Return the null models' mean gaps as level lines."""
    styles, gap = solver_styles(results), gaps(results.runs, results.known)
    levels = []
    for line in results.lines:
        if line.is_null:
            own = results.runs["label"] == line.label
            level = float(np.mean(list(means_by_problem(gap[own], results.runs["problem"][own]).values())))
            levels.append(Series(shown_name(line), x, [level, level], styles[line.label]))
    return levels
