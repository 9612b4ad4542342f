"""The looks of a study's solvers, the same in all its figures: one colour per solver, null models grey."""

from __future__ import annotations

from qproj.lab.report.figure import GREY, PALETTE, Dash, Style
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import SolverLine

_DASHES: tuple[Dash, ...] = ("solid", "dash", "dot", "dashdot")


def solver_styles(results: Results) -> dict[str, Style]:
    """Return each label's style: a dash for each budget of a solver, or round of the palette; null models grey."""
    styles: dict[str, Style] = {}
    null = {line.solver for line in results.lines if line.is_null}
    coloured = sorted({line.solver for line in results.lines} - null)
    for solver in {line.solver for line in results.lines}:
        budgets = sorted(line.label for line in results.lines if line.solver == solver)
        for number, label in enumerate(budgets):
            if solver in null:
                styles[label] = Style(GREY, "dot" if solver.startswith("polished") else "dash")
            else:
                rounds, place = divmod(coloured.index(solver), len(PALETTE))
                styles[label] = Style(PALETTE[place], _DASHES[(rounds + number) % len(_DASHES)])
    return styles


def shown_name(line: SolverLine) -> str:
    """Return a line's name as figures show it."""
    return line.label + (" (null model)" if line.is_null else "")
