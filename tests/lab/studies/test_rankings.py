import math

import numpy as np
import pytest
from scipy import stats

from qproj.lab.studies import metrics, rankings
from qproj.lab.studies.frame import Runs

A = {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}
B = {0: 2.0, 1: 3.0, 2: 5.0, 3: math.inf}
C = {1: 9.0, 2: 4.0, 3: 4.0, 4: 0.5}


def test_only_neurons_that_all_solvers_have_are_ranked():
    keys, values = rankings.common({"a": A, "b": B, "c": C})
    assert keys == [1, 2, 3]
    assert values.shape == (3, 3)
    assert rankings.mean_ranks({"a": A, "b": B, "c": C}) == {"a": 3.5 / 3, "b": 8 / 3, "c": 6.5 / 3}


def test_friedman_is_scipys_on_ranks_and_silent_without_enough():
    table = {name: dict(enumerate(np.random.default_rng(i).random(12))) for i, name in enumerate("abcd")}
    _, values = rankings.common(table)
    assert rankings.friedman(table) == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)
    assert math.isnan(rankings.friedman({"a": A, "b": B}))
    assert rankings.friedman({"a": A, "b": dict(A), "c": dict(A)}) == 1.0


def test_wilcoxon_counts_a_failure_as_the_largest_loss():
    (pair,) = rankings.wilcoxon_pairs({"a": A, "b": B})
    assert pair.p == pytest.approx(stats.wilcoxon([1.0, 1.0, 2.0, 100.0], zero_method="zsplit").pvalue)
    assert (pair.p_holm, pair.neurons) == (pair.p, 4)
    (same,) = rankings.wilcoxon_pairs({"a": B, "b": dict(B)})
    assert same.p == 1.0


def test_holm_by_hand():
    assert rankings.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert rankings.holm([0.9, 0.8]) == [1.0, 1.0]


def test_virtual_best_and_profiles_by_hand():
    assert rankings.virtual_best({"a": A, "b": B, "c": C}) == {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0, 4: 0.5}
    found = rankings.profile({"a": A, "b": B}, np.array([1.0, 1.5, 2.0, 1e9]))
    assert found["a"].tolist() == [1.0] * 4
    assert found["b"].tolist() == [0.0, 0.25, 0.75, 0.75]
    with pytest.raises(ValueError, match="> 0"):
        rankings.profile({"a": {0: 0.0}}, np.ones(1))
    lost = rankings.profile({"a": {0: math.inf}, "b": {0: math.inf}}, np.ones(1))
    assert lost["a"].tolist() == [0.0]


def test_an_optimum_at_the_end_of_the_range_is_marked():
    inside = rankings.optimal_tts({1.0: np.full(5, 3.0), 2.0: np.full(5, 1.0), 4.0: np.full(5, 2.0)})
    assert (inside.setting, inside.seconds, inside.low, inside.high, inside.inside) == (2.0, 1.0, 1.0, 1.0, True)
    edge = rankings.optimal_tts({1.0: np.array([3.0, 4.0]), 2.0: np.array([1.0, math.inf])})
    assert (edge.setting, edge.seconds, edge.inside) == (1.0, 3.5, False)
    with pytest.raises(ValueError, match="neurons"):
        rankings.optimal_tts({1.0: np.ones(2), 2.0: np.ones(3)})


def test_time_to_a_gap():
    assert rankings.time_to_gap([0.1, 0.5, 2.0], [0.2, 0.009, 0.0], 0.01) == 0.5
    assert rankings.time_to_gap([0.1], [0.2], 0.01) == math.inf
    with pytest.raises(ValueError, match="equal numbers"):
        rankings.time_to_gap([0.1], [], 0.01)


def test_a_bootstrapped_median_is_a_median():
    assert metrics.bootstrap(np.array([1.0, 1.0]), "median") == (1.0, 1.0)
    low, high = metrics.bootstrap(np.array([0.0, 1.0]), "median")
    assert (low, high) == (0.0, 1.0)


def test_failures_are_in_the_denominator_of_reached_and_refusals_are_not():
    nan, size = math.nan, 4
    status = np.array(["optimal", "error", "no_solution", "refused"], object)
    runs = Runs({
        "run": np.array(list("abcd"), object), "status": status,
        "gain": np.array([1.0, nan, nan, nan]), "gain_bound": np.array([1.0, nan, nan, nan]),
        "problem": np.zeros(size, int), "scale": np.ones(size), "ceiling": np.ones(size), "n": np.ones(size, int),
        "label": np.array(["x"] * size, object), "raw_gain": np.array([nan] * size),
    })  # fmt: skip
    known = metrics.references(runs)
    np.testing.assert_array_equal(metrics.reached(runs, known), [1.0, 0.0, 0.0, nan])
    assert np.isnan(metrics.reached(runs, known, "raw_gain")).all()
