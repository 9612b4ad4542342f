"""A layer's neurons have seeds of their own: any part of the layer, with its part of the seeds, has its results."""

from __future__ import annotations

import numpy as np
import pytest

import qproj
from qproj.solvers import Request
from qproj.solvers.builtin import local_search
from qproj.solvers.builtin.auto import Auto
from qproj.solvers.builtin.kernels import sharing
from qproj.solvers.builtin.layer_rows import LayerRows
from qproj.solvers.builtin.layer_search import LayerSearch
from qproj.solvers.builtin.local_search import LocalSearch

SEED, DOUT = 7, 21


def auto(layer, seeds, threads):
    options = Auto(epochs=10, iterations=30, sweeps=30, starts=2, nodes=3000, threads=threads)
    search = LayerSearch(options, LayerRows.of_layer(layer), layer, Request(seed=SEED), None)
    search.seeds = seeds
    search.run()
    return search.weights, search.proved, search.bound


def anneal(layer, seeds, threads, monkeypatch):
    monkeypatch.setattr(sharing, "neuron_seeds", lambda seed, count: seeds)
    weights, _ = LocalSearch(sweeps=30, starts=9, threads=threads).search(
        LayerRows.of_layer(layer), Request(seed=SEED), None
    )
    return (weights,)


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


@pytest.mark.parametrize("name", layers())
@pytest.mark.parametrize("search", [auto, anneal])
def test_any_part_of_a_layer_has_the_same_results(search, name, monkeypatch):
    X = layers()[name]
    rng = np.random.default_rng(1)
    T = np.concatenate([rng.integers(-1, 2, (len(X), 5)) / 3.0, rng.standard_normal((len(X), DOUT - 5))], axis=1)
    layer, seeds = qproj.LayerProjection(X, T), sharing.neuron_seeds(SEED, DOUT)
    given = (monkeypatch,) if search is anneal else ()
    whole = search(layer, seeds, 2, *given)
    for start, stop in [(0, 5), (5, 6), (4, 20), (20, 21)]:
        part = search(layer.part(start, stop), seeds[start:stop], 1, *given)
        for everything, some in zip(whole, part, strict=True):
            np.testing.assert_array_equal(everything[start:stop], some)
    np.testing.assert_array_equal(local_search.sign_direction(X, T)[4:20], local_search.sign_direction(X, T[:, 4:20]))


def test_seeds_do_not_depend_on_their_count():
    np.testing.assert_array_equal(sharing.neuron_seeds(5, 100)[:7], sharing.neuron_seeds(5, 7))
    assert len(np.unique(sharing.neuron_seeds(5, 1000))) == 1000
    assert not np.array_equal(sharing.neuron_seeds(None, 4), sharing.neuron_seeds(None, 4))
