"""Every line of a figure can be told from every other: sixteen solvers, and curves that coincide."""

import itertools
from types import SimpleNamespace

import numpy as np

from qproj.lab.report.figure import PALETTE, Axis, Figure, Series, Style, scale_of, separated
from qproj.lab.report.solver_styles import solver_styles


def results_of(solvers):
    lines = [
        SimpleNamespace(solver=solver, label=solver + budget, is_null=solver == "random")
        for solver, budgets in solvers.items()
        for budget in budgets
    ]
    return SimpleNamespace(lines=lines)


def test_sixteen_solvers_and_a_null_model_have_sixteen_looks():
    solvers = {f"s{i:02}": [""] for i in range(16)} | {"random": [""]}
    styles = solver_styles(results_of(solvers))
    assert len({(style.colour, style.dash) for style in styles.values()}) == 17
    assert len({(style.colour, style.symbol) for style in styles.values()}) == 17


def test_budgets_keep_their_solver_s_colour_and_no_look_is_used_twice():
    solvers = {f"s{i:02}": [" · 1 s", " · 2 s"] for i in range(16)}
    styles = solver_styles(results_of(solvers))
    for solver, budgets in solvers.items():
        assert len({styles[solver + budget].colour for budget in budgets}) == 1
    assert len({(style.colour, style.dash, style.symbol) for style in styles.values()}) == 32
    assert {style.colour for style in styles.values()} == set(PALETTE)


def figure(*curves):
    series = [Series(f"c{i}", [0, 1, 2], y, Style(PALETTE[i])) for i, y in enumerate(curves)]
    return separated(Figure("f", "F", "", Axis(), Axis(), series))


def test_curves_that_coincide_are_drawn_one_inside_the_other():
    same, other = [0.0, 0.5, 1.0], [1.0, 0.5, 0.0]
    found = figure(same, other, list(same), [0.0, 0.5, 1.0 + 1e-9])
    widths = [one.style.width for one in found.series]
    assert widths[0] > widths[2] > widths[3] == 2.0
    assert widths[1] == 2.0


def test_curves_apart_and_missing_values_keep_their_width():
    found = figure([0.0, np.nan, 1.0], [0.0, 0.5, 1.0], [0.0, 0.1, 0.9])
    assert all(a.style.width == b.style.width == 2.0 for a, b in itertools.pairwise(found.series))


def test_many_curves_that_coincide_do_not_become_bars():
    widths = [one.style.width for one in figure(*[[0.0, 0.5, 1.0]] * 8).series]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 8
    assert max(widths) <= 13


def test_axes_of_options_are_logarithmic_where_values_span_two_decades():
    assert scale_of([5, 50, 500]) == "log"
    assert scale_of([0.5, 1.5, 5.0]) == scale_of([0.0, 100.0]) == scale_of([]) == "linear"
