"""Statements of docs/explanation/convergence.md that are no other test's: alignment, the box, the counter-example."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import qproj
from qproj.functions import logistic, minimize, quadratic
from qproj.nn import BinaryLinear, SignActivation
from qproj.optim import ProjectedQPSBGD


@given(st.integers(0, 10**6), st.sampled_from([1, 3, 5, 7]), st.integers(1, 12))
@settings(max_examples=60)
def test_a_small_gap_aligns_the_sign_projection_with_the_gradient(seed, d, n):
    """Theorem 2, for every v, not only for optimal ones."""
    rng = np.random.default_rng(seed)
    X, t = rng.choice([-1, 1], (n, d)), rng.integers(-4, 5, n).astype(float)
    p = qproj.SignProjection(X, t)
    G, bound = X.T @ t, p.gain_bound
    V = np.array(list(itertools.product([-1, 1], repeat=d)))
    aligned = V @ G
    gap = (bound - p.gain(V)) / (2 * bound) if bound > 0 else np.zeros(len(V))
    assert (aligned >= (1 - (d + 1) * gap) * bound - 1e-9).all()
    small = gap <= 1 / (d + 1)
    assert (aligned[small] >= (1 - (d + 1) * gap[small]) / np.sqrt(d) * np.linalg.norm(G) - 1e-9).all()


def test_the_alignment_bound_is_reached():
    """One row, one weight: c = 1 = 1/√d at a gap of 0, and −1 at a gap of 1."""
    p = qproj.SignProjection([[1]], [2.0])
    assert [v * 2.0 for v in (1, -1)] == [(1 - 2 * gap) * p.gain_bound for gap in (0.0, 1.0)]


@given(st.integers(0, 10**6), st.integers(2, 9))
@settings(max_examples=20)
def test_a_layer_that_meets_its_bounds_is_aligned(seed, dout):
    rng = np.random.default_rng(seed)
    X = rng.choice([-1, 1], (4, 31))
    T = rng.normal(size=(4, dout))
    layer = qproj.project(X, T, seed=0)
    met = layer.gap == 0
    G = (X.T @ T).T
    aligned = (G * layer.weights).sum(axis=1)
    assert met.any()
    assert (aligned[met] >= np.linalg.norm(G[met], axis=1) / np.sqrt(31) - 1e-9).all()
    assert (aligned[met]).sum() >= np.linalg.norm(G[met]) / np.sqrt(31) - 1e-9


def _stationarity(fun, x, eta):
    slope = fun.gradient(x, None)
    room = np.where(slope < 0, 1.0 - x, 1.0 + x)
    return float((np.abs(slope) * np.minimum(1.0, room / eta)).sum())


def _smooth(seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(5, 5))
    if seed % 3 == 0:  # not convex: theorem 3 does not ask for it
        return quadratic(root + root.T, rng.normal(size=5))
    if seed % 3 == 1:
        return quadratic(root @ root.T, rng.normal(size=5))
    X = rng.normal(size=(20, 5))
    return logistic(X, np.sign(rng.normal(size=20)))


@given(st.integers(0, 10**6), st.sampled_from([16, 64, 256]))
@settings(max_examples=30)
def test_the_box_projected_step_keeps_its_bound_on_stationarity(seed, T):
    """Theorem 3; min f is replaced by the least value met, which makes the bound smaller."""
    fun = _smooth(seed)
    start = np.random.default_rng(seed).uniform(-1, 1, fun.size)
    eta = 1 / np.sqrt(T)
    x, total, least = start, 0.0, fun.value(start)
    for _ in range(T):
        total += _stationarity(fun, x, eta)
        x = minimize(fun, x, "projected", steps=1, lr=eta).x
        least = min(least, fun.value(x))
    bound = (fun.value(start) - least + fun.smoothness * fun.size / 2) / np.sqrt(T)
    assert total / T <= bound * (1 + 1e-9)


def _models(A, h, tau):
    """All ±1 vectors, their q, and q of sign(h)."""
    v0 = np.where(h >= 0, 1.0, -1.0)
    power = v0 @ A @ v0
    rho = tau * np.abs(h).sum() / power if power > 0 else 0.0
    V = np.array(list(itertools.product([-1.0, 1.0], repeat=len(h))))
    return V, -V @ h + 0.5 * rho * np.einsum("kd,de,ke->k", V, A, V), -np.abs(h).sum() + 0.5 * rho * power


@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 8), st.sampled_from([0.0, 0.3, 1.0, 1.7, 1.99]))
@settings(max_examples=80)
def test_every_vector_below_the_sign_direction_is_aligned(seed, d, rank, tau):
    """Theorem 1c for A of any rank."""
    rng = np.random.default_rng(seed)
    X, h = rng.normal(size=(rank, d)), rng.normal(size=d) * rng.choice([0.0, 1.0, 100.0], d)
    V, q, first = _models(X.T @ X, h, tau)
    aligned = V[q <= first + 1e-12 * abs(first)] @ h
    assert len(aligned)
    assert (aligned >= (1 - tau / 2) * np.abs(h).sum() * (1 - 1e-9)).all()


def test_the_alignment_of_the_curvature_projection_is_reached():
    A, h = np.ones((2, 2)), np.array([3.0, 1.0])
    p = qproj.CurvatureProjection(A, h, 1.0)
    assert p.objective([[1, -1], [1, 1]]).tolist() == [-2.0, -2.0]
    assert qproj.get_solver("exhaustive").solve(p).objective == -2.0
    assert h @ [1, -1] == 0.5 * np.abs(h).sum()


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.8]), st.sampled_from([0.5, 1.0, 1.5]))
@settings(max_examples=20)
def test_momentum_and_the_worst_allowed_direction_keep_the_rate(seed, beta, tau):
    """The corollary, with the least aligned V that theorem 1c allows; f* is replaced by the least value met."""
    fun, rng, T = _smooth(1 + 3 * (seed % 1000)), np.random.default_rng(seed), 64
    root = rng.normal(size=(fun.size, fun.size))
    x, mean, norms, values = rng.uniform(-1, 1, fun.size), 0.0, [], []
    for k in range(T):
        g = fun.gradient(x, None)
        norms.append(np.linalg.norm(g))
        values.append(fun.value(x))
        mean = beta * mean + (1 - beta) * g
        h = -mean / (1 - beta ** (k + 1))
        V, q, first = _models(root @ root.T, h, tau)
        allowed = V[q <= first + 1e-12 * abs(first)]
        x = x + allowed[np.argmin(allowed @ h)] / np.sqrt(T)
    drop, c = values[0] - min([*values, fun.value(x)]), 1 - tau / 2
    bound = (drop + fun.smoothness * fun.size * (0.5 + 2 * beta / (1 - beta))) / (c * np.sqrt(T))
    assert np.mean(norms) <= bound * (1 + 1e-9)


def test_a_constant_step_size_leaves_a_neighbourhood():
    eta = 0.25
    run = minimize(quadratic([[1.0]], [0.0]), [eta / 2], steps=101, lr=eta)
    np.testing.assert_array_equal(run.gradient_norms, np.full(101, eta / 2))


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_a_fixed_point_of_a_convex_function_is_its_minimum_over_the_box(seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(4, 4))
    w = rng.choice([-1.0, 1.0], 4)
    A = root @ root.T
    fun = quadratic(A, A @ w + w * rng.uniform(0.1, 2, 4))  # −∇f(w) has the signs of w
    assert np.array_equal(minimize(fun, w, "projected", steps=1, lr=0.5).x, w)
    others = rng.uniform(-1, 1, (200, 4))
    assert fun.value(w) <= min(fun.value(x) for x in others)


def _network(w):
    """Two neurons of one weight; ½‖A·y − c‖² is ½ yᵀMy − bᵀy and a constant, M = [[1, −½], [−½, 1]], b = (1, 1)."""
    A = np.linalg.cholesky(np.array([[1.0, -0.5], [-0.5, 1.0]])).T
    model = torch.nn.Sequential(BinaryLinear(1, 2), SignActivation(), torch.nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(w, dtype=torch.float32)[:, None])
        model[2].weight.copy_(torch.tensor(A, dtype=torch.float32))
        model[2].weight.requires_grad_(False)
    return model, torch.tensor(np.linalg.solve(A.T, [1.0, 1.0]), dtype=torch.float32)


def _path(w, steps=60, eta=0.25):
    model, c = _network(w)
    optimizer, path = ProjectedQPSBGD(model, eta, "exhaustive", projection="sign", targets="outputs"), []
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (model(torch.ones(1, 1))[0] - c).square().sum()).backward()
        optimizer.step()
        path.append(tuple(model[0].weight.detach().numpy()[:, 0].tolist()))
    return path


def test_a_fixed_point_exists_and_is_never_reached():
    assert set(_path([1.0, 1.0])) == {(1.0, 1.0)}  # it is fixed
    tail = [tuple(np.sign(w)) for w in _path([0.6, -0.6])[-20:]]
    assert set(tail) == {(1.0, -1.0), (-1.0, 1.0)}


@pytest.mark.parametrize("start", [[1.0, -1.0], [0.6, -0.3], [-0.5, -0.5]])
def test_other_starts_of_the_counter_example_arrive(start):
    """The first hits 0 exactly, where σ(0) = +1 breaks the symmetry."""
    assert _path(start)[-1] == (1.0, 1.0)
