"""One training run: from a configuration to its record, stopped at any moment and continued bit for bit."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from qproj._files import discard, plain
from qproj.lab.training import networks
from qproj.lab.training.checkpoints import each_within, read_checkpoint, write_checkpoint, write_tensors
from qproj.lab.training.data import Data, load
from qproj.lab.training.experiments import Experiment
from qproj.lab.training.optimizers import make_optimizer, set_rates
from qproj.lab.training.settings import Config, projects
from qproj.lab.training.tensorboard import events
from qproj.nn import model_summary
from qproj.optim import QPSBGD
from qproj.optim.binary_optimizer import BinaryOptimizer
from qproj.optim.projection_report import ProjectionReport

#: (step, steps): called after every step.
Watch = Callable[[int, int], None]


@dataclass
class _Progress:
    """Where a run stands: all of it is in the checkpoint."""

    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    projecting: float = 0.0
    figures: dict[str, list[float]] = field(default_factory=dict)
    batches: list[dict[str, float]] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)


def epoch_steps(experiment: Experiment, data: Data) -> int:
    """Return the number of steps of an epoch; incomplete batches are left out."""
    if experiment.batches:
        return experiment.batches
    if experiment.batch == 0:
        return 1
    return max(len(data.train) // experiment.batch, 1)


def batch_rows(experiment: Experiment, data: Data, seed: int, step: int) -> Tensor:
    """Return the training rows of a step: a new order in each pass over the rows, from (seed, pass) alone."""
    if experiment.batch == 0 or data.adjacency is not None:
        return data.train
    fitting = max(len(data.train) // experiment.batch, 1)
    order = np.random.default_rng([seed, 2, step // fitting]).permutation(len(data.train))
    start = (step % fitting) * experiment.batch
    return data.train[torch.from_numpy(order[start : start + experiment.batch])]


def run(
    config: Config, folder: Path | None = None, *, checkpoint_s: float = 10.0, watch: Watch | None = None,
    data: Data | None = None, audit: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Train a network and return its record.

    Parameters
    ----------
    config : Config
    folder : Path, optional
        Checkpoints go to ``folder/checkpoints``, the final weights to ``folder/weights`` and curves, as they grow, to
        ``folder/tensorboard``; a checkpoint that is there is continued. Without a folder, nothing is written.
    checkpoint_s : float
        Seconds between checkpoints.
    watch : callable, optional
        Called with (step, steps) after every step.
    data : Data, optional
        What :func:`qproj.lab.training.data.load` returns, where it was loaded before.
    audit : int
        Solve every k-th projection with "auto" too, for the gain that the run's solver missed; changes no weight.

    Returns
    -------
    dict
        Plain JSON: experiment, optimizer, seed, test_accuracy, best_val_test_accuracy, seconds, counts of parameters,
        ``history`` (a row per evaluation), ``weights_sha256`` and more.

    Raises
    ------
    ValueError
        A damaged checkpoint, targets that are not finite.
    DataUnavailableError
        The experiment's data are not there.
    """
    experiment = config.experiment
    found = load(experiment, tuning=config.tuning, seed=config.seed) if data is None else data
    total = experiment.epochs * epoch_steps(experiment, found)
    with _single_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = networks.build(experiment, found)
        optimizer = make_optimizer(model, config, audit=audit, nodes=found.x)
        set_rates(optimizer, 1.0)
        now = _Progress()
        file = None if folder is None else folder / "checkpoints" / f"{config.label}.pt"
        if file is not None and file.exists():
            now = _restore(file, model, optimizer)
        due = each_within(checkpoint_s, time.monotonic)
        marks = evaluation_steps(total, experiment.evaluations)
        with events(folder, config, now.step) as log:
            begun, before = time.perf_counter(), now.seconds
            while now.step < total:
                _step(config, model, optimizer, found, now, total)
                now.seconds = before + time.perf_counter() - begun
                if now.step in marks:
                    _evaluate(experiment, model, found, now)
                    log(now.history[-1])
                if file is not None and now.step < total and due():
                    _save(file, model, optimizer, now)
                if watch is not None:
                    watch(now.step, total)
        record = _record(config, model, now)
        if folder is not None and file is not None:
            write_tensors(folder / "weights" / f"{config.label}.pt", model.state_dict())
            discard(file)
    return record


def evaluation_steps(steps: int, count: int) -> set[int]:
    """Return `count` steps, evenly spread, the last among them; all where there are fewer."""
    return {math.ceil(steps * (i + 1) / count) for i in range(count)}


def _step(config: Config, model: nn.Module, optimizer: BinaryOptimizer, data: Data, now: _Progress, total: int) -> None:
    model.train()
    set_rates(optimizer, config.settings.factor(now.step, total))
    rows = batch_rows(config.experiment, data, config.seed, now.step)

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = networks.loss(networks.scores(model, config.experiment, data, rows), data.y[rows])
        value.backward()  # type: ignore[no-untyped-call]
        return value.detach()

    value = float(optimizer.step(closure))
    now.step += 1
    now.losses.append(value)
    if config.experiment.on_batches:
        now.batches.append({
            "loss": value, "accuracy": networks.accuracy(model, config.experiment, data, rows),
        })  # fmt: skip
    if isinstance(optimizer, QPSBGD) and optimizer.last_report is not None:
        _follow(optimizer.last_report, now)


def _follow(report: ProjectionReport, now: _Progress) -> None:
    """Add what one projection did to the figures of the present part of the run."""
    now.projecting += report.seconds
    for layer in report.values():
        for name in ("gap", "audit_gap", "cosine", "agreement", "tau"):
            value = getattr(layer, name)
            if value is not None and math.isfinite(value):
                now.figures.setdefault(name, []).append(float(value))


def _evaluate(experiment: Experiment, model: nn.Module, data: Data, now: _Progress) -> None:
    val = networks.accuracy(model, experiment, data, data.val)
    row: dict[str, float] = {
        "step": now.step, "seconds": round(now.seconds, 3), "loss": _mean(now.losses),
        "train": networks.accuracy(model, experiment, data, data.train[:2000]), "val": val,
        "test": val if data.test is data.val else networks.accuracy(model, experiment, data, data.test),
    }  # fmt: skip
    now.history.append(row | {name: _mean(values) for name, values in now.figures.items()})
    now.losses, now.figures = [], {}


def _record(config: Config, model: nn.Module, now: _Progress) -> dict[str, Any]:
    experiment = config.experiment
    last = now.history[-1]
    # the earliest of the best; without validation rows, the last
    best = last if math.isnan(last["val"]) else max(now.history, key=lambda row: row["val"])
    counts = model_summary(model)
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    extra: dict[str, Any] = {"projection_share": now.projecting / now.seconds} if now.projecting else {}
    if now.batches:
        extra["batches"] = now.batches
    for name in ("gap", "audit_gap"):
        values = [row[name] for row in now.history if name in row]
        if values:
            extra[f"mean_{name}"] = _mean(values)
    record: dict[str, Any] = {
        "experiment": experiment.name, "optimizer": config.optimizer, "seed": config.seed,
        "test_accuracy": last["test"], "best_val_test_accuracy": best["test"], "val_accuracy": last["val"],
        "seconds": round(now.seconds, 3), "binary_parameters": counts.binary, "float_parameters": counts.floats,
        "steps": now.step, "epochs": experiment.epochs, "settings": config.settings.used(config.optimizer),
        "solver": config.solver if projects(config.optimizer) else None, "weights_sha256": digest.hexdigest(),
        "key": config.key, **extra, "history": now.history,
    }  # fmt: skip
    return {name: plain(value) for name, value in record.items()}


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _save(file: Path, model: nn.Module, optimizer: BinaryOptimizer, now: _Progress) -> None:
    write_checkpoint(
        file,
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "progress": dict(vars(now)),
        },
    )


def _restore(file: Path, model: nn.Module, optimizer: BinaryOptimizer) -> _Progress:
    state = read_checkpoint(file)
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch_rng"])
        return _Progress(**state["progress"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{file} is a checkpoint of something else ({type(error).__name__}); delete it, and the run starts again"
        ) from error


@contextmanager
def _single_thread() -> Iterator[None]:
    """One thread: sums do not depend on the number of cores, and runs side by side do not fight for them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
