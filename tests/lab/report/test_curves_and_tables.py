"""Tables, curves and the page of stored runs."""

import json

import pytest

from qproj.lab.report import write_curves, write_training_report
from qproj.lab.report.training_figures import training_figures
from qproj.lab.training.tables import figure_table, groups, mean_std, summaries
from tests.lab.report.test_study_page import (
    browser,  # noqa: F401 -- a fixture
    no_part_has_a_serious_finding,
)


def record(optimizer="projected", seed=0, accuracy=0.9, solver="auto", lr=0.1, **more):
    history = [
        {
            "step": k,
            "loss": 1.0 / k,
            "train": 0.5,
            "val": 0.5,
            "test": accuracy * k / 4,
            "cosine": 0.3,
            "gap": 0.01 * seed,
        }
        for k in (2, 4)
    ]
    return {
        "experiment": "digits-0-2", "optimizer": optimizer, "seed": seed, "test_accuracy": accuracy,
        "best_val_test_accuracy": accuracy, "val_accuracy": 0.5, "seconds": 2.0, "binary_parameters": 20,
        "float_parameters": 0, "steps": 4, "epochs": 1, "settings": {"lr": lr}, "solver": solver,
        "weights_sha256": "ab" * 32, "key": "k", "history": history, **more,
    }  # fmt: skip


def function(seed=0, **figures):
    return record(seed=seed, accuracy=0.0) | {
        "experiment": "rate", "test_accuracy": None, "best_val_test_accuracy": None, "weights_sha256": None,
        "figures": figures, "history": [{"step": T, "mean_gradient_norm": 1 / T, "bound": 2 / T} for T in (100, 1000)],
    }  # fmt: skip


def test_means_and_deviations_are_those_of_the_seeds():
    lines = summaries([record(seed=0, accuracy=0.8), record(seed=1, accuracy=0.9), record("signsgd", solver=None)])
    assert [(s.label, s.runs, s.accuracy) for s in lines] == [
        ("projected", 2, "0.850 ± 0.071"), ("signsgd", 1, "0.900"),
    ]  # fmt: skip
    assert mean_std([]) == "–"
    assert mean_std([0.5]) == "0.500"


def test_groups_are_named_by_what_differs_and_come_in_the_usual_order():
    assert list(groups([record("signsgd", solver=None), record()])) == ["projected", "signsgd"]
    assert list(groups([record(), record(solver="sa")])) == ["projected, auto", "projected, sa"]
    assert list(groups([record(lr=0.1), record(lr=0.2)])) == [
        "projected, lr=0.1 epochs=1", "projected, lr=0.2 epochs=1",
    ]  # fmt: skip


def test_figures_of_functions_have_their_own_table():
    titles, rows = figure_table([function(0, slope=-0.5, ok=True), function(1, slope=-0.4, ok=True), record()])
    assert titles == ["measured", "projected"]
    assert rows == [["slope", "-0.45 ± 0.071"], ["ok", "1"]]
    assert summaries([function()]) == []


def test_lines_are_means_with_the_range_of_the_seeds():
    records = [record(seed=0, accuracy=0.8), record(seed=1, accuracy=1.0)]
    drawn = {figure.title: figure.series for figure in training_figures(records)}
    (line,) = drawn["test accuracy"]
    assert (line.x, line.y, line.low, line.high) == ([2.0, 4.0], [0.45, 0.9], [0.4, 0.8], [0.5, 1.0])
    assert set(drawn) == {"test accuracy", "training loss", "cosine of V and −∇f", "gap of the projections"}
    assert len(training_figures([record("signsgd") | {"history": [{"step": 1, "test": 0.5, "loss": 1.0}]}])) == 2


def test_curves_are_png_and_svg_and_repeat(tmp_path):
    pytest.importorskip("matplotlib")
    png, svg = write_curves([record(seed=s) for s in range(3)], tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text()
    assert "<svg" in text
    write_curves([record(seed=s) for s in range(3)], tmp_path)
    assert svg.read_text() == text
    assert (png, svg) == (tmp_path / "curves" / "digits-0-2.png", tmp_path / "curves" / "digits-0-2.svg")


def test_the_page_stands_alone_and_no_text_gets_out_of_its_place(tmp_path):
    pytest.importorskip("plotly")
    bad = "</script><script>window.hacked = 1</script>"
    environment = {
        "command": bad, "processor": "p", "cores": 2, "machine": "m", "system": "s", "python": "3", "seeds": [0],
        "versions": {"qproj": "0"},
    }  # fmt: skip
    page = write_training_report(
        [record(), record(solver=bad), function(slope=-0.5)], tmp_path / "r.html", [environment]
    )
    text = page.read_text()
    assert bad not in text
    assert "projected, auto" in text
    assert "0.9000" in text
    data = text.split('id="data">')[1].split("</script>")[0]
    assert {"f0-0", "f1-0"} <= set(json.loads(data)["figures"])
    assert "http-equiv" in text
    with pytest.raises(ValueError, match="no run"):
        write_training_report([], page)


@pytest.mark.slow
def test_a_browser_shows_it(browser, tmp_path):  # noqa: F811
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    page = write_training_report(
        [*(record(seed=s) for s in range(2)), record("signsgd"), function()], tmp_path / "r.html"
    )
    browser.get(page.as_uri())
    wait = WebDriverWait(browser, 30)
    tabs = browser.find_elements(By.CSS_SELECTOR, "[role=tab]")
    assert [tab.text for tab in tabs] == ["digits-0-2", "rate", "Runs", "Reproduce"]
    for tab in tabs:
        tab.click()
        panel = browser.find_element(By.ID, tab.get_attribute("aria-controls"))
        assert panel.is_displayed()
        plots = panel.find_elements(By.CLASS_NAME, "plot")
        wait.until(lambda b, plots=plots: all(plot.find_elements(By.CLASS_NAME, "main-svg") for plot in plots))
    tabs[2].click()
    assert len(browser.find_elements(By.CSS_SELECTOR, "#all-runs tbody tr")) == 4
    assert browser.get_log("browser") == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), [(1400, "light"), (390, "dark")])
def test_axe_finds_nothing_serious_in_training_runs(browser, tmp_path, width, theme):  # noqa: F811
    records = [*(record(seed=s) for s in range(2)), record("signsgd"), function(slope=-0.5)]
    no_part_has_a_serious_finding(browser, write_training_report(records, tmp_path / "r.html"), width, theme)
