"""Gurobi as an exact solver of projections and of plain models."""

from __future__ import annotations

from qproj_gurobi.gurobi import Gurobi

__all__ = ["Gurobi"]
