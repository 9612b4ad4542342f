"""The statements of docs/explanation/linear-and-metric.md, by brute force."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import qproj


def everything(d):
    return np.array(list(itertools.product([-1, 1], repeat=d)))


def minimisers(p, d):
    values = p.objective(everything(d))
    return {tuple(v) for v in everything(d)[values <= values.min() + 1e-9 * (1 + abs(values.min()))]}


@given(st.integers(0, 10**6), st.integers(1, 7))
@settings(max_examples=40)
def test_a_linear_projection_is_a_metric_projection(seed, d):
    rng = np.random.default_rng(seed)
    X, t, a = rng.normal(size=(d + 2, d)), rng.normal(size=d + 2), rng.uniform(0, 2, d + 2)
    alpha = rng.uniform(0.3, 2)
    linear = qproj.LinearProjection(X, t, scale=alpha, sample_weight=a)
    M = alpha**2 * X.T @ (a[:, None] * X)
    g = np.linalg.lstsq(alpha * X.T @ (a[:, None] * X), X.T @ (a * t), rcond=None)[0]
    metric = qproj.MetricProjection(M, g)
    difference = linear.objective(everything(d)) - metric.objective(everything(d))
    np.testing.assert_allclose(difference, difference[0], atol=1e-8 * (1 + abs(difference[0])))


@given(st.integers(0, 10**6), st.integers(1, 6))
@settings(max_examples=25)
def test_a_diagonal_metric_gives_signs(seed, d):
    rng = np.random.default_rng(seed)
    diagonal, g = rng.normal(size=d), rng.normal(size=d)
    assert minimisers(qproj.MetricProjection(np.diag(diagonal), g), d) == {tuple(np.sign(diagonal * g).astype(int))}


def test_the_metric_projection_solves_maximum_cut():
    rng = np.random.default_rng(0)
    upper = np.triu(rng.integers(0, 2, (6, 6)), 1)
    M = upper + upper.T + 7.0 * np.eye(6)  # positive definite
    best = max(sum(upper[i, j] for i in range(6) for j in range(6) if r[i] != r[j]) for r in everything(6))
    r = qproj.get_solver("exhaustive").solve(qproj.MetricProjection(M, np.zeros(6))).best
    assert sum(upper[i, j] for i in range(6) for j in range(6) if r[i] != r[j]) == best


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_alternation_never_raises_the_objective(seed):
    rng = np.random.default_rng(seed)
    X, t = rng.normal(size=(8, 5)), rng.normal(size=8)
    p = qproj.LinearProjection(X, t, scale="least-squares")
    v = np.where(X.T @ t >= 0, 1, -1)
    values = [p.objective(v)]
    for _ in range(6):
        v = qproj.get_solver("exhaustive").solve(p.with_scale(p.best_scale(v) or 1.0)).best
        values.append(p.objective(v))
    assert (np.diff(values) <= 1e-9).all()
    assert qproj.get_solver("exhaustive").solve(p).objective <= values[0] + 1e-9


@given(st.integers(0, 10**6), st.integers(1, 8), st.sampled_from([0.5, 1.5, 3.0, 20.0]))
@settings(max_examples=40)
def test_the_surrogate_bounds_the_gap_of_every_vector(seed, d, kappa):
    rng = np.random.default_rng(seed)
    X, t = rng.choice([-1, 1], (10, d)), rng.normal(size=10)
    p = qproj.SignProjection(X, t)
    encoding = p.encode("margin", kappa=kappa)
    V = everything(d)
    z, merged = V @ X[p.aggregated.groups.first[p.aggregated.kept]].T, p.aggregated.tau
    surrogate = (np.abs(merged) * (z - kappa * np.sqrt(d) * np.sign(merged)) ** 2).sum(axis=1)
    gap = (p.gain_bound - p.gain(V)) / (2 * p.gain_bound)
    assert (gap <= surrogate / (kappa**2 * d * p.gain_bound) + 1e-9).all()
    # the encoding is that surrogate: its least energy is the least surrogate value
    assert np.isclose(encoding.verify().minimum_energy, surrogate.min())


@given(st.integers(0, 10**6), st.integers(1, 7))
@settings(max_examples=30)
def test_beyond_a_threshold_the_surrogate_is_signsgd(seed, d):
    rng = np.random.default_rng(seed)
    X, t = rng.choice([-1, 1], (9, d)), rng.normal(size=9)
    u, total = X.T @ t, np.abs(t).sum()
    kappa = 1.01 * d**1.5 * total / (4 * np.abs(u).min())
    p = qproj.LinearProjection(X, kappa * np.sqrt(d) * np.sign(t), sample_weight=np.abs(t))
    V = everything(d)
    z = V @ X.T
    values = (np.abs(t) * z**2).sum(axis=1) - 2 * kappa * np.sqrt(d) * (V @ u)
    np.testing.assert_array_equal(V[values.argmin()], np.sign(u))
    assert p.objective(np.sign(u)) <= p.objective(V).min() * (1 + 1e-9)
