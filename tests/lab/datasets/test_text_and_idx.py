import contextlib
import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qproj.lab.datasets import read_idx, read_libsvm
from qproj.lab.datasets.npz import FREE_BYTES


def test_libsvm_rows(tmp_path):
    path = tmp_path / "a"
    path.write_text("+1 1:1 3:0.5 # remark\n\n-1\n-1 2:-2e3\n")
    X, y = read_libsvm(path, num_features=5)
    assert X.toarray().tolist() == [[1, 0, 0.5, 0, 0], [0] * 5, [0, -2000, 0, 0, 0]]
    assert y.tolist() == [1, -1, -1]
    assert read_libsvm(path)[0].shape == (3, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("+1 1:1\nx 1:1", "line 2"),
        ("+1 0:1", "ascend"),
        ("+1 2:1 2:1", "ascend"),
        ("+1 3:1 2:1", "ascend"),
        ("+1 7:1", "beyond the 6"),
        ("+1 99999999999999999999:1", "beyond"),
        ("+1 1", "index:value"),
        ("+1 -1:1", "index:value"),
        ("+1 1:nan", "finite"),
        ("inf 1:1", "finite"),
        ("+1 1:1_0", "finite"),
        ("+1 1:", "could not convert"),
        ("+1 1:" + "9" * 400, "finite"),
        ("+1 ١:1", "ASCII"),
    ],
)
def test_other_texts_are_refused(tmp_path, text, message):
    (tmp_path / "a").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        read_libsvm(tmp_path / "a", num_features=6)
    assert str(tmp_path) in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_missing_files_are_named(tmp_path):
    for reader in (read_libsvm, read_idx):
        with pytest.raises(FileNotFoundError, match="none"):
            reader(tmp_path / "none")


def idx(array, code):
    return b"\0\0" + bytes([code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize(
    ("code", "dtype"), [(8, ">u1"), (9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_round_trip(tmp_path, code, dtype, pack):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    (tmp_path / "a").write_bytes(pack(idx(array, code)))
    found = read_idx(tmp_path / "a")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype.newbyteorder("=")


WHOLE = idx(np.arange(10, dtype=np.uint8), 8)


@pytest.mark.parametrize(
    "content",
    [
        b"", WHOLE[:3], WHOLE[:6], WHOLE[:-1], WHOLE + b"x",
        gzip.compress(WHOLE, mtime=0)[:-9], gzip.compress(WHOLE[:-1], mtime=0),
        b"\0\0\x08\x09" + bytes(99), b"\0\0\x07\x01" + bytes(99), b"\0\0\x08\x00",
        b"\0\0\x08\x03" + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1), b"\x1f\x8b" + bytes(50),
    ],
)  # fmt: skip
def test_damaged_idx_files_are_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match="not a whole IDX file"):
        read_idx(tmp_path / "a")


def test_gzip_bomb_is_refused(tmp_path):
    size = FREE_BYTES + 1
    (tmp_path / "a").write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", size) + bytes(1 << 20)))
    with pytest.raises(ValueError, match="promises"):
        read_idx(tmp_path / "a")


@given(content=st.one_of(st.binary(max_size=80), st.binary(max_size=40).map(lambda b: b"\0\0\x08\x01" + b)))
def test_garbage_is_refused_or_read(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "garbage"
    path.write_bytes(content)
    for reader in (read_idx, read_libsvm):
        with contextlib.suppress(ValueError):
            reader(path)


@given(st.text(alphabet="+-1230:.e# \n_x", max_size=40))
def test_near_libsvm_is_refused_or_read(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "near"
    path.write_text(text)
    with contextlib.suppress(ValueError):
        X, y = read_libsvm(path, num_features=8)
        assert X.shape == (len(y), 8)
