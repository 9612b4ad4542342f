"""kill -9 and Ctrl-C in a run: the same command continues, and ends with the weights of a run left alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

#: What the nightly test found, committed: set QPROJ_KILL_RESULTS=1 to write it again.
RESULTS = Path(__file__).with_name("kills.json")


def command(name, out, *more):
    return [
        sys.executable, "-m", "qproj", "train", name, "--preset", "paper", "--optimizers", "projected",
        "--seeds", "1", "--no-pages", "--checkpoint-every", "0.02", "--json", "--out", str(out), *more,
    ]  # fmt: skip


def finish(name, out, *more):
    done = subprocess.run(command(name, out, *more), capture_output=True, text=True, timeout=3000, check=False)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)["runs"]
    return record, (out / "weights").glob("*.pt")


def start_and_wait_for_a_new_checkpoint(name, out, *more):
    """Start, and return when a checkpoint was written that was not there before; None if the run ended first."""
    known = _stamp(out)
    process = subprocess.Popen(command(name, out, *more), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 300
    while time.monotonic() < end:
        try:
            process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            if _stamp(out) > known:
                return process
            continue
        assert process.returncode == 0, process.stderr.read()
        process.stderr.close()
        return None
    process.kill()
    pytest.fail("no checkpoint in 300 s")


def _stamp(out):
    try:
        return max((path.stat().st_mtime_ns for path in (out / "checkpoints").glob("*.pt")), default=0)
    except FileNotFoundError:
        return 0


def _timeless(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


def killed(name, tmp_path, kills, *more):
    """Kill after each of some checkpoints, resume, compare; return how many kills hit, and both records."""
    whole, (weights,) = finish(name, tmp_path / "whole", *more)
    hits = 0
    for _ in range(kills):
        process = start_and_wait_for_a_new_checkpoint(name, tmp_path / "killed", *more)
        if process is None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()
        hits += 1
        assert not list((tmp_path / "killed").glob("runs/*.json"))
    resumed, (again,) = finish(name, tmp_path / "killed", *more)
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert _timeless(resumed["history"]) == _timeless(whole["history"])
    assert again.read_bytes() == weights.read_bytes()
    return hits, whole, resumed


@pytest.mark.slow
def test_a_killed_run_of_digits_ends_with_the_same_weights(tmp_path):
    hits, _, _ = killed("digits-0-2", tmp_path, 2, "--epochs", "60")
    assert hits >= 1


@pytest.mark.nightly
def test_a_killed_run_of_mnist_ends_with_the_same_weights(tmp_path, data_dir):
    hits, whole, resumed = killed("mnist-0-2", tmp_path, 5)
    assert hits >= 3
    if os.environ.get("QPROJ_KILL_RESULTS"):
        found = {
            "command": "QPROJ_KILL_RESULTS=1 pytest tests/lab/training/test_kills.py -m nightly",
            "experiment": "mnist-0-2",
            "steps": whole["steps"], "kills": hits, "weights_sha256_left_alone": whole["weights_sha256"],
            "weights_sha256_killed_and_resumed": resumed["weights_sha256"], "test_accuracy": whole["test_accuracy"],
        }  # fmt: skip
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


@pytest.mark.slow
def test_ctrl_c_says_what_is_kept_and_how_to_go_on(tmp_path):
    process = start_and_wait_for_a_new_checkpoint("digits-0-2", tmp_path, "--epochs", "400")
    assert process is not None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=250)
    assert process.returncode == 130
    assert "0 of 1 runs are kept" in err
    assert "the same command continues from there" in err
    assert "Traceback" not in err
