"""Studies that compare solvers on the same projections: a plan, its runs, their store, metrics and tables.

Names are loaded when they are first used: a worker process needs few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qproj.lab import _lazy_names

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

if TYPE_CHECKING:
    from qproj.lab.studies.difference import difference_table
    from qproj.lab.studies.results import Results
    from qproj.lab.studies.study import Study, run
    from qproj.lab.studies.study_export import export_study
    from qproj.lab.studies.study_file import StudyFile, read_study_file
    from qproj.lab.studies.training_cost import TrainingPlan


__getattr__, __dir__ = _lazy_names(
    "qproj.lab.studies",
    {
        "Results": "results", "Study": "study", "StudyFile": "study_file", "TrainingPlan": "training_cost",
        "difference_table": "difference", "export_study": "study_export", "read_study_file": "study_file",
        "run": "study",
    },
)  # fmt: skip
