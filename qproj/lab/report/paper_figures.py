"""Every figure of a study in its own file, for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qproj._extras import install_hint
from qproj._files import replacing
from qproj.lab.report.matplotlib_axes import draw_figure
from qproj.lab.report.study_figures import study_figures
from qproj.lab.studies.results import Results
from qproj.solvers.contract import MissingPackageError

KINDS = ("pdf", "svg", "png")
#: Inches of a figure: one column of most journals, twice over; a bar is so high.
_WIDTH, _HEIGHT, _BAR = 6.8, 4.0, 0.3
#: Names up to which the legend stands inside the axes.
_INSIDE = 6


def write_figures(study: Results | str | Path, folder: str | Path, kind: str = "pdf") -> list[Path]:
    """Write every figure that a study has data for as ``NAME.pdf`` (or svg, png) and return their paths.

    Text stays text (Type 42 fonts), and the files of one study are the same, byte for byte, on one machine.

    Raises
    ------
    ValueError
        Another kind.
    MissingPackageError
        matplotlib is not installed.
    """
    if kind not in KINDS:
        raise ValueError(f"figures are asked for as {kind!r}; pdf, svg or png is needed")
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise MissingPackageError(f"{error.name} is not installed; {install_hint('report')}") from error
    results = study if isinstance(study, Results) else Results.read(study)
    Path(folder).mkdir(parents=True, exist_ok=True)
    settings: Any = {
        "pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "qproj", "font.size": 9, "axes.grid": True,
        "grid.alpha": 0.25, "axes.axisbelow": True,
    }  # fmt: skip
    undated: Any = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}[kind]
    written = []
    for figure in study_figures(results):
        bars = max((len(series.y) for series in figure.series if series.kind == "bars"), default=0)
        named = sum(series.in_legend for series in figure.series)
        with rc_context(settings):
            canvas = Canvas(figsize=(_WIDTH, _HEIGHT + _BAR * bars / 2), layout="constrained")
            axes = draw_figure(canvas.add_subplot(), figure, legend=named <= _INSIDE)
            if named > _INSIDE:
                handles, labels = axes.get_legend_handles_labels()
                canvas.set_size_inches(_WIDTH, _HEIGHT + _BAR * bars / 2 + 0.18 * ((named + 1) // 2))
                canvas.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize="small")
            path = Path(folder) / f"{figure.name}.{kind}"
            with replacing(path) as file:
                canvas.savefig(file, format=kind, dpi=200, metadata=undated)
        written.append(path)
    return written
