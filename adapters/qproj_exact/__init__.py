"""Exact, a pseudo-Boolean solver with cutting-planes proofs in whole numbers, as the solver ``exact``."""

from __future__ import annotations

from qproj_exact.exact import Exact

__all__ = ["Exact"]
