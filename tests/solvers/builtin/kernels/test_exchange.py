"""Walks by pairs of moves: local optima of pairs by the definition, never below their start, whatever the threads."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj._seeds import neuron_seeds
from qproj.solvers.builtin.kernels.exchange import exchange_layer
from qproj.solvers.builtin.kernels.scoring import score
from qproj.solvers.builtin.kernels.sharing import Limits


def moves(M, c):
    return [(j, s) for j in range(len(M)) for s in (-1, 1) if 0 <= c[j] + s <= M[j]]


def best_of_pairs(A, M, tau, c):
    """The best gain of c and what one or two moves of different classes make of it: the slow reference."""
    everything = [c]
    for some in itertools.chain(
        ((m,) for m in moves(M, c)), (p for p in itertools.combinations(moves(M, c), 2) if p[0][0] != p[1][0])
    ):
        near = c.copy()
        for j, s in some:
            near[j] += s
        everything.append(near)
    return score(A, M, tau, np.array(everything))[0].max()


@st.composite
def layers(draw):
    G, C, dout = draw(st.integers(1, 40)), draw(st.integers(1, 12)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    A = rng.choice(np.array([-1, 1], np.int8), (G, C))
    M = rng.integers(1, draw(st.sampled_from([1, 4])) + 1, C)
    Tau = rng.integers(-9, 10, (G, dout)).astype(float)
    return A, M, Tau, rng.integers(0, M + 1, (dout, C))


@settings(max_examples=100)
@given(layers())
def test_no_single_move_and_no_pair_improves_a_descent(layer):
    A, M, Tau, start = layer
    kept = start.copy()
    found = exchange_layer(A, M, Tau, start, seeds=neuron_seeds(0, len(start)), kicks=0)
    np.testing.assert_array_equal(start, kept)
    for i in range(len(start)):
        gain = score(A, M, Tau[:, i], found.counts[i : i + 1])[0][0]
        assert found.gains[i] == gain >= score(A, M, Tau[:, i], start[i : i + 1])[0][0]
        assert gain == best_of_pairs(A, M, Tau[:, i], found.counts[i])
        assert found.met[i] == (gain == np.abs(Tau[:, i]).sum())
    assert ((found.counts >= 0) & (found.counts <= M)).all()


@settings(max_examples=50)
@given(layers(), st.integers(1, 30))
def test_kicks_never_lose_and_do_not_depend_on_threads(layer, kicks):
    A, M, Tau, start = layer
    first = exchange_layer(A, M, Tau, start, seeds=neuron_seeds(3, len(start)), kicks=0)
    one = exchange_layer(A, M, Tau, start, seeds=neuron_seeds(3, len(start)), kicks=kicks, limits=Limits(threads=1))
    two = exchange_layer(A, M, Tau, start, seeds=neuron_seeds(3, len(start)), kicks=kicks, limits=Limits(threads=2))
    assert (one.gains >= first.gains).all()
    np.testing.assert_array_equal(one.counts, two.counts)
    assert one.kicks == two.kicks <= kicks * len(start)


def test_small_neurons_are_solved():
    rng = np.random.default_rng(5)
    A, M, tau = rng.choice(np.array([-1, 1], np.int8), (24, 10)), np.ones(10, np.int64), rng.standard_normal(24)
    everything = np.array(list(itertools.product((0, 1), repeat=10)))
    best = score(A, M, tau, everything)[0].max()
    found = exchange_layer(A, M, tau[:, None], np.zeros((1, 10), np.int64), seeds=neuron_seeds(0, 1), kicks=200)
    assert found.gains[0] == pytest.approx(best, rel=1e-12)


def test_tiny_targets_beside_large_ones_are_not_lost_to_rounding():
    A = np.array([[1, 1, 1], [1, -1, -1], [1, 1, -1]], np.int8)
    tau = np.array([1.0, 1e-9, -1e-12])
    found = exchange_layer(
        A, np.ones(3, np.int64), tau[:, None], np.zeros((1, 3), np.int64), seeds=neuron_seeds(1, 1), kicks=100
    )
    everything = np.array(list(itertools.product((0, 1), repeat=3)))
    assert found.gains[0] == score(A, np.ones(3, np.int64), tau, everything)[0].max()


def test_more_classes_than_one_window_and_long_sums():
    rng = np.random.default_rng(2)
    A, M = rng.choice(np.array([-1, 1], np.int8), (30, 90)), np.full(90, 100)
    tau = rng.standard_normal((30, 1))
    start = rng.integers(0, M + 1)[None, :]
    found = exchange_layer(A, M, tau, start, seeds=neuron_seeds(0, 1), kicks=30)
    assert found.gains[0] > score(A, M, tau[:, 0], start)[0][0]


def test_a_deadline_and_a_stop_end_the_walk():
    rng = np.random.default_rng(0)
    A, M, tau = rng.choice(np.array([-1, 1], np.int8), (60, 12)), np.ones(12, np.int64), rng.standard_normal((60, 1))
    start = np.zeros((1, 12), np.int64)
    late = exchange_layer(
        A, M, tau, start, seeds=neuron_seeds(0, 1), kicks=None, limits=Limits(deadline=time.perf_counter())
    )
    stopped = exchange_layer(
        A,
        M,
        tau,
        start,
        seeds=neuron_seeds(0, 1),
        kicks=None,
        limits=Limits(deadline=time.perf_counter() + 60, stop=lambda: True),
    )
    assert late.kicks == 0
    assert (late.counts == start).all()
    assert stopped.kicks > 0


def test_a_descent_is_left_at_the_deadline_with_what_it_has():
    rng = np.random.default_rng(0)
    A, M = rng.choice(np.array([-1, 1], np.int8), (500, 2000)), np.ones(2000, np.int64)
    tau, start = rng.standard_normal((500, 1)), np.zeros((1, 2000), np.int64)
    found = exchange_layer(
        A, M, tau, start, seeds=neuron_seeds(0, 1), kicks=None, limits=Limits(deadline=time.perf_counter() + 0.02)
    )
    gains, met = score(A, M, tau.T, found.counts)
    assert found.kicks == 0
    assert found.gains == gains
    assert (found.met == met).all()
    assert found.gains >= score(A, M, tau.T, start)[0]


def test_what_does_not_fit_is_refused():
    A, M, tau, start = np.ones((2, 3), np.int8), np.ones(3, np.int64), np.ones((2, 1)), np.zeros((1, 3), np.int64)
    with pytest.raises(ValueError, match=r"pass A \(G, C\)"):
        exchange_layer(A, M, tau, start[:, :2], seeds=neuron_seeds(0, 1), kicks=1)
    with pytest.raises(TypeError, match="soft_anneal_layer"):
        exchange_layer(A.astype(float), M, tau, start, seeds=neuron_seeds(0, 1), kicks=1)
    with pytest.raises(ValueError, match="pass one of them"):
        exchange_layer(A, M, tau, start, seeds=neuron_seeds(0, 1), kicks=None)
