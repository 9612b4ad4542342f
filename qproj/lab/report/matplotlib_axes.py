"""A figure on matplotlib axes, for papers: same numbers, same colours, null models grey and dashed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qproj.lab.report.figure import Axis, Figure, Series
from qproj.lab.report.study_figures import study_figures
from qproj.lab.studies.results import Results

_DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
_MARKERS = {
    "circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "triangle-down": "v", "x": "X", "star": "*",
    "pentagon": "p",
}  # fmt: skip
#: A page's pixels are smaller than a paper's points.
_POINTS = 2 / 3
#: Characters of categories that fit below an axis side by side.
_ROOM = 50


def figure_names(study: Results | str | Path) -> list[str]:
    """Return the names of the figures that a study has data for."""
    return [figure.name for figure in study_figures(_read(study))]


def draw(axes: Any, study: Results | str | Path, name: str, *, legend: bool = True) -> Any:
    """Draw one of a study's figures on matplotlib axes and return them.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    study : Results or path
        Results, or a study's folder.
    name : str
        "gaps", "sizes", "success-d", "success-n", "reads", "time", "tts", "split", "alignment", "scan-OPTION",
        "training".
    legend : bool

    Raises
    ------
    ValueError
        The study has no such figure; those that it has are named.
    """
    found = {figure.name: figure for figure in study_figures(_read(study))}
    if name not in found:
        raise ValueError(f"no figure {name!r}; this study has {', '.join(found)}")
    return draw_figure(axes, found[name], legend=legend)


def _read(study: Results | str | Path) -> Results:
    return study if isinstance(study, Results) else Results.read(study)


def draw_figure(axes: Any, figure: Figure, *, legend: bool = True) -> Any:
    """Draw a figure on matplotlib axes and return them; its title and text are the caller's to place."""
    right = None if figure.right is None else axes.twinx()
    widths: dict[str, float] = {}  # where the next bar begins, by name
    for series, sides in zip(figure.series, figure.label_sides, strict=True):
        target = right if series.on_right and right is not None else axes
        if series.kind == "bars":
            _bars(target, series, widths)
        else:
            _line(target, series)
            if series.labelled:
                _labels(target, series, sides)
    if widths:
        axes.invert_yaxis()
    _axis(axes, figure.x, "x")
    _axis(axes, figure.y, "y")
    if right is not None and figure.right is not None:
        _axis(right, figure.right, "y")
    if legend and len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(fontsize="small", frameon=False)
    return axes


def _line(axes: Any, series: Series) -> None:
    style = series.style
    look: dict[str, Any] = {
        "color": style.colour, "linewidth": style.width, "alpha": style.opacity,
        "linestyle": "none" if series.kind == "points" else _DASHES[style.dash],
        "marker": _MARKERS[style.symbol] if "points" in series.kind else "", "markersize": _POINTS * style.size,
        "label": series.name if series.in_legend else "_nolegend_",
    }  # fmt: skip
    if series.kind == "steps":
        look["drawstyle"] = "steps-post"
    if series.band:
        axes.fill_between(series.x, series.low, series.high, color=style.colour, alpha=0.15, linewidth=0)
    spread = {f"{letter}err": lengths for letter, lengths in series.error_bars.items()}
    if spread:
        axes.errorbar(series.x, series.y, elinewidth=0.8, capsize=2, **spread, **look)
    else:
        axes.plot(series.x, series.y, **look)


def _bars(axes: Any, series: Series, begin: dict[str, float]) -> None:
    left = [begin.get(str(name), 0.0) for name in series.y]
    axes.barh(series.y, series.x, left=left, color=series.style.colour, label=series.name)
    for name, length in zip(series.y, series.x, strict=True):
        begin[str(name)] = begin.get(str(name), 0.0) + float(length)


def _labels(axes: Any, series: Series, sides: list[tuple[str, str]]) -> None:
    for x, y, text, (vertical, horizontal) in zip(series.x, series.y, series.labels, sides, strict=True):
        axes.annotate(
            text, (x, y), textcoords="offset points", fontsize="small",
            xytext=(6 if horizontal == "right" else -6, 5 if vertical == "top" else -12),
            ha="left" if horizontal == "right" else "right",
        )  # fmt: skip


def _axis(axes: Any, axis: Axis, letter: str) -> None:
    getattr(axes, f"set_{letter}label")(axis.label)
    if axis.scale == "log":
        getattr(axes, f"set_{letter}scale")("log")
    elif axis.from_zero:
        low, high = getattr(axes, f"get_{letter}lim")()
        getattr(axes, f"set_{letter}lim")(min(0.0, low), high)
    names = [label.get_text() for label in axes.get_xticklabels()] if axis.scale == "category" and letter == "x" else []
    if sum(map(len, names)) > _ROOM:
        axes.tick_params("x", rotation=25)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
    if axis.limits is not None:
        getattr(axes, f"set_{letter}lim")(*axis.limits)
    if "%" in axis.ticks:
        from matplotlib.ticker import PercentFormatter

        getattr(axes, f"{letter}axis").set_major_formatter(PercentFormatter(1.0))
