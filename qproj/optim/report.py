"""What one projection of a model did, layer by layer: ready to log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class LayerReport:
    """One layer's projection.

    Attributes
    ----------
    name : str
    projection : str
        "sign", "margin", "linear" or "metric".
    objective, bound : float
        Summed over neurons; bound is NaN where the solver has none. For "margin", those of the sign projection.
    gap : float
        Mean over neurons: 0 at a proved optimum, 1 at worst; NaN without a bound.
    proved : float
        Share of neurons proved optimal.
    alignment, cosine : float
        c = ⟨−∇f, V⟩/‖∇f‖ with the straight-through gradient ∇f, and c/√N; NaN where ∇f = 0.
    seconds : float
    rows : int
        Rows given to the solver: those whose targets are not all 0.
    exact : bool
        Whether σ's argument is Z up to a scale; False where a threshold or BatchNorm comes between.
    implicit : bool
        Whether T = −∂L/∂Z, for want of a SignActivation.
    reused : bool
        Whether V is that of an earlier step.
    audit_gap : float or None
        (gain of the audit's solver − gain) / (2 Σ|t|) summed over neurons, where this step was audited.
    failures : int
        Neurons, or solvers for one, that a :class:`qproj.Fallback` had to replace; the logger "qproj" says how.
    """

    name: str
    projection: str
    objective: float
    bound: float
    gap: float
    proved: float
    alignment: float
    cosine: float
    seconds: float
    rows: int
    exact: bool = True
    implicit: bool = False
    reused: bool = False
    audit_gap: float | None = None
    failures: int = 0


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
        return {layer.name: asdict(layer) for layer in self.layers}
