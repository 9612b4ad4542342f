"""HiGHS as an exact solver of projections and of plain models."""

from __future__ import annotations

from qproj_highs.highs import HiGHS

__all__ = ["HiGHS"]
