"""SCIP as an exact solver of projections and of plain models."""

from __future__ import annotations

from qproj_scip.scip import SCIP

__all__ = ["SCIP"]
