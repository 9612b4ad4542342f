"""Curves of stored runs as PNG and SVG: what was measured on the way, a line an optimiser, a band over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qproj._files import replacing
from qproj.lab.training.tables import groups
from qproj.solvers.contract import MissingPackageError

FOLDER = "curves"
#: Okabe and Ito's palette, told apart with any colour vision.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#7A5195", "#8C564B", "#3D9970", "#888888")


@dataclass(frozen=True)
class Panel:
    """One diagram: which columns of the histories it draws; (column, dashed) each."""

    title: str
    columns: tuple[tuple[str, str], ...]
    x: str = "step"
    log_x: bool = False
    log_y: bool = False


_NETWORK = (
    Panel("test accuracy", (("test", "solid"),)),
    Panel("training loss", (("loss", "solid"),)),
    Panel("cosine of V and −∇f", (("cosine", "solid"),)),
    Panel("gap of the projections", (("gap", "solid"), ("audit_gap", "dashed"))),
)
_FUNCTIONS = {
    "rosenbrock": (
        Panel("f(W)", (("value", "solid"),), log_y=True),
        Panel("‖∇f‖", (("gradient_norm", "solid"),), log_y=True),
    ),
    "rate": (
        Panel(
            "mean ‖∇f‖: exact slopes (solid), noisy (dashed), proved bound (dotted)",
            (("mean_gradient_norm", "solid"), ("noisy_mean_gradient_norm", "dashed"), ("bound", "dotted")), x="T",
            log_x=True, log_y=True,
        ),
    ),
    "fixed-point": (Panel("share of starts at rest", (("at_rest", "solid"),)),),
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """Mean, least and largest of one column over the runs of one group, by step."""

    label: str
    column: str
    style: str
    x: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]


def panels(records: Sequence[dict[str, Any]]) -> list[tuple[Panel, list[Line]]]:
    """Return the diagrams of one experiment's runs; those without data are left out."""
    experiment = records[0]["experiment"]
    wanted = _FUNCTIONS.get(experiment, _NETWORK)
    drawn = []
    for panel in wanted:
        lines = [
            line
            for label, mine in groups(records).items()
            for column, style in panel.columns
            if (line := _line(label, column, style, mine)) is not None
        ]
        if lines:
            drawn.append((panel, lines))
    return drawn


def _line(label: str, column: str, style: str, records: Sequence[dict[str, Any]]) -> Line | None:
    values: dict[float, list[float]] = {}
    for record in records:
        for row in record["history"]:
            if row.get(column) is not None:
                values.setdefault(float(row["step"]), []).append(float(row[column]))
    if not values:
        return None
    x = sorted(values)
    means = [math.fsum(values[k]) / len(values[k]) for k in x]
    return Line(label, column, style, x, means, [min(values[k]) for k in x], [max(values[k]) for k in x])


def draw(records: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """Write ``folder/curves/<experiment>.png`` and ``.svg`` and return their paths.

    Raises
    ------
    MissingPackageError
        matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(f'{error.name} is not installed; pip install "qproj[report]"') from error
    drawn = panels(records)
    columns = min(len(drawn), 2)
    rows = math.ceil(len(drawn) / 2)
    colours = {label: PALETTE[i % len(PALETTE)] for i, label in enumerate(groups(records))}
    paths = []
    with rc_context({"svg.hashsalt": "qproj", "font.size": 10, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(5.6 * columns, 3.6 * rows + 0.5), layout="constrained")
        for i, (panel, lines) in enumerate(drawn):
            _axes(figure.add_subplot(rows, columns, i + 1), panel, lines, colours)
        figure.suptitle(_title(records))
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5), frameon=False)
        for ending, canvas, options in (
            ("png", FigureCanvasAgg(figure), {"dpi": 150}),
            ("svg", FigureCanvasSVG(figure), {"metadata": {"Date": None}}),
        ):
            paths.append(folder / FOLDER / f"{records[0]['experiment']}.{ending}")
            with replacing(paths[-1]) as file:
                canvas.print_figure(file, format=ending, **options)
    return paths


def _title(records: Sequence[dict[str, Any]]) -> str:
    seeds = len({record["seed"] for record in records})
    over = f"mean and range over {seeds} seeds" if seeds > 1 else "one seed"
    return f"{records[0]['experiment']}: {over}"


def _axes(axes: Any, panel: Panel, lines: Sequence[Line], colours: dict[str, str]) -> None:
    named: set[str] = set()
    for line in lines:
        label = None if line.label in named else line.label
        named.add(line.label)
        axes.plot(line.x, line.mean, linestyle=line.style, color=colours[line.label], label=label, linewidth=1.8)
        axes.fill_between(line.x, line.low, line.high, color=colours[line.label], alpha=0.15, linewidth=0)
    axes.set_title(panel.title, fontsize=10)
    axes.set_xlabel(panel.x)
    if panel.log_x:
        axes.set_xscale("log")
    if panel.log_y:
        axes.set_yscale("log")
