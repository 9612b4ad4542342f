"""The report's figures on matplotlib axes, for papers: same numbers, same colours, null models grey and dashed."""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import Any

from qproj.lab.report.figures import figures
from qproj.lab.report.style import Figure
from qproj.lab.studies.results import Results

_STYLES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}


def names(study: Results | str | Path) -> list[str]:
    """Return the names of the figures that a study has data for."""
    return [figure.name for figure in figures(_read(study)) if _drawable(figure)]


def draw(axes: Any, study: Results | str | Path, name: str, *, legend: bool = True) -> Any:
    """Draw one of a study's figures on matplotlib axes and return them.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    study : Results or path
        A study's folder, or what :meth:`Results.read` returned.
    name : str
        "gaps", "sizes", "success-d", "success-n", "reads", "time", "tts", "alignment", "scan-OPTION", "training".
    legend : bool

    Raises
    ------
    ValueError
        The study has no such figure; those it has are named.
    """
    found = {figure.name: figure for figure in figures(_read(study)) if _drawable(figure)}
    if name not in found:
        raise ValueError(f"no figure {name!r}; this study has {', '.join(found)}")
    figure = found[name]
    second = axes.twinx() if "yaxis2" in figure.layout else None
    for trace in figure.traces:
        _trace(second if trace.get("yaxis") == "y2" else axes, trace)
    for which, letter in ((figure.layout.get("xaxis", {}), "x"), (figure.layout.get("yaxis", {}), "y")):
        _axis(axes, which, letter)
    if second is not None:
        _axis(second, figure.layout["yaxis2"], "y")
    if legend and len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(fontsize="small", frameon=False)
    return axes


def _read(study: Results | str | Path) -> Results:
    return study if isinstance(study, Results) else Results.read(study)


def _drawable(figure: Figure) -> bool:
    return all(trace["type"] == "scatter" for trace in figure.traces)


def _trace(axes: Any, trace: dict[str, Any]) -> None:
    line, mode = trace.get("line", {}), trace.get("mode", "lines")
    colour = trace.get("marker", {}).get("color", line.get("color"))
    x, y = _numbers(trace["x"]), _numbers(trace["y"])
    shown = trace.get("showlegend", True)
    colours = colour if isinstance(colour, list) else None
    style: dict[str, Any] = {
        "color": None if colours else line.get("color", colour), "linewidth": line.get("width", 1.5),
        "linestyle": _STYLES[line.get("dash", "solid")] if "lines" in mode else "none",
        "marker": "o" if "markers" in mode else "", "markersize": 4, "alpha": trace.get("opacity", 1.0),
        "label": html.unescape(trace["name"]) if shown else "_nolegend_",
    }  # fmt: skip
    if line.get("shape") == "hv":
        style["drawstyle"] = "steps-post"
    spread = {f"{letter}err": _error(trace[f"error_{letter}"]) for letter in "xy" if f"error_{letter}" in trace}
    if spread:
        axes.errorbar(x, y, elinewidth=0.8, capsize=2, **spread, **style)
    else:
        axes.plot(x, y, **style)
    if "text" in mode:
        for i, (place, text) in enumerate(zip(zip(x, y, strict=True), trace["text"], strict=True)):
            offset = (6, (5, -12, 16, -23)[i % 4])  # names of points that lie together stay readable
            axes.annotate(html.unescape(text), place, textcoords="offset points", xytext=offset, fontsize="small")


def _numbers(values: list[Any]) -> list[Any]:
    return [math.nan if value is None else value for value in values]


def _error(spread: dict[str, Any]) -> Any:
    """(2, k) lengths below and above, none negative and NaN as 0."""
    sides = [spread.get("arrayminus", spread["array"]), spread["array"]]
    return [[0.0 if value is None or math.isnan(value) else max(0.0, value) for value in side] for side in sides]


def _axis(axes: Any, told: dict[str, Any], letter: str) -> None:
    getattr(axes, f"set_{letter}label")(html.unescape(told.get("title", "")))
    if told.get("rangemode") == "tozero" and told.get("type") != "log":
        low, high = getattr(axes, f"get_{letter}lim")()
        getattr(axes, f"set_{letter}lim")(min(0.0, low), high)
    if told.get("type") == "log":
        getattr(axes, f"set_{letter}scale")("log")
    if "%" in told.get("tickformat", ""):
        from matplotlib.ticker import PercentFormatter

        getattr(axes, f"{letter}axis").set_major_formatter(PercentFormatter(1.0))
