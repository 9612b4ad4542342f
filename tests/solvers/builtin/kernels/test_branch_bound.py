"""Branch and bound equals a loop over all counts, and stopped searches stay honest."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj.solvers.builtin.kernels.branch_bound import branch_bound, gain_of


def best_gain(A, M, tau):
    everything = np.array(list(itertools.product(*(range(m + 1) for m in M))), np.int64).reshape(-1, len(M))
    return max(gain_of(A, M, tau, c) for c in everything)


@st.composite
def neurons(draw):
    U, C = draw(st.integers(1, 14)), draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = draw(st.sampled_from([1, 3]))
    M = rng.integers(1, sizes + 1, C)
    A = {
        "signs": lambda: rng.choice(np.array([-1, 1], np.int8), (U, C)),
        "normal": lambda: rng.standard_normal((U, C)),
        "whole": lambda: rng.integers(-2, 3, (U, C)).astype(float),
    }[draw(st.sampled_from(["signs", "signs", "normal", "whole"]))]()
    tau = {
        "whole": lambda: rng.integers(-3, 4, U).astype(float),
        "normal": lambda: rng.standard_normal(U),
        "wild": lambda: rng.standard_normal(U) * 10.0 ** rng.integers(-320, 140, U),
    }[draw(st.sampled_from(["whole", "normal", "wild"]))]()
    return A, M, tau


@settings(max_examples=200)
@given(neurons())
def test_the_optimum_of_a_loop_is_found_and_proved(neuron):
    A, M, tau = neuron
    result = branch_bound(A, M, tau)
    best, scale = best_gain(A, M, tau), np.abs(tau).sum()
    assert result.proved
    assert result.gain == gain_of(A, M, tau, result.c)
    assert result.gain == pytest.approx(best, rel=0, abs=1e-12 * scale + 1e-300)
    assert best <= result.upper_bound <= best + 1e-12 * scale + 1e-300
    assert ((result.c >= 0) & (result.c <= M)).all()


@settings(max_examples=100)
@given(neurons(), st.integers(0, 60))
def test_a_stopped_search_keeps_its_incumbent_and_a_valid_bound(neuron, limit):
    A, M, tau = neuron
    start = M // 2
    result = branch_bound(A, M, tau, incumbent=start, node_limit=limit)
    assert result.nodes <= limit + int(M.max()) + 1
    assert result.gain >= gain_of(A, M, tau, start)
    assert result.upper_bound >= best_gain(A, M, tau)
    again = branch_bound(A, M, tau, incumbent=start, node_limit=limit)
    np.testing.assert_array_equal(result.c, again.c)
    assert (result.gain, result.upper_bound, result.nodes) == (again.gain, again.upper_bound, again.nodes)


def test_a_deadline_that_is_over_returns_the_incumbent_and_the_trivial_bound():
    rng = np.random.default_rng(0)
    A, M, tau = rng.choice(np.array([-1, 1], np.int8), (60, 30)), np.ones(30, np.int64), rng.standard_normal(60)
    start = rng.integers(0, 2, 30)
    result = branch_bound(A, M, tau, incumbent=start, deadline=time.perf_counter())
    np.testing.assert_array_equal(result.c, start)
    assert not result.proved
    assert result.upper_bound == pytest.approx(np.abs(tau).sum())


def test_no_rows_are_optimal_as_they_are():
    result = branch_bound(np.ones((0, 3), np.int8), np.ones(3, np.int64), np.ones(0))
    assert (result.gain, result.proved) == (0.0, True)
    assert branch_bound(np.ones((1, 1), np.int8), np.ones(1, np.int64), np.zeros(1)).proved


def test_what_does_not_fit_is_refused():
    A, M, tau = np.ones((2, 3), np.int8), np.ones(3, np.int64), np.ones(2)
    with pytest.raises(ValueError, match=r"pass A \(U, C\)"):
        branch_bound(A, M, np.ones(3))
    with pytest.raises(ValueError, match="between 0 and M"):
        branch_bound(A, M, tau, incumbent=np.full(3, 2))
