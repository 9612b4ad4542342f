"""Perceptron learning meets all signs where that is easy, over classes and real rows too; its claims are true."""

from __future__ import annotations

import time

import numpy as np
import pytest

from qproj._seeds import neuron_seeds
from qproj.projections.aggregation import class_columns
from qproj.solvers.builtin.kernels import perceptron
from qproj.solvers.builtin.kernels.perceptron import learn_signs
from qproj.solvers.builtin.kernels.sharing import Limits


def signs_met(A, M, Tau, counts):
    """The slow reference: the definition, in integers or float64."""
    z = A.astype(np.float64 if A.dtype.kind == "f" else np.int64) @ (2 * counts - M).T
    return (((z >= 0) == (Tau > 0)) | (Tau == 0)).all(axis=0)


@pytest.mark.parametrize(("n", "d"), [(1, 1), (16, 128), (30, 101), (40, 100), (64, 200)])
def test_random_layers_well_below_capacity_are_all_met(n, d):
    rng = np.random.default_rng(n)
    A, M, Tau = rng.choice(np.array([-1, 1], np.int8), (n, d)), np.ones(d, np.int64), rng.standard_normal((n, 20))
    if n == 1:
        Tau = np.abs(Tau)
    counts, met = learn_signs(A, M, Tau, seeds=neuron_seeds(1, len(Tau.T)))
    assert counts.min() >= 0
    assert (counts <= M).all()
    np.testing.assert_array_equal(met, signs_met(A, M, Tau, counts))
    assert met.all()


@pytest.mark.parametrize("extra", [300, 301])
def test_a_class_of_constant_columns_is_a_threshold(extra):
    rng = np.random.default_rng(3)
    sparse = np.where(rng.random((30, 150)) < 0.05, 1, -1).astype(np.int8)
    X = np.concatenate([sparse, -np.ones((30, extra), np.int8)], axis=1)
    X = X[np.unique(X, axis=0, return_index=True)[1]]
    columns = class_columns(X)
    A = X[:, columns.first]
    Tau = rng.standard_normal((len(A), 10))
    counts, met = learn_signs(A, columns.sizes, Tau, seeds=neuron_seeds(0, len(Tau.T)))
    np.testing.assert_array_equal(met, signs_met(A, columns.sizes, Tau, counts))
    assert met.mean() >= 0.9


def test_real_rows():
    rng = np.random.default_rng(4)
    A, M, Tau = rng.gamma(0.3, size=(30, 120)) - 0.2, np.ones(120, np.int64), rng.standard_normal((30, 12))
    counts, met = learn_signs(A, M, Tau, seeds=neuron_seeds(0, len(Tau.T)))
    np.testing.assert_array_equal(met, signs_met(A, M, Tau, counts))
    assert met.all()
    np.testing.assert_array_equal(
        learn_signs(A * np.logspace(-150, 150, 30)[:, None], M, Tau, seeds=neuron_seeds(0, 12))[1], met
    )


def test_above_capacity_it_ends_and_claims_only_what_holds():
    rng = np.random.default_rng(5)
    A, M, Tau = rng.choice(np.array([-1, 1], np.int8), (20, 6)), np.ones(6, np.int64), rng.standard_normal((20, 30))
    counts, met = learn_signs(A, M, Tau, seeds=neuron_seeds(0, len(Tau.T)), epochs=20)
    np.testing.assert_array_equal(met, signs_met(A, M, Tau, counts))
    assert not met.all()


def test_zero_targets_do_not_count():
    rng = np.random.default_rng(6)
    A, M, Tau = rng.choice(np.array([-1, 1], np.int8), (60, 40)), np.ones(40, np.int64), rng.standard_normal((60, 8))
    Tau[15:] = 0
    assert learn_signs(A, M, Tau, seeds=neuron_seeds(0, len(Tau.T)))[1].all()


def test_one_seed_gives_one_result_with_any_number_of_threads():
    rng = np.random.default_rng(7)
    A, M, Tau = rng.choice(np.array([-1, 1], np.int8), (80, 128)), np.ones(128, np.int64), rng.standard_normal((80, 64))
    one = learn_signs(A, M, Tau, seeds=neuron_seeds(9, len(Tau.T)), limits=Limits(threads=1))
    two = learn_signs(A, M, Tau, seeds=neuron_seeds(9, len(Tau.T)), limits=Limits(threads=2))
    later = learn_signs(
        A, M, Tau, seeds=neuron_seeds(9, len(Tau.T)), limits=Limits(deadline=time.perf_counter() + 60, threads=2)
    )
    for other in (two, later):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("epochs", [2, 30])
def test_where_the_first_look_ends_changes_no_result(epochs, monkeypatch):
    rng = np.random.default_rng(6)
    A, M, Tau = rng.choice(np.array([-1, 1], np.int8), (40, 50)), np.ones(50, np.int64), rng.standard_normal((40, 12))
    found = []
    for easy in (1, 4, 1000):
        monkeypatch.setattr(perceptron, "EASY", easy)
        found.append(learn_signs(A, M, Tau, seeds=neuron_seeds(1, len(Tau.T)), epochs=epochs))
    assert 0 < found[0][1].sum() < 12 or epochs == 2  # some are met at once, some later or never
    for counts, met in found[1:]:
        np.testing.assert_array_equal(counts, found[0][0])
        np.testing.assert_array_equal(met, found[0][1])


def test_classes_beyond_sixteen_bits():
    A, M = np.array([[1, 1], [1, -1]], np.int8), np.array([40_000, 3])
    counts, met = learn_signs(A, M, np.array([[1.0], [1.0]]), seeds=neuron_seeds(0, 1), epochs=5)
    np.testing.assert_array_equal(met, signs_met(A, M, np.array([[1.0], [1.0]]), counts))


@pytest.mark.parametrize(
    ("A", "M", "Tau", "text"),
    [
        (np.ones((3, 2), np.int8), np.ones(3, int), np.ones((3, 1)), r"pass A \(G, C\), M \(C,\), Tau \(G, dout\)"),
        (np.ones((3, 2)), np.array([1, 2]), np.ones((3, 1)), "pass real rows with M = 1"),
    ],
)
def test_wrong_shapes_name_the_right_ones(A, M, Tau, text):
    with pytest.raises(ValueError, match=text):
        learn_signs(A, M, Tau, seeds=neuron_seeds(0, 1))
