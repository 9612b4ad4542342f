"""Functions, the optimisers on them, and the convergence statement."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj.functions import METHODS, Function, logistic, measure_rate, minimize, quadratic, rosenbrock


def random_quadratic(seed, size=6, noise=0.0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    return quadratic(root @ root.T / size + np.eye(size), rng.normal(size=size), noise=noise)


def functions():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 4))
    return [random_quadratic(0), rosenbrock(5), logistic(X, np.sign(X @ rng.normal(size=4)), batch=5)]


@pytest.mark.parametrize("fun", functions(), ids=["quadratic", "rosenbrock", "logistic"])
def test_gradients_are_those_of_finite_differences(fun):
    x = np.random.default_rng(1).uniform(-1, 1, fun.size)
    steps = 1e-6 * np.eye(fun.size)
    numeric = [(fun.value(x + s) - fun.value(x - s)) / 2e-6 for s in steps]
    np.testing.assert_allclose(fun.gradient(x, None), numeric, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fun", functions(), ids=["quadratic", "rosenbrock", "logistic"])
def test_smoothness_bounds_the_change_of_the_gradient(fun):
    rng = np.random.default_rng(2)
    for _ in range(50):
        x, y = rng.uniform(-2, 2, (2, fun.size))
        change = np.linalg.norm(fun.gradient(x, None) - fun.gradient(y, None))
        assert change <= fun.smoothness * np.linalg.norm(x - y) * (1 + 1e-9)


@pytest.mark.parametrize("fun", functions(), ids=["quadratic", "rosenbrock", "logistic"])
def test_curvatures_are_positive_semidefinite_and_the_hessian_where_residuals_vanish(fun):
    x = minimize(fun, np.full(fun.size, 0.5), "gd", steps=200, lr=1e-3).x if fun.size != 5 else np.ones(5)
    H = fun.curvature(x)
    assert np.linalg.eigvalsh(H).min() >= -1e-9
    steps = 1e-5 * np.eye(fun.size)
    numeric = [(fun.gradient(x + s, None) - fun.gradient(x - s, None)) / 2e-5 for s in steps]
    np.testing.assert_allclose(H, numeric, rtol=1e-4, atol=1e-4)


@given(st.integers(0, 10**6), st.floats(0.0, 4.0))
@settings(max_examples=25)
def test_second_order_steps_are_near_the_best_of_their_model(seed, tau):
    """Small enough for all 2^N steps."""
    fun = random_quadratic(seed % 1000)
    x = np.random.default_rng(seed).uniform(-1, 1, fun.size)
    eta, g, H = 0.05, fun.gradient(x, None), fun.curvature(x)
    V = (minimize(fun, x, "second-order", steps=1, lr=eta, tau=tau).x - x) / eta
    every = np.array(np.meshgrid(*[[-1.0, 1.0]] * fun.size)).reshape(fun.size, -1).T
    energy = every @ g + 0.5 * tau * eta * np.einsum("kd,de,ke->k", every, H, every)
    found = V @ g + 0.5 * tau * eta * V @ H @ V
    assert found <= energy.min() + 0.05 * (energy.max() - energy.min())


@given(st.integers(0, 10**6), st.floats(0.0, 4.0))
@settings(max_examples=25)
def test_curvature_steps_are_aligned_by_construction(seed, tau):
    """⟨−∇f, V⟩ ≥ (1 − τ/2)‖∇f‖₁ in every step of a run."""
    fun = random_quadratic(seed % 1000)
    x = np.random.default_rng(seed).uniform(-1, 1, fun.size)
    for _ in range(5):
        g, after = fun.gradient(x, None), minimize(fun, x, "curvature", steps=1, lr=0.1, tau=tau).x
        V = (after - x) / 0.1
        assert -g @ V >= (1.0 - tau / 2.0) * np.abs(g).sum() - 1e-9
        x = after


@pytest.mark.parametrize("method", sorted(METHODS))
def test_momentum_and_schedules_are_offered_to_all(method):
    fun = random_quadratic(3)
    plain = minimize(fun, np.zeros(6), method, steps=30, lr=0.05)
    other = minimize(fun, np.zeros(6), method, steps=30, lr=0.05, momentum=0.5, schedule="linear")
    assert not np.array_equal(plain.x, other.x)
    assert np.isfinite(other.history).all()


def test_estimates_are_unbiased():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(20, 3))
    fun = logistic(X, np.sign(X[:, 0]), batch=4)
    x = np.ones(3)
    mean = np.mean([fun.gradient(x, rng) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(mean, fun.gradient(x, None), atol=0.02)


def test_rosenbrock_is_least_at_one():
    fun = rosenbrock(4)
    assert fun.value(np.ones(4)) == 0.0
    np.testing.assert_array_equal(fun.gradient(np.ones(4), None), np.zeros(4))


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"binaryconnect"}))
def test_methods_lower_a_quadratic(method):
    fun, start = random_quadratic(4), np.full(6, 0.9)
    found = minimize(fun, start, method, steps=400, lr=0.01)
    assert fun.value(found.x) < fun.value(start)
    assert len(found.history) == len(found.gradient_norms) == 400


def test_binaryconnect_finds_the_signs_of_a_separable_function():
    w = np.array([1.0, -1.0, 1.0, -1.0])
    found = minimize(quadratic(np.eye(4), 3.0 * w), -0.5 * w, "binaryconnect", steps=50, lr=0.1)
    np.testing.assert_array_equal(np.sign(found.x), w)


@given(st.integers(0, 10**6), st.sampled_from([100, 400, 1600]))
@settings(max_examples=25)
def test_the_mean_gradient_norm_keeps_the_proved_bound(seed, T):
    """Mean ‖∇f‖ ≤ (f₀ − f*)/(c√T) + LN/(2c√T) with c the smallest alignment of the run, for V = sign(−∇f): c ≥ 1."""
    fun = random_quadratic(seed % 1000)
    start = np.random.default_rng(seed).uniform(-1, 1, fun.size)
    run = minimize(fun, start, "qpsbgd", steps=T)
    c = np.nanmin(run.alignment)
    assert c >= 1.0 - 1e-9  # ‖g‖₁ ≥ ‖g‖₂
    least = min(run.history.min(), run.fun)
    # the telescoped sum ends at f(x_T), which is at least the least value met
    bound = (run.history[0] - least) / (c * np.sqrt(T)) + fun.smoothness * fun.size / (2 * c * np.sqrt(T))
    assert run.gradient_norms.mean() <= bound * (1 + 1e-9)


def test_the_measured_slope_is_that_of_the_proof():
    rate = measure_rate(random_quadratic(7), np.full(6, 1.0), steps=[100 * 2**k for k in range(8)])
    assert rate.low > -0.75
    assert rate.high < -0.3
    assert rate.low <= rate.slope <= rate.high
    assert (rate.means <= rate.bounds * (1 + 1e-9)).all()
    assert rate.alignment >= 1.0 - 1e-9


def test_a_binary_point_is_fixed_where_the_projection_returns_it():
    fun = quadratic(np.eye(3), [3.0, -3.0, 3.0])  # −∇f = b − x points to (1, −1, 1) all over the box
    w = np.array([1.0, -1.0, 1.0])
    for eta in (0.25, 0.125):
        start = w * np.array([0.5, 0.25, 0.125])
        steps = int(np.ceil(1 / eta))
        np.testing.assert_array_equal(minimize(fun, start, "projected", steps=steps, lr=eta).x, w)


def test_a_binary_point_need_not_be_fixed():
    fun = quadratic(np.eye(2), [0.0, 0.0])  # pulls to 0: V(w) = −w at every sign vector
    moved = minimize(fun, [1.0, 1.0], "projected", steps=1, lr=0.25).x
    np.testing.assert_array_equal(moved, [0.75, 0.75])


def test_stochastic_runs_repeat_by_seed():
    fun = random_quadratic(5, noise=1.0)
    runs = [minimize(fun, np.zeros(6), steps=50, stochastic=True, seed=s).x for s in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: minimize(rosenbrock(2), [0, 0], "qpsgd"), "did you mean 'qpsbgd'"),
        (lambda: minimize(rosenbrock(2), [0, 0, 0]), "x0"),
        (lambda: minimize(rosenbrock(2), [0, 0], steps=0), "steps is 0"),
        (lambda: minimize(rosenbrock(2), [0, 0], momentum=1.0), "momentum is 1.0"),
        (lambda: minimize(rosenbrock(2), [0, 0], schedule="cosinus"), "schedule is 'cosinus'"),
        (
            lambda: minimize(Function(2, sum, lambda x, rng: x, 1.0), [0, 0], "curvature"),
            "needs a curvature|curvature;",
        ),
        (lambda: minimize(rosenbrock(2), [0, 0], lr=-1.0), "lr is -1"),
        (lambda: rosenbrock(1), "≥ 2"),
        (lambda: quadratic([[1.0, 2.0]], [1.0]), "square"),
        (lambda: logistic([[1.0]], [0.5]), "signs"),
        (lambda: measure_rate(rosenbrock(2), [0, 0], steps=(10, 20)), "three"),
    ],
)
def test_bad_input_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
