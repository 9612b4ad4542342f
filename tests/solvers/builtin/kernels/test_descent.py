"""Descent never loses gain, ends in a local optimum, and equals a slow definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj.solvers.builtin.kernels.descent import descend
from qproj.solvers.builtin.kernels.scoring import score


def gain_of(A, M, tau, c):
    return float(tau @ np.where(A.astype(float) @ (2 * c - M) >= 0, 1.0, -1.0))


def descend_reference(A, M, tau, c):
    """Steepest single steps on (gain, softened gain), first index first, in exact whole numbers."""
    scale = np.sqrt(M.sum())
    shift = 1 - int(M.sum()) % 2

    def value(c):
        z = A @ (2 * c - M) + shift
        return gain_of(A, M, tau, c), float(tau @ np.clip(z, -scale, scale)) / scale

    c = c.copy()
    while True:
        here, best, chosen = value(c), (0.0, 1e-9), None
        for j in range(len(M)):
            for step in (-1, 1):
                if 0 <= c[j] + step <= M[j]:
                    move = c.copy()
                    move[j] += step
                    there = value(move)
                    gain, soft = there[0] - here[0], there[1] - here[1]
                    if gain > best[0] or (gain == best[0] and soft > best[1] + 1e-9):
                        best, chosen = (gain, soft), move
        if chosen is None:
            return c
        c = chosen


@st.composite
def starts(draw):
    G, C, k = draw(st.integers(1, 9)), draw(st.integers(1, 6)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    A = rng.choice(np.array([-1, 1], np.int8), (G, C))
    M = rng.integers(1, 4, C)
    return A, M, rng.integers(1, 9, G) * rng.choice([-1.0, 1.0], G), rng.integers(0, M + 1, (k, C))


@settings(max_examples=100, deadline=None)
@given(starts())
def test_descent_equals_its_definition(case):
    A, M, tau, counts = case
    found = descend(A, M, tau, counts)
    for i, c in enumerate(counts):
        slow = descend_reference(A.astype(int), M, tau, c)
        assert found.gains[i] == gain_of(A, M, tau, found.counts[i]) >= gain_of(A, M, tau, c)
        assert found.gains[i] == pytest.approx(gain_of(A, M, tau, slow))


def test_candidates_are_independent_and_each_may_have_its_own_target():
    rng = np.random.default_rng(0)
    A, M = rng.choice(np.array([-1, 1], np.int8), (30, 16)), np.ones(16, np.int64)
    taus, counts = rng.standard_normal((5, 30)), rng.integers(0, 2, (5, 16))
    together = descend(A, M, taus, counts)
    for i in range(5):
        alone = descend(A, M, taus[i], counts[i : i + 1])
        np.testing.assert_array_equal(alone.counts[0], together.counts[i])
    np.testing.assert_allclose(score(A, M, taus, together.counts)[0], together.gains)


def test_no_moves_returns_the_beginning_unchanged():
    A, M, counts = np.ones((2, 3), np.int8), np.ones(3, np.int64), np.zeros((1, 3), np.int64)
    found = descend(A, M, np.ones(2), counts, max_moves=0)
    np.testing.assert_array_equal(found.counts, counts)
    assert found.moves == 0
    assert not found.met[0]


def test_real_rows_descend_to_a_local_optimum():
    rng = np.random.default_rng(1)
    A, M, tau = rng.standard_normal((25, 10)), np.ones(10, np.int64), rng.standard_normal(25)
    found = descend(A, M, tau, rng.integers(0, 2, (6, 10)))
    for c, gain in zip(found.counts, found.gains, strict=True):
        for j in range(10):
            move = c.copy()
            move[j] = 1 - move[j]
            assert gain_of(A, M, tau, move) <= gain + 1e-12


def test_wrong_shapes_name_the_right_ones():
    with pytest.raises(ValueError, match=r"counts \(k, C\)"):
        descend(np.ones((3, 2), np.int8), np.ones(2, np.int64), np.ones(3), np.ones((1, 3), np.int64))
