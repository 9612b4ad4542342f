"""Layers under a time limit: every neuron has an incumbent, never a worse one than it began with."""

import numpy as np
import pytest

import qproj
from qproj.projections import inputs
from qproj.projections.inputs import Inputs
from qproj.projections.layer import GUESSES


def layer(n, d, dout, seed=0):
    rng = np.random.default_rng(seed)
    return rng.choice(np.array([-1, 1], np.int8), (n, d)), rng.normal(size=(n, dout))


@pytest.mark.parametrize("name", ["auto", "local-search", "sa"])
def test_neurons_that_no_time_was_left_for_are_counted_and_have_weights(name):
    X, T = layer(256, 1023, 1200)
    found = qproj.project(X, T, solver=name, time_limit_s=0.001, seed=0)
    assert 0 < found.stats["not_reached"] < 1200
    assert (np.abs(found.weights) == 1).all()
    assert set(found.status) <= {"feasible", "optimal"}
    left = 1200 - found.stats["not_reached"]
    one = found[left]  # by a guess: nothing that others were given, nor its opposite, gains more
    neuron = qproj.SignProjection(X, T[:, left])
    assert one.gain == neuron.gain(one.best) > 0
    assert one.gain >= np.abs(neuron.gain(found.weights[left : left + 100])).max()


def test_a_guess_gains_more_than_meeting_the_heaviest_row_alone():
    X, T = layer(200, 300, 400)
    one = qproj.LayerProjection(X, T)
    heaviest = np.abs(T).argmax(axis=0)
    before = X[heaviest] * np.where(T[heaviest, np.arange(400)] > 0, 1, -1)[:, None]
    assert one.score(one.guess).gain.mean() > 2 * one.score(before.astype(np.int8)).gain.mean()
    assert len(np.unique(one.guess, axis=0)) <= 2 * GUESSES


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("kind", ["binary", "real"])
def test_the_score_of_a_layer_is_that_of_each_neuron(kind, merged, monkeypatch):
    monkeypatch.setattr(inputs, "_PACKED", 0)
    rng = np.random.default_rng(0)
    X, T = layer(70, 129, 40) if kind == "binary" else (rng.normal(size=(70, 129)), rng.normal(size=(70, 40)))
    if merged:
        X = X[rng.integers(0, 30, 70)]
    weights = qproj.project(X, T, solver="sign").weights.copy()
    weights[10:35] = weights[7]
    one = qproj.LayerProjection(X, T)
    score = one.score(weights)
    for j, neuron in enumerate(one):
        assert score.gain[j] == neuron.gain(weights[j])
        assert score.constant[j] == pytest.approx(neuron.constant, rel=1e-14)
        assert score.gain_bound[j] == pytest.approx(neuron.gain_bound, rel=1e-14)
        assert score.met[j] == neuron.meets_bound(weights[j])


@pytest.mark.parametrize("name", ["sa", "cpsat", "greedy"])
def test_a_neuron_is_not_begun_whose_model_takes_far_longer_than_the_time_that_is_left(name, monkeypatch):
    X, T = layer(20, 30, 3)
    solver = qproj.get_solver(name)
    assert 0.0 < solver.least_seconds(qproj.SignProjection(X, T[:, 0])) < 0.01
    monkeypatch.setattr(type(solver), "least_seconds", lambda self, problem: 10.0)
    found = qproj.project(X, T, solver=solver, time_limit_s=0.5, seed=0)
    assert found.stats["not_reached"] == 3
    assert (found.gain > 0).all()


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
