"""A solution's derived figures, one branch after the other, and the refusals of what a solver does not declare."""

from types import SimpleNamespace

import numpy as np
import pytest

from qproj.solvers import Capabilities, NoSolutionError, Termination, TooLargeError
from qproj.solvers.contract import Request, Solution, Timing, check_capabilities, check_limits


def solution(**fields):
    given = {
        "best": np.ones(2), "gain": 1.0, "objective": 4.0, "bound": 1.0, "termination": Termination.BUDGET,
        "candidates": np.ones((1, 2)), "sampleset": None,
    }  # fmt: skip
    return Solution(**(given | fields))


def test_the_total_of_a_timing():
    assert Timing(1.0, 2.0, 4.0, 8.0, 16.0).total == 31.0
    assert Timing().total == 0.0


@pytest.mark.parametrize(
    ("fields", "gap"),
    [
        ({"objective": None, "gain": None, "best": None}, None),
        ({"bound": None}, None),
        ({"termination": Termination.PROVED}, 0.0),
        ({}, 0.75),  # (4 − 1)/max(1, 4)
        ({"objective": -8.0, "bound": -10.0}, 0.25),
        ({"objective": 0.5, "bound": 0.25}, 0.25),
        ({"objective": 1.0, "bound": 2.0}, 0.0),
        ({"gap_scale": 0.0}, 0.0),
        ({"gap_scale": 6.0}, 0.5),
        ({"gap_scale": 1.0}, 1.0),
        ({"gap_scale": 1.0, "bound": 9.0}, 0.0),
        ({"gap_scale": 8.0, "gain_bound": 2.0}, 0.25),  # 2·(2 − 1)/8, whatever the bound
        ({"gap_scale": 8.0, "gain_bound": 2.0, "gain": None}, 0.375),
        ({"gap_scale": 1.0, "gain_bound": 2.0}, 1.0),
        ({"gap_scale": 1.0, "gain_bound": 0.0}, 0.0),
    ],
)
def test_gaps(fields, gap):
    assert solution(**fields).gap == gap


def test_a_solution_in_words():
    text = repr(solution(solver="mine", gap_scale=6.0))
    assert text == "Solution(feasible, gain=1.0, bound=1.0, gap=0.5, solver='mine')"
    assert "gap=none" in repr(solution(bound=None))


def test_requiring_a_solution():
    found = solution()
    assert found.require() is found
    none = {"best": None, "gain": None, "objective": None}
    with pytest.raises(NoSolutionError, match=r"^the solver ended with no_solution: .*num_reads$"):
        solution(**none).require()
    with pytest.raises(NoSolutionError, match=r"^mine ended with error: .* \(out of tokens\)$"):
        solution(**none, termination=Termination.FAILED, solver="mine", message="out of tokens").require()


def test_a_request_draws_what_its_seed_says():
    drawn = [Request(seed=3).rng().integers(1000, size=5).tolist() for _ in range(2)]
    assert drawn[0] == drawn[1] != Request(seed=4).rng().integers(1000, size=5).tolist()


@pytest.mark.parametrize(
    "good", [(None, None, None), (1e-9, 0, 1), (np.float32(2), np.int64(5), np.int32(7)), (1, 0, 1)]
)
def test_limits_that_mean_something_pass(good):
    check_limits(*good)


@pytest.mark.parametrize(
    ("limits", "error", "said"),
    [
        ((True, None, None), TypeError, "time_limit_s is True"),
        (("1", None, None), TypeError, "time_limit_s is '1'"),
        ((0, None, None), ValueError, "time_limit_s is 0"),
        ((np.inf, None, None), ValueError, "time_limit_s is inf"),
        ((None, True, None), TypeError, "seed is True"),
        ((None, 1.0, None), TypeError, "seed is 1.0"),
        ((None, -1, None), ValueError, "seed is -1; an integer ≥ 0"),
        ((None, None, 0), ValueError, "num_reads is 0; an integer ≥ 1"),
        ((None, 0, "3"), TypeError, "num_reads is '3'"),
    ],
)
def test_limits_that_mean_nothing_are_refused_by_name(limits, error, said):
    with pytest.raises(error, match=said):
        check_limits(*limits)


def problem(kind="projection", variables=5):
    return SimpleNamespace(kind=kind, num_variables=variables)


def test_what_is_declared_passes():
    everything = Capabilities(forms=frozenset({"projection", "bqm", "cqm"}), num_reads=True, hint=True, max_variables=5)
    for kind in ("projection", "bqm", "cqm"):
        check_capabilities("mine", everything, problem(kind), 3, [1])
    check_capabilities("mine", Capabilities(forms=frozenset({"bqm"})), problem("bqm", 10**9), None, None)


@pytest.mark.parametrize(
    ("kind", "able"),
    [("cqm", "'cpsat', 'highs', 'gurobi' or 'scip'"), ("bqm", "'sa', 'tabu' or 'cpsat'"), ("projection", "'auto'")],
)
def test_other_forms_are_refused_with_who_can(kind, able):
    forms = frozenset({"projection", "bqm", "cqm"} - {kind})
    with pytest.raises(TypeError) as refused:
        check_capabilities("mine", Capabilities(forms=forms), problem(kind), None, None)
    assert str(refused.value) == f"mine takes {' and '.join(sorted(forms))}, not a {kind}; use {able}"


def test_reads_hints_and_sizes_are_refused_where_not_declared():
    plain = Capabilities(forms=frozenset({"projection"}), max_variables=4)
    with pytest.raises(TypeError, match=r"mine has no num_reads.*'sa', 'sqa', 'tabu'"):
        check_capabilities("mine", plain, problem(), 3, None)
    with pytest.raises(TypeError, match=r"mine takes no hint; 'auto'"):
        check_capabilities("mine", plain, problem(), None, [1])
    with pytest.raises(TooLargeError, match=r"5 variables exceed mine \(4\); use 'auto'"):
        check_capabilities("mine", plain, problem(), None, None)
    check_capabilities("mine", plain, problem(variables=4), None, None)
