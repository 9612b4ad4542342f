import gzip
import hashlib

import numpy as np
import pytest

from qproj.lab.datasets import (
    Tabular,
    layer_instances,
    load_adult,
    load_breast_cancer,
    load_digits,
    load_karate,
    load_mnist,
    load_planetoid,
)
from qproj.lab.datasets.fingerprint import fingerprint
from qproj.lab.datasets.npz import read_npz


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("QPROJ_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("QPROJ_OFFLINE", "1")


def check(data: Tabular, rows, features, classes):
    assert tuple(len(x) for x in (data.X_train, data.X_val, data.X_test)) == rows
    assert (data.num_features, data.num_classes) == (features, classes)
    signs = data.signs()
    for part in ("train", "val", "test"):
        X, y = getattr(signs, f"X_{part}"), getattr(data, f"y_{part}")
        assert X.dtype == np.int8
        assert (np.abs(X) == 1).all()
        assert X.shape[0] == len(y)
        assert set(y.tolist()) == set(range(classes))
        assert not X.flags.writeable
        assert not y.flags.writeable


def test_digits_and_breast_cancer_are_offline():
    check(load_digits(), (1077, 360, 360), 64, 10)
    check(load_breast_cancer(), (341, 114, 114), 30, 2)
    data = load_digits()
    assert ((data.X_train >= 8) == (data.signs().X_train > 0)).all()
    # the split loses and doubles nothing
    rows = np.concatenate([data.X_train, data.X_val, data.X_test])
    assert len(rows) == 1797
    assert rows.sum() == 561718
    assert not np.array_equal(load_digits(seed=1).X_test, data.X_test)
    with pytest.raises(ValueError, match="seed"):
        load_digits(seed=-1)


def test_pairs_of_classes():
    data = load_digits()
    pair = data.only(2, 0)
    assert pair.name == "digits-2-0"
    assert pair.num_classes == 2
    assert (pair.y_test == 1).sum() == (data.y_test == 0).sum()
    for classes in ((1,), (1, 1), (1, 10), (-1, 2)):
        with pytest.raises(ValueError, match="choose two or more"):
            data.only(*classes)


def test_thresholds_of_ones_own():
    X = load_breast_cancer().signs(0.1).X_train
    assert ((load_breast_cancer().X_train > 0.1) == (X > 0)).all()


def test_karate():
    communities, club = load_karate(), load_karate("club")
    assert np.bincount(communities.y).tolist() == [13, 12, 4, 5]
    assert np.bincount(club.y).tolist() == [17, 17]
    assert np.flatnonzero(communities.train_mask).tolist() == [0, 4, 8, 24]
    A = club.adjacency()
    assert (A != A.T).nnz == 0
    assert A.sum() == 156
    assert club.adjacency(loops=True).diagonal().tolist() == [1.0] * 34
    with pytest.raises(ValueError, match="club"):
        load_karate("sports")


def test_karate_equals_the_published_file(data_dir):
    from qproj.lab.datasets.graphs import karate_arrays

    assert fingerprint(karate_arrays()) == fingerprint(read_npz(data_dir / "graphs" / "karate.npz"))


def test_adult(data_dir, tmp_path):
    data = load_adult()
    check(data, (1284, 321, 30956), 123, 2)
    assert int((data.y_train == 1).sum() + (data.y_val == 1).sum()) == 395
    assert int(data.X_train.sum() + data.X_val.sum()) == 22249
    assert int(data.X_test.sum()) == 429343
    assert (tmp_path / "cache" / "a1a.npz").is_file()
    again = load_adult()
    np.testing.assert_array_equal(again.X_train, data.X_train)
    with pytest.raises(ValueError, match="a1a"):
        load_adult("a9a")


def test_a1a_layers(data_dir):
    layers = layer_instances("a1a")
    assert {layer.X.shape[1] for layer in layers} == {123, 32}
    assert sum(layer.num_neurons for layer in layers) < 200


@pytest.mark.slow
def test_mnist(data_dir):
    data = load_mnist()
    check(data, (50000, 10000, 10000), 784, 10)
    labels = np.concatenate([data.y_train, data.y_val])
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@pytest.mark.slow
def test_mnist_from_idx_files(data_dir, tmp_path, monkeypatch):
    parts = {"train": "train", "test": "t10k"}
    folder = tmp_path / "mine" / "mnist"
    folder.mkdir(parents=True)
    for part, name in parts.items():
        arrays = read_npz(data_dir / "mnist" / f"mnist_{part}.npz")
        images, labels = arrays["images"], arrays["labels"]
        head = b"\0\0\x08\x03" + np.array(images.shape, ">u4").tobytes()
        (folder / f"{name}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        head = b"\0\0\x08\x01" + np.array(labels.shape, ">u4").tobytes()
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(head + labels.tobytes(), 1))
    ready = load_mnist()
    monkeypatch.setenv("QPROJ_DATA_DIR", str(folder.parent))
    parsed = load_mnist()
    assert (tmp_path / "cache" / "mnist.npz").is_file()
    for data in (ready, parsed):
        assert hashlib.sha256(data.X_test).hexdigest() == hashlib.sha256(ready.X_test).hexdigest()


@pytest.mark.parametrize(
    ("name", "nodes", "features", "edges", "split", "filler"),
    [
        ("cora", 2708, 1433, 5278, (140, 500, 1000), 0),
        ("citeseer", 3327, 3703, 4552, (120, 500, 1000), 15),
        ("pubmed", 19717, 500, 44324, (60, 500, 1000), 0),
    ],
)
def test_citation_graphs(data_dir, name, nodes, features, edges, split, filler):
    graph = load_planetoid(name)
    assert (graph.num_nodes, len(graph.edges), graph.features.shape) == (nodes, edges, (nodes, features))
    assert tuple(int(m.sum()) for m in (graph.train_mask, graph.val_mask, graph.test_mask)) == split
    assert len(graph.unlabelled) == filler
    assert (graph.edges[:, 0] < graph.edges[:, 1]).all()
    assert not (graph.train_mask & graph.val_mask).any()
    assert graph.features.data.flags.writeable is False


def test_citation_graphs_by_name():
    with pytest.raises(ValueError, match="did you mean 'cora'"):
        load_planetoid("Cora")
