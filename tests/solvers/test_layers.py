"""A layer over several processes: the number of workers changes no result."""

import pickle

import numpy as np
import pytest

import qproj
from qproj.solvers.layers import BATCH

N, D, DOUT = 40, 24, 2 * BATCH + 5


def layer(seed=0):
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 1], (N, D)), rng.normal(size=(N, DOUT))


def same(one, other):
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.gain, other.gain)
    np.testing.assert_array_equal(one.bound, other.bound)
    np.testing.assert_array_equal(one.terminations, other.terminations)


@pytest.mark.parametrize(("solver", "limits"), [("auto", {}), ("local-search", {}), ("sa", {"num_reads": 5})])
def test_the_number_of_workers_changes_nothing(solver, limits):
    X, T = layer()
    alone = qproj.project(X, T, solver, seed=3, workers=1, **limits)
    same(alone, qproj.project(X, T, solver, seed=3, workers=2, **limits))
    assert len(alone) == DOUT
    p = qproj.LayerProjection(X, T)[BATCH + 1]
    solution = alone[BATCH + 1]
    assert solution.gain == pytest.approx(p.gain(alone.weights[BATCH + 1]))
    assert np.array_equal(solution.best, alone.weights[BATCH + 1])
    assert solution.bound == pytest.approx(alone.bound[BATCH + 1])


def test_proofs_are_those_of_the_whole_layer():
    X, T = layer(1)
    whole, spread = qproj.project(X, T), qproj.project(X, T, workers=2)
    both = whole.proved & spread.proved
    assert both.any()
    np.testing.assert_allclose(whole.gain[both], spread.gain[both], rtol=1e-12)


def test_hints_and_limits_reach_their_neurons():
    X, T = layer(2)
    hints = np.random.default_rng(5).choice([-1, 1], (DOUT, D))
    found = qproj.project(X, T, hints=hints, workers=2, time_limit_s=2.0)
    gains = [p.gain(h) for p, h in zip(qproj.LayerProjection(X, T), hints, strict=True)]
    assert (found.gain >= np.array(gains) - 1e-12).all()


@pytest.mark.parametrize("solver", ["auto", "sa"])
def test_a_layers_solution_can_be_pickled(solver):
    X, T = layer(3)
    found = qproj.project(X, T[:, :3], solver)
    copy = pickle.loads(pickle.dumps(found))
    same(found, copy)
    assert copy[1].gain == found[1].gain


@pytest.mark.parametrize("workers", [0, -2, 1.5, True, "two"])
def test_meaningless_numbers_of_workers_are_refused(workers):
    X, T = layer()
    with pytest.raises((TypeError, ValueError), match="workers is"):
        qproj.project(X, T, workers=workers)


@pytest.mark.slow
def test_a_dask_cluster_through_the_same_call():
    distributed = pytest.importorskip("distributed")
    import joblib

    X, T = layer()
    alone = qproj.project(X, T, seed=3, workers=1)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        same(alone, qproj.project(X, T, seed=3, workers=-1))


@pytest.mark.parametrize("solver", [qproj.get_solver("auto", epochs=5, sweeps=10, starts=1, nodes=100), "sign"])
def test_blocks_are_parts_of_the_layer(monkeypatch, solver):
    X, T = layer()
    monkeypatch.setattr("qproj.projections.layer.BLOCK", 0)  # blocks of BATCH neurons, as small as they get
    found = qproj.project(X, T, solver, seed=3)
    assert T.shape[1] > BATCH
    same(found, qproj.project(X, T, solver, seed=3, workers=1))  # the same parts, with the same seeds
    for i in (0, BATCH, T.shape[1] - 1):
        np.testing.assert_array_equal(found[i].best, found.weights[i])
        assert found[i].gain == found.gain[i]
    with pytest.raises(ValueError, match="read-only"):
        found.weights[0, 0] = 1
