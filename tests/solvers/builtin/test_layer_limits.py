"""Layers under a time limit: every neuron has an incumbent, never a worse one than it began with."""

import numpy as np
import pytest

import qproj
from qproj.projections import inputs
from qproj.projections.inputs import Inputs


def layer(n, d, dout, seed=0):
    rng = np.random.default_rng(seed)
    return rng.choice(np.array([-1, 1], np.int8), (n, d)), rng.normal(size=(n, dout))


@pytest.mark.parametrize("name", ["auto", "local-search", "sa"])
def test_neurons_that_no_time_was_left_for_are_counted_and_have_weights(name):
    X, T = layer(256, 1024, 1200)
    found = qproj.project(X, T, solver=name, time_limit_s=0.001, seed=0)
    assert 0 < found.stats["not_reached"] < 1200
    assert (np.abs(found.weights) == 1).all()
    assert set(found.status) <= {"feasible", "optimal"}
    left = 1200 - found.stats["not_reached"]
    one = found[left]  # by a guess: it meets the heaviest row
    heaviest = np.abs(T[:, left]).argmax()
    assert (X[heaviest] @ one.best >= 0) == (T[heaviest, left] > 0)
    assert one.gain == qproj.SignProjection(X, T[:, left]).gain(one.best)


@pytest.mark.parametrize("limit", [0.001, 0.05])
def test_a_layer_is_never_worse_than_its_hints(limit):
    X, T = layer(128, 300, 900)
    hints = qproj.project(X, T, solver="sign").weights
    before = qproj.LayerProjection(X, T).score(hints).gain
    found = qproj.project(X, T, solver="auto", time_limit_s=limit, hints=hints, seed=0)
    assert (found.gain >= before).all()


def test_the_guess_of_a_curvature_layer_is_the_sign_of_h():
    H = np.array([[0.5, -1.0, 0.0]])
    assert qproj.CurvatureLayerProjection(np.eye(3), H, 1.0).guess.tolist() == [[1, -1, 1]]


@pytest.mark.parametrize("d", [1, 7, 63, 64, 65, 130])
def test_signs_by_counted_bits_are_those_of_the_sums(monkeypatch, d):
    rng = np.random.default_rng(d)
    X, V = (rng.choice(np.array([-1, 1], np.int8), (k, d)) for k in (50, 9))
    monkeypatch.setattr(inputs, "_PACKED", 0)
    expected = np.where(V.astype(int) @ X.T >= 0, 1, -1)
    assert (Inputs(X).signs(V) == expected).all()


def test_random_draws_are_cut_to_what_can_be_scored():
    X, T = layer(20_000, 40, 1)
    problem = qproj.SignProjection(X, T[:, 0])
    found = qproj.get_solver("random").solve(problem, num_reads=100_000, time_limit_s=0.01, seed=0)
    assert 1 <= len(found.candidates) < 100_000
    assert found.termination == "clock"
