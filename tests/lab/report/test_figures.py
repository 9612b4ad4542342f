"""Figures over sizes and options, and the cost in training: numbers against the rows, and when there is none."""

import json
import math

import numpy as np
import pytest

from qproj.lab.report.cost import training_cost, training_rows
from qproj.lab.report.scaling import fit_slope, medians
from qproj.lab.report.study_figures import study_figures
from qproj.lab.studies.distance import distances
from qproj.lab.studies.metrics import gaps, means_by_problem
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import read_successes
from qproj.lab.studies.store import StudyStore
from qproj.lab.studies.study import Study
from qproj.lab.studies.training_cost import FILE, FOLDER, TrainingPlan, training_lines

SOLVERS = "auto,sa:encoding=margin,encoding.kappa=0.5|1.5|5.0,sign"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sizes")
    Study(folder, ["random:n=10,d=3|5|7,neurons=3", "random:n=16,d=5,neurons=2"], SOLVERS, reads=[20], seeds=1).run(
        workers=1
    )
    return Results.read(folder)


def test_success_against_fan_in_and_batch_is_that_of_the_rows(results):
    drawn = {figure.name: figure for figure in study_figures(results)}
    for axis, sizes in (("d", [3, 5, 7]), ("n", [10, 16])):
        series = {one.name: one for one in drawn[f"success-{axis}"].series}
        assert "random (null model)" in series
        assert "auto" not in series
        for label in ("sa:encoding=margin,encoding.kappa=1.5", "random"):
            one = series[label + (" (null model)" if label == "random" else "")]
            assert one.x == sizes
            for size, value in zip(sizes, one.y, strict=True):
                own = results.runs.where((results.runs["label"] == label) & (results.runs[axis] == size))
                hits = total = 0
                for key, problem in zip(own["run"], own["problem"].tolist(), strict=True):
                    best, scale = results.known.gain[problem], results.known.scale[problem]
                    hits += int((results.gains[key] >= best - 1e-9 * scale).sum())
                    total += len(results.gains[key])
                assert value == hits / total


def test_times_to_solution_are_by_neuron_and_slopes_are_those_of_exact_growth(results):
    own = results.of("random")
    share, times = read_successes(own, results.known, results.gains)
    assert len(times) == results.optima == 11
    assert share.trials == 11 * 20
    d = np.repeat([4, 8, 12, 16], 3)
    slope = fit_slope(d, 10.0 ** (0.25 * d - 3))
    assert (slope.start, slope.slope) == pytest.approx((-3, 0.25))
    assert slope.low == pytest.approx(0.25) == slope.high
    never = np.where(d == 16, np.inf, 10.0 ** (0.25 * d - 3))  # half of the largest were never solved
    assert fit_slope(d, never).slope == pytest.approx(0.25)
    assert fit_slope(d[:6], never[:6]) is None  # two sizes are no growth
    assert medians(np.array([2, 2, 2, 3]), np.array([1.0, math.inf, 5.0, 7.0]))[1].tolist() == [5.0, 7.0]


def test_growth_is_drawn_beyond_what_was_run_only_dotted(results):
    figure = next(figure for figure in study_figures(results) if figure.name == "tts")
    measured = [one for one in figure.series if "extrapolated" not in one.name]
    beyond = [one for one in figure.series if "extrapolated" in one.name]
    assert measured
    assert all(max(one.x) <= results.runs["weight_bits"].max() for one in measured)
    assert beyond
    assert all(one.style.dash == "dot" and not one.in_legend for one in beyond)


def test_an_option_with_three_numbers_is_a_scan_beside_the_null_model(results):
    (scan,) = [figure for figure in study_figures(results) if figure.name.startswith("scan-")]
    assert scan.name == "scan-encoding.kappa"
    curve, null = scan.series
    assert curve.x == [0.5, 1.5, 5.0]
    gap = gaps(results.runs, results.known)
    own = results.runs["label"] == "sa:encoding=margin,encoding.kappa=1.5"
    by_neuron = list(means_by_problem(gap[own], results.runs["problem"][own]).values())
    assert curve.y[1] == pytest.approx(np.mean(by_neuron))
    assert null.name == "random (null model)"
    assert len(set(null.y)) == 1


def test_distances_are_to_the_nearest_optimum_and_ignore_what_changes_nothing(results):
    store = StudyStore(results.folder)
    found = distances(store, results.runs, results.known)
    store.close()
    assert np.array_equal(found, results.distances, equal_nan=True)
    gap = gaps(results.runs, results.known)
    assert (found[gap == 0] == 0).all()
    assert (found[gap > 0] > 0).all()
    assert (gap > 0).any()


def record(experiment, solver, seed, accuracy, gap):
    return {
        "experiment": experiment, "optimizer": "projected", "solver": solver, "seed": seed, "test_accuracy": accuracy,
        "val_accuracy": accuracy, "seconds": 2.0, "projection_share": 0.5, "steps": 10, "epochs": 1, "settings": {},
        "history": [{"step": 5, "gap": gap}, {"step": 10, "gap": gap}],
    }  # fmt: skip


def test_training_is_shown_beside_the_gap(results, tmp_path):
    records = [
        record("digits-0-2", name, seed, a, 0.1) for name, a in (("auto", 0.9), ("sign", 0.8)) for seed in (0, 1)
    ]
    (tmp_path / FILE).write_text("{}")
    (tmp_path / FOLDER / "runs").mkdir(parents=True)
    for i, one in enumerate(records):
        (tmp_path / FOLDER / "runs" / f"{i}.json").write_text(json.dumps(one))
    with_training = Results(
        tmp_path, results.runs, results.gains, results.environments, results.known, results.distances, records
    )
    lines = training_lines(records)
    assert [(line.solver, line.accuracy, line.deviation) for line in lines] == [("auto", 0.9, 0.0), ("sign", 0.8, 0.0)]
    (points,) = training_cost(with_training).series
    gap = {line.label: line.gap_mean for line in results.lines}
    assert points.x == [gap["auto"], gap["sign"]]
    assert points.y == [0.9, 0.8]
    assert [row["accuracy"] for row in training_rows(with_training)] == ["90.0%", "80.0%"]
    assert training_cost(results) is None
    assert TrainingPlan(("a", "b"), ("auto",), seeds=(0, 1, 2)).num_runs == 6
