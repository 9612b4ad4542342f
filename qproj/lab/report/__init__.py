"""Reports: a study's page and its figures, the page and curves of training runs, tables as Markdown.

Names are loaded when they are first used, and import plotly, jinja2 or matplotlib only when they draw.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__all__ = ["draw", "figure_names", "render_markdown", "write_curves", "write_report", "write_training_report"]

_HOME = {
    "draw": "qproj.lab.report.matplotlib_axes",
    "figure_names": "qproj.lab.report.matplotlib_axes",
    "render_markdown": "qproj.lab.report.markdown",
    "write_curves": "qproj.lab.report.training_figures",
    "write_report": "qproj.lab.report.study_page",
    "write_training_report": "qproj.lab.report.training_page",
}

if TYPE_CHECKING:
    from qproj.lab.report.markdown import render_markdown
    from qproj.lab.report.matplotlib_axes import draw, figure_names
    from qproj.lab.report.study_page import write_report
    from qproj.lab.report.training_figures import write_curves
    from qproj.lab.report.training_page import write_training_report


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'qproj.lab.report' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
