"""kill -9 at random moments: what was reported is there once, and what is resumed ends as what nobody killed."""

import os
import random
import signal
import subprocess
import sys

import pytest
import trained

from qproj.lab.studies.store import FILE, StudyStore

COMMAND = [
    sys.executable, "-m", "qproj", "compare", "--instances", "random", "--solvers", "sa,tabu,sign",
    "--reads", "20", "--time-limit", "none", "--seeds", "20", "--max-neurons", "10", "--workers", "2", "--json",
]  # fmt: skip
COLUMNS = "key, num_reads, seed, status, termination, gain, objective, gain_bound, raw_gain, best, read_gains, stats"


def start(folder):
    return subprocess.Popen(
        [*COMMAND, "--out", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def rows(folder):
    """Return every run's row as far as it does not depend on clocks, and check the file."""
    store = StudyStore(folder)
    found = [tuple(row) for row in store.query(f"SELECT {COLUMNS} FROM run ORDER BY key")]
    assert store.query("PRAGMA integrity_check")[0][0] == "ok"
    assert not store.query("PRAGMA foreign_key_check")
    store.close()
    assert len({row[0] for row in found}) == len(found)
    return found


def finish(folder):
    process = start(folder)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    return rows(folder)


def killed_at_random(tmp_path, kills, seed):
    """Kill until `kills` came at a moment when the study was running; return how many rows went missing."""
    reference = {row[0]: row for row in finish(tmp_path / "whole")}
    assert len(reference) > 100
    rng, done, folder, count = random.Random(seed), 0, tmp_path / "killed0", 0
    while done < kills:
        before = rows(folder) if (folder / FILE).is_file() else []
        process = start(folder)
        try:
            process.wait(timeout=rng.uniform(0.2, 6.0))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
        process.stderr.close()
        if (folder / FILE).is_file():
            after = rows(folder)
            assert set(before) <= set(after)
            assert set(after) <= set(reference.values())
            if len(after) == len(reference):  # finished before the kill: the next one
                count += 1
                folder = tmp_path / f"killed{count}"
    assert finish(folder) == [reference[key] for key in sorted(reference)]


@pytest.mark.slow
def test_five_kills_of_a_study(tmp_path, tally):
    killed_at_random(tmp_path, 5, seed=1)
    tally("kill -9 of a study", 5, "the same command continues; every row as in a study that nobody killed")


@pytest.mark.nightly
def test_a_hundred_kills_of_a_study(tmp_path, tally):
    killed_at_random(tmp_path, 95, seed=2)
    tally("kill -9 of a study", 95, "the same command continues; every row as in a study that nobody killed")


TRAINING = "the same command continues; records and weights, bit for bit, as of a training that nobody killed"


@pytest.mark.slow
def test_five_kills_of_training(tmp_path, tally):
    assert trained.killed_at_random(tmp_path, 5, seed=1) > 0
    tally("kill -9 of training", 5, TRAINING)


@pytest.mark.nightly
def test_a_hundred_kills_of_training(tmp_path, tally):
    assert trained.killed_at_random(tmp_path, 95, seed=2) > 40
    tally("kill -9 of training", 95, TRAINING)
