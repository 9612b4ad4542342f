"""The values that ship with the package, by experiment and optimiser: the plain method of the paper, and tuned ones."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from qproj.lab.training import on_functions
from qproj.lab.training.experiments import Experiment, check_optimizer
from qproj.lab.training.settings import Settings

PRESETS = ("best", "paper")
FILE = "presets.toml"
#: Both versions of QP-SBGD read the same settings, so one is tuned.
_TUNED_AS = {"projected": "qpsbgd"}


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(resources.files("qproj.lab.training").joinpath(FILE).read_text(encoding="utf-8"))


def preset(name: str, experiment: Experiment, optimizer: str) -> Settings:
    """Return the settings of a preset: "best" was tuned on validation rows, "paper" is arXiv 2310.15128's method.

    Raises
    ------
    ValueError
        Another preset or optimiser.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset is called {name!r}; there are {', '.join(PRESETS)}")
    check_optimizer(optimizer)
    table = _table()[name]
    if name == "best" and experiment.kind == "function" and experiment.preset not in table:
        return on_functions.best(experiment, optimizer)
    if name == "paper":
        return Settings.of(optimizer, table[optimizer])
    tuned = table.get(experiment.preset, {})
    try:
        return Settings.of(optimizer, tuned[_TUNED_AS.get(optimizer, optimizer)])
    except KeyError:
        raise ValueError(
            f"preset {name!r} has no values of {optimizer} for {experiment.name}; use --tune, or --preset paper"
        ) from None
