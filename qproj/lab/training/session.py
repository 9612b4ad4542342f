"""All runs of one call of `qproj train`: the plan, and the runs that are not stored yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qproj.lab.training import on_functions
from qproj.lab.training.experiments import OPTIMIZERS, Experiment
from qproj.lab.training.presets import preset as preset_of
from qproj.lab.training.run_folder import Store
from qproj.lab.training.settings import Config, Settings
from qproj.lab.training.tensorboard import events

if TYPE_CHECKING:
    from qproj.lab.training.data import Data


@dataclass(frozen=True)
class SessionProgress:
    """Runs done of all, and steps done of the one that is going on."""

    done: int
    runs: int
    config: Config
    step: int
    steps: int


def plan(
    experiment: Experiment, optimizers: Sequence[str], seeds: Sequence[int], *, preset: str = "best",
    solver: str = "auto", settings: dict[str, Settings] | None = None,
) -> list[Config]:  # fmt: skip
    """Return the configurations of optimisers × seeds; `settings` overrides the preset of some optimisers."""
    chosen = settings or {}
    configs = []
    for optimizer in optimizers:
        one = chosen[optimizer] if optimizer in chosen else preset_of(preset, experiment, optimizer)
        configs += [Config(experiment, optimizer, seed, one, solver) for seed in seeds]
    for config in configs:
        check(config)
    return configs


def check(config: Config) -> None:
    """Refuse an optimiser that an experiment has no use for.

    Raises
    ------
    ValueError
    """
    experiment = config.experiment
    known = experiment.optimizers if experiment.kind == "function" else OPTIMIZERS
    if config.optimizer not in known:
        raise ValueError(
            f"{experiment.name} is about {', '.join(known)}, not {config.optimizer}: --optimizers {','.join(known)}"
        )


def run_all(
    configs: Sequence[Config], folder: Path, *, checkpoint_s: float = 10.0,
    watch: Callable[[SessionProgress], None] | None = None, audit: int = 0,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the records of all configurations in order; runs that are stored are not done again.

    A run that was stopped continues from its last checkpoint, and ends with the weights it would have had. With `audit`
    (see :func:`qproj.lab.training.loop.run`), a stored run without one is done again, to the same weights.

    Raises
    ------
    ValueError
        A damaged file in `folder`, and what a run refuses.
    DataUnavailableError
        The experiment's data are not there.
    """
    store = Store(folder)
    found = [_usable(store.get(config), audit) for config in configs]
    loaded: dict[tuple[object, ...], Data] = {}
    done = sum(record is not None for record in found)
    for i, config in enumerate(configs):
        if found[i] is not None:
            continue

        def tell(step: int, steps: int, config: Config = config, done: int = done) -> None:
            if watch is not None:
                watch(SessionProgress(done, len(configs), config, step, steps))

        record = _one(config, folder, checkpoint_s, tell, loaded, audit)
        store.put(config, record)
        found[i] = record
        done += 1
    return [record for record in found if record is not None]


def _usable(record: dict[str, Any] | None, audit: int) -> dict[str, Any] | None:
    return None if record is not None and audit and "mean_audit_gap" not in record else record


def _one(
    config: Config,
    folder: Path,
    checkpoint_s: float,
    watch: on_functions.Watch,
    loaded: dict[tuple[object, ...], Data],
    audit: int,
) -> dict[str, Any]:
    if config.experiment.kind == "function":
        return _on_function(config, folder, watch)
    from qproj.lab.training import loop
    from qproj.lab.training.data import load

    drawn = config.tuning or config.experiment.shots > 0  # by the seed
    what = (config.experiment, config.tuning, config.seed if drawn else 0)
    if what not in loaded:
        loaded.clear()
        loaded[what] = load(config.experiment, tuning=config.tuning, seed=config.seed)
    return loop.run(config, folder, checkpoint_s=checkpoint_s, watch=watch, data=loaded[what], audit=audit)


def _on_function(config: Config, folder: Path, watch: on_functions.Watch) -> dict[str, Any]:
    """Seconds in all, so nothing is kept on the way, and its log is written at the end."""
    record = on_functions.run(config, watch)
    with events(folder, config, 0) as log:
        for row in record["history"]:
            log(row)
    return record
