"""What can be chosen about the projection of a model's gradients, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from qproj.optim.batch import check_targets
from qproj.optim.target_projections import PROJECTIONS
from qproj.solvers.contract import check_limits

#: τ without a closure: the step is aligned with the gradient by construction, c ≥ ½ (docs: convergence).
DEFAULT_TAU = 1.0
#: Sweeps by default: of flips from the last direction, and of annealing on the margin surrogate.
SWEEPS = {"curvature": 5, "margin": 20}


@dataclass
class ProjectionSettings:
    """The options of a :class:`~qproj.optim.Projector`; its docstring describes them.

    ``tau``, ``kappa`` and ``time_limit_s`` may be changed between steps.

    Raises
    ------
    TypeError, ValueError
        An option that is not allowed, with those that are.
    """

    projection: str
    tau: float
    momentum: float
    sweeps: int
    filter: float
    filter_rows: Tensor | None
    refresh: int
    max_rows: int
    targets: str
    seed: int
    time_limit_s: float | None
    num_reads: int | None
    kappa: float
    scale: float | str
    metric: NDArray[Any] | None
    every: int
    hint: str | None
    audit: int
    error_if_nonfinite: bool
    group: Any

    def __post_init__(self) -> None:
        check_limits(self.time_limit_s, self.seed, self.num_reads)
        check_targets(self.targets)
        self._check_choices()
        self._check_numbers()

    def _check_choices(self) -> None:
        if self.projection not in PROJECTIONS:
            raise ValueError(f"projection is {self.projection!r}; {', '.join(map(repr, PROJECTIONS))} are allowed")
        if self.hint not in (None, "last", "weights"):
            raise ValueError(f"hint is {self.hint!r}; None, 'last' or 'weights' is allowed")
        if self.metric is not None and self.projection != "metric":
            raise ValueError(f"metric belongs to projection='metric', not {self.projection!r}: leave one of them out")
        if self.audit and self.projection not in ("curvature", "sign", "margin"):
            raise ValueError(f"audit is of curvature, sign and margin, not of {self.projection!r}: set audit=0")

    def _check_numbers(self) -> None:
        if not 0 <= self.tau < float("inf"):
            raise ValueError(
                f"tau is {self.tau}; a finite number ≥ 0 is allowed: 0 is signSGD, 4 suits networks of signs"
            )
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}; a number in [0, 1) is allowed: 0 switches it off")
        if not 0 <= self.filter < float("inf"):
            raise ValueError(f"filter is {self.filter}; a finite number ≥ 0 is allowed: 0 switches it off")
        if self.filter_rows is not None and (self.filter_rows.ndim != 2 or not len(self.filter_rows)):
            raise ValueError(
                f"filter_rows has shape {tuple(self.filter_rows.shape)}; (n, d) is needed: inputs of the first layer"
            )
        for name, least in {"every": 1, "refresh": 1, "max_rows": 1, "audit": 0, "sweeps": 0}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; an integer ≥ {least} is allowed")


def checked_tau(tau: float | str) -> float:
    """Return τ as a number; "auto" begins at the default."""
    if isinstance(tau, str):
        if tau != "auto":
            raise ValueError(f"tau is {tau!r}; a number ≥ 0 or 'auto' is allowed")
        return DEFAULT_TAU
    return float(tau)


def checked_metric(metric: ArrayLike | None) -> NDArray[Any] | None:
    """Return M as an array, or None."""
    return None if metric is None else np.asarray(metric, np.float64)
