import contextlib
import errno
import io
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qproj.lab.datasets import npz


def test_round_trip(tmp_path):
    arrays = {
        "a": np.arange(6, dtype=np.int8).reshape(2, 3),
        "b": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "zero": np.empty((0, 4), np.float32),
        "scalar": np.array(3, ">i4"),
        "text": np.array(["x", "yy"]),
    }
    path = npz.write_npz(tmp_path / "deep" / "file.npz", arrays)
    found = npz.read_npz(path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
    with np.load(path, allow_pickle=False) as loaded:
        np.testing.assert_array_equal(loaded["b"], arrays["b"])
    assert [p.name for p in path.parent.iterdir()] == ["file.npz"]


def test_equal_arrays_give_equal_files(tmp_path):
    paths = [npz.write_npz(tmp_path / f"{i}.npz", {"a": np.arange(5)}) for i in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_numpys_own_files_are_read(tmp_path):
    np.savez(tmp_path / "plain.npz", a=np.eye(3))
    np.savez_compressed(tmp_path / "packed.npz", a=np.eye(3))
    for name in ("plain", "packed"):
        np.testing.assert_array_equal(npz.read_npz(tmp_path / f"{name}.npz")["a"], np.eye(3))


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = npz.write_npz(tmp_path / "a.npz", {"a": np.arange(3)})
    with pytest.raises(TypeError, match="convert it first"):
        npz.write_npz(path, {"a": np.array([object()])})
    np.testing.assert_array_equal(npz.read_npz(path)["a"], np.arange(3))


def test_pickled_members_are_refused(tmp_path):
    np.savez(tmp_path / "p.npz", a=np.array([{"x": 1}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        npz.read_npz(tmp_path / "p.npz")


def _member(shape, dtype="<f8", content=b""):
    out = io.BytesIO()
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    header = header.ljust(117) + "\n"
    out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content)
    return out.getvalue()


@pytest.mark.parametrize("shape", [(10**12,), (1 << 40, 1 << 40), (-1,), (3, -2)])
def test_a_header_that_promises_too_much_is_refused_before_unpacking(tmp_path, shape):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", _member(shape))
    with pytest.raises(ValueError, match=r"would unpack|has shape|no plain"):
        npz.read_npz(path)


def test_strange_archives(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", _member((0,)))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", _member((0,)))
    with pytest.raises(ValueError, match="two arrays"):
        npz.read_npz(path)
    for version, message in ((2, None), (3, "npy format")):
        header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }".ljust(115) + "\n"
        head = b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<I", len(header)) + header.encode()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", head + bytes(8))
        if message is None:
            assert npz.read_npz(path)["a"].tolist() == [0.0]
        else:
            with pytest.raises(ValueError, match=message):
                npz.read_npz(path)
    npz.write_npz(path, {"a": np.ones(1), "b": np.ones(1)})
    monkeypatch.setattr(npz, "_MOST_MEMBERS", 1)
    with pytest.raises(ValueError, match="at most 1"):
        npz.read_npz(path)


def test_zip_bomb(tmp_path):
    path = tmp_path / "bomb.npz"
    size = npz.FREE_BYTES + 8
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", _member((size // 8,), content=bytes(size)))
    assert path.stat().st_size < size / npz.EXPANSION
    with pytest.raises(ValueError, match="would unpack"):
        npz.read_npz(path)


def test_many_small_members_count_together(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "FREE_BYTES", 1000)
    monkeypatch.setattr(npz, "EXPANSION", 1)
    path = npz.write_npz(tmp_path / "a.npz", {f"a{i}": np.zeros(500) for i in range(4)})
    with pytest.raises(ValueError, match="would unpack"):
        npz.read_npz(path)


def test_missing_truncated_and_other_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="not a file"):
        npz.read_npz(tmp_path / "none.npz")
    path = npz.write_npz(tmp_path / "a.npz", {"a": np.random.default_rng(0).normal(size=300)})
    whole = path.read_bytes()
    for cut in (0, 1, 30, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="fetch it again"):
            npz.read_npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match=r"not a stored or deflated"):
        npz.read_npz(path)


@given(st.data())
def test_damaged_bytes_are_refused_or_read(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.npz"
    npz.write_npz(path, {"a": np.arange(40), "b": np.eye(4, dtype=np.int8)})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    arrays = {}
    with contextlib.suppress(ValueError):
        arrays = npz.read_npz(path)
    assert all(not array.dtype.hasobject for array in arrays.values())


def test_a_full_disk_leaves_the_old_file_and_no_debris(tmp_path, monkeypatch):
    path = npz.write_npz(tmp_path / "a.npz", {"a": np.arange(3)})

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(npz.npy, "write_array", full)
    with pytest.raises(OSError, match="No space"):
        npz.write_npz(path, {"a": np.arange(4)})
    assert list(tmp_path.iterdir()) == [path]
    assert npz.read_npz(path)["a"].tolist() == [0, 1, 2]


def test_readers_see_whole_files_while_others_write(tmp_path):
    path = npz.write_npz(tmp_path / "a.npz", {"a": np.full(5000, -1)})

    def write(value):
        for _ in range(10):
            npz.write_npz(path, {"a": np.full(5000, value)})

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, value) for value in range(3)]
        seen = [npz.read_npz(path)["a"] for _ in range(30)]
        for writer in writers:
            writer.result()
    assert all(len(set(array.tolist())) == 1 for array in seen)
    assert list(tmp_path.iterdir()) == [path]
