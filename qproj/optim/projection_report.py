"""What one projection of a model did, layer by layer: ready to log."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from qproj.optim.cpu_passes import alignment_on_cpu


@dataclass(frozen=True)
class LayerReport:
    """One layer's projection.

    Figures are read from the device when they are first asked for, so that a projection alone never waits for it.

    Attributes
    ----------
    name : str
    projection : str
        "curvature", "sign", "margin", "linear" or "metric".
    seconds : float
    rows : int
        Rows that the projection rests on: those of the second moment, or those whose targets are not all 0.
    exact : bool
        Whether σ's argument is Z up to a scale; False where a bias, threshold or BatchNorm comes between.
    implicit : bool
        Whether T = −∂L/∂Z: always by default, and with ``targets="outputs"`` where no SignActivation follows.
    reused : bool
        Whether V is that of an earlier step.
    failures : int
        Neurons, or solvers for one, that a :class:`qproj.Fallback` had to replace; the logger "qproj" has the reasons.
    tau : float or None
        τ of the curvature projection.
    figures : mapping
        The numbers below, as they were computed.
    """

    name: str
    projection: str
    seconds: float
    rows: int
    exact: bool = True
    implicit: bool = False
    reused: bool = False
    failures: int = 0
    tau: float | None = None
    figures: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def _figure(self, name: str) -> float:
        return float(self.figures.get(name, math.nan))

    @property
    def objective(self) -> float:
        """Summed over neurons. For "margin", that of the sign projection."""
        return self._figure("objective")

    @property
    def bound(self) -> float:
        """Lower bound on the objective, summed over neurons; NaN where the solver has none."""
        return self._figure("bound")

    @property
    def gap(self) -> float:
        """Mean over neurons: 0 at a proved optimum, 1 at worst; NaN without a bound."""
        return self._figure("gap")

    @property
    def proved(self) -> float:
        """Share of neurons that are proved optimal."""
        return float(self.figures.get("proved", 0.0))

    @property
    def alignment(self) -> float:
        """c = ⟨−∇f, V⟩/‖∇f‖ with the straight-through gradient ∇f; NaN where ∇f = 0."""
        return self._figure("alignment")

    @property
    def cosine(self) -> float:
        """c/√N."""
        return self._figure("alignment") / math.sqrt(self._figure("size"))

    @property
    def agreement(self) -> float:
        """Share of V that agrees with sign(h), the direction of signSGD with the same momentum; NaN without h."""
        return self._figure("agreement")

    @property
    def audit_gap(self) -> float | None:
        """What was lost against the audit's solver, summed over neurons, where this step was audited.

        (Its gain − gain) / (2 Σ|t|); for "curvature" the difference of the model's values over the sum of their gap
        scales.
        """
        value = self.figures.get("audit_gap")
        return None if value is None else float(value)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, for logs."""
        plain = {name: value for name, value in vars(self).items() if name != "figures"}
        for name in ("objective", "bound", "gap", "proved", "alignment", "cosine", "agreement", "audit_gap"):
            plain[name] = getattr(self, name)
        return plain


@dataclass(frozen=True)
class ProjectionReport(Mapping[str, LayerReport]):
    """All layers of one projection, by name."""

    layers: tuple[LayerReport, ...]

    def __getitem__(self, name: str) -> LayerReport:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (layer.name for layer in self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def seconds(self) -> float:
        """Seconds spent projecting, in all."""
        return sum(layer.seconds for layer in self.layers)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain numbers, for logs."""
        return {layer.name: layer.to_dict() for layer in self.layers}


@dataclass(frozen=True, eq=False)
class Direction:
    """V of one layer, whether its gradient was finite, and the report; a gradient that is not stays as it is."""

    V: Tensor
    finite: Tensor
    report: LayerReport


def alignment(grad: Tensor, V: Tensor) -> dict[str, Any]:
    """Return c = ⟨−∇f, V⟩/‖∇f‖ of a layer, not yet read from the device, and the number of weights."""
    slope, step = grad.detach().reshape(-1).float(), V.detach().reshape(-1).float()
    if slope.is_cpu:
        return {"alignment": alignment_on_cpu(slope, step), "size": grad.numel()}
    return {"alignment": torch.dot(slope, step).neg_() / torch.dot(slope, slope).sqrt_(), "size": grad.numel()}


def is_finite(grad: Tensor) -> Tensor:
    """Return whether all entries are finite, as a scalar that was not yet read from the device."""
    total = grad.detach().float().sum()  # an infinite or undefined entry makes the sum so
    return total.sub(total) == 0
