"""Layers, bounds and identity: what the encodings of a layer share, how bounds round, what a key depends on."""

import itertools

import numpy as np
import pytest

import qproj
from qproj import LayerProjection, LinearProjection, MetricProjection, SignProjection
from qproj.encodings.encoding import verify
from qproj.projections.aggregation import class_columns, group_rows
from qproj.projections.layer import linear_layer


def every_vector(d):
    return np.array(list(itertools.product([-1, 1], repeat=d)), np.int8)


@pytest.mark.parametrize("name", ["majority", "margin", "unbalanced"])
def test_encodings_of_a_layer_share_their_structure_and_keep_the_objective(name):
    rng = np.random.default_rng(0)
    X, T = rng.choice([-1, 1], (5, 4)), rng.normal(size=(5, 3))
    X[4], T[4] = X[0], -T[0]  # a group that cancels, which a neuron for itself would drop
    layer = LayerProjection(X, T)
    encodings = layer.encode(name)
    assert len(encodings) == 3
    assert len({tuple(e.labels) for e in encodings}) == 1
    for neuron, encoding in zip(layer, encodings):
        assert encoding.name == name
        found = verify(encoding)
        assert found.best_gain == pytest.approx(neuron.gain(every_vector(4)).max())
        if name == "majority":
            assert found.agrees
            assert found.minimum_energy == pytest.approx(neuron.objective(every_vector(4)).min())
            assert len(encoding.labels) > len(neuron.encode(name).labels)


def test_options_of_a_layers_encoding():
    layer = LayerProjection([[1, -1, 1], [0.5, 1, 1]], [[1.0, 2.0], [0.5, -1.0]])
    for encoding in layer.encode("majority", factor=6.0, bits=3):
        assert encoding.options == {"factor": 6.0, "bits": 3}
    assert [e.options["factor"] for e in layer.encode()] == [4.5, 4.5]
    assert [e.options["bits"] for e in layer.encode()] == [6, 6]
    assert layer.encode("margin", kappa=2.0)[1].options == {"kappa": 2.0}
    with pytest.raises(TypeError, match="did you mean 'factor'"):
        layer.encode("majority", facter=6.0)
    with pytest.raises(TypeError, match="did you mean 'kappa'"):
        layer.encode("margin", kapa=6.0)
    with pytest.raises(ValueError, match=r"encoding.*did you mean 'margin'"):
        layer.encode("margn")


def test_columns_of_a_layer_merge_unless_that_is_switched_off():
    X, T = np.array([[1, -1, 1], [1, -1, -1]]), np.ones((2, 2))
    assert LayerProjection(X, T).rows[2].sizes.tolist() == [2, 1]
    assert LayerProjection(X, T, aggregate_columns=False).rows[2].sizes.tolist() == [1, 1, 1]


def test_neurons_by_index():
    layer = LayerProjection([[1, -1], [1, 1]], [[1.0, 2.0, 3.0], [0.0, 1.0, 2.0]])
    assert [layer[j].t[0] for j in (-3, -1, 0, 2)] == [1.0, 3.0, 1.0, 3.0]
    for outside in (-4, 3):
        with pytest.raises(IndexError, match=f"neuron {outside} of 3"):
            layer[outside]
    assert [p.t[0] for p in layer[1:]] == [2.0, 3.0]
    assert repr(layer) == "LayerProjection(n=2, d=2, dout=3)"
    assert repr(layer[0]) == "SignProjection(n=2, d=2, ±1 inputs)"
    assert repr(SignProjection([[0.5]], [1])) == "SignProjection(n=1, d=1, real inputs)"
    assert layer.part(1, 3) == LayerProjection(layer.X, layer.T[:, 1:])


def test_linear_layers():
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(4, 3)), rng.integers(-3, 4, (4, 2))
    plain = linear_layer(X, T)
    assert [p.scale for p in plain] == [1.0, 1.0]
    assert all(p.t.dtype == np.float64 for p in plain)
    assert plain[1] == LinearProjection(X, T[:, 1])
    columns = rng.random((4, 2))
    assert linear_layer(X, T, sample_weight=columns, scale=2.0)[1] == LinearProjection(
        X, T[:, 1], scale=2.0, sample_weight=columns[:, 1]
    )
    with pytest.raises(TypeError, match=r"^sample_weight has dtype"):
        linear_layer(X, T, sample_weight=["a", "b", "c", "d"])
    with pytest.raises(ValueError, match=r"T\[:, None\]"):
        linear_layer(X, T[:, 0])
    with pytest.raises(ValueError, match="T has 3 rows and X has 4"):
        linear_layer(X, T[:3])
    with pytest.raises(ValueError, match=r"^X has"):
        linear_layer(X[0], T)


def test_linear_projections_name_what_is_wrong():
    X, t = np.ones((2, 3)), np.ones(2)
    with pytest.raises(ValueError, match=r"^sample_weight has shape"):
        LinearProjection(X, t, sample_weight=[1.0])
    with pytest.raises(ValueError, match=r"^t has shape"):
        LinearProjection(X, [1.0])
    with pytest.raises(ValueError, match="negative"):
        LinearProjection(X, t, sample_weight=[1.0, -1e-300])
    LinearProjection(X, t, sample_weight=[1.0, 0.0])
    for huge in ({"scale": 1e200}, {"sample_weight": [1e308, 1e308]}):
        with pytest.raises(ValueError, match="overflows"):
            LinearProjection(X, t, **huge)
    with pytest.raises(ValueError, match=r"^g has shape"):
        MetricProjection(np.eye(2), [1.0])
    with pytest.raises(ValueError, match="overflows"):
        MetricProjection(np.full((2, 2), 1e308), [1.0, 1.0])


def test_least_squares_gain_is_0_where_nothing_is_seen():
    p = LinearProjection([[1.0, 1.0], [1.0, -1.0]], [1.0, 0.0], scale="least-squares", sample_weight=[1.0, 0.0])
    assert p.gain([1, -1]) == 0.0  # z = 0 on the one row that counts
    assert p.best_scale([1, -1]) == 1.0
    assert p.gain([1, 1]) == pytest.approx(0.5)
    assert p.best_scale([1, 1]) == pytest.approx(0.5)
    x = LinearProjection([[2.0, 0.5]], [3.0], scale="least-squares")
    assert x.gain([1, 1]) == pytest.approx(4.5)


@pytest.mark.parametrize("seed", range(5))
def test_bounds_round_down_by_a_little_and_never_up(seed):
    rng = np.random.default_rng(seed)
    X, t = rng.normal(size=(6, 4)), rng.normal(size=6)
    problems = [
        SignProjection(np.sign(X), t), LinearProjection(X, t, scale=0.5, sample_weight=rng.random(6)),
        MetricProjection(rng.normal(size=(4, 4)), rng.normal(size=4)),
    ]  # fmt: skip
    for p in problems:
        for gain in p.gain(every_vector(4)):
            exact = p.constant - 2 * gain
            bound = p.bound_of_gain(float(gain))
            assert bound < exact
            assert exact - bound < 1e-12 * (abs(p.constant) + 2 * abs(gain) + 100)
        assert p.trivial_bound == p.bound_of_gain(p.gain_bound) < p.objective(every_vector(4)).min()


def test_rounding_of_a_bound_grows_with_the_number_of_terms():
    eps = np.finfo(np.float64).eps
    big = MetricProjection(np.eye(40), np.ones(40))
    slack = (big.constant - 2.0 * 5.0) - big.bound_of_gain(5.0)
    assert slack >= eps * 40**2 * (big.constant + 10.0) / 4
    negative = (big.constant + 2.0 * 5.0) - big.bound_of_gain(-5.0)
    assert negative == pytest.approx(slack, rel=0.2)
    linear = LinearProjection(np.ones((30, 2)), np.ones(30))
    rows = 30 * 2**2
    assert linear.constant - linear.bound_of_gain(0.0) >= 4.0 * eps * 30 * 4 * (30 + rows) * 0.9


def test_scales_of_gaps():
    assert MetricProjection(np.eye(2), [0.0, 0.0]).gap_scale(1.0) == 1.0
    M, g = np.array([[1.0, 2.0], [2.0, 3.0]]), np.array([1.0, -1.0])
    p = MetricProjection(M, g)
    assert p.gain_bound == pytest.approx(np.abs(M @ g).sum() + 2.0)
    assert p.gap_scale(0.0) == 4.0 * p.gain_bound
    assert LinearProjection([[1.0]], [0.0]).gap_scale(5.0) == 1.0
    assert LinearProjection([[1.0]], [3.0]).gap_scale(5.0) == 9.0
    assert SignProjection([[1], [1]], [1.0, -3.0]).gap_scale(0.0) == 8.0


def test_hashes_spread_and_are_those_of_the_key():
    problems = [SignProjection([[1, -1]], [float(t)]) for t in range(50)]
    assert len({hash(p) for p in problems}) == 50
    assert all(hash(p) == int(p.key[:15], 16) for p in problems)
    assert problems[0] != "a projection"


def test_rows_and_columns_as_they_merge():
    X = np.array([[1, 1, -1], [-1, -1, 1], [1, -1, 1], [1, 1, -1]], np.int8)
    odd = group_rows(X, opposite=True)
    assert odd.group_of.tolist() == [0, 0, 1, 0]
    assert odd.sign_of.tolist() == [1, -1, 1, 1]
    assert odd.first.tolist() == [0, 2]
    assert odd.sums(np.array([1.0, 2.0, 4.0, 8.0])).tolist() == [7.0, 4.0]
    assert odd.sums(np.array([[1.0], [9.0], [4.0], [8.0]])).tolist() == [[0.0], [4.0]]
    assert group_rows(X).group_of.tolist() == [0, 1, 2, 0]
    assert group_rows(X, merge=False).group_of.tolist() == [0, 1, 2, 3]
    zero = np.array([[0.0, 1.0], [-0.0, 1.0], [1.0, 1.0]])
    assert group_rows(zero).group_of.tolist() == [0, 0, 1]
    none = class_columns(np.zeros((0, 3), np.int8))
    assert none.sizes.tolist() == [3]
    assert none.sign_of.tolist() == [1, 1, 1]
    assert none.weights_from_counts(np.array([[2]])).tolist() == [[1, 1, -1]]
    columns = class_columns(X[:2])
    assert columns.sizes.tolist() == [3]
    assert columns.sign_of.tolist() == [1, 1, -1]


def test_merged_counts_are_reported():
    merged = SignProjection([[1, -1, 1], [1, -1, 1], [1, 1, 1]], [1.0, 2.0, 3.0]).aggregated
    assert merged.num_rows == (3, 2)
    assert merged.num_columns == (3, 2, 3)


def test_signs_of_real_rows_are_the_definitions_at_near_ties():
    row = np.array([0.1, 0.2, -0.3, 1e-17, 1.0, -1.0])
    p = SignProjection([row], [1.0])
    V = every_vector(6)
    expected = [1.0 if (row * v).sum() >= 0 else -1.0 for v in V]
    assert p.gain(V).tolist() == expected
    assert qproj.LayerProjection([row], [[1.0]])[0].gain(V).tolist() == expected


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_targets_up_to_1e150(sign):
    SignProjection([[1]], [sign * 1e150])
    with pytest.raises(ValueError, match="1e150"):
        SignProjection([[1]], [sign * 1.01e150])


def test_a_curvature_problem_of_zeros_has_the_bound_zero():
    with np.errstate(all="raise", under="ignore"):
        problem = qproj.CurvatureProjection(np.zeros((3, 3)), np.zeros(3), 1.0)
        assert 0.0 <= problem.gain_bound <= 1e-100
