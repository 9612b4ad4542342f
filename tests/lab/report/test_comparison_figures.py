"""Anytime curves, QPU cost, profiles, optimal times: the drawn numbers, worked out by hand."""

import json
import math

import numpy as np
import pytest

from qproj.lab.report.comparison_figures import anytime, optimal_times, performance_profile, qpu_cost
from qproj.lab.report.study_figures import study_figures
from qproj.lab.studies.metrics import gaps
from qproj.lab.studies.results import Results
from qproj.lab.studies.study import Study
from tests.lab.studies.test_comparisons import results_of

NAN = math.nan


def at(series, x):
    """The height of a curve of steps at x."""
    places = [i for i, one in enumerate(series.x) if one <= x]
    return series.y[places[-1]]


def test_the_anytime_curve_by_hand():
    rows = [
        ("cp", 0, 1.0, "optimal", 4.0), ("cp", 1, 1.0, "optimal", 4.0),
        ("ls", 0, 1.0, "feasible", 8.0), ("ls", 1, NAN, "hung", 9.0), ("ls", 2, NAN, "refused", 0.1),
        ("sa", 0, 0.5, "feasible", 1.0), ("sa", 1, 0.5, "feasible", 1.0),
    ]  # fmt: skip
    events = {
        "r0": np.array([[0.5, NAN, 2.0], [1.0, 0.0, 2.0], [2.0, 0.8, 1.0], [3.0, 1.0, 1.0]]),
        "r1": np.array([[3.0, 1.0, 1.0]]),
        "r2": np.array([[0.1, 0.6, 1.0]]),
    }
    figure = anytime(results_of(rows, events=events))
    curves = {one.name: one for one in figure.series}
    assert set(curves) == {"cp", "ls"}  # sa reports no search
    cp, ls = curves["cp"], curves["ls"]
    assert cp.kind == "steps"
    # cp: neuron 0 has gaps 1, 0.5, 0.1, 0 from 0, 1, 2, 3 s on; neuron 1 has 1, and 0 from 3 s on
    assert [at(cp, x) for x in (0.9, 1.5, 2.5, 3.5)] == pytest.approx([1.0, 0.75, 0.55, 0.0])
    # ls: neuron 0 has 0.2 from 0.1 s on, and its result, 0, at the end of its run; the hung run stays at 1
    assert [at(ls, x) for x in (0.2, 7.0, 8.9)] == pytest.approx([0.6, 0.6, 0.5])
    assert list(cp.x) == list(ls.x)
    assert (min(cp.x), max(cp.x)) == pytest.approx((0.1, 9.0))
    assert (figure.x.scale, figure.y.from_zero) == ("log", True)
    assert anytime(results_of(rows)) is None


def test_the_anytime_curve_of_a_recorded_study_never_rises_and_ends_at_the_table_s_gap(tmp_path):
    Study(
        tmp_path, ["random:n=16,d=9,neurons=3"], ["cpsat", "local-search", "sa"], reads=[5], seeds=1,
        time_limits_s=[0.2], record_progress=True,
    ).run(workers=1)  # fmt: skip
    results = Results.read(tmp_path)
    (figure,) = [figure for figure in study_figures(results) if figure.name == "anytime"]
    lines = {line.label: line for line in results.lines}
    assert {"cpsat", "local-search"} <= {one.name for one in figure.series}
    for one in figure.series:
        assert (np.diff(one.y) <= 1e-12).all(), one.name
        label = one.name.removesuffix(" (null model)")
        assert one.y[-1] == pytest.approx(lines[label].gap_mean)
    own = results.runs["label"] == "cpsat"
    assert np.mean(gaps(results.runs, results.known)[own]) == pytest.approx(lines["cpsat"].gap_mean)


def test_cost_is_drawn_at_the_mean_charge_for_those_that_are_charged():
    def charged(us):
        return {"stats": json.dumps({"access_us": us})}

    rows = [
        ("cp", 0, 1.0, "optimal", 1.0), ("cp", 1, 1.0, "optimal", 1.0),
        ("qpu", 0, 0.8, "feasible", 1.0, charged(1000.0)), ("qpu", 1, 0.4, "feasible", 1.0, charged(3000)),
        ("lost", 0, NAN, "raised", 1.0, charged(500.0)),
    ]  # fmt: skip
    figure = qpu_cost(results_of(rows))
    (one,) = figure.series  # cp is charged nothing, and no answer of the other came back
    assert (one.name, one.kind) == ("qpu", "points")
    assert one.x == [2000.0]
    assert one.y == pytest.approx([0.2])  # gaps .1 and .3
    assert one.low[0] <= one.y[0] <= one.high[0]
    assert qpu_cost(results_of(rows[:2])) is None


def test_the_performance_profile_by_hand():
    walls = {"a": [1.0, 4.0, 1.0], "b": [2.0, 2.0, 1.0]}
    rows = [(name, i, 1.0, "optimal", wall) for name, own in walls.items() for i, wall in enumerate(own)]
    rows += [("slow", i, NAN, "hung", 9.0) for i in range(3)] + [("few", 0, 1.0, "optimal", 0.1)]
    figure = performance_profile(results_of(rows))
    curves = {one.name: one for one in figure.series}
    assert set(curves) == {"a", "b", "slow"}
    assert "few" in figure.text
    assert [at(curves["a"], x) for x in (1.0, 1.99, 2.01)] == pytest.approx([2 / 3, 2 / 3, 1.0])
    assert [at(curves["b"], x) for x in (1.0, 2.01)] == pytest.approx([2 / 3, 1.0])
    assert set(curves["slow"].y) == {0.0}
    assert performance_profile(results_of(rows[:3])) is None  # one solver has no rival


def test_optimal_times_are_the_medians_and_need_three_values():
    rows, gains = [], []
    for sweeps, share in ((10, 1), (100, 5), (1000, 5), (10_000, 0)):
        for neuron in range(3):
            rows.append((f"sa:num_sweeps={sweeps}", neuron, 1.0 if share else 0.5, "feasible", sweeps / 100))
            gains.append([1.0] * share + [0.0] * (10 - share))
    rows += [("cp", neuron, 1.0, "optimal", 1.0) for neuron in range(3)]
    gains += [None] * 3
    (figure,) = optimal_times(results_of(rows, gains))
    (curve,) = figure.series
    assert figure.name == "tts-num_sweeps"
    assert curve.x == [10, 100, 1000, 10_000]
    expected = [s / 1000 * math.log(0.01) / math.log(1 - q) for s, q in ((10, 0.1), (100, 0.5), (1000, 0.5))]
    assert curve.y[:3] == pytest.approx(expected)
    assert math.isnan(curve.y[3])  # never solved: no point
    assert "least at 10, at an end of the range" in figure.text
    assert optimal_times(results_of(rows[:6] + rows[12:], gains[:6] + gains[12:])) == []
