"""One description, two renderers: both show the same numbers, sides, scales and names."""

import math

import pytest

from qproj.lab.report.figure import Axis, Figure, Series, Style
from qproj.lab.report.plotly_json import to_plotly

BLUE = Style("#0072B2", "dash", width=3)
FIGURE = Figure(
    "made", "A title", "A text", Axis("x <label>", "log"), Axis("share", ticks=".0%", from_zero=True),
    [
        Series("steps", [1.0, 10.0, 100.0], [0.0, 0.5, 1.0], BLUE, "steps", hover="{y:.1%} within {x:.2g}"),
        Series("<b>", [1.0, 10.0], [0.25, math.nan], BLUE, "points", low=[0.0, math.nan], high=[0.5, math.nan],
               labels=["left & low", "right"], labelled=True, hover="{label} at {x:.2g}"),
        Series("band", [1.0, 5.0], [0.5, 0.6], BLUE, low=[0.4, 0.5], high=[0.6, 0.7], band=True, group="band"),
        Series("other axis", [1.0, 5.0], [7.0, 8.0], BLUE, hover=None, in_legend=False, on_right=True),
    ],
    right=Axis("right"),
)  # fmt: skip
BARS = Figure(
    "bars", "", "", Axis(limits=(0, 1)), Axis(scale="category"),
    [Series("a", [0.25, 0.5], ["one", "two"], BLUE, "bars"), Series("b", [0.75, 0.5], ["one", "two"], BLUE, "bars")],
)  # fmt: skip


@pytest.fixture
def axes():
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure as Canvas

    return Canvas().subplots()


def test_plotly_gets_every_field():
    (steps, points, filled, band, other), layout = to_plotly(FIGURE)
    assert (steps["mode"], steps["line"]) == ("lines", {"color": "#0072B2", "dash": "dash", "width": 3, "shape": "hv"})
    assert steps["hovertemplate"] == "%{y:.1%} within %{x:.2g}<extra>steps</extra>"
    assert (points["mode"], points["name"]) == ("markers+text", "&lt;b&gt;")
    assert (points["text"], points["textposition"]) == (["left &amp; low", "right"], ["top right", "bottom left"])
    assert points["hovertemplate"] == "%{text} at %{x:.2g}<extra>&lt;b&gt;</extra>"
    assert (points["error_y"]["array"][0], points["error_y"]["arrayminus"][0]) == (0.25, 0.25)
    assert (filled["y"], filled["x"], filled["fill"]) == ([0.6, 0.7, 0.5, 0.4], [1.0, 5.0, 5.0, 1.0], "toself")
    assert (band["legendgroup"], filled["legendgroup"], "error_y" in band) == ("band", "band", False)
    assert (other["yaxis"], other["hoverinfo"], other["showlegend"]) == ("y2", "skip", False)
    assert layout["xaxis"] == {"title": "x &lt;label&gt;", "type": "log", "exponentformat": "power", "dtick": 1}
    assert layout["yaxis"] == {"title": "share", "tickformat": ".0%", "rangemode": "tozero"}
    assert (layout["yaxis2"]["side"], layout["showlegend"]) == ("right", True)


def test_narrow_logarithmic_axes_keep_their_ticks_between_powers_of_ten():
    figure = Figure("narrow", "", "", Axis(scale="log"), Axis(), [Series("a", [2.0, 9.0, 0.0], [1.0, 2.0, 3.0], BLUE)])
    assert "dtick" not in to_plotly(figure)[1]["xaxis"]


def test_matplotlib_gets_every_field(axes):
    from matplotlib.colors import to_hex

    from qproj.lab.report.matplotlib_axes import draw_figure

    assert draw_figure(axes, FIGURE) is axes
    right = next(one for one in axes.figure.axes if one is not axes)
    steps = axes.get_lines()[0]
    assert (list(steps.get_ydata()), steps.get_drawstyle(), steps.get_linestyle()) == ([0, 0.5, 1], "steps-post", "--")
    assert (to_hex(steps.get_color()), steps.get_linewidth()) == ("#0072b2", 3)
    assert [text.get_text() for text in axes.texts] == ["left & low", "right"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["steps", "band", "<b>"]
    assert list(right.get_lines()[0].get_ydata()) == [7.0, 8.0]
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == ("log", "x <label>", "share")
    assert right.get_ylabel() == "right"
    assert axes.get_ylim()[0] <= 0.0
    (band,) = [one for one in axes.collections if len(one.get_paths()) == 1 and one.get_alpha() == 0.15]
    assert band.get_paths()[0].vertices[:, 1].min() == 0.4
    axes.figure.canvas.draw()


def test_bars_lie_and_are_stacked_in_both(axes):
    from qproj.lab.report.matplotlib_axes import draw_figure

    (a, b), layout = to_plotly(BARS)
    assert (a["type"], a["orientation"], layout["barmode"]) == ("bar", "h", "stack")
    assert (b["x"], b["y"], layout["xaxis"]["range"]) == ([0.75, 0.5], ["one", "two"], [0, 1])
    draw_figure(axes, BARS)
    edges = sorted((round(bar.get_y()), bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches)
    for first, second in zip(edges[::2], edges[1::2], strict=True):
        assert (first[1], first[2] - second[1], second[2]) == (0.0, 0.0, 1.0)
    assert axes.get_xlim() == (0, 1)
    low, high = axes.get_ylim()
    assert low > high  # the first name on top, as on the page
