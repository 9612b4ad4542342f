"""Metrics against definitions, slow references and published values."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qproj.lab.studies.frame import Runs, read_runs
from qproj.lab.studies.metrics import (
    best_of_k,
    bootstrap,
    count_distance,
    gaps,
    paired_bootstrap,
    reached,
    references,
    tts,
    wilson,
)  # fmt: skip
from qproj.lab.studies.results import Results
from qproj.lab.studies.store import StudyStore
from qproj.lab.studies.study import Study


def table(**columns):
    length = len(columns["gain"])
    full = {
        "run": [str(i) for i in range(length)], "status": ["feasible"] * length, "problem": [0] * length,
        "gain_bound": [math.nan] * length, "scale": [1.0] * length, "n": [1] * length, **columns,
    }  # fmt: skip
    full.setdefault("ceiling", full["scale"])
    return Runs({name: np.array(v, object if name in ("run", "status") else None) for name, v in full.items()})


def test_wilson_agrees_with_published_values_and_its_definition():
    # Newcombe, Stat. Med. 17 (1998) 857, table I, method 3
    for k, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(k, n)
        assert found == pytest.approx((low, high), abs=6e-5)
    low, high = wilson(7, 40)
    for p in (low, high):  # the ends solve |p̂ − p| = z √(p(1−p)/n)
        assert abs(7 / 40 - p) == pytest.approx(1.959963984540054 * math.sqrt(p * (1 - p) / 40))
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(5, 5)[1] == 1.0


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=7), st.data())
def test_best_of_k_is_the_mean_over_all_subsets(gains, data):
    k = data.draw(st.integers(1, len(gains)))
    slow = np.mean([max(subset) for subset in itertools.combinations(gains, k)])
    assert best_of_k(np.array(gains, float), k) == pytest.approx(slow)


def test_k_beyond_the_reads_is_refused():
    with pytest.raises(ValueError, match="reads"):
        best_of_k(np.ones(3), 4)


def test_time_to_solution():
    found = tts([0.0, 0.5, 0.99, 1.0, 1e-12], 2.0)
    assert found[0] == math.inf
    assert found[1] == pytest.approx(2.0 * math.log(0.01) / math.log(0.5))
    assert found[2] == found[3] == 2.0
    assert found[4] == pytest.approx(2.0 * -math.log(0.01) / 1e-12, rel=1e-6)


def test_gaps_are_to_the_optimum_where_one_is_proved_else_to_the_best_bound():
    runs = table(
        problem=[0, 0, 1, 1], gain=[3.0, 1.0, 2.0, 1.0], scale=[4.0, 4.0, 5.0, 5.0],
        gain_bound=[3.0, 4.0, 4.0, 3.0], status=["optimal", "feasible", "feasible", "feasible"],
    )  # fmt: skip
    known = references(runs)
    assert known.proved.tolist() == [True, False]
    assert known.bound.tolist() == [3.0, 3.0]
    assert gaps(runs, known).tolist() == [0.0, 2.0 / 8.0, 1.0 / 10.0, 2.0 / 10.0]
    np.testing.assert_array_equal(reached(runs, known), [1.0, 0.0, math.nan, math.nan])


def test_a_proof_that_another_run_beats_is_no_proof():
    runs = table(gain=[1.0, 2.0], gain_bound=[1.0, 3.0], scale=[4.0, 4.0], status=["optimal", "feasible"])
    known = references(runs)
    assert known.contradicted.tolist() == [True, False]
    assert not known.proved[0]
    assert known.bound.tolist() == [3.0]


def test_failed_runs_count_for_nothing():
    runs = table(gain=[9.0, 2.0], gain_bound=[9.0, 3.0], scale=[9.0, 9.0], status=["wrong", "feasible"])
    known = references(runs)
    assert known.gain.tolist() == [2.0]
    assert known.bound.tolist() == [3.0]
    np.testing.assert_array_equal(gaps(runs, known), [math.nan, 1.0 / 18.0])


def test_a_neuron_without_targets_has_gap_0():
    runs = table(gain=[0.0], gain_bound=[0.0], scale=[0.0], status=["optimal"])
    assert gaps(runs, references(runs)).tolist() == [0.0]


def test_rounding_does_not_undo_an_optimum():
    runs = table(gain=[1.0, 1.0 - 1e-15], gain_bound=[1.0, 2.0], scale=[2.0, 2.0], status=["optimal", "feasible"])
    assert reached(runs, references(runs)).tolist() == [1.0, 1.0]


def test_bootstrap_covers_and_repeats():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)
    assert bootstrap(values) == (low, high)
    assert all(math.isnan(x) for x in bootstrap(np.array([math.nan])))
    low, high = bootstrap(np.array([1.0, math.inf, 2.0, 3.0]), "median")
    assert low >= 1.0


def test_paired_bootstrap_sees_a_shift_and_no_shift():
    rng = np.random.default_rng(1)
    base = dict(enumerate(rng.normal(size=60).tolist()))
    shifted = {i: value + 0.3 + 0.1 * float(rng.normal()) for i, value in base.items()}
    found = paired_bootstrap(shifted, base)
    assert found.low < 0.3 < found.high
    assert found.p < 0.001
    assert found.neurons == 60
    nothing = paired_bootstrap(base, base)
    assert (nothing.difference, nothing.p) == (0.0, 1.0)
    assert paired_bootstrap(base, {99: 1.0}) is None


def test_distance_is_in_column_counts_to_the_nearest_optimum():
    optima = np.array([[0, 3], [2, 2]])
    assert count_distance(np.array([2, 1]), optima) == 1
    assert count_distance(np.array([0, 3]), optima) == 0


def test_the_summary_counts_what_the_rows_say(tmp_path, layers, odd_solvers):
    solvers = ["auto", "sa", "sign", odd_solvers.Boasting(), odd_solvers.FalseProof()]
    Study(tmp_path, layers, solvers, reads=[20], seeds=2).run(workers=2)
    results = Results.read(tmp_path)
    lines = {line.label: line for line in results.lines}
    assert results.optima == results.neurons == 6
    assert lines["auto"].best.value == lines["auto"].proved.value == 1.0
    assert lines["auto"].gap_mean == 0.0
    assert lines["random"].is_null
    assert lines["boasting"].failed == 8  # two of three neurons, two layers, two seeds
    runs = results.of("sa")
    hits = [results.gains[key] >= results.known.gain[p] - 1e-9 * results.known.scale[p]
            for key, p in zip(runs["run"], runs["problem"], strict=True)]  # fmt: skip
    assert lines["sa"].read.value == pytest.approx(np.mean(hits))
    assert lines["sa"].read.trials == 12 * 20
    wrong = results.known.contradicted[results.runs["label"] == "false-proof"]
    assert lines["false-proof"].failed == int(wrong.sum()) > 0
    assert [line.gap_mean for line in results.lines] == sorted(line.gap_mean for line in results.lines)


def test_an_empty_study_says_so(tmp_path, layers):
    StudyStore(tmp_path, create=True).close()
    with pytest.raises(ValueError, match="no finished run"):
        Results.read(tmp_path)
    store = StudyStore(tmp_path)
    assert len(read_runs(store)) == 0
    store.close()
