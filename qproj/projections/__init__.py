"""What is solved: argmin problems over ±1 vectors, each scored by its own definition."""

from __future__ import annotations

from qproj.projections.aggregation import Aggregated
from qproj.projections.base import Projection
from qproj.projections.layer import LayerProjection, linear_layer
from qproj.projections.linear import LinearProjection
from qproj.projections.metric import MetricProjection
from qproj.projections.sign import SignProjection

__all__ = [
    "Aggregated",
    "LayerProjection",
    "LinearProjection",
    "MetricProjection",
    "Projection",
    "SignProjection",
    "linear_layer",
]
