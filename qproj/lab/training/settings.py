"""The hyper-parameters of a run, and everything that decides its outcome, in one value with a key."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from qproj.lab.training.experiments import Experiment, check_optimizer

#: Part of every key: raised when a run comes to mean something else.
KEY_VERSION = 2
SCHEDULES = ("constant", "linear", "cosine")

#: Words, goals and how it is tuned: no run depends on them.
_NO_PART = (
    "about", "paper", "target", "optimizers", "tuned_as", "schedule", "tuning_seeds", "tuning_epochs", "grid",
)  # fmt: skip

_COMMON = ("lr", "schedule", "momentum", "float_lr")
_PROJECTING = ("projection", "tau", "filter", "kappa", "sweeps", "targets", "every")
#: The settings of each optimiser; all others stay at their defaults.
TAKES: dict[str, tuple[str, ...]] = {
    "qpsbgd": (*_COMMON, *_PROJECTING),
    "projected": (*_COMMON, *_PROJECTING),
    "binaryconnect": _COMMON,
    "signsgd": (*_COMMON, "box"),
    "proxquant": (*_COMMON, "reg_rate"),
    "adam": (*_COMMON, "box"),
    "bop": ("lr", "schedule", "float_lr", "threshold"),
    "gd": _COMMON,
    "second-order": (*_COMMON, "tau"),
}


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters; an optimiser reads those that :data:`TAKES` names for it.

    Attributes
    ----------
    lr : float
        η at the first step.
    schedule : {"constant", "linear", "cosine"}
        η over the run: as it is, or falling to a hundredth of itself.
    momentum : float
        Of the gradient, or of V where it is projected from targets.
    float_lr : float
        Adam's, for float parameters.
    projection, tau, filter, kappa, sweeps, targets, every
        As for :class:`qproj.optim.Projector`.
    box : bool
        signSGD and Adam: keep W in [−1, 1].
    reg_rate : float
        ProxQuant: by how much λ grows per step.
    threshold : float
        Bop's.
    """

    lr: float = 0.01
    schedule: str = "constant"
    momentum: float = 0.0
    float_lr: float = 0.01
    projection: str = "curvature"
    tau: float | str = "auto"
    filter: float = 0.0
    kappa: float = 3.0
    sweeps: int = 5
    targets: str = "preactivations"
    every: int = 1
    box: bool = False
    reg_rate: float = 0.0
    threshold: float = 1e-6

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"lr is {self.lr}; a finite number > 0 is needed")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}; {', '.join(map(repr, SCHEDULES))} are allowed")

    @classmethod
    def of(cls, optimizer: str, given: Mapping[str, Any]) -> Settings:
        """Return the settings of one optimiser.

        Raises
        ------
        ValueError
            A setting that this optimiser does not have, or a value that is not allowed.
        """
        takes = TAKES[check_optimizer(optimizer)]
        foreign = sorted(set(given) - set(takes))
        if foreign:
            raise ValueError(f"{optimizer} has no setting {', '.join(foreign)}; it has {', '.join(takes)}")
        kinds: dict[str, Any] = {field.name: type(field.default) for field in fields(cls)} | {"tau": _tau}
        return cls(**{name: kinds[name](value) for name, value in given.items()})

    def factor(self, step: int, steps: int) -> float:
        """Return η_step/η_0, step from 0 on."""
        done = step / max(steps, 1)
        if self.schedule == "linear":
            return 1.0 - 0.99 * done
        if self.schedule == "cosine":
            return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))
        return 1.0

    def used(self, optimizer: str) -> dict[str, Any]:
        """Return the settings that this optimiser reads."""
        return {name: getattr(self, name) for name in TAKES[optimizer]}


def _tau(value: Any) -> float | str:
    return value if value == "auto" else float(value)


@dataclass(frozen=True)
class Config:
    """One run: two runs of equal keys give the same weights.

    Attributes
    ----------
    experiment : Experiment
    optimizer : str
    seed : int
        Of the first weights, the order of rows and the solver.
    settings : Settings
    solver : str
        Of the projection, as :func:`qproj.solvers.specs.parse_solver` reads it; unused where the optimiser has none.
    tuning : bool
        True: accuracy is that on the validation rows, and test rows are never read.
    """

    experiment: Experiment
    optimizer: str
    seed: int
    settings: Settings
    solver: str = "auto"
    tuning: bool = False

    @property
    def key(self) -> str:
        """Hex digest of all that decides the outcome."""
        settings = self.settings.used(self.optimizer)
        what = asdict(self.experiment)
        for label in _NO_PART:
            del what[label]
        content = {
            "version": KEY_VERSION, "experiment": what, "optimizer": self.optimizer, "seed": self.seed,
            "settings": settings, "solver": self.solver if projects(self.optimizer) else "", "tuning": self.tuning,
        }  # fmt: skip
        if self.filters_by_all_nodes:
            content["filter_rows"] = "all nodes"
        if self.tuning and self.experiment.draws_nodes:
            content["labelled nodes"] = "drawn"
        if self.tuning and self.experiment.data.startswith("karate"):
            content["degrees"] = "the club's"
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def filters_by_all_nodes(self) -> bool:
        """Whether the few-label filter takes the second moment of all nodes of a graph, labelled or not."""
        return self.experiment.kind == "graph" and projects(self.optimizer) and self.settings.filter > 0

    @property
    def label(self) -> str:
        """A file's name: readable, and unique by the key."""
        return f"{self.experiment.name}-{self.optimizer}-seed{self.seed}-{self.key[:12]}"


def projects(optimizer: str) -> bool:
    """Tell whether an optimiser projects, and therefore uses one of the solvers."""
    return optimizer in ("qpsbgd", "projected")
