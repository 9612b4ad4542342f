"""Training in a process of its own, to be killed: `qproj train` with checkpoints as often as possible."""

import contextlib
import io
import json
import multiprocessing
import random
import signal
import time
from pathlib import Path

OPTIMIZERS = ("qpsbgd", "projected", "binaryconnect")
COMMAND = [
    "train", "digits-0-2", "--optimizers", ",".join(OPTIMIZERS), "--preset", "paper", "--seeds", "1",
    "--epochs", "6", "--checkpoint-every", "0.02", "--no-pages", "--json",
]  # fmt: skip
#: What depends on clocks alone.
TIMES = {"seconds", "projection_share"}


def train(folder):
    """Run the command in this process."""
    from qproj.cli import app

    with contextlib.redirect_stdout(io.StringIO()):
        app([*COMMAND, "--out", str(folder)], standalone_mode=False)


def server():
    """Return a context whose processes start with everything imported, and single-threaded."""
    context = multiprocessing.get_context("forkserver")
    heavy = ["torch", "torch.utils.tensorboard", "sklearn.datasets", "numba"]
    context.set_forkserver_preload([*heavy, "qproj.cli.train", "qproj.lab.training.loop", "qproj.solvers.builtin.auto"])
    return context


def begin(folder, context):
    process = context.Process(target=train, args=(folder,))
    process.start()
    return process


def finish(folder, context):
    """Run to the end; return the seconds it took and what came of it."""
    start = time.monotonic()
    process = begin(folder, context)
    process.join(300)
    assert process.exitcode == 0
    return time.monotonic() - start, records(folder)


def records(folder):
    """Return every run that is over, without its times, and its final weights' bytes."""
    import torch

    found = {}
    for path in sorted((Path(folder) / "runs").glob("*.json")):
        record = json.loads(path.read_text())
        weights = torch.load(Path(folder) / "weights" / f"{path.stem}.pt", weights_only=True)
        plain = {name: tensor.numpy().tobytes() for name, tensor in weights.items()}
        found[path.name] = (_timeless(record), plain)
    return found


def _timeless(record):
    history = [{key: value for key, value in row.items() if key not in TIMES} for row in record["history"]]
    return {key: value for key, value in record.items() if key not in TIMES} | {"history": history}


def killed_at_random(tmp_path, kills, seed):
    """Kill at moments drawn from the length of a whole session; return how many kills left a checkpoint behind."""
    context = server()
    finish(tmp_path / "warm", context)
    whole, reference = finish(tmp_path / "whole", context)
    assert len(reference) == len(OPTIMIZERS)
    rng, done, resumed, count, folder = random.Random(seed), 0, 0, 0, tmp_path / "killed0"
    while done < kills or (resumed == 0 and done < 10 * kills):  # a kill before the first checkpoint resumes nothing
        before = records(folder)
        process = begin(folder, context)
        process.join(rng.random() * whole)
        if process.exitcode is None:
            process.kill()
            process.join()
        if process.exitcode != 0:  # 0: it was over before the kill, if only by an instant
            assert process.exitcode == -signal.SIGKILL, process.exitcode
            done += 1
            resumed += any((folder / "checkpoints").glob("*.pt"))
        after = records(folder)
        assert set(before) <= set(after), "a run that was over is missing"
        assert all(after[name] == reference[name] for name in after)
        if len(after) == len(reference):
            count += 1
            folder = tmp_path / f"killed{count}"
    _, ended = finish(folder, context)
    assert ended == reference
    return resumed
