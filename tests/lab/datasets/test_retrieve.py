import functools
import gzip
import hashlib
import http.server
import threading

import numpy as np
import pytest

from qproj.lab.datasets import DataUnavailableError, fingerprint, load_adult, retrieve
from qproj.lab.datasets.npz import read_npz, write_npz
from qproj.lab.datasets.published import PUBLISHED, Published, PublishedFile
from qproj.lab.datasets.retrieve import load_arrays, locate, require_content

GOOD, OTHER = b"1 2 3\n", b"1 2 4\n"
GOOD_HASH = hashlib.sha256(GOOD).hexdigest()


def _parse(files):
    return {role: np.array([int(word) for word in path.read_text().split()], np.int8) for role, path in files.items()}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def log_request(self, *args):
        self.server.asked.append(self.path)


@pytest.fixture
def server(tmp_path):
    root = tmp_path / "www"
    for mirror, content in (("first", None), ("second", OTHER), ("third", GOOD)):
        (root / mirror / "toys").mkdir(parents=True)
        if content is not None:
            (root / mirror / "toys" / "toy.txt").write_bytes(content)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=root)) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        server.root = root
        server.address = f"http://127.0.0.1:{server.server_address[1]}"
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty cache, no folder of the user's, no way out but to this machine."""
    monkeypatch.setenv("QPROJ_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("QPROJ_DATA_DIR", "QPROJ_MIRROR", "QPROJ_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")


@pytest.fixture
def toy(monkeypatch):
    """Register a toy set with the given addresses."""

    def register(*urls, sha256=GOOD_HASH, ready=("toy.npz",)):
        file = PublishedFile("numbers", "toy.txt", urls, sha256)
        spec = Published("toy", "a toy", "toys", ready, (file,), _parse, lambda parts: parts[0], "play without")
        monkeypatch.setitem(PUBLISHED, "toy", spec)
        pinned = fingerprint.fingerprint({"numbers": np.array([1, 2, 3], np.int8)})
        monkeypatch.setitem(fingerprint.PINNED, "toy", pinned)

    return register


def test_mirrors_are_tried_until_one_gives_the_right_content(server, toy, tmp_path):
    toy(*(f"{server.address}/{mirror}/toys/toy.txt" for mirror in ("first", "second", "third")))
    assert locate("toy").how == "download"
    assert load_arrays("toy")["numbers"].tolist() == [1, 2, 3]
    assert server.asked == [f"/{mirror}/toys/toy.txt" for mirror in ("first", "second", "third")]
    assert locate("toy").how == "cache"
    assert load_arrays("toy")["numbers"].tolist() == [1, 2, 3]
    assert len(server.asked) == 3
    assert read_npz(tmp_path / "cache" / "toy.npz")["numbers"].dtype == np.int8


def test_a_mirror_of_ones_own_comes_first(server, toy, monkeypatch):
    toy(f"{server.address}/first/toys/toy.txt")
    monkeypatch.setenv("QPROJ_MIRROR", f"{server.address}/third/")
    load_arrays("toy")
    assert server.asked == ["/third/toys/toy.txt"]


def test_no_mirror_has_it(server, toy, tmp_path):
    dead = "http://127.0.0.1:9/toy.txt"
    toy(f"{server.address}/first/toys/toy.txt", f"{server.address}/second/toys/toy.txt", dead)
    with pytest.raises(DataUnavailableError) as caught:
        load_arrays("toy")
    message = str(caught.value)
    for part in (
        "404",
        "SHA-256",
        dead,
        "toy.txt (or toy.npz) into $QPROJ_DATA_DIR/toys/",
        "play without",
        "QPROJ_MIRROR",
    ):
        assert part in message
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_offline_asks_nobody(server, toy, monkeypatch):
    toy(f"{server.address}/third/toys/toy.txt")
    monkeypatch.setenv("QPROJ_OFFLINE", "1")
    with pytest.raises(DataUnavailableError, match="QPROJ_OFFLINE is set"):
        load_arrays("toy")
    assert server.asked == []


def test_the_parsed_arrays_are_checked_even_without_a_files_hash(server, toy):
    toy(f"{server.address}/second/toys/toy.txt", sha256=None)
    with pytest.raises(ValueError, match="fingerprint"):
        load_arrays("toy")


def test_a_damaged_cache_is_converted_anew(server, toy, tmp_path, caplog):
    toy(f"{server.address}/third/toys/toy.txt")
    for content in (b"garbage", None):
        if content is None:
            write_npz(tmp_path / "cache" / "toy.npz", {"numbers": np.array([1, 2, 4], np.int8)})
        else:
            (tmp_path / "cache").mkdir()
            (tmp_path / "cache" / "toy.npz").write_bytes(content)
        caplog.clear()
        assert load_arrays("toy")["numbers"].tolist() == [1, 2, 3]
        assert "converted again" in caplog.text
    assert len(server.asked) == 1  # the published file was kept


def test_a_damaged_download_is_fetched_anew(server, toy, tmp_path):
    toy(f"{server.address}/third/toys/toy.txt")
    kept = tmp_path / "cache" / "downloads" / "toys" / "toy.txt"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(OTHER)
    assert load_arrays("toy")["numbers"].tolist() == [1, 2, 3]
    assert kept.read_bytes() == GOOD


def test_the_users_folder(toy, tmp_path, monkeypatch):
    toy()
    folder = tmp_path / "mine" / "toys"
    folder.mkdir(parents=True)
    monkeypatch.setenv("QPROJ_DATA_DIR", str(folder.parent))
    (folder / "toy.txt").write_bytes(GOOD)
    assert locate("toy").paths == (folder / "toy.txt",)
    assert load_arrays("toy")["numbers"].tolist() == [1, 2, 3]
    (tmp_path / "cache" / "toy.npz").unlink()
    (folder / "toy.txt").write_bytes(OTHER)
    with pytest.raises(ValueError, match="SHA-256"):
        load_arrays("toy")
    write_npz(folder / "toy.npz", {"numbers": np.array([1, 2, 3], np.int8)})
    assert load_arrays("toy")["numbers"].tolist() == [1, 2, 3]
    write_npz(folder / "toy.npz", {"numbers": np.array([1, 2, 3], np.int16)})
    with pytest.raises(ValueError, match="fingerprint"):
        load_arrays("toy")
    monkeypatch.setenv("QPROJ_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="QPROJ_DATA_DIR"):
        locate("toy")


def test_an_unwritable_cache_is_no_obstacle(server, toy, tmp_path, monkeypatch, caplog):
    toy()
    folder = tmp_path / "mine" / "toys"
    folder.mkdir(parents=True)
    (folder / "toy.txt").write_bytes(GOOD)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("QPROJ_DATA_DIR", str(folder.parent))
    monkeypatch.setenv("QPROJ_CACHE_DIR", str(tmp_path / "file"))
    assert load_arrays("toy")["numbers"].tolist() == [1, 2, 3]
    assert "cannot be written" in caplog.text


def test_some_of_the_files_are_not_enough(data_dir, tmp_path, monkeypatch, caplog):
    (tmp_path / "adult").mkdir()
    (tmp_path / "adult" / "a1a").write_bytes((data_dir / "adult" / "a1a").read_bytes())
    monkeypatch.setenv("QPROJ_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("QPROJ_OFFLINE", "1")
    with pytest.raises(DataUnavailableError, match=r"Put a1a"):
        load_adult()
    assert "a1a.t is missing there" in caplog.text


def test_ready_files_of_another_layout(toy, tmp_path, monkeypatch):
    toy()
    (tmp_path / "mnist").mkdir()
    for name in PUBLISHED["mnist"].ready:
        write_npz(tmp_path / "mnist" / name, {"pictures": np.zeros(3)})
    monkeypatch.setenv("QPROJ_DATA_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="no array 'images'"):
        load_arrays("mnist")


def test_published_files_that_are_another_set(tmp_path):
    for content in ("+1 1:1\n3 2:1\n", "+1 1:0.5\n"):
        (tmp_path / "a").write_text(content)
        with pytest.raises(ValueError, match="labels other than"):
            PUBLISHED["a1a"].parse({"train": tmp_path / "a", "test": tmp_path / "a"})
    (tmp_path / "b").write_bytes(b"\0\0\x08\x01\0\0\0\x02ab")
    with pytest.raises(ValueError, match="MNIST's train files"):
        PUBLISHED["mnist"].parse({file.role: tmp_path / "b" for file in PUBLISHED["mnist"].files})


def test_a_bomb_is_not_hashed_to_its_end(tmp_path, monkeypatch):
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(3 << 20)))
    monkeypatch.setattr(retrieve, "unpacked_limit", lambda path: 1 << 20)
    with pytest.raises(ValueError, match="unpacks to more"):
        require_content(tmp_path / "a.gz", GOOD_HASH)
    (tmp_path / "a.gz").write_bytes(gzip.compress(GOOD)[:-4])
    with pytest.raises(ValueError, match="damaged"):
        require_content(tmp_path / "a.gz", GOOD_HASH)
    (tmp_path / "a.gz").write_bytes(gzip.compress(GOOD))
    require_content(tmp_path / "a.gz", GOOD_HASH)


def test_a_missing_pooch_names_the_extra(toy, monkeypatch):
    import sys

    toy("http://127.0.0.1:9/toy.txt")
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install .*\[data\]"):
        load_arrays("toy")


def test_unavailable_sets_say_what_to_do(monkeypatch):
    monkeypatch.setenv("QPROJ_OFFLINE", "1")
    with pytest.raises(DataUnavailableError, match=r"a1a into \$QPROJ_DATA_DIR/adult/.*load_breast_cancer"):
        load_adult()


def test_every_published_file_has_mirrors_and_a_pin():
    assert PUBLISHED
    for name, spec in PUBLISHED.items():
        assert len(fingerprint.PINNED[name]) == 64
        for file in spec.files:
            assert len(file.urls) >= 2
            assert all(url.startswith("https://") for url in file.urls)
            assert file.sha256 is None or len(file.sha256) == 64
    assert [f.name for spec in PUBLISHED.values() for f in spec.files if f.sha256 is None] == ["ind.pubmed.allx"]
