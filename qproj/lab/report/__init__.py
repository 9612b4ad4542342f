"""Reports: a study's page and its figures, the page and curves of training runs, tables as Markdown.

Names are loaded when they are first used, and import plotly, jinja2 or matplotlib only when they draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qproj.lab import _lazy_names

__all__ = [
    "draw",
    "figure_names",
    "render_markdown",
    "report_tables",
    "write_curves",
    "write_figures",
    "write_report",
    "write_tables",
    "write_training_report",
]

if TYPE_CHECKING:
    from qproj.lab.report.markdown import render_markdown
    from qproj.lab.report.matplotlib_axes import draw, figure_names
    from qproj.lab.report.paper_figures import write_figures
    from qproj.lab.report.paper_tables import report_tables, write_tables
    from qproj.lab.report.study_page import write_report
    from qproj.lab.report.training_figures import write_curves
    from qproj.lab.report.training_page import write_training_report


__getattr__, __dir__ = _lazy_names(
    "qproj.lab.report",
    {
        "draw": "matplotlib_axes", "figure_names": "matplotlib_axes", "render_markdown": "markdown",
        "report_tables": "paper_tables", "write_figures": "paper_figures", "write_tables": "paper_tables",
        "write_curves": "training_figures", "write_report": "study_page", "write_training_report": "training_page",
    },
)  # fmt: skip
