"""The machine fails: full disk, read-only and deleted folders, locked database, odd clocks, two processes."""

import contextlib
import itertools
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

import qproj
from qproj.lab.datasets.instances import LayerInstance, read_instances, save_instances
from qproj.lab.studies.store import FILE, StudyStore
from qproj.lab.studies.study import Study


@pytest.fixture
def layer():
    rng = np.random.default_rng(2)
    return LayerInstance("mine", rng.choice([-1, 1], (10, 7)), rng.normal(size=(10, 3)), source="test")


def compare(source, out, *more, preexec=None, user=None, cwd=None):
    command = [
        sys.executable, "-m", "qproj", "compare", "--instances", str(source), "--solvers", "sa,sign", "--reads",
        "200", "--time-limit", "none", "--seeds", "20", "--workers", "1", "--out", str(out), "--json", *more,
    ]  # fmt: skip
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, preexec_fn=preexec, user=user, cwd=cwd
    )


def one_line(done):
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith("qproj:")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


@contextlib.contextmanager
def small_disk(folder, size):
    """Mount a memory disk of `size` kB, or skip: only root may."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no memory disk may be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_keeps_finished_rows_and_the_same_command_goes_on(tmp_path, layer, tally):
    source = save_instances(tmp_path / "mine.npz", [layer])
    disk = tmp_path / "disk"
    disk.mkdir()
    whole = compare(source, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    expected = rows(tmp_path / "whole")
    tried = 0
    with small_disk(disk, 40_000):
        for left in (40, 90, 150):
            study = disk / str(left)
            (disk / "filler").write_bytes(b"\0" * (shutil.disk_usage(disk).free - left * 1024))
            told = one_line(compare(source, study))
            assert "free some space" in told or "No space left" in told
            (disk / "filler").unlink()
            kept = rows(study) if (study / FILE).is_file() else []
            assert set(kept) <= set(expected)
            done = compare(source, study)
            assert done.returncode == 0, done.stderr
            assert rows(study) == expected
            shutil.rmtree(study)
            tried += 1
    tally("disk full: study", tried, "a one-line message, exit code 2; rows kept, the same command ends as without it")


def rows(folder):
    store = StudyStore(folder)
    found = [tuple(row) for row in store.query("SELECT key, status, gain, best FROM run ORDER BY key")]
    assert store.query("PRAGMA integrity_check")[0][0] == "ok"
    store.close()
    return found


def test_files_that_may_not_grow_are_said_and_old_ones_kept(tmp_path, layer, tally):
    save_instances(tmp_path / "old.npz", [layer])
    before = (tmp_path / "old.npz").read_bytes()
    rng = np.random.default_rng(0)
    large = LayerInstance("large", rng.normal(size=(400, 50)), rng.normal(size=(400, 9)), source="test")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match="large"):
            save_instances(tmp_path / "old.npz", [large])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert (tmp_path / "old.npz").read_bytes() == before
    assert read_instances(tmp_path / "old.npz")[0].key == layer.key
    assert [file.name for file in tmp_path.iterdir()] == ["old.npz"]
    tally("disk full: npz file", 1, "OSError; the old file stays whole, no debris")


@pytest.mark.slow
def test_read_only_folders_are_said(tmp_path, layer, tally):
    source = save_instances(tmp_path / "mine.npz", [layer])
    closed = tmp_path / "closed"
    closed.mkdir()
    if os.geteuid() == 0:  # root writes where it likes, but not on a read-only file system
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(closed)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"no read-only disk may be mounted here: {done.stderr.strip()}")
    else:
        closed.chmod(0o500)
    try:
        told = one_line(compare(source, closed / "study"))
        assert "closed" in told
        assert "ead-only" in told or "ermission" in told
        with pytest.raises(OSError, match="closed"):
            save_instances(closed / "other.npz", [layer])
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(closed)], check=True)
        else:
            closed.chmod(0o700)
    tally("read-only folder", 2, "one line that names the folder; nothing half written")


@pytest.mark.slow
def test_a_deleted_working_folder_is_said_or_does_not_matter(tmp_path, layer, tally):
    source = save_instances(tmp_path / "mine.npz", [layer])
    gone = tmp_path / "gone"
    gone.mkdir()

    def leave():
        os.chdir(gone)
        shutil.rmtree(gone)

    done = compare(source, tmp_path / "out", preexec=leave)  # absolute paths need no working folder
    assert done.returncode == 0, done.stderr
    gone.mkdir()
    told = one_line(compare(source, "relative", preexec=leave))
    assert "relative" in told or "No such file" in told
    code = (
        "import os, shutil, numpy as np, qproj\n"
        "qproj.project([[1, -1]], [[1.0]])\n"  # everything is imported
        f"os.makedirs({str(gone)!r}, exist_ok=True); os.chdir({str(gone)!r}); shutil.rmtree({str(gone)!r})\n"
        "X = np.random.default_rng(0).choice([-1, 1], (9, 5))\n"
        "print(qproj.project(X, X[:, :2] * 0.5, solver='auto').proved.all())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "True", done.stderr
    tally(
        "deleted working folder", 3, "projections and absolute paths do not care; relative ones are refused in one line"
    )


def test_a_deleted_study_folder_is_said(tmp_path, layer, tally):
    study = Study(tmp_path / "s", [layer], ["sign", "random"], seeds=3, nulls=False)
    seen = []

    def look(now):
        seen.append(now.done)
        if now.done and (tmp_path / "s").is_dir():
            shutil.rmtree(tmp_path / "s")

    with pytest.raises(OSError, match=r"study\.sqlite"):
        study.run(workers=1, on_progress=look)
    assert study.run(workers=1).done == study.plan.num_runs
    tally("study's folder deleted while it runs", 1, "a one-line message; the same command starts again")


def test_a_locked_database_is_waited_for_and_then_said(tmp_path, layer, tally):
    study = Study(tmp_path, [layer], ["sign"], nulls=False)
    study.run(workers=1)
    store = StudyStore(tmp_path)
    store.query("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OSError, match="locked by another process"):
        store.claim("batch")
    assert len(store.done()) == 3  # readers are never locked out
    other.execute("ROLLBACK")
    other.close()
    assert store.claim("batch")
    store.close()
    tally("locked database", 1, "waits a minute, then one line; readers go on, rows stay")


@pytest.mark.parametrize("way", ["backwards", "jumping"])
def test_odd_clocks_lose_and_double_nothing(tmp_path, layer, way, monkeypatch, tally):
    count = itertools.count()
    now = time.time()
    steps = {"backwards": lambda k: now - 1000.0 * k, "jumping": lambda k: now + 1e6 * (-1) ** k}
    monkeypatch.setattr(time, "time", lambda: steps[way](next(count)))
    study = Study(tmp_path, [layer], ["sign", "random", "sa"], reads=[10], time_limits_s=[None], seeds=2, nulls=False)
    ended = study.run(workers=1)
    assert ended.done == ended.total == study.plan.num_runs
    first, second = StudyStore(tmp_path), StudyStore(tmp_path)
    assert sorted(first.done()) == sorted(run.key for run in study.plan.runs)
    assert first.claim("batch")
    second.claim("batch")  # may take it from an owner that seems dead: the row is still written once
    assert len(first.stored([run.key for run in study.plan.runs])) == study.plan.num_runs
    first.close()
    second.close()
    rng = np.random.default_rng(0)
    found = qproj.project(rng.choice([-1, 1], (60, 30)), rng.normal(size=(60, 2)), "sa", time_limit_s=0.2)
    assert not np.isnan(found.gain).any()  # time limits use a clock that nobody sets
    tally("system clock set back, or jumping", 1, "limits use the monotonic clock; no row lost or doubled")


@pytest.mark.slow
def test_two_processes_begin_one_study_at_once(tmp_path, layer, tally):
    source = save_instances(tmp_path / "mine.npz", [layer])
    whole = compare(source, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    expected, tries = rows(tmp_path / "whole"), 2
    for k in range(tries):
        command = [
            sys.executable, "-m", "qproj", "compare", "--instances", str(source), "--solvers", "sa,sign", "--reads",
            "200", "--time-limit", "none", "--seeds", "20", "--workers", "1", "--out", str(tmp_path / str(k)), "--json",
        ]  # fmt: skip
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for process in both:
            _, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
        assert rows(tmp_path / str(k)) == expected
    tally("two processes begin one study at once", tries, "they share it; every row once, both end with exit code 0")
