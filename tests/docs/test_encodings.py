"""The lemma, the hulls and the rounding statement of docs/explanation/encodings.md."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qproj
from qproj.encodings.rows import quantise


def bits_of(d):
    half = -(-d // 2)
    m = (d // 2).bit_length() + 1  # ⌈log2(⌊d/2⌋ + 1)⌉ + 1
    return half, m, 2 ** (m - 1) - half


def test_the_number_of_bits_is_the_formula():
    for d in range(1, 300):
        assert bits_of(d)[1] == int(np.ceil(np.log2(d // 2 + 1))) + 1


@pytest.mark.parametrize("d", range(1, 40))
def test_every_count_has_one_consistent_pair_and_wrong_indicators_miss_by_one(d):
    half, m, delta = bits_of(d)
    assert delta >= 0
    for p in range(d + 1):
        residual = {(y, r): p + delta - r - 2 ** (m - 1) * y for y in (0, 1) for r in range(2 ** (m - 1))}
        consistent = [pair for pair, rho in residual.items() if rho == 0]
        assert len(consistent) == 1
        right = int(p >= half)
        assert consistent[0][0] == right
        assert all(abs(rho) >= 1 for (y, _), rho in residual.items() if y != right)


@pytest.mark.parametrize("d", range(1, 12))
def test_the_one_sided_inequalities_are_convex_hulls(d):
    """The vertices of {0 ≤ y ≤ 1, inequality, 0 ≤ p ≤ d} are integer points that satisfy y ⇔ p ≥ h one-sidedly."""
    h = -(-d // 2)
    # vertices by intersecting the edges y = 0, y = 1, p = 0, p = d and the inequality, in exact arithmetic
    for positive in (True, False):
        tight = (lambda y: h * y) if positive else (lambda y: h - 1 + (d - h + 1) * y)

        def inside(p, y, positive=positive, tight=tight):
            return 0 <= y <= 1 and 0 <= p <= d and (p >= tight(y) if positive else p <= tight(y))

        corners = {(Fraction(p), Fraction(y)) for p in (0, d) for y in (0, 1)}
        corners |= {(Fraction(tight(y)), Fraction(y)) for y in (0, 1)}
        slope, start = tight(1) - tight(0), tight(0)
        corners |= {(Fraction(p), Fraction(p - start, slope)) for p in (0, d) if slope}
        vertices = {c for c in corners if inside(*c)}
        integer = {(p, y) for p in range(d + 1) for y in (0, 1) if (y == 0 or p >= h if positive else y == 1 or p < h)}
        assert vertices <= {(Fraction(p), Fraction(y)) for p, y in integer}
        assert all(inside(*point) for point in integer)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 5))
@settings(max_examples=30)
def test_rounded_rows_lose_no_more_than_stated(seed, d, bits):
    rng = np.random.default_rng(seed)
    X, t = rng.normal(size=(7, d)), rng.normal(size=7)
    q, error = quantise(X, bits)
    V = np.array(list(itertools.product([-1, 1], repeat=d)))
    true, rounded = V @ X.T, V @ q.T
    differs = (true >= 0) != (rounded >= 0)
    assert (np.abs(true)[differs] <= np.broadcast_to(error, true.shape)[differs] + 1e-12).all()
    gain = qproj.SignProjection(X, t).gain(V)
    model = np.where(rounded >= 0, 1, -1) @ t
    v, best = model.argmax(), gain.argmax()
    open_rows = np.abs(true) <= error + 1e-12
    allowed = 2 * (np.abs(t) * open_rows[v]).sum() + 2 * (np.abs(t) * open_rows[best]).sum()
    assert gain[best] - gain[v] <= allowed + 1e-9
