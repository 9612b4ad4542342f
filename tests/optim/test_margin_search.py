import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qproj._seeds import neuron_seeds
from qproj.optim.margin_search import margin_energy, margin_search, shared_weights
from qproj.optim.target_projections import sign_scores


def _instance(seed, n, d, dout=2, binary=True):
    rng = np.random.default_rng(seed)
    X = rng.choice([-1, 1], (n, d)).astype(np.int8) if binary else rng.normal(size=(n, d))
    return X, rng.normal(size=(n, dout)) * 1e-6


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("kappa", [0.5, 1.5, 3.0])
def test_the_search_nearly_always_finds_the_argmin_of_small_layers(kappa, binary):
    found = []
    for seed in range(40):
        n, d = 1 + seed % 8, 1 + seed % 7
        X, T = _instance(seed, n, d, binary=binary)
        V = margin_search(X, T, kappa=kappa, seeds=neuron_seeds(0, 2), sweeps=100)
        every = np.array(list(itertools.product([-1, 1], repeat=d)), np.int8)
        for j in range(T.shape[1]):
            best = margin_energy(X, np.repeat(T[:, [j]], len(every), 1), every, kappa).min()
            mine = margin_energy(X, T[:, [j]], V[[j]], kappa)[0]
            assert mine >= best * (1 - 1e-9)
            found.append(mine <= best * (1 + 1e-5))
    assert np.mean(found) >= 0.9  # a heuristic


def test_energy_is_its_definition():
    X, T = _instance(1, 6, 5)
    V = np.where(np.random.default_rng(2).random((2, 5)) < 0.5, -1, 1).astype(np.int8)
    expected = [
        sum(abs(T[i, j]) * (float(X[i] @ V[j]) - 2.0 * 5**0.5 * np.sign(T[i, j])) ** 2 for i in range(6))
        for j in range(2)
    ]
    np.testing.assert_allclose(margin_energy(X, T, V, 2.0), expected)


def test_a_wide_margin_gives_the_sign_direction():
    X, T = _instance(3, 20, 31, 4)
    V = margin_search(X, T, kappa=1e4, seeds=neuron_seeds(0, 4))
    np.testing.assert_array_equal(V, np.where(T.T @ X >= 0, 1, -1))


def test_more_sweeps_never_end_above_the_start():
    X, T = _instance(4, 40, 60, 8)
    start = margin_search(X, T, kappa=1.5, seeds=neuron_seeds(0, 8), sweeps=0)
    np.testing.assert_array_equal(start, np.where(T.T @ X >= 0, 1, -1))
    for sweeps in (1, 2, 5, 20):
        V = margin_search(X, T, kappa=1.5, seeds=neuron_seeds(0, 8), sweeps=sweeps)
        assert (margin_energy(X, T, V, 1.5) <= margin_energy(X, T, start, 1.5) * (1 + 1e-6)).all()


def test_hints_are_kept_where_nothing_moves_and_inputs_are_not_changed():
    X, T = _instance(5, 10, 12)
    init = np.where(np.random.default_rng(0).random((2, 12)) < 0.5, -1, 1).astype(np.int8)
    kept = init.copy()
    assert np.array_equal(margin_search(X, T, kappa=1.0, seeds=neuron_seeds(0, 2), sweeps=0, init=init), init)
    margin_search(X, T, kappa=1.0, seeds=neuron_seeds(0, 2), init=init)
    assert np.array_equal(init, kept)


@pytest.mark.parametrize("kappa", [-1.0, float("inf"), float("nan")])
def test_a_kappa_that_means_nothing_is_refused(kappa):
    with pytest.raises(ValueError, match="1 to 3"):
        margin_search(*_instance(0, 2, 2), kappa=kappa, seeds=neuron_seeds(0, 2))


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 6))
def test_scores_are_the_definition_and_bounds_hold(seed, n, d):
    X, T = _instance(seed, n, d)
    T = T * 1e6
    V = np.where(np.random.default_rng(seed + 1).random((2, d)) < 0.5, -1, 1).astype(np.int8)
    scores = sign_scores(X, T, V)
    every = np.array(list(itertools.product([-1, 1], repeat=d)))
    signs = np.where(X.astype(int) @ every.T >= 0, 1, -1)
    for j in range(2):
        mine = np.where(X.astype(int) @ V[j] >= 0, 1, -1)
        assert scores.objective[j] == pytest.approx(((mine - T[:, j]) ** 2).sum())
        assert scores.bound[j] <= ((signs - T[:, [j]]) ** 2).sum(axis=0).min()
        assert 0 <= scores.gap[j] <= 1
        assert bool(scores.proved[j]) == (scores.gap[j] == 0)


@pytest.mark.parametrize("binary", [True, False])
def test_neurons_that_weigh_rows_alike_are_searched_on_one_form(binary):
    X, _ = _instance(5, 60, 12, binary=binary)
    rng = np.random.default_rng(5)
    T = np.outer(rng.normal(size=60), rng.normal(size=4)) * rng.choice([-1, 1], (60, 4))
    weights = shared_weights(T)
    np.testing.assert_allclose(np.abs(T), np.outer(weights, np.abs(T).sum(axis=0)) / weights.sum())
    V = margin_search(X, T, kappa=1.5, seeds=neuron_seeds(0, 4), sweeps=50, weights=weights)
    every = np.array(list(itertools.product([-1, 1], repeat=12)), np.int8)
    for j in range(4):
        energies = margin_energy(X, np.repeat(T[:, [j]], len(every), 1), every, 1.5)
        assert margin_energy(X, T[:, [j]], V[[j]], 1.5)[0] <= energies.min() * (1 + 1e-5)
    part = margin_search(X, T[:, 1:3], kappa=1.5, seeds=neuron_seeds(0, 4)[1:3], sweeps=50, weights=weights)
    np.testing.assert_array_equal(part, V[1:3])
    T[0, 0] *= 1.01
    assert shared_weights(T) is None
    assert shared_weights(np.zeros((60, 4))) is None
