"""What the command line runs, from Python: studies that compare solvers, training experiments, data sets, reports.

``run(Study(…))`` is ``qproj compare``, and returns the study's `Results`. Names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["Results", "Study", "run"]

_HOME = {
    "Results": "qproj.lab.studies.results",
    "Study": "qproj.lab.studies.study",
    "run": "qproj.lab.studies.study",
}
_SUBPACKAGES = frozenset({"datasets", "report", "studies", "training"})

if TYPE_CHECKING:
    from qproj.lab.studies.results import Results
    from qproj.lab.studies.study import Study, run


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _SUBPACKAGES:
        return importlib.import_module(f"qproj.lab.{name}")
    raise AttributeError(f"module 'qproj.lab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, *_SUBPACKAGES})
