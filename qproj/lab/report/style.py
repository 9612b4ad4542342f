"""What all figures share: one colour a solver, null models grey, and texts that plotly shows as they are."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from qproj.lab.studies.results import Results

#: Okabe and Ito's palette, told apart with any colour vision; null models are grey and dashed.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B5A900", "#7A5195", "#8C564B", "#3D9970")
GREY = "#888888"
DASHES = ("solid", "dash", "dot", "dashdot")


@dataclass(frozen=True)
class Figure:
    """One figure: what it shows, and plotly's traces and layout."""

    name: str
    title: str
    text: str
    traces: list[dict[str, Any]]
    layout: dict[str, Any]


def colours(results: Results) -> dict[str, dict[str, Any]]:
    """Return each label's line: a colour a solver, a dash a budget or a round of the palette; null models grey."""
    lines: dict[str, dict[str, Any]] = {}
    null = {line.solver for line in results.lines if line.is_null}
    coloured = sorted({line.solver for line in results.lines} - null)
    for solver in {line.solver for line in results.lines}:
        budgets = sorted(line.label for line in results.lines if line.solver == solver)
        place = coloured.index(solver) if solver not in null else 0
        for budget, label in enumerate(budgets):
            if solver in null:
                dash = "dot" if solver.startswith("polished") else "dash"
                lines[label] = {"color": GREY, "dash": dash, "width": 2}
            else:
                dash = DASHES[(place // len(PALETTE) + budget) % len(DASHES)]
                lines[label] = {"color": PALETTE[place % len(PALETTE)], "dash": dash, "width": 2}
    return lines


def safe(text: str) -> str:
    """Return text that plotly shows as it is."""
    return html.escape(text, quote=False)


def named(line: Any) -> str:
    """Return a line's name as figures show it."""
    return safe(line.label) + (" (null model)" if line.is_null else "")
