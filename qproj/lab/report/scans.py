"""Figures over one option of a solver: noise and chain strength of an annealer, κ of the margin, sweeps, …"""

from __future__ import annotations

import math

import numpy as np

from qproj.lab.report.figure import PALETTE, Axis, Figure, Series, Style, scale_of
from qproj.lab.report.solver_styles import shown_name, solver_styles
from qproj.lab.studies.metrics import gaps, means_by_problem
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_families import SolverFamily, families
from qproj.lab.studies.solver_table import SolverLine

#: Different values of an option that make a scan.
LEAST_VALUES = 3
TITLES = {
    "sigma_h": ("Noise", "standard deviation of h's error, of the full range (J's in proportion)"),
    "chain_prefactor": ("Chain strength", "chain strength, times uniform torque compensation"),
    "chain_strength": ("Chain strength", "chain strength, of the largest coefficient"),
    "encoding.kappa": ("κ of the margin", "κ"),
}


def scans(results: Results) -> list[Figure]:
    """Return one figure per option that takes three or more numbers among solvers that are otherwise alike."""
    found = families(results.lines, LEAST_VALUES)
    by_option = {
        option: [one for one in found if one.option == option] for option in dict.fromkeys(f.option for f in found)
    }
    return [_scan(results, option, own) for option, own in by_option.items()]


def _scan(results: Results, option: str, own: list[SolverFamily]) -> Figure:
    series: list[Series] = []
    for number, family in enumerate(own):
        series += _curves(family.name, list(family.members), PALETTE[number % len(PALETTE)])
    values = [value for family in own for value, _ in family.members]
    series += _null_levels(results, [min(values), max(values)])
    title, label = TITLES.get(option, (option, option))
    breaks = any(one.on_right for one in series)
    text = "Mean gap with its 95 % bootstrap interval over neurons, all else equal, beside the null models."
    text += " Dotted, right: broken chains." if breaks else ""
    return Figure(
        f"scan-{option}", title, text, Axis(label, scale_of(values)), Axis("mean gap", from_zero=True), series,
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
