"""Enumeration equals a loop over all counts, ties included."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj.solvers.builtin.kernels import enumerate_layer as module
from qproj.solvers.builtin.kernels.enumerate_layer import enumerate_layer
from qproj.solvers.builtin.kernels.scoring import score


def every_count(sizes):
    return np.array(list(itertools.product(*(range(m + 1) for m in sizes))), np.int64).reshape(-1, len(sizes))


@st.composite
def layers(draw):
    U, C, dout = draw(st.integers(1, 10)), draw(st.integers(1, 6)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    A = rng.choice(np.array([-1, 1], np.int8), (U, C))
    sizes = rng.integers(1, 4, C)
    tau = {
        "whole": lambda: rng.integers(-3, 4, (U, dout)).astype(float),
        "normal": lambda: rng.standard_normal((U, dout)),
        "wild": lambda: rng.standard_normal((U, dout)) * 10.0 ** rng.integers(-300, 140, (U, dout)),
    }[draw(st.sampled_from(["whole", "normal", "wild"]))]()
    return A, sizes, tau


@settings(max_examples=150)
@given(layers(), st.sampled_from([1, 7, 1 << 10]), st.sampled_from([0, 1 << 22]))
def test_gains_equal_those_of_a_loop(layer, block, few):
    A, sizes, tau = layer
    everything = every_count(sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_STEP", block)
        patch.setattr(module, "_BLOCK", 2 * block)
        patch.setattr(module, "_FEW", few)
        counts = enumerate_layer(A, sizes, tau)
    assert counts.shape == (tau.shape[1], A.shape[1])
    assert ((counts >= 0) & (counts <= sizes)).all()
    for c, t in zip(counts, tau.T, strict=True):
        t = np.ascontiguousarray(t)
        assert score(A, sizes, t, c[None])[0][0] == score(A, sizes, t, everything)[0].max()


@pytest.mark.parametrize("few", [0, 1 << 22])
def test_ties_go_to_the_first_count_vector_and_do_not_depend_on_blocks(few, monkeypatch):
    rng = np.random.default_rng(0)
    for sizes in ([1, 2, 1], [1, 2, 1, 1]):  # even and odd numbers of weights
        sizes = np.array(sizes)
        A = rng.choice(np.array([-1, 1], np.int8), (4, len(sizes)))
        tau = rng.choice([-1.0, 0.0, 1.0], (4, 40))
        monkeypatch.setattr(module, "_FEW", few)
        whole = enumerate_layer(A, sizes, tau)
        everything = every_count(sizes)
        if sizes.sum() % 2:
            half = everything[: len(everything) // 2]
            everything = np.stack([half, sizes - half], axis=1).reshape(-1, len(sizes))
        for c, t in zip(whole, tau.T, strict=True):
            gains = score(A, sizes, np.ascontiguousarray(t), everything)[0]
            np.testing.assert_array_equal(c, everything[gains.argmax()])
        monkeypatch.setattr(module, "_STEP", 5)
        monkeypatch.setattr(module, "_FEW", (1 << 22) - few)
        np.testing.assert_array_equal(enumerate_layer(A, sizes, tau), whole)
        monkeypatch.undo()


def test_no_rows_and_wrong_shapes():
    none = enumerate_layer(np.ones((0, 2), np.int8), np.ones(2, np.int64), np.ones((0, 3)))
    np.testing.assert_array_equal(none, np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"pass A \(U, C\)"):
        enumerate_layer(np.ones((4, 2), np.int8), np.ones(3, np.int64), np.ones((4, 1)))
