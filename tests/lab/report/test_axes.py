"""Figures on matplotlib axes hold the report's numbers."""

import math

import pytest

from qproj.lab.report.axes import draw, names
from qproj.lab.report.figures import figures
from qproj.lab.studies.results import Results
from qproj.lab.studies.study import Study


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("axes")
    solvers = "auto,sa:encoding=margin,encoding.kappa=0.5|1.5|5.0"
    Study(folder, ["random:n=8,d=3|5|6,neurons=2"], solvers, reads=[10], seeds=1).run(workers=1)
    return Results.read(folder)


@pytest.fixture
def axes():
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    return Figure().subplots()


def test_every_figure_is_drawn_with_the_page_s_numbers(results, axes):
    drawn = {figure.name: figure for figure in figures(results)}
    assert {"gaps", "sizes", "success-d", "reads", "time", "tts", "alignment", "scan-encoding.kappa"} <= set(
        names(results)
    )
    for name in names(results):
        axes.clear()
        assert draw(axes, results, name) is axes
        lines = [line for line in axes.get_lines() if len(line.get_xdata())]
        for trace in drawn[name].traces:
            wanted = [math.nan if y is None else y for y in trace["y"]]
            assert any(
                list(line.get_ydata()) == pytest.approx(wanted, nan_ok=True)
                for line in lines
                if len(line.get_ydata()) == len(wanted)
            ), (name, trace["name"])
        assert axes.get_xlabel()
        axes.figure.canvas.draw()


def test_a_folder_does_and_an_unknown_figure_is_named(results, axes):
    draw(axes, results.folder, "gaps", legend=False)
    assert axes.get_legend() is None
    with pytest.raises(ValueError, match="this study has gaps, sizes"):
        draw(axes, results, "gap")
