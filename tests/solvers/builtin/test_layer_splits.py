"""A layer's neurons have seeds of their own: any part of the layer, with its part of the seeds, has its results."""

from __future__ import annotations

import numpy as np
import pytest

import qproj
from qproj._seeds import child_seeds, kernel_seeds, neuron_seeds
from qproj.solvers import LayerRequest
from qproj.solvers.builtin.auto import Auto
from qproj.solvers.builtin.layer_rows import LayerRows
from qproj.solvers.builtin.layer_search import LayerSearch
from qproj.solvers.builtin.local_search import LocalSearch
from qproj.solvers.builtin.sign_direction import sign_direction

SEED, DOUT = 7, 21


def auto(layer, seeds, threads):
    options = Auto(epochs=10, iterations=30, sweeps=30, starts=2, nodes=3000, threads=threads)
    search = LayerSearch(options, LayerRows.of_layer(layer), layer, LayerRequest(seeds))
    search.run()
    return search.weights, search.proved, search.bound


def anneal(layer, seeds, threads):
    return (LocalSearch(sweeps=30, starts=9, threads=threads).search_layer(layer, LayerRequest(seeds)).weights,)


def layers():
    rng = np.random.default_rng(3)
    signs = rng.choice([-1, 1], (40, 30))
    return {
        "few weights": signs[:, :9],
        "below capacity": signs[:20],
        "above capacity": signs,
        "merged columns": np.repeat(signs[:, :13], 3, axis=1),
        "real": rng.integers(-3, 4, (25, 14)) / 10.0,
    }


def _targets(n):
    rng = np.random.default_rng(1)
    return np.concatenate([rng.integers(-1, 2, (n, 5)) / 3.0, rng.standard_normal((n, DOUT - 5))], axis=1)


@pytest.mark.parametrize("name", layers())
@pytest.mark.parametrize("search", [auto, anneal])
def test_any_part_of_a_layer_has_the_same_results(search, name):
    X = layers()[name]
    T = _targets(len(X))
    layer, seeds = qproj.LayerProjection(X, T), child_seeds(SEED, DOUT)
    whole = search(layer, seeds, 2)
    for start, stop in [(0, 5), (5, 6), (4, 20), (20, 21)]:
        part = search(layer.part(start, stop), seeds[start:stop], 1)
        for everything, some in zip(whole, part, strict=True):
            np.testing.assert_array_equal(everything[start:stop], some)
    np.testing.assert_array_equal(sign_direction(X, T)[4:20], sign_direction(X, T[:, 4:20]))


@pytest.mark.parametrize("solver", ["auto", "local-search", "sa", "random", "greedy"])
@pytest.mark.parametrize("kind", ["sign", pytest.param("curvature", marks=pytest.mark.slow)])
def test_workers_change_no_result(solver, kind):
    X = layers()["above capacity"]
    T = _targets(len(X))
    layer = qproj.LayerProjection(X, T)
    if kind == "curvature":
        layer = qproj.CurvatureLayerProjection(X.T @ X / len(X), T.T @ X, np.full(DOUT, 0.3))
    reads = {} if solver in ("auto", "local-search") else {"num_reads": 5}
    results = [qproj.project(layer, solver=solver, seed=3, workers=workers, **reads) for workers in (None, 1, 2)]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0].weights, other.weights)
        np.testing.assert_array_equal(results[0].proved, other.proved)


def test_seeds_do_not_depend_on_their_count():
    for seeds in (neuron_seeds, lambda seed, count: kernel_seeds(child_seeds(seed, count))):
        np.testing.assert_array_equal(seeds(5, 100)[:7], seeds(5, 7))
        assert len(np.unique(seeds(5, 1000))) == 1000
        assert not np.array_equal(seeds(None, 4), seeds(None, 4))
