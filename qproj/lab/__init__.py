"""What the command line runs, from Python: studies that compare solvers, training experiments, data sets, reports.

``run(Study(…))`` is ``qproj compare``, and returns the study's `Results`. Names are loaded when they are first used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

__all__ = ["Results", "Study", "run"]

if TYPE_CHECKING:
    from qproj.lab.studies.results import Results
    from qproj.lab.studies.study import Study, run


def _lazy_names(package: str, home: dict[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose names are loaded when they are first used.

    `home` gives the module of each name, below the package; of a module itself, "".
    """

    def load(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if not home[name]:
            return importlib.import_module(f"{package}.{name}")
        return getattr(importlib.import_module(f"{package}.{home[name]}"), name)

    return load, lambda: sorted({*vars(sys.modules[package]), *home})


__getattr__, __dir__ = _lazy_names(
    "qproj.lab",
    {
        "Results": "studies.results", "Study": "studies.study", "run": "studies.study",
        "datasets": "", "report": "", "studies": "", "training": "",
    },
)  # fmt: skip
