"""Figures on matplotlib axes hold the report's numbers."""

import itertools

import pytest

from qproj.lab.report import draw, figure_names
from qproj.lab.report.study_figures import study_figures
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
    drawn = {figure.name: figure for figure in study_figures(results)}
    wanted = {"gaps", "sizes", "success-d", "reads", "time", "tts", "split", "alignment", "scan-encoding.kappa"}
    assert wanted <= set(figure_names(results)) == set(drawn)
    for name, figure in drawn.items():
        axes.clear()
        assert draw(axes, results, name) is axes
        lines = [list(line.get_ydata()) for line in axes.get_lines() if len(line.get_xdata())]
        lines += [[bar.get_width() for bar in bars] for bars in axes.containers if hasattr(bars, "patches")]
        for series in figure.series:
            numbers = list(series.x if series.kind == "bars" else series.y)
            assert any(line == pytest.approx(numbers, nan_ok=True) for line in lines if len(line) == len(numbers)), (
                name,
                series.name,
            )
        assert axes.get_xlabel()
        axes.figure.canvas.draw()


def test_bars_are_stacked_to_one(results, axes):
    draw(axes, results, "split")
    ends = {}
    for bar in axes.patches:
        ends.setdefault(round(bar.get_y(), 6), []).append((bar.get_x(), bar.get_x() + bar.get_width()))
    assert len(ends) == len(results.lines)
    for pieces in ends.values():
        assert pieces[0][0] == 0.0
        assert all(a[1] == pytest.approx(b[0]) for a, b in itertools.pairwise(pieces))
        assert pieces[-1][1] == pytest.approx(1.0)


def test_a_folder_does_and_an_unknown_figure_is_named(results, axes):
    draw(axes, results.folder, "gaps", legend=False)
    assert axes.get_legend() is None
    with pytest.raises(ValueError, match="this study has gaps, sizes"):
        draw(axes, results, "gap")
