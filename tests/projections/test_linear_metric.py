"""Linear and metric projections against their definitions."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from qproj import LinearProjection, MetricProjection, SignProjection, get_solver
from qproj.projections import linear_layer


def every_vector(d):
    return np.array(list(itertools.product([-1, 1], repeat=d)))


@pytest.mark.parametrize("seed", range(6))
def test_linear_objective_and_encoding_are_the_definition(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 7)), int(rng.integers(1, 8))
    X, t, a = rng.normal(size=(n, d)), rng.normal(size=n), rng.uniform(size=n)
    p = LinearProjection(X, t, scale=0.7, sample_weight=a)
    V = every_vector(d)
    expected = np.array([sum(a[i] * (0.7 * X[i] @ v - t[i]) ** 2 for i in range(n)) for v in V])
    np.testing.assert_allclose(p.objective(V), expected, atol=1e-9)
    assert p.trivial_bound <= expected.min()
    found = p.encode().verify()
    assert found.agrees
    assert found.minimum_energy == pytest.approx(expected.min(), abs=1e-9)
    energies = p.bqm.energies(((V + 1) // 2, [("w", k) for k in range(d)]))
    np.testing.assert_allclose(energies, expected, atol=1e-9)
    assert (p.decode(p.bqm and {("w", k): int(V[3 % len(V), k] > 0) for k in range(d)}) == V[3 % len(V)]).all()


def test_margin_surrogate_is_the_linear_projection_of_the_design():
    rng = np.random.default_rng(3)
    X, t = rng.choice([-1, 1], (10, 6)), rng.normal(size=10)
    surrogate = SignProjection(X, t, aggregate_rows=False, aggregate_columns=False).encode("margin", kappa=2.0)
    linear = LinearProjection(X, 2.0 * np.sqrt(6) * np.sign(t), sample_weight=np.abs(t)).encode()
    np.testing.assert_allclose(surrogate.coefficients, linear.coefficients)
    assert surrogate.offset == pytest.approx(linear.offset)


def test_least_squares_scale_alternates_and_never_claims_a_proof():
    rng = np.random.default_rng(4)
    p = LinearProjection(rng.normal(size=(20, 8)), rng.normal(size=20), scale="least-squares")
    V = every_vector(8)
    z = V @ p.X.T
    alpha = (z @ p.t) / (z**2).sum(axis=1)
    expected = ((alpha[:, None] * z - p.t) ** 2).sum(axis=1)
    np.testing.assert_allclose(p.objective(V), expected)
    solution = get_solver("sa").solve(p, seed=0)
    assert solution.status == "feasible"
    assert solution.bound <= 0
    assert solution.objective == pytest.approx(p.objective(solution.best))
    assert solution.objective <= np.median(expected)
    with pytest.raises(ValueError, match="no quadratic model"):
        p.encode()


@pytest.mark.parametrize("seed", range(6))
def test_metric_objective_and_encoding_are_the_definition(seed):
    rng = np.random.default_rng(seed)
    N = int(rng.integers(1, 8))
    M, g = rng.normal(size=(N, N)), rng.normal(size=N)
    p = MetricProjection(M, g)
    V = every_vector(N)
    expected = np.array([(v - g) @ M @ (v - g) for v in V])
    np.testing.assert_allclose(p.objective(V), expected, atol=1e-9)
    assert p.trivial_bound <= expected.min()
    assert p.encode().verify().agrees


def test_identity_metric_gives_the_sign():
    g = np.array([0.3, -2.0, 0.0, 1.5])
    p = MetricProjection(np.eye(4), g)
    V = every_vector(4)
    best = V[np.argmax(p.gain(V))]
    assert (best[g != 0] == np.sign(g[g != 0])).all()
    assert p.meets_bound(best)


@pytest.mark.parametrize(
    ("make", "error", "remedy"),
    [
        (lambda: LinearProjection([[1.0]], [1.0], scale=0), ValueError, "not 0"),
        (lambda: LinearProjection([[1.0]], [1.0], scale="best"), ValueError, "least-squares"),
        (lambda: LinearProjection([[1.0]], [1.0], sample_weight=[-1.0]), ValueError, "negative"),
        (lambda: MetricProjection(np.ones((2, 3)), [1.0, 2.0]), ValueError, "square"),
        (lambda: MetricProjection(np.ones((2, 2)), [1.0]), ValueError, "shape"),
        (lambda: LinearProjection([[1.0]], [1.0]).encode("lineer"), ValueError, "did you mean 'linear'"),
    ],
)
def test_bad_input_is_refused(make, error, remedy):
    with pytest.raises(error, match=remedy):
        make()


def test_linear_layer_shares_or_splits_row_weights():
    X, T = np.ones((3, 2)), np.arange(6.0).reshape(3, 2)
    layer = linear_layer(X, T, sample_weight=np.arange(6.0).reshape(3, 2))
    assert layer[1].sample_weight.tolist() == [1, 3, 5]
    assert linear_layer(X, T, sample_weight=[1, 2, 3])[0].sample_weight.tolist() == [1, 2, 3]


@pytest.mark.parametrize("scale", [None, [1.0], 1j])
def test_a_scale_that_is_no_number_is_refused_by_name(scale):
    with pytest.raises(TypeError, match=r"scale is .*'least-squares' is allowed"):
        LinearProjection([[1.0]], [1.0], scale=scale)


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_a_bound_of_a_gain_is_hardly_below_the_objective(scale):
    rng = np.random.default_rng(0)
    p = LinearProjection(rng.choice([-1, 1], (6, 4)), rng.standard_normal(6), scale=scale)
    v = rng.choice([-1, 1], 4)
    objective = float(p.objective(v))
    # the definition's terms are at most (|scale·x·v| + |t|)²: what float64 sums of them can lose
    size = float((np.square(scale * 4 + np.abs(p.t))).sum())
    assert objective - 5e-14 * size <= p.bound_of_gain(float(p.gain(v))) <= objective


def test_a_bound_is_met_where_field_and_pairs_agree_and_not_otherwise():
    agreeing = MetricProjection([[2.0, -1.0], [-1.0, 2.0]], [1.0, 1.0])
    assert agreeing.meets_bound([1, 1])
    assert not agreeing.meets_bound([-1, -1])  # the pair agrees, the field does not
    frustrated = MetricProjection([[2.0, 1.0], [1.0, 2.0]], [1.0, 1.0])
    assert not frustrated.meets_bound([1, 1])  # the field agrees, the pair does not


def test_a_linear_bound_is_met_where_every_weighted_residual_is_0():
    p = LinearProjection([[1, 1], [1, -1], [1, 1]], [4.0, 0.0, 9.0], scale=2.0, sample_weight=[1.0, 1.0, 0.0])
    assert p.meets_bound([1, 1])
    assert not p.meets_bound([-1, -1])
    assert not LinearProjection([[1, 1], [1, -1]], [1.0, -1.0]).meets_bound([1, 1])  # both residuals are 1


def test_keys_of_quadratic_projections_stay_what_they_are():
    p = MetricProjection([[2.0, 1.0], [1.0, 2.0]], [1.0, -0.0])
    assert p.key == "4607ae0c6d4d45ec08b9d993d02da6aa0fdf9520505b7e9f949c692cf94d5205"


def test_another_scale_keeps_the_weights_of_the_rows():
    p = LinearProjection([[1, 1, -1], [1, -1, 1]], [0.5, -0.2], sample_weight=[1.0, 3.0])
    assert p.with_scale(0.5) == LinearProjection(
        [[1, 1, -1], [1, -1, 1]], [0.5, -0.2], scale=0.5, sample_weight=[1.0, 3.0]
    )
    assert repr(p.with_scale(0.5)) == "LinearProjection(n=2, d=3, scale=0.5)"
    with pytest.raises(ValueError, match="unknown encoding 'lineer'"):
        p.with_scale(0.5).encode("lineer")


def test_a_matrix_that_is_refused_is_named():
    with pytest.raises(ValueError, match=r"^M\b"):
        MetricProjection([[np.nan, 0.0], [0.0, 1.0]], [1.0, 1.0])


def test_a_metric_s_bound_allows_for_terms_that_cancel():
    M = np.array([[-0.9999999999999998, 1.0, -1.0000000000000004, 1.0],
                  [-0.9999999999999993, 0.9999999999999993, -1.0, 1.0],
                  [-1.0000000000000004, -0.9999999999999996, 1.0000000000000004, 0.9999999999999994],
                  [1.0, 1.0, 0.9999999999999994, 0.9999999999999998]])  # fmt: skip
    g = np.array([1e5, -1e5, 1e5, -1e5])
    problem = MetricProjection(M, g)
    symmetric = [[(Fraction(float(M[i, j])) + Fraction(float(M[j, i]))) / 2 for j in range(4)] for i in range(4)]

    def exactly(v):
        r = [Fraction(x) - Fraction(y) for x, y in zip(v, g.tolist(), strict=True)]
        return sum(symmetric[i][j] * r[i] * r[j] for i in range(4) for j in range(4))

    least = min(exactly(v) for v in itertools.product((-1, 1), repeat=4))
    for name in ("exhaustive", "cpsat", "auto"):
        solution = get_solver(name).solve(problem, seed=0, time_limit_s=20)
        assert solution.status == "optimal"
        assert Fraction(solution.bound) <= least
        assert solution.gap < 1e-9
