"""The looks of a study's solvers, the same in all its figures: one colour per solver, null models grey."""

from __future__ import annotations

from qproj.lab.report.figure import GREY, PALETTE, Dash, Style, Symbol
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import SolverLine

_DASHES: tuple[Dash, ...] = ("solid", "dash", "dot", "dashdot")
_SYMBOLS: tuple[Symbol, ...] = (
    "circle", "square", "diamond", "triangle-up", "triangle-down", "x", "star", "pentagon",
)  # fmt: skip


def solver_styles(results: Results) -> dict[str, Style]:
    """Return each label's style: lines of one colour differ in dash and symbol; null models are grey.

    A solver keeps its colour in every budget; solvers beyond the palette share colours, and no look is used twice for
    up to forty lines.
    """
    styles: dict[str, Style] = {}
    null = {line.solver for line in results.lines if line.is_null}
    labels: dict[str, list[str]] = {}
    for line in sorted(results.lines, key=lambda line: (line.solver, line.label)):
        labels.setdefault(line.solver, []).append(line.label)
    used = dict.fromkeys((*PALETTE, GREY), 0)
    coloured = [solver for solver in labels if solver not in null]
    for solver, own in labels.items():
        colour = GREY if solver in null else PALETTE[coloured.index(solver) % len(PALETTE)]
        for label in own:
            place, used[colour] = used[colour], used[colour] + 1
            if colour == GREY:
                styles[label] = Style(GREY, "dot" if solver.startswith("polished") else "dash", symbol=_symbol(place))
            else:
                styles[label] = Style(colour, _DASHES[place % len(_DASHES)], symbol=_symbol(place))
    return styles


def _symbol(place: int) -> Symbol:
    return _SYMBOLS[place % len(_SYMBOLS)]


def shown_name(line: SolverLine) -> str:
    """Return a line's name as figures show it."""
    return line.label + (" (null model)" if line.is_null else "")
