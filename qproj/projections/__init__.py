"""What is solved: argmin problems over ±1 vectors, layers of them, and plain models, each scored by its definition."""

from __future__ import annotations

from qproj.projections.aggregation import Aggregated
from qproj.projections.base import Problem, Projection
from qproj.projections.curvature import CurvatureLayerProjection, CurvatureProjection
from qproj.projections.layer import Layer, LayerProjection, linear_layer
from qproj.projections.linear import LinearProjection
from qproj.projections.metric import MetricProjection
from qproj.projections.models import BQMProblem, CQMProblem, as_problem
from qproj.projections.sign import SignProjection

__all__ = [
    "Aggregated",
    "BQMProblem",
    "CQMProblem",
    "CurvatureLayerProjection",
    "CurvatureProjection",
    "Layer",
    "LayerProjection",
    "LinearProjection",
    "MetricProjection",
    "Problem",
    "Projection",
    "SignProjection",
    "as_problem",
    "linear_layer",
]
