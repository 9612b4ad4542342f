"""Studies that compare solvers on the same projections: a plan, its runs, their store, metrics and tables.

Names are loaded when they are first used: a worker process needs few of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = [
    "Results",
    "Study",
    "StudyFile",
    "TrainingPlan",
    "difference_table",
    "export_study",
    "read_study_file",
    "run",
]

_HOME = {
    "Results": "qproj.lab.studies.results",
    "Study": "qproj.lab.studies.study",
    "StudyFile": "qproj.lab.studies.study_file",
    "TrainingPlan": "qproj.lab.studies.training_cost",
    "difference_table": "qproj.lab.studies.difference",
    "export_study": "qproj.lab.studies.export",
    "read_study_file": "qproj.lab.studies.study_file",
    "run": "qproj.lab.studies.study",
}

if TYPE_CHECKING:
    from qproj.lab.studies.difference import difference_table
    from qproj.lab.studies.export import export_study
    from qproj.lab.studies.results import Results
    from qproj.lab.studies.study import Study, run
    from qproj.lab.studies.study_file import StudyFile, read_study_file
    from qproj.lab.studies.training_cost import TrainingPlan


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'qproj.lab.studies' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
