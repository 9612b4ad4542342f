"""The declared grid of every optimiser, as many trials each, and the choice among them on validation rows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from qproj.lab.training.experiments import Experiment, check_optimizer
from qproj.lab.training.session import SessionProgress, run_all
from qproj.lab.training.settings import Config, Settings

#: The first seed of trials; results are measured with seeds from 0 on.
FIRST_SEED = 1000


def grid(experiment: Experiment, optimizer: str) -> tuple[Settings, ...]:
    """Return the settings that are tried: of the same number for all optimisers of an experiment."""
    check_optimizer(optimizer)
    rows = GRIDS[experiment.grid][optimizer] if experiment.grid else ()
    return tuple(Settings.of(optimizer, {"schedule": experiment.schedule, **row}) for row in rows)


def trials(experiment: Experiment, optimizer: str, *, solver: str = "auto") -> list[Config]:
    """Return every trial of an optimiser: grid × seeds, accuracy on validation rows, test rows never read."""
    seeds = range(FIRST_SEED, FIRST_SEED + experiment.tuning_seeds)
    shorter = replace(experiment, epochs=experiment.tuning_epochs or experiment.epochs)
    return [
        Config(shorter, optimizer, seed, settings, solver, tuning=True)
        for settings in grid(experiment, optimizer)
        for seed in seeds
    ]


def tune(
    experiment: Experiment, optimizer: str, folder: Path, *, solver: str = "auto", checkpoint_s: float = 10.0,
    watch: Callable[[SessionProgress], None] | None = None,
) -> Settings:  # fmt: skip
    """Return the settings of the grid with the highest validation accuracy; see :func:`best`.

    Trials are runs like any others: those stored in `folder` are not done again.

    Parameters
    ----------
    experiment : Experiment
    optimizer : str
    folder : Path
        Of :func:`qproj.lab.training.session.run_all`.
    solver, checkpoint_s, watch
        As for it.

    Raises
    ------
    ValueError
        An unknown optimiser, an experiment without accuracy, and what a run refuses.
    DataUnavailableError
        The experiment's data are not there.
    """
    if experiment.kind == "function":
        raise ValueError(f"{experiment.name} has no validation rows, so nothing to tune on: leave --tune out")
    if not experiment.grid:
        raise ValueError(f"{experiment.name} is run with published settings, which are not tuned: leave --tune out")
    configs = trials(experiment, optimizer, solver=solver)
    return best(optimizer, run_all(configs, folder, checkpoint_s=checkpoint_s, watch=watch))


def best(optimizer: str, records: Sequence[dict[str, Any]]) -> Settings:
    """Return the settings of the best trials: the mean over seeds of the last accuracy.

    Among equals, the one whose accuracy was higher on the way, then the first of the grid.
    """
    if not records:
        raise ValueError(f"no trials of {optimizer}: nothing to choose from")
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(repr(sorted(record["settings"].items())), []).append(record)
    winner = max(groups.values(), key=_merit)  # the first of equals
    return Settings.of(optimizer, winner[0]["settings"])


def _merit(records: Sequence[dict[str, Any]]) -> tuple[float, float]:
    last = statistics.fmean(record["test_accuracy"] for record in records)
    way = statistics.fmean(row["test"] for record in records for row in record["history"])
    return round(last, 9), round(way, 9)


def _rows(fixed: dict[str, Any], **values: Sequence[Any]) -> tuple[dict[str, Any], ...]:
    return tuple({**fixed, **dict(zip(values, row))} for row in product(*values.values()))


_PROJECTING = ("qpsbgd", "projected")
#: Step sizes of gradients span more than those of signs.
_RATES = (0.04, 0.2, 1.0, 5.0, 25.0, 125.0)
#: Twelve trials each.
_ROWS: dict[str, tuple[dict[str, Any], ...]] = {
    **dict.fromkeys(_PROJECTING, _rows({}, tau=("auto", 1.0, 4.0), momentum=(0.5, 0.8), lr=(0.02, 0.1))),
    "binaryconnect": _rows({}, momentum=(0.0, 0.9), lr=_RATES),
    "signsgd": _rows({"box": True}, momentum=(0.8, 0.9), lr=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1)),
    "proxquant": _rows({"momentum": 0.9}, reg_rate=(1e-5, 1e-3), lr=_RATES),
    "adam": _rows({"momentum": 0.9}, box=(False, True), lr=(3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1)),
    "bop": _rows({}, threshold=(1e-5, 1e-4, 3e-4, 1e-3), lr=(1e-4, 1e-3, 0.01)),
}
#: Sixteen each, where labels are few: the filter is ours, further step sizes are the baselines'.
_FEW: dict[str, tuple[dict[str, Any], ...]] = {
    **dict.fromkeys(_PROJECTING, _rows({}, filter=(0.0, 30.0), tau=(1.0, 2.0), momentum=(0.5, 0.8), lr=(0.05, 0.1))),
    "binaryconnect": _rows({}, momentum=(0.0, 0.9), lr=(*_RATES, 625.0, 3000.0)),
    "signsgd": _rows({"box": True}, momentum=(0.0, 0.5, 0.8, 0.9), lr=(0.01, 0.02, 0.05, 0.1)),
    "proxquant": _rows({"momentum": 0.9}, reg_rate=(1e-5, 1e-3), lr=(*_RATES, 625.0, 3000.0)),
    "adam": _rows({"momentum": 0.9}, box=(False, True), lr=(3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0)),
    "bop": _rows({}, threshold=(1e-5, 1e-4, 3e-4, 1e-3), lr=(1e-4, 1e-3, 0.01, 0.1)),
}
#: 24 each on graphs.
_GRAPH: dict[str, tuple[dict[str, Any], ...]] = {
    **dict.fromkeys(
        _PROJECTING, _rows({}, filter=(0.0, 30.0), tau=(1.0, 2.0, 4.0), momentum=(0.5, 0.8), lr=(0.05, 0.1))
    ),
    "binaryconnect": _rows({}, momentum=(0.0, 0.5, 0.9), lr=(*_RATES, 625.0, 3000.0)),
    "signsgd": _rows({"box": True}, momentum=(0.0, 0.5, 0.8, 0.9), lr=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2)),
    "proxquant": _rows({"momentum": 0.9}, reg_rate=(1e-5, 1e-4, 1e-3), lr=(*_RATES, 625.0, 3000.0)),
    "adam": _rows(
        {"momentum": 0.9}, box=(False, True),
        lr=(1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    ),
    "bop": _rows({}, threshold=(1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3), lr=(1e-4, 1e-3, 0.01, 0.1)),
}  # fmt: skip
#: Eight each where a run takes many minutes: smaller steps than those of three epochs, and more momentum.
_LONG: dict[str, tuple[dict[str, Any], ...]] = {
    **dict.fromkeys(_PROJECTING, _rows({"tau": 4.0}, momentum=(0.8, 0.95), lr=(0.005, 0.01, 0.02, 0.04))),
    "binaryconnect": _rows({}, momentum=(0.0, 0.9), lr=(0.2, 1.0, 5.0, 25.0)),
    "signsgd": _rows({"box": True}, momentum=(0.8, 0.95), lr=(0.001, 0.002, 0.005, 0.01)),
    "proxquant": _rows({"momentum": 0.9}, reg_rate=(1e-5, 1e-3), lr=(0.2, 1.0, 5.0, 25.0)),
    "adam": _rows({"momentum": 0.9}, box=(False, True), lr=(0.001, 0.003, 0.01, 0.03)),
    "bop": _rows({}, threshold=(1e-5, 1e-4, 3e-4, 1e-3), lr=(1e-4, 1e-3)),
}
_SIGN = _rows({"projection": "sign"}, momentum=(0.0, 0.9), lr=(0.02, 0.1))
#: By name. Where runs take seconds, a third of ours is the sign projection; where a class has one label, half is the
#: article's.
GRIDS: dict[str, dict[str, tuple[dict[str, Any], ...]]] = {
    "rows": _ROWS,
    "small": _ROWS | dict.fromkeys(
        _PROJECTING, (*_rows({}, tau=("auto", 4.0), momentum=(0.5, 0.8), lr=(0.02, 0.1)), *_SIGN)
    ),
    "few": _FEW,
    "long": _LONG,
    "graphs": _GRAPH,
    "fewest": _GRAPH | dict.fromkeys(_PROJECTING, (
        *_rows({"momentum": 0.5}, filter=(0.0, 30.0), tau=(1.0, 2.0, 4.0), lr=(0.05, 0.1)),
        *_rows({"projection": "sign", "targets": "outputs"}, momentum=(0.0, 0.9), lr=(0.01, 0.02, 0.05, 0.1, 0.2, 0.4)),
    )),
}  # fmt: skip
