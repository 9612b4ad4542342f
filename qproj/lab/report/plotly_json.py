"""A figure as plotly's own plain data, for a page: drawn by the browser, in the page's light or dark colours."""

from __future__ import annotations

import html
import math
from typing import Any

from qproj.lab.report.figure import Axis, Figure, Series

_MODES = {"line": "lines", "steps": "lines", "line+points": "lines+markers", "points": "markers"}
#: Pixels of a figure of bars: its axis, and each bar.
_BARS_HEIGHT, _BAR_HEIGHT = 160, 32


def to_plotly(figure: Figure) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return a figure's traces and layout; every text is escaped, as plotly reads some markup in labels."""
    traces: list[dict[str, Any]] = []
    for series, sides in zip(figure.series, figure.label_sides, strict=True):
        if series.kind == "bars":
            traces.append(_bars(series))
            continue
        if series.band:
            traces.append(_band(series))
        traces.append(_scatter(series, sides))
    layout: dict[str, Any] = {
        "xaxis": _axis(figure.x, [x for series in figure.series for x in series.x]),
        "yaxis": _axis(figure.y, [y for series in figure.series for y in series.y]),
        "showlegend": figure.has_legend,
    }
    if figure.right is not None:
        layout["yaxis2"] = _axis(figure.right, []) | {"overlaying": "y", "side": "right", "showgrid": False}
    bars = [len(series.y) for series in figure.series if series.kind == "bars"]
    if bars:
        layout |= {"barmode": "stack", "height": _BARS_HEIGHT + _BAR_HEIGHT * max(bars)}
        layout["yaxis"] |= {"automargin": True, "autorange": "reversed"}
    return traces, layout


def safe(text: str) -> str:
    """Return text that plotly shows as it is."""
    return html.escape(text, quote=False)


def _common(series: Series) -> dict[str, Any]:
    found: dict[str, Any] = {"name": safe(series.name), "showlegend": series.in_legend}
    if series.group:
        found["legendgroup"] = safe(series.group)
    if series.on_right:
        found["yaxis"] = "y2"
    if series.hover is None:
        found["hoverinfo"] = "skip"
    elif series.hover:
        fields = safe(series.hover).replace("{label}", "{text}").replace("{", "%{")
        found["hovertemplate"] = f"{fields}<extra>{safe(series.name)}</extra>"
    if series.labels:
        found["text"] = [safe(label) for label in series.labels]
    return found


def _scatter(series: Series, sides: list[tuple[str, str]]) -> dict[str, Any]:
    style = series.style
    trace = _common(series) | {
        "type": "scatter", "mode": _MODES[series.kind], "x": _texts(series.x), "y": _texts(series.y),
        "line": {"color": style.colour, "dash": style.dash, "width": style.width},
    }  # fmt: skip
    if series.kind == "steps":
        trace["line"]["shape"] = "hv"
    if "points" in series.kind:
        trace |= {"marker": {"color": style.colour, "size": style.size, "symbol": style.symbol}, "cliponaxis": False}
    if style.opacity < 1:
        trace["opacity"] = style.opacity
    if series.labelled:
        trace["mode"] += "+text"
        trace["textposition"] = [f"{vertical} {horizontal}" for vertical, horizontal in sides]
    for letter, (below, above) in series.error_bars.items():
        trace[f"error_{letter}"] = {
            "type": "data", "symmetric": False, "thickness": 1, "array": above, "arrayminus": below
        }  # fmt: skip
    return trace


def _band(series: Series) -> dict[str, Any]:
    assert series.low is not None
    assert series.high is not None
    return {
        "type": "scatter", "mode": "lines", "x": [*series.x, *reversed(series.x)],
        "y": [*series.high, *reversed(series.low)], "fill": "toself", "fillcolor": series.style.colour, "opacity": 0.15,
        "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False, "legendgroup": safe(series.group),
    }  # fmt: skip


def _bars(series: Series) -> dict[str, Any]:
    return _common(series) | {
        "type": "bar", "orientation": "h", "x": _texts(series.x), "y": _texts(series.y),
        "marker": {"color": series.style.colour}, "textposition": "none",
    }  # fmt: skip


def _texts(values: Any) -> list[Any]:
    return [safe(value) if isinstance(value, str) else value for value in values]


def _axis(axis: Axis, values: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"title": safe(axis.label)}
    if axis.scale != "linear":
        found["type"] = axis.scale
    if axis.scale == "log":
        found["exponentformat"] = "power"
        positive = [value for value in values if math.isfinite(value) and value > 0]
        if positive and max(positive) >= 10 * min(positive):
            found["dtick"] = 1  # powers of ten only: 2 and 5 between them read as 2 and 5
    if axis.ticks:
        found["tickformat"] = axis.ticks
    if axis.from_zero:
        found["rangemode"] = "tozero"
    if axis.limits is not None:
        found["range"] = list(axis.limits)
    return found
