"""The sign projection against its definition, in plain loops."""

import copy
import itertools
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj import LayerProjection, SignProjection, project


def gain_by_definition(X, t, v):
    total = 0.0
    for x, target in zip(X, t):
        z = sum(float(a) * float(b) for a, b in zip(x, v))
        total += target * (1.0 if z >= 0 else -1.0)
    return total


def every_vector(d):
    return np.array(list(itertools.product([-1, 1], repeat=d)))


@st.composite
def neurons(draw, max_d=9, max_n=8):
    """±1 rows with duplicates, opposite rows, equal and opposite columns; weights of wild ranges."""
    d, n = draw(st.integers(1, max_d)), draw(st.integers(1, max_n))
    X = np.array(draw(st.lists(st.lists(st.sampled_from([-1, 1]), min_size=d, max_size=d), min_size=n, max_size=n)))
    for i in range(1, n):
        if draw(st.integers(0, 3)) == 0:
            X[i] = draw(st.sampled_from([-1, 1])) * X[draw(st.integers(0, i - 1))]
    for k in range(1, d):
        if draw(st.integers(0, 3)) == 0:
            X[:, k] = draw(st.sampled_from([-1, 1])) * X[:, draw(st.integers(0, k - 1))]
    number = st.one_of(
        st.floats(-1, 1, allow_nan=False), st.sampled_from([0.0, 1.0, -1.0, 1e-6, -3e5]), st.floats(-1e3, 1e3)
    )
    t = np.array(draw(st.lists(number, min_size=n, max_size=n)))
    t[np.abs(t) < 1e-9] = 0.0
    return X, t


@given(neurons())
@settings(max_examples=120, deadline=None)
def test_gain_is_the_definition_merged_or_not(neuron):
    X, t = neuron
    V = every_vector(X.shape[1])[:64]
    expected = [gain_by_definition(X, t, v) for v in V]
    scale = max(1.0, np.abs(t).sum())
    for rows, columns in itertools.product([True, False], repeat=2):
        p = SignProjection(X, t, aggregate_rows=rows, aggregate_columns=columns)
        np.testing.assert_allclose(p.gain(V), expected, atol=1e-9 * scale)
        np.testing.assert_allclose(
            p.objective(V), len(t) + (t**2).sum() - 2 * np.array(expected), rtol=1e-12, atol=1e-6
        )
        merged = p.aggregated
        z = merged.columns.counts_from_weights(V.astype(np.int8)) * 2 - merged.columns.sizes
        z = z @ merged.A.T.astype(int)
        np.testing.assert_allclose(np.where(z >= 0, 1, -1) @ merged.tau, expected, atol=1e-9 * scale)


@given(neurons())
@settings(max_examples=60, deadline=None)
def test_trivial_bound_is_valid_and_met_exactly_where_signs_are(neuron):
    X, t = neuron
    p = SignProjection(X, t)
    V = every_vector(X.shape[1])
    gains, objectives = p.gain(V), p.objective(V)
    assert gains.max() <= p.gain_bound * (1 + 1e-12) + 1e-12
    assert p.trivial_bound <= objectives.min()
    for v, gain in zip(V[:32], gains[:32]):
        if p.meets_bound(v):
            assert gain == pytest.approx(p.gain_bound, rel=1e-9, abs=1e-12)


def test_gain_of_one_vector_is_bit_equal_to_its_gain_among_many():
    rng = np.random.default_rng(5)
    p = SignProjection(rng.choice([-1, 1], (300, 40)), rng.normal(size=300))
    V = rng.choice([-1, 1], (50, 40))
    assert [p.gain(v) for v in V] == p.gain(V).tolist()


def test_ties_count_as_plus_one():
    p = SignProjection([[1, -1]], [1.0])
    assert p.gain([1, 1]) == 1.0
    assert SignProjection([[1, -1]], [-1.0]).gain([1, 1]) == -1.0


def test_opposite_rows_merge_for_odd_fan_in_only():
    odd = SignProjection([[1, 1, -1], [-1, -1, 1]], [1.0, -2.0])
    assert odd.aggregated.tau.tolist() == [3.0]
    even = SignProjection([[1, -1], [-1, 1]], [1.0, -2.0])
    assert even.aggregated.tau.tolist() == [1.0, -2.0]


def test_groups_that_cancel_drop_out():
    p = SignProjection([[1, 1, 1], [1, 1, 1], [1, -1, 1]], [0.5, -0.5, 2.0])
    assert p.aggregated.tau.tolist() == [2.0]
    assert p.constant == pytest.approx(3 + 0.25 + 0.25 + 4)


def test_three_features_need_eleven_variables():
    rng = np.random.default_rng(0)
    assert SignProjection(rng.choice([-1, 1], (20, 3)), rng.normal(size=20)).bqm.num_variables <= 11


def test_sums_that_only_rounding_keeps_from_cancelling_cancel():
    X = [[1, 1, 1]] * 3 + [[1, -1, 1]]
    p = SignProjection(X, [0.1, 0.2, -0.3, 1.0])
    assert p.aggregated.tau.tolist() == [1.0]
    assert p.encode("majority").exact  # a weight of 5e-17 beside 1 would have to be refused
    assert SignProjection(X, [1e-20, 0.0, 0.0, 1.0]).aggregated.tau.tolist() == [1e-20, 1.0]
    T = np.array([[0.1, 0.2, -0.3, 1.0]]).T
    assert LayerProjection(X, T).rows[1].ravel().tolist() == [0.0, 1.0]


def test_all_zero_targets_are_accepted():
    p = SignProjection([[1, -1, 1]], [0.0])
    assert p.gain_bound == 0.0
    assert p.meets_bound([1, 1, 1])
    assert project([[1, -1, 1]], [[0.0]]).proved.all()


@pytest.mark.parametrize("scale", [1e-300, 1e-15, 1.0, 1e150])
def test_targets_of_any_scale_have_the_same_optimum(scale):
    rng = np.random.default_rng(1)
    X, t = rng.choice([-1, 1], (12, 7)), rng.uniform(-1, 1, 12)
    V = every_vector(7)
    best = SignProjection(X, t).gain(V).max()
    solved = project(X, (t * scale)[:, None])
    assert solved.proved.all()
    assert SignProjection(X, t).gain(solved.weights[0]) == pytest.approx(best)


def test_equal_content_is_equal_and_hashes_alike():
    X, t = [[1, -1], [1, 1]], [0.5, 1.0]
    a, b = SignProjection(X, t), SignProjection(np.array(X, np.float32), np.array(t))
    assert a == b
    assert hash(a) == hash(b)
    assert a.key == b.key
    assert a != SignProjection(X, [0.5, 2.0])
    assert SignProjection([[1.0, 0.5]], [1.0]).key != SignProjection([[1.0, 0.25]], [1.0]).key


def test_key_is_the_same_in_another_process():
    program = "from qproj import SignProjection; print(SignProjection([[1, -1], [1, 1]], [0.5, 1.0]).key)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert told == SignProjection([[1, -1], [1, 1]], [0.5, 1.0]).key


def test_immutable():
    X = np.ones((2, 2))
    p = SignProjection(X, [1.0, 2.0])
    X[0, 0] = -1
    assert p.X[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        p.X[0, 0] = 5
    with pytest.raises(ValueError, match="read-only"):
        p.t[0] = 5
    with pytest.raises(AttributeError, match="immutable"):
        p.t = np.ones(2)
    with pytest.raises(AttributeError, match="immutable"):
        del p.t
    for twin in (pickle.loads(pickle.dumps(p)), copy.copy(p), copy.deepcopy(p)):
        assert twin == p
        assert not any(a.flags.writeable for a in (twin.X, twin.t, twin.inputs.matrix))


def test_layers_are_immutable_and_equal_by_content():
    rng = np.random.default_rng(0)
    X, T = rng.choice([-1, 1], (4, 3)), rng.normal(size=(4, 2))
    layer = LayerProjection(X, T)
    with pytest.raises(AttributeError, match="immutable"):
        layer.T = T
    assert layer == LayerProjection(X.astype(float).tolist(), T)
    assert (
        len({layer, LayerProjection(X, T), LayerProjection(X, 2 * T), LayerProjection(X, T, aggregate_rows=False)}) == 3
    )
    assert layer != layer[0]
    assert not pickle.loads(pickle.dumps(layer)).T.flags.writeable


def test_torch_tensors_are_taken_as_they_are():
    torch = pytest.importorskip("torch")
    X = torch.tensor([[1.0, -1.0], [1.0, 1.0]], requires_grad=True)
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        p = SignProjection(X, torch.tensor([0.5, -1.0]).to(dtype))
        assert p.t.tolist() == [0.5, -1.0]
    with pytest.raises(TypeError, match="complex"):
        SignProjection(X, torch.tensor([1j, 1j]))


def test_lists_of_tensors_and_subclasses_are_taken_though_they_carry_gradients():
    torch = pytest.importorskip("torch")

    class Marked(torch.Tensor):
        pass

    X = torch.tensor([[1.0, -1.0], [1.0, 1.0]], requires_grad=True)
    expected = SignProjection([[1, -1], [1, 1]], [0.5, -1.0])
    assert SignProjection(list(X), list(torch.tensor([0.5, -1.0], requires_grad=True))) == expected
    assert SignProjection(X.detach().as_subclass(Marked).requires_grad_(), [0.5, -1.0]) == expected


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float16, np.float32, np.float64, np.longdouble])
def test_any_real_dtype_gives_the_same_projection(dtype):
    X = np.array([[1, -1, 1], [-1, -1, 1]])
    p = SignProjection(X.astype(dtype), np.array([0.5, -2.0], dtype if dtype(0.5) else None))
    assert p == SignProjection(X, [0.5, -2.0])
    assert p.X.dtype == dtype
    unsigned = SignProjection(np.array([[0, 255], [1, 1]], np.uint8), [1.0, 1.0])
    assert not unsigned.inputs.is_binary
    assert unsigned.gain([1, -1]) == 0.0


def test_real_inputs_are_scored_in_float64_without_tolerance():
    p = SignProjection([[0.1, 0.2, -0.3]], [1.0])
    z = math.fsum([0.1, 0.2, -0.3])
    assert abs(z) < 1e-15
    assert p.gain([1, 1, 1]) == (1.0 if (0.1 + 0.2) - 0.3 >= 0 else -1.0)


BAD = [
    (([[1, np.nan]], [1.0]), ValueError, "X"),
    (([[1, 1]], [np.inf]), ValueError, "t"),
    (([[1, 1]], [1.0, 2.0]), ValueError, "shape"),
    (([1, 1], [1.0]), ValueError, "shape"),
    ((np.empty((0, 3)), []), ValueError, "at least one row"),
    ((np.empty((3, 0)), [1, 1, 1]), ValueError, "at least one row"),
    (([["a", "b"]], [1.0]), TypeError, "dtype"),
    (([[1j, 1]], [1.0]), TypeError, "dtype"),
    (([[True, False]], [1.0]), TypeError, "2\\*x - 1"),
    ((np.array([[object()]]), [1.0]), TypeError, "dtype"),
    (([[1, 1], [1]], [1.0, 1.0]), TypeError, "rectangular"),
    (([[1, 1]], [1e200]), ValueError, "scale t"),
    (([[1e308, 1e308]], [1.0]), ValueError, "scale X"),
    ((np.ma.masked_array([[1, 1]], [[True, False]]), [1.0]), TypeError, "filled"),
    (([[1, 1]], [[1.0]]), ValueError, "qproj.project"),
]


@pytest.mark.parametrize(("arguments", "error", "remedy"), BAD)
def test_bad_input_is_refused_with_a_remedy(arguments, error, remedy):
    with pytest.raises(error, match=remedy):
        SignProjection(*arguments)


def test_weights_other_than_signs_are_refused():
    p = SignProjection([[1, 1]], [1.0])
    with pytest.raises(ValueError, match="±1"):
        p.gain([0, 1])
    with pytest.raises(ValueError, match="is needed"):
        p.gain([1, 1, 1])


def test_layer_neurons_share_inputs_and_equal_single_projections():
    rng = np.random.default_rng(2)
    X, T = rng.choice([-1, 1], (6, 5)), rng.normal(size=(6, 3))
    layer = LayerProjection(X, T)
    assert len(layer) == 3
    assert [p.key for p in layer] == [SignProjection(X, t).key for t in T.T]
    assert layer[0].inputs is layer[1].inputs
    with pytest.raises(IndexError):
        layer[3]
    with pytest.raises(ValueError, match="one row of targets"):
        LayerProjection(X, T[:4])
    with pytest.raises(ValueError, match="T\\[:, None\\]"):
        LayerProjection(X, T[:, 0])


def test_a_neuron_of_shared_inputs_is_the_projection_made_of_them():
    p = SignProjection([[1, 1, -1], [1, -1, 1], [1, 1, -1]], [0.5, -0.2, 1.0])
    assert SignProjection.of_inputs(p.inputs, p.t) == p
    assert hash(SignProjection.of_inputs(p.inputs, p.t)) == hash(p)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_near_ties_of_real_rows_are_decided_by_the_definitions_sum(size):
    rng = np.random.default_rng(0)
    half = size * rng.standard_normal((300, 40))
    X = np.array([rng.permutation(row) for row in np.concatenate([half, -half], axis=1)])
    signs = SignProjection(X, np.ones(len(X))).inputs.signs(np.ones((1, 80), np.int8))[0]
    assert (signs == np.where(X.sum(axis=1) >= 0, 1, -1)).all()
    assert len(set(signs.tolist())) == 2


def test_keys_stay_what_they_are():
    """They name cached embeddings and stored studies: a new version has to find them again."""
    p = SignProjection([[1, 1, -1], [1, -1, 1]], [0.5, -0.25])
    assert p.key == "418e6153f5af79fc2d9c535399b51195f84b57ed72ceecd67f9857df670eb0c2"
    assert SignProjection(np.array([[1, 1, -1], [1, -1, 1]], np.int8), [0.5, -0.25]).key == p.key


def test_what_is_refused_is_named():
    p = SignProjection([[1, 1, -1], [1, -1, 1]], [0.5, -0.2])
    with pytest.raises(ValueError, match=r"^t\b"):
        SignProjection([[1, 1, -1], [1, -1, 1]], [0.5, math.nan])
    with pytest.raises(ValueError, match=r"^v\b"):
        p.meets_bound([1, 1, 0])


def test_a_layer_may_keep_its_rows_apart():
    X, T = [[1, 1, -1], [1, 1, -1]], np.array([[0.5], [0.25]])
    assert len(LayerProjection(X, T)[0].aggregated.tau) == 1
    assert len(LayerProjection(X, T, aggregate_rows=False)[0].aggregated.tau) == 2
