"""RC2, the core-guided MaxSAT solver of PySAT, as the solver ``rc2``."""

from __future__ import annotations

from qproj_pysat.rc2 import RC2

__all__ = ["RC2"]
