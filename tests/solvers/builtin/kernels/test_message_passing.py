"""Message passing meets all signs of random layers below capacity, and says truthfully whether it did."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_ndtr

from qproj._seeds import neuron_seeds
from qproj.solvers.builtin.kernels.message_passing import _mills, message_passing


def meets(X, T, V):
    return (((X.astype(int) @ V.T.astype(int) >= 0) == (T > 0)) | (T == 0)).all(axis=0)


@pytest.mark.parametrize(("n", "d"), [(16, 128), (64, 128), (33, 101)])
def test_random_layers_below_capacity_are_all_met(n, d):
    rng = np.random.default_rng(n)
    X, T = rng.choice(np.array([-1, 1], np.int8), (n, d)), rng.standard_normal((n, 20))
    V, met = message_passing(X, T, seeds=neuron_seeds(0, len(T.T)))
    assert V.dtype == np.int8
    assert set(np.unique(V)) == {-1, 1}
    np.testing.assert_array_equal(met, meets(X, T, V))
    assert met.all()


def test_met_is_never_claimed_above_capacity():
    rng = np.random.default_rng(0)
    X, T = rng.choice(np.array([-1, 1], np.int8), (60, 20)), rng.standard_normal((60, 10))
    V, met = message_passing(X, T, seeds=neuron_seeds(0, len(T.T)), iterations=30)
    np.testing.assert_array_equal(met, meets(X, T, V))
    assert not met.any()


def test_zero_targets_do_not_count_and_a_seed_repeats():
    rng = np.random.default_rng(2)
    X, T = rng.choice(np.array([-1, 1], np.int8), (40, 64)), rng.standard_normal((40, 6))
    T[20:] = 0
    V, met = message_passing(X, T, seeds=neuron_seeds(5, len(T.T)))
    assert met.all()
    np.testing.assert_array_equal(V, message_passing(X, T, seeds=neuron_seeds(5, len(T.T)))[0])


@pytest.mark.parametrize("u", [-40.0, -6.0, -4.0, -1.0, 0.0, 2.5, 7.0])
def test_mills_ratio(u):
    exact = np.exp(-0.5 * u * u - 0.5 * np.log(2 * np.pi) - log_ndtr(u))
    assert _mills(np.float32(u)) == pytest.approx(exact, rel=3e-3)


def test_wrong_shapes_name_the_right_ones():
    with pytest.raises(ValueError, match=r"pass X \(n, d\) and T \(n, dout\)"):
        message_passing(np.ones((3, 2), np.int8), np.ones((2, 1)), seeds=neuron_seeds(0, 1))
