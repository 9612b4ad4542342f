"""The store: what it refuses, leases, two processes, kills at random moments."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from qproj.lab.studies.frame import read_runs
from qproj.lab.studies.schema import SCHEMA
from qproj.lab.studies.store import FILE, StudyStore
from qproj.lab.studies.study import Study


def test_another_database_a_newer_one_and_no_database_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no study"):
        StudyStore(tmp_path)
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("CREATE TABLE things (x)")
    other.commit()
    other.close()
    with pytest.raises(ValueError, match="not a study of qproj"):
        StudyStore(tmp_path)
    (tmp_path / FILE).unlink()
    StudyStore(tmp_path, create=True).close()
    newer = sqlite3.connect(tmp_path / FILE)
    newer.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    newer.close()
    with pytest.raises(ValueError, match="upgrade qproj"):
        StudyStore(tmp_path)
    (tmp_path / FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(ValueError, match="not a readable study"):
        StudyStore(tmp_path)


def test_a_full_disk_is_said_and_finished_runs_are_kept(tmp_path, layers):
    study = Study(tmp_path, layers, "sign", seeds=1)
    study.run(workers=1)
    store = StudyStore(tmp_path)
    pages = store.query("PRAGMA page_count")[0][0]
    store.query(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OSError, match="free some space and run the same command"):
        store.register(study.plan, {"filler": "x" * 1_000_000})
    assert len(store.done()) == 6
    store.close()


def test_foreign_keys_and_types_are_enforced(tmp_path):
    store = StudyStore(tmp_path, create=True)
    with pytest.raises(sqlite3.IntegrityError):
        store.query("INSERT INTO neuron VALUES (99, 0, 'k', 1.0, 1, 1, 1)")
    assert store.query("PRAGMA journal_mode")[0][0] == "wal"
    store.close()


def test_a_batch_belongs_to_one_living_process(tmp_path):
    first, second = StudyStore(tmp_path, create=True), StudyStore(tmp_path)
    assert first.claim("batch")
    assert not second.claim("batch")
    assert second.claim("other")
    first.close()
    assert second.claim("batch")
    second.close()


_OPEN_ALL = """
import sys, time
from pathlib import Path
from qproj.lab.studies.store import StudyStore
print("ready", flush=True)
start = float(sys.stdin.readline())
for number in range(60):
    while time.time() < start + 0.02 * number:
        pass
    StudyStore(Path(sys.argv[1]) / str(number), create=True).close()
"""


def test_two_processes_may_make_a_study_at_the_same_moment(tmp_path):
    """Switching a file to WAL mode fails at once where another process does it: SQLite's time-out does not cover it."""
    command = [sys.executable, "-c", _OPEN_ALL, str(tmp_path)]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
    start = f"{time.time() + 0.1}\n"
    for process in both:
        process.stdin.write(start)
        process.stdin.flush()
    ends = [process.communicate(timeout=60)[1] for process in both]
    assert ends == ["", ""]


def test_leases_of_the_dead_are_free(tmp_path):
    store = StudyStore(tmp_path, create=True)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    import socket

    store.query("INSERT INTO owner VALUES ('gone', ?, ?, ?)", (socket.gethostname(), dead.pid, time.time()))
    store.query("INSERT INTO lease VALUES ('a', 'gone')")
    store.query("INSERT INTO owner VALUES ('silent', 'elsewhere', 1, ?)", (time.time() - 1000,))
    store.query("INSERT INTO lease VALUES ('b', 'silent')")
    store.query("INSERT INTO owner VALUES ('alive', 'elsewhere', 1, ?)", (time.time(),))
    store.query("INSERT INTO lease VALUES ('c', 'alive')")
    assert [store.claim(batch) for batch in "abc"] == [True, True, False]
    store.close()


# Prints each run's key when the study reports it.
_SCRIPT = """
import sys
from pathlib import Path
from qproj.lab.studies.pool import WorkerPool
from qproj.lab.studies.running import StudySession
from qproj.lab.studies.study import Study
study = Study(sys.argv[1], ["random"], "sa,sign,random", reads=[20], seeds=3, max_neurons=10)
seen = set()
with WorkerPool(2, log=study.folder / "log.txt") as pool, StudySession(study.plan, study.folder, pool) as session:
    def tell(now):
        for key in sorted(session.finished - seen):
            seen.add(key)
            print(key, flush=True)
    session.on_progress = tell
    session.run()
print("complete", flush=True)
"""


def _start(folder):
    return subprocess.Popen([sys.executable, "-c", _SCRIPT, str(folder)], stdout=subprocess.PIPE, text=True)


def _rows(folder):
    store = StudyStore(folder)
    runs = read_runs(store)
    check = store.query("PRAGMA integrity_check")[0][0]
    broken = store.query("PRAGMA foreign_key_check")
    store.close()
    assert check == "ok"
    assert not broken
    return runs["run"].tolist() if len(runs) else []


def _kill_and_go_on(folder, kills):
    rng = random.Random(0)
    reported = set()
    for _ in range(kills):
        process = _start(folder)
        wanted = rng.randrange(1, 12)  # dies at some moment after so many reports
        for _ in range(wanted):
            line = process.stdout.readline().strip()
            if not line or line == "complete":
                break
            reported.add(line)
        os.kill(process.pid, signal.SIGKILL)
        rest = [line.strip() for line in process.stdout.readlines()]
        process.wait()
        reported |= {line for line in rest if line and line != "complete"}
        if (folder / FILE).is_file():
            rows = _rows(folder)
            assert len(rows) == len(set(rows))
            assert reported <= set(rows)
    process = _start(folder)
    output = process.communicate(timeout=120)[0]
    assert output.strip().endswith("complete")
    study = Study(folder, ["random"], "sa,sign,random", reads=[20], seeds=3, max_neurons=10)
    rows = _rows(folder)
    assert sorted(rows) == sorted(run.key for run in study.plan.runs)


@pytest.mark.slow
def test_a_kill_loses_no_reported_row_doubles_none_and_leaves_none_half(tmp_path):
    _kill_and_go_on(tmp_path, 5)


@pytest.mark.nightly
def test_fifty_kills(tmp_path):
    _kill_and_go_on(tmp_path, 50)


@pytest.mark.slow
def test_two_processes_share_one_study(tmp_path):
    both = [_start(tmp_path), _start(tmp_path)]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert all(output.strip().endswith("complete") for output in outputs)
    rows = _rows(tmp_path)
    study = Study(tmp_path, ["random"], "sa,sign,random", reads=[20], seeds=3, max_neurons=10)
    assert sorted(rows) == sorted(run.key for run in study.plan.runs)
    store = StudyStore(tmp_path)
    assert not store.query("SELECT * FROM lease")
    assert len({row[0] for row in store.query("SELECT environment FROM run")}) == 2
    store.close()


@pytest.mark.slow
def test_workers_end_with_their_parent(tmp_path):
    process = _start(tmp_path)
    process.stdout.readline()
    children = subprocess.run(
        ["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True, check=True
    ).stdout.split()
    assert children
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    end = time.monotonic() + 30
    alive = children
    while alive and time.monotonic() < end:
        alive = [pid for pid in children if os.path.exists(f"/proc/{pid}") and not _is_zombie(pid)]
    assert not alive


def _is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
