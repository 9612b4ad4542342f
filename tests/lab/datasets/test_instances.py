import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qproj.lab.datasets import LayerInstance, layer_instances, read_instances, save_instances
from qproj.lab.datasets.npz import write_npz


def layer(name="a/layer1", **changes):
    rng = np.random.default_rng(0)
    values = {
        "X": rng.choice([-1, 1], (6, 5)),
        "T": rng.normal(size=(6, 3)),
        "source": "a",
        "meta": {"step": 3, "r": 0.5},
    }
    return LayerInstance(name, **{**values, **changes})


def same(a, b):
    assert (a.name, a.source, dict(a.meta), a.key) == (b.name, b.source, dict(b.meta), b.key)
    np.testing.assert_array_equal(a.X, b.X)
    np.testing.assert_array_equal(a.T, b.T)
    assert a.X.dtype == b.X.dtype


def test_arrays_are_checked_copied_and_read_only():
    X = np.array([[1, -1], [1, 1]], np.int64)
    made = LayerInstance("m", X, [[0.5], [2]], source="m")
    X[0, 0] = -1
    assert made.X.dtype == np.int8
    assert made.X[0, 0] == 1
    assert made.T.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        made.X[0, 0] = 1
    with pytest.raises(TypeError):
        made.meta["x"] = 1
    assert LayerInstance("m", [[0.5, 1]], [[1]], source="m").X.dtype == np.float64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": np.ones((5, 5))}, "one row of targets"),
        ({"X": np.full((6, 5), np.nan)}, "finite"),
        ({"X": np.ones(6)}, "matrix"),
        ({"X": np.ones((6, 0))}, "at least one"),
        ({"X": np.ones((6, 5), complex)}, "real"),
        ({"X": np.ones((6, 5), bool)}, "2\\*x - 1"),
        ({"T": np.full((6, 3), 1e200)}, "scale it"),
        ({"T": [["a"]] * 6}, "real"),
        ({"name": ""}, "printable"),
        ({"name": "a\nb"}, "printable"),
        ({"name": 3}, "text"),
        ({"source": " a"}, "printable"),
        ({"meta": {"a": [1]}}, "allowed"),
        ({"meta": {"a": True}}, "allowed"),
        ({"meta": {"a": float("inf")}}, "finite"),
        ({"meta": [1]}, "mapping"),
    ],
)
def test_bad_layers_are_refused(changes, message):
    with pytest.raises((TypeError, ValueError), match=message):
        layer(**changes)


def test_key_depends_on_content_alone():
    assert layer("a").key == layer("b", meta={}).key
    assert layer("a").key != layer("a").first(2).key
    assert layer("a").first(2).name == "a/first2"
    assert layer("a").first(9) is not None
    assert layer("a").first(9).num_neurons == 3
    with pytest.raises(ValueError, match="at least 1"):
        layer().first(0)


def test_pickle_keeps_a_layer():
    same(pickle.loads(pickle.dumps(layer())), layer())


def test_file_round_trip(tmp_path):
    layers = [layer("a"), layer("b", X=np.random.default_rng(1).normal(size=(6, 2))), layer("ü/σ", meta={"s": "ß"})]
    path = save_instances(tmp_path / "l.npz", layers)
    found = read_instances(path)
    assert len(found) == 3
    for a, b in zip(found, layers, strict=True):
        same(a, b)
    for a, b in zip(layer_instances(str(path)), layers, strict=True):
        same(a, b)
    with np.load(path, allow_pickle=False) as arrays:
        assert {"index", "X0", "T0", "X2", "T2"} <= set(arrays.files)


def test_a_file_of_x_and_t_alone(tmp_path):
    np.savez(tmp_path / "mine.npz", X=layer().X, T=layer().T)
    (found,) = read_instances(tmp_path / "mine.npz")
    assert (found.name, found.source, found.key) == ("mine", "mine.npz", layer().key)


def test_saving_refuses(tmp_path):
    with pytest.raises(ValueError, match="no layer"):
        save_instances(tmp_path / "a.npz", [])
    with pytest.raises(ValueError, match="unique"):
        save_instances(tmp_path / "a.npz", [layer(), layer()])
    with pytest.raises(ValueError, match=r"\.npz"):
        save_instances(tmp_path / "a.txt", [layer()])
    assert not list(tmp_path.iterdir())


def _index(content):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return {"index": np.frombuffer(text, np.uint8)}


def test_other_names_of_two_arrays_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=layer().X, targets=layer().T)
    with pytest.raises(ValueError, match=r"inputs, targets.*X=X, T=T"):
        read_instances(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones(3)}, "'index' is missing"),
        ({"X": np.ones((2, 2)), "T": np.ones((3, 1))}, "one row of targets"),
        (_index(b"{"), "not JSON"),
        (_index(b"[" * 100_000), "not JSON"),
        (_index(b" " * (5 << 20)), "at most"),
        (_index([1]), "format"),
        (_index({"format": 2, "layers": []}), "format"),
        (_index({"format": 1, "layers": []}), "no layers"),
        (_index({"format": 1, "layers": [1]}), "no layers"),
        (_index({"format": 1, "layers": [{"name": "a"}]}), "missing"),
        (_index({"format": 1, "layers": [{"name": "a", "source": "b", "meta": {}}]}), "'X0' is missing"),
        ({"index": np.ones(3)}, "UTF-8"),
    ],
)
def test_other_files_are_refused(tmp_path, arrays, message):
    write_npz(tmp_path / "a.npz", arrays)
    with pytest.raises(ValueError, match=message) as caught:
        read_instances(tmp_path / "a.npz")
    assert "a.npz" in str(caught.value)


@given(content=st.binary(max_size=300))
def test_garbage_is_a_value_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "garbage.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"garbage\.npz"):
        read_instances(path)
