"""Heuristic and exact searches on plain arrays: no Problem, no Solution, no validation beyond shapes."""

from __future__ import annotations

import os
from pathlib import Path

from qproj.solvers.redact import logger


def _announce() -> None:
    """Say, once an installation, that the first call compiles: numba keeps what it compiled beside these files."""
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).parent / "__pycache__")
    if next(folder.rglob("*.nbi"), None) is None:
        logger().warning(
            "the built-in searches are compiled at their first call, a minute or so in all, and kept for later "
            "processes; `qproj doctor --warm` does it in advance"
        )


_announce()
