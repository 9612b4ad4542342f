import importlib.util
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from qproj.lab.datasets import planetoid
from qproj.lab.datasets.pickles import read_pickle
from qproj.lab.datasets.planetoid import PARTS, read_planetoid

_spec = importlib.util.spec_from_file_location("_py2pickle", Path(__file__).with_name("_py2pickle.py"))
py2 = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(py2)

# 9 nodes: 6 in allx (2 of them for training), test rows for nodes 8 and 6, node 7 in no file of rows
ALLX = sp.random(6, 4, 0.5, "csr", np.float32, random_state=0)
TX = sp.random(2, 4, 0.9, "csr", np.float32, random_state=1)
ONEHOT = np.eye(3, dtype=np.int32)
ALLY, TY = ONEHOT[[2, 0, 1, 1, 2, 0]], ONEHOT[[1, 2]]
NEIGHBOURS = {0: [1, 2, 1], 1: [0], 2: [0, 2], 3: [8], 4: [], 5: [6], 6: [5], 7: [], 8: [3]}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr(planetoid, "_VALIDATION", 3)
    content = {
        "x": py2.whole(py2.csr(ALLX[:2])), "y": py2.whole(py2.array(ALLY[:2])), "tx": py2.whole(py2.csr(TX)),
        "ty": py2.whole(py2.array(TY)), "allx": py2.whole(py2.csr(ALLX)), "ally": py2.whole(py2.array(ALLY)),
        "graph": py2.whole(py2.graph(NEIGHBOURS)), "test.index": b"8\n6\n",
    }  # fmt: skip
    paths = {}
    for part in PARTS:
        paths[part] = tmp_path / f"ind.toy.{part}"
        paths[part].write_bytes(content[part])
    return paths


def test_the_writer_agrees_with_pythons_own_unpickler():
    class Old(pickle.Unpickler):
        def find_class(self, module, name):
            return super().find_class({"scipy.sparse.csr": "scipy.sparse"}.get(module, module), name)

    import io

    for body, expected in [(py2.array(ALLY), ALLY), (py2.graph(NEIGHBOURS), NEIGHBOURS)]:
        found = Old(io.BytesIO(py2.whole(body)), encoding="latin1").load()
        mine = read_pickle(py2.whole(body))
        for value in (found, mine):
            if isinstance(expected, dict):
                assert dict(value) == expected
            else:
                np.testing.assert_array_equal(value, expected)


def test_parts_come_together(files):
    arrays = read_planetoid(files)
    X = sp.csr_matrix((arrays["x_data"], arrays["x_indices"], arrays["x_indptr"]), shape=tuple(arrays["x_shape"]))
    expected = np.zeros((9, 4), np.float32)
    expected[:6], expected[8], expected[6] = ALLX.toarray(), TX.toarray()[0], TX.toarray()[1]
    np.testing.assert_array_equal(X.toarray(), expected)
    assert arrays["y"].tolist() == [2, 0, 1, 1, 2, 0, 2, 0, 1]
    assert arrays["edges"].tolist() == [[0, 1], [0, 2], [3, 8], [5, 6]]
    assert arrays["unlabelled"].tolist() == [7]
    assert [np.flatnonzero(arrays[f"{m}_mask"]).tolist() for m in ("train", "val", "test")] == [
        [0, 1],
        [2, 3, 4],
        [6, 8],
    ]


@pytest.mark.parametrize(
    ("part", "content", "message"),
    [
        ("test.index", b"8\n9\n", "test.index runs"),
        ("test.index", b"8\n8\n", "test.index runs"),
        ("test.index", b"8\n-6\n", "node numbers"),
        ("test.index", b"", "node numbers"),
        ("test.index", b"8", "test nodes"),
        ("tx", py2.whole(py2.array(TY)), "sparse"),
        ("tx", py2.whole(py2.csr(TX[:, :3])), "fit together"),
        ("ally", py2.whole(py2.array(ALLY[:3])), "labels of 6 nodes"),
        ("ally", py2.whole(py2.graph({})), "fit together"),
        ("graph", py2.whole(py2.array(TY)), "dictionary"),
        ("graph", py2.whole(py2.graph({**NEIGHBOURS, 4: [99]})), "node 99"),
        ("graph", py2.whole(py2.graph({**NEIGHBOURS, 4: [-1]})), "leads"),
        ("allx", b"", "ind.toy.allx"),
    ],
)
def test_parts_that_do_not_fit_are_refused(files, part, content, message):
    files[part].write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_planetoid(files)


def test_graphs_of_something_else_are_refused(files, monkeypatch):
    good = files["graph"].read_bytes()
    for old, new, message in [
        (py2.number(0) + b"](", py2.number(0) + b"](N", "other than node numbers"),
        (py2.number(7) + b"](e", py2.number(7) + b"N", "lists of neighbours"),
    ]:
        assert old in good
        files["graph"].write_bytes(good.replace(old, new, 1))
        with pytest.raises(ValueError, match=message):
            read_planetoid(files)
    files["graph"].write_bytes(good)
    monkeypatch.setattr(planetoid, "_MOST_ENDS", 3)
    with pytest.raises(ValueError, match="at most 3"):
        read_planetoid(files)
    monkeypatch.setattr(planetoid, "_MOST_BYTES", 3)
    with pytest.raises(ValueError, match="no Planetoid file"):
        read_planetoid(files)


def test_missing_parts_are_named(files):
    with pytest.raises(FileNotFoundError, match=r"allx"):
        read_planetoid({part: path for part, path in files.items() if part != "allx"})
    files["ty"].unlink()
    with pytest.raises(FileNotFoundError, match=r"ind\.toy\.ty"):
        read_planetoid(files)


class Malicious:
    def __reduce__(self):
        return (print, ("code from a data file ran",))


@pytest.mark.parametrize("protocol", range(6))
def test_calls_are_refused_and_never_made(protocol, capsys):
    for value in (Malicious(), [Malicious()], {"a": Malicious()}):
        with pytest.raises(ValueError, match="Planetoid"):
            read_pickle(pickle.dumps(value, protocol))
    assert capsys.readouterr().out == ""


def _shared_lists(depth):
    """Lists that each name the one before twice: 2^depth numbers if anyone walked them."""
    body = b"]q\x00" + py2.number(1) + b"a0"
    for i in range(depth):
        body += b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) + b"0"
    return (
        py2.GLOBAL["defaultdict"] + py2.GLOBAL["list"] + b"\x85R(" + py2.number(0) + body + b"h" + bytes([depth]) + b"u"
    )


HOSTILE = {
    "memo index of 2^31": py2.whole(b"]r" + struct.pack("<I", 2**31 - 1)),
    "string longer than the file": py2.whole(b"T" + struct.pack("<i", 2**31 - 1) + b"x"),
    "array without bytes": py2.whole(py2.array(np.zeros((2, 2))).replace(py2.number(2), py2.number(2**30))),
    "set item of a tag": py2.whole(py2.GLOBAL["list"] + b"(" + py2.number(1) + py2.number(1) + b"u"),
    "nested tuples as a key": py2.whole(b"}(" + b")" + b"\x85" * 200_000 + py2.number(1) + b"u"),
    "marks alone": py2.whole(b"(" * 100_000 + b"t" * 100_000),
    "state of a list": py2.whole(b"]" + py2.number(1) + b"b"),
    "long integer": py2.whole(b"\x8b" + struct.pack("<i", 10) + bytes(10)),
    "persistent id": b"Pabc\n.",
    "stops early": py2.whole(py2.array(TY)) + b"more",
    "no end": py2.whole(py2.array(TY))[:-1],
    "append to a number": py2.whole(py2.number(1) + py2.number(1) + b"a"),
    "no mark": py2.whole(py2.number(1) + py2.number(1) + b"t"),
    "mark as a value": py2.whole(b"](a"),
    "odd items": py2.whole(b"}(" + py2.number(1) + b"u"),
    "call of a number": py2.whole(py2.number(1) + b")R"),
    "call of a type": py2.whole(py2.GLOBAL["list"] + b")R"),
    "array of objects": py2.whole(py2.array(TY).replace(b"T\x02\0\0\0i4", b"T\x02\0\0\0O8")),
    "array of no shape": py2.whole(py2.array(TY).replace(py2.number(2), py2.number(-2))),
    "matrix of a list": py2.whole(py2.csr(TX).replace(py2.array(TX.indptr), b"]")),
    "matrix of no rows": py2.whole(
        py2.csr(TX).replace(py2.text("_shape") + py2.number(2), py2.text("_shape") + py2.number(-2))
    ),
    "matrix with columns beyond": py2.whole(py2.csr(TX).replace(py2.number(4) + b"\x86", py2.number(1) + b"\x86")),
    "plain list": py2.whole(b"]"),
    "other global": b"\x80\x02cos\nsystem\n.",
    "empty": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_streams_are_refused(name):
    with pytest.raises(ValueError, match="not a pickle of the Planetoid files"):
        read_pickle(HOSTILE[name])


def test_lists_that_share_lists_are_not_walked(files):
    files["graph"].write_bytes(py2.whole(_shared_lists(60)))
    with pytest.raises(ValueError, match="Planetoid"):
        read_planetoid(files)


@given(data=st.data())
def test_damaged_pickles_are_refused_or_read(data):
    whole = py2.whole(data.draw(st.sampled_from([py2.array(TY), py2.csr(TX), py2.graph(NEIGHBOURS)])))
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read_pickle(bytes(content))
    except ValueError as error:
        message = str(error)
        assert "fetch the file again" in message
    else:
        assert sp.issparse(found) or isinstance(found, np.ndarray | dict)


@given(st.binary(max_size=200))
def test_garbage_is_refused(content):
    with pytest.raises(ValueError, match="Planetoid"):
        read_pickle(content)
