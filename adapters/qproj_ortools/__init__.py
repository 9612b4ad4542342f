"""OR-Tools: CP-SAT as an exact solver of projections and of plain models."""

from __future__ import annotations

from qproj_ortools.cpsat import CPSAT

__all__ = ["CPSAT"]
