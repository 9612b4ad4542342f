"""The figures of stored training runs: a curve per optimiser, a band over seeds; on the page, and as PNG and SVG."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qproj._extras import install_hint
from qproj._files import replacing
from qproj.lab.report.figure import PALETTE, Axis, Dash, Figure, Series, Style, separated
from qproj.lab.report.matplotlib_axes import draw_figure
from qproj.lab.training.tables import groups
from qproj.solvers.contract import MissingPackageError

FOLDER = "curves"


@dataclass(frozen=True)
class Panel:
    """One diagram: the columns of the histories that it draws, each with its dash."""

    title: str
    columns: tuple[tuple[str, Dash], ...]
    x: Axis
    y: Axis


_STEP, _PLAIN, _LOG = Axis("step"), Axis(), Axis(scale="log")
_NETWORK = (
    Panel("test accuracy", (("test", "solid"),), _STEP, _PLAIN),
    Panel("training loss", (("loss", "solid"),), _STEP, _PLAIN),
    Panel("cosine of V and −∇f", (("cosine", "solid"),), _STEP, _PLAIN),
    Panel("gap of the projections", (("gap", "solid"), ("audit_gap", "dash")), _STEP, _PLAIN),
)
_FUNCTIONS = {
    "rosenbrock": (
        Panel("f(W)", (("value", "solid"),), _STEP, _LOG),
        Panel("‖∇f‖", (("gradient_norm", "solid"),), _STEP, _LOG),
    ),
    "rate": (
        Panel(
            "mean ‖∇f‖: exact slopes (solid), noisy (dashed), proved bound (dotted)",
            (("mean_gradient_norm", "solid"), ("noisy_mean_gradient_norm", "dash"), ("bound", "dot")),
            Axis("T", "log"), _LOG,
        ),
    ),
    "fixed-point": (Panel("share of starts that stay", (("at_rest", "solid"),), _STEP, _PLAIN),),
}  # fmt: skip


def training_figures(records: Sequence[dict[str, Any]]) -> list[Figure]:
    """Return the figures of one experiment's runs; those without data are left out."""
    experiment = records[0]["experiment"]
    runs = groups(records)
    figures = []
    for number, panel in enumerate(_FUNCTIONS.get(experiment, _NETWORK)):
        series: list[Series] = []
        for (label, mine), colour in zip(runs.items(), itertools.cycle(PALETTE)):
            curves = [_curve(label, column, panel, mine, Style(colour, dash)) for column, dash in panel.columns]
            shown = [curve for curve in curves if curve is not None]
            series += [replace(curve, in_legend=place == 0) for place, curve in enumerate(shown)]
        if series:
            figures.append(separated(Figure(f"{experiment}-{number}", panel.title, "", panel.x, panel.y, series)))
    return figures


def _curve(label: str, column: str, panel: Panel, records: Sequence[dict[str, Any]], style: Style) -> Series | None:
    """Return the mean of one column over the runs, by step, in the band of its range; None where no run has it."""
    values: dict[float, list[float]] = {}
    for record in records:
        for row in record["history"]:
            if row.get(column) is not None:
                values.setdefault(float(row["step"]), []).append(float(row[column]))
    if not values:
        return None
    x = sorted(values)
    low, high = [min(values[k]) for k in x], [max(values[k]) for k in x]
    return Series(
        label, x, [math.fsum(values[k]) / len(values[k]) for k in x], style, low=low, high=high, band=low != high,
        group=label, hover=f"{column} {{y:.4g}} at {panel.x.label} {{x}}",
    )  # fmt: skip


def write_curves(records: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
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
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise MissingPackageError(f"{error.name} is not installed; {install_hint('report')}") from error
    figures = training_figures(records)
    columns, rows = min(len(figures), 2), math.ceil(len(figures) / 2)
    paths = []
    with rc_context({"svg.hashsalt": "qproj", "font.size": 10, "axes.grid": True, "grid.alpha": 0.3}):
        canvas = Canvas(figsize=(5.6 * columns, 3.6 * rows + 0.5), layout="constrained")
        for number, figure in enumerate(figures):
            axes = canvas.add_subplot(rows, columns, number + 1)
            draw_figure(axes, figure, legend=False).set_title(figure.title, fontsize=10)
        canvas.suptitle(_title(records))
        handles, labels = canvas.axes[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5), frameon=False)
        for ending, printer, options in (
            ("png", FigureCanvasAgg(canvas), {"dpi": 150}),
            ("svg", FigureCanvasSVG(canvas), {"metadata": {"Date": None}}),
        ):
            paths.append(folder / FOLDER / f"{records[0]['experiment']}.{ending}")
            with replacing(paths[-1]) as file:
                printer.print_figure(file, format=ending, **options)
    return paths


def _title(records: Sequence[dict[str, Any]]) -> str:
    seeds = len({record["seed"] for record in records})
    over = f"mean and range over {seeds} seeds" if seeds > 1 else "one seed"
    return f"{records[0]['experiment']}: {over}"
