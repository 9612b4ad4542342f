"""One description of a figure, for pages and for papers: the numbers, the axes they are on, and how they look.

Figure functions return it; :mod:`~qproj.lab.report.plotly_json` and :mod:`~qproj.lab.report.matplotlib_axes` draw it.
Texts are as they are: each renderer escapes what its library would read as markup.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

#: Okabe and Ito's palette and four more, distinct with any colour vision.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B5A900", "#7A5195", "#8C564B", "#3D9970")
#: Null models and reference lines.
GREY = "#888888"

Symbol = Literal["circle", "square", "diamond", "triangle-up", "triangle-down", "x", "star", "pentagon"]
Dash = Literal["solid", "dash", "dot", "dashdot"]
Kind = Literal["line", "steps", "line+points", "points", "bars"]


@dataclass(frozen=True)
class Style:
    """How a series looks; `size` is the points', in pixels of the page."""

    colour: str
    dash: Dash = "solid"
    width: float = 2.0
    size: float = 6.0
    opacity: float = 1.0
    symbol: Symbol = "circle"


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes
    ----------
    label : str
    scale : {"linear", "log", "category"}
    ticks : str
        Format of the numbers, such as ".0%"; empty: the renderer's own.
    from_zero : bool
        The axis begins at 0, whatever the data.
    limits : pair of float, optional
    """

    label: str = ""
    scale: Literal["linear", "log", "category"] = "linear"
    ticks: str = ""
    from_zero: bool = False
    limits: tuple[float, float] | None = None


def scale_of(values: Sequence[float]) -> Literal["linear", "log"]:
    """Return "log" for positive numbers of which the largest is a hundred times the smallest, or more."""
    return "log" if values and min(values) > 0 and max(values) >= 100 * min(values) else "linear"


@dataclass(frozen=True)
class Series:
    """Points that belong together; NaN where a number is missing.

    Attributes
    ----------
    x, y : sequences of equal length
        Of bars, which are horizontal: lengths and names.
    kind : {"line", "steps", "line+points", "points", "bars"}
        Steps keep a value up to the next x; bars of several series are stacked.
    low, high : sequences, optional
        An interval of y at each point: error bars, or a band where `band` is set.
    x_low, x_high : sequences, optional
        An interval of x, as error bars.
    labels : sequence of str
        One per point: for `hover`, and beside the points where `labelled` is set.
    hover : str or None
        Shown at the pointer, with fields such as {x:.2g} and {label}; empty: the renderer's own; None: nothing.
    group : str
        Series of one group are shown and hidden together.
    in_legend, on_right : bool
        `on_right`: on the figure's second y axis.
    """

    name: str
    x: Sequence[float | str]
    y: Sequence[float | str]
    style: Style
    kind: Kind = "line"
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    x_low: Sequence[float] | None = None
    x_high: Sequence[float] | None = None
    band: bool = False
    labels: Sequence[str] = ()
    labelled: bool = False
    hover: str | None = ""
    group: str = ""
    in_legend: bool = True
    on_right: bool = False

    @property
    def error_bars(self) -> dict[str, tuple[list[float], list[float]]]:
        """By axis, "x" or "y": lengths below and above each point, 0 where an end is missing; empty for a band."""
        intervals = {"y": (self.y, self.low, self.high), "x": (self.x, self.x_low, self.x_high)}
        bars = {}
        for letter, (values, low, high) in intervals.items():
            if low is not None and high is not None and not self.band:
                below = [float(value) - least for value, least in zip(values, low, strict=True)]
                above = [most - float(value) for value, most in zip(values, high, strict=True)]
                bars[letter] = ([max(0.0, x) for x in below], [max(0.0, x) for x in above])  # of NaN: 0
        return bars


@dataclass(frozen=True)
class Figure:
    """A figure: its name on the page, its title, a sentence or two about it, its axes and series."""

    name: str
    title: str
    text: str
    x: Axis
    y: Axis
    series: list[Series] = field(default_factory=list)
    right: Axis | None = None

    @property
    def has_legend(self) -> bool:
        """A legend of one name says nothing that the title does not."""
        return sum(one.in_legend for one in self.series) > 1

    @property
    def label_sides(self) -> list[list[tuple[str, str]]]:
        """For each series, the (vertical, horizontal) sides of its labels: neighbours apart, all inside the axes."""
        places = [[float(x) for x in one.x] if one.labelled else [] for one in self.series]
        if self.x.scale == "log":
            places = [[math.log(x) if x > 0 else -math.inf for x in own] for own in places]
        known = [x for own in places for x in own if math.isfinite(x)]
        middle = (min(known) + max(known)) / 2 if known else 0.0
        vertical = itertools.cycle(("top", "bottom"))
        return [[(next(vertical), "left" if x > middle else "right") for x in own] for own in places]


#: Lines closer than this share of the axis coincide to the eye; each further one below adds so many pixels, and all of
#: them no more than the last number.
_CLOSE, _CASING, _MOST_CASING = 0.004, 3.5, 10.5


def separated(figure: Figure) -> Figure:
    """Return the figure with lines that coincide drawn one inside the other, the first widest: all are to be seen."""
    lines = [one for one in figure.series if one.kind in ("line", "steps", "line+points") and not one.on_right]
    left = list(lines)
    widths: dict[int, float] = {}
    span = _span(figure, lines)
    while left:
        first = left.pop(0)
        same = [first, *(one for one in left if _coincide(first, one, span, log=figure.y.scale == "log"))]
        left = [one for one in left if all(one is not other for other in same)]
        casing = min(_CASING, _MOST_CASING / max(1, len(same) - 1))
        for place, one in enumerate(same):
            widths[id(one)] = one.style.width + casing * (len(same) - 1 - place)
    return replace(
        figure,
        series=[
            replace(one, style=replace(one.style, width=widths[id(one)]))
            if id(one) in widths and widths[id(one)] != one.style.width
            else one
            for one in figure.series
        ],
    )


def _heights(series: Series, *, log: bool) -> list[float]:
    known = [float(y) for y in series.y]
    return [(math.log(y) if y > 0 else math.nan) if log else y for y in known]


def _span(figure: Figure, lines: Sequence[Series]) -> float:
    log = figure.y.scale == "log"
    known = [y for one in lines for y in _heights(one, log=log) if math.isfinite(y)]
    return max(known) - min(known) if known else 0.0


def _coincide(a: Series, b: Series, span: float, *, log: bool) -> bool:
    if list(a.x) != list(b.x) or a.kind != b.kind:
        return False
    pairs = zip(_heights(a, log=log), _heights(b, log=log), strict=True)
    return all((math.isnan(x) and math.isnan(y)) or abs(x - y) <= _CLOSE * span for x, y in pairs)
