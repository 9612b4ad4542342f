"""A neuron's result is its own: the same alone, beside any others, in any order, on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj._seeds import neuron_seeds
from qproj.solvers.builtin.kernels.descent import descend
from qproj.solvers.builtin.kernels.enumerate_layer import enumerate_layer
from qproj.solvers.builtin.kernels.exchange import exchange_layer
from qproj.solvers.builtin.kernels.message_passing import message_passing
from qproj.solvers.builtin.kernels.perceptron import learn_signs
from qproj.solvers.builtin.kernels.scoring import row_sums, score
from qproj.solvers.builtin.kernels.sharing import Limits
from qproj.solvers.builtin.kernels.soft_annealing import soft_anneal_layer
from qproj.solvers.builtin.sign_direction import sign_direction


class Layer:
    """Rows, class sizes, targets (G, dout), counts (dout, C) and seeds (dout,) of some neurons, and a thread count."""

    def __init__(self, A, M, Tau, counts, seeds, threads=1):
        self.A, self.M, self.Tau, self.counts, self.seeds, self.threads = A, M, Tau, counts, seeds, threads

    def part(self, neurons, threads=1):
        return Layer(self.A, self.M, self.Tau[:, neurons], self.counts[neurons], self.seeds[neurons], threads)


def anneal(layer):
    found = soft_anneal_layer(
        layer.A,
        layer.M,
        layer.Tau,
        seeds=layer.seeds,
        sweeps=6,
        starts=9,
        init=layer.counts,
        limits=Limits(threads=layer.threads),
    )
    return found.counts, found.gains, found.met


def anneal_from_the_direction(layer):
    found = soft_anneal_layer(
        layer.A, layer.M, layer.Tau, seeds=layer.seeds, sweeps=3, limits=Limits(threads=layer.threads)
    )
    return found.counts, found.gains, found.met


def learn(layer):
    M = np.ones_like(layer.M) if layer.A.dtype.kind == "f" else layer.M
    return learn_signs(layer.A, M, layer.Tau, seeds=layer.seeds, epochs=6, limits=Limits(threads=layer.threads))


def exchange(layer):
    if layer.A.dtype.kind == "f":
        return ()
    found = exchange_layer(
        layer.A, layer.M, layer.Tau, layer.counts, seeds=layer.seeds, kicks=6, limits=Limits(threads=layer.threads)
    )
    return found.counts, found.gains, found.met


def pass_messages(layer):
    return () if layer.A.dtype.kind == "f" else message_passing(layer.A, layer.Tau, seeds=layer.seeds, iterations=25)


def search_margins(layer):
    pytest.importorskip("torch", reason="qproj.optim imports it")
    from qproj.optim.margin_search import margin_search

    return (margin_search(layer.A, layer.Tau, kappa=1.5, seeds=layer.seeds, sweeps=5),)


def polish(layer):
    found = descend(layer.A, layer.M, layer.Tau.T, layer.counts)
    return found.counts, found.gains, found.met


def rate(layer):
    return score(layer.A, layer.M, layer.Tau.T, layer.counts)


def add_up(layer):
    return (row_sums(layer.A, layer.M, layer.counts),)


def enumerate_counts(layer):
    if layer.A.dtype.kind == "f" or np.prod(layer.M + 1.0) > 1 << 12:
        return ()
    return (enumerate_layer(layer.A, layer.M, layer.Tau, threads=layer.threads),)


def direct(layer):
    return (sign_direction(layer.A, layer.Tau),)


SEARCHES = [
    anneal, anneal_from_the_direction, learn, exchange, pass_messages, search_margins, polish, rate, add_up,
    enumerate_counts, direct,
]  # fmt: skip


def check(search, whole, parts):
    together = search(whole.part(slice(None), threads=2))
    for part in parts:
        for all_of_them, some in zip(together, search(whole.part(part)), strict=True):
            np.testing.assert_array_equal(all_of_them[part], some)


def draw_layer(rng, G, C, dout, kind):
    A = {
        "signs": lambda: rng.choice(np.array([-1, 1], np.int8), (G, C)),
        "whole": lambda: rng.integers(-1, 2, (G, C)).astype(float),
        "normal": lambda: rng.standard_normal((G, C)),
        # sums of tenths that cancel do so only up to rounding, in an order that BLAS chooses
        "tenths": lambda: rng.integers(-3, 4, (G, C)) / 10.0,
    }[kind]()
    M = np.ones(C, np.int64) if kind != "signs" or rng.random() < 0.5 else rng.integers(1, 4, C)
    Tau = rng.integers(-2, 3, (G, dout)) / 3.0 if rng.random() < 0.5 else rng.standard_normal((G, dout))
    return Layer(A, M, Tau, rng.integers(0, M + 1, (dout, C)), neuron_seeds(int(rng.integers(99)), dout))


@pytest.mark.parametrize("search", SEARCHES)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_split_in_any_order_gives_the_same_results(search, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    G, C, dout = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 12)), data.draw(st.integers(1, 9))
    whole = draw_layer(rng, G, C, dout, data.draw(st.sampled_from(["signs", "whole", "normal", "tenths"])))
    order = np.array(data.draw(st.permutations(range(dout))))
    cut = data.draw(st.integers(0, dout))
    check(search, whole, [part for part in (order[:cut], order[cut:]) if len(part)])
    check(search, whole, [np.array([i]) for i in range(dout)])


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    ("kind", "G", "C"), [("signs", 48, 64), ("signs", 70, 41), ("normal", 48, 37), ("tenths", 48, 37)]
)
def test_sixty_four_neurons_together_and_apart(search, kind, G, C):
    rng = np.random.default_rng(G)
    whole = draw_layer(rng, G, C, 64, kind)
    shuffled = rng.permutation(64)
    check(search, whole, [*np.array_split(shuffled, 3), *np.arange(64)[:, None], shuffled[:17], shuffled[:33]])
