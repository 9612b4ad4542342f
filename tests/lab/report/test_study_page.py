"""The page: numbers equal the store's, hostile names are text, and a real browser shows it without a network."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from qproj.lab.datasets.instances import LayerInstance
from qproj.lab.report import write_report
from qproj.lab.report.markdown import render_markdown
from qproj.lab.report.page import pieces
from qproj.lab.report.plotly_json import to_plotly
from qproj.lab.report.study_figures import study_figures
from qproj.lab.report.study_page import render
from qproj.lab.studies.metrics import gaps
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import gap_text, number, percent
from qproj.lab.studies.study import Study
from qproj.lab.studies.study import run as run_study_file

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>|*`\"'&amp;"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    from qproj.solvers.builtin.random import Random

    class Named(Random):
        def solve(self, problem, **limits):
            if problem.t[0] > 0:
                raise RuntimeError(HOSTILE)
            return super().solve(problem, **limits)

    rng = np.random.default_rng(5)
    layers = [
        LayerInstance(name, rng.choice([-1, 1], (12, 9)), rng.normal(size=(12, 3)), source=HOSTILE)
        for name in ("plain", HOSTILE)
    ]
    hostile = Named()
    hostile.name = HOSTILE
    folder = tmp_path_factory.mktemp("study")
    Study(folder, layers, ["auto", "sa", "sign", hostile], reads=[20], seeds=2).run(workers=2)
    return Results.read(folder)


def data_of(page):
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1)
    return json.loads(text)


class Texts(HTMLParser):
    """Every element's name and every text."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.handlers = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if any(name in ("src", "href") and not value.startswith(("data:", "#")) for name, value in attrs):
            self.tags.append("LINK")

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_holds_every_run_with_the_store_s_numbers(results):
    data = data_of(render(results))["runs"]
    runs = results.runs
    assert len(data["neuron"]) == len(runs) == 6 * (2 + 2 + 1 + 2 + 2)
    gap = gaps(runs, results.known)
    for i in range(len(runs)):
        assert data["instances"][data["instance"][i]] == runs["instance"][i]
        assert data["labels"][data["label"][i]] == runs["label"][i]
        assert data["statuss"][data["status"][i]] == runs["status"][i]
        assert data["neuron"][i] == runs["neuron"][i]
        assert data["seed"][i] == runs["seed"][i]
        if np.isnan(gap[i]):
            assert data["gap"][i] is None
        else:
            assert data["gap"][i] == pytest.approx(gap[i], rel=1e-3)


def test_names_are_text_and_nothing_is_loaded(results):
    page = render(results)
    seen = Texts()
    seen.feed(page)
    assert "img" not in seen.tags
    assert "LINK" not in seen.tags
    assert not seen.handlers
    assert seen.tags.count("script") == 3
    assert any(HOSTILE in text for text in seen.texts)  # the failure's message and the names, as they are
    drawn = json.dumps([to_plotly(figure) for figure in study_figures(results)])
    assert "&lt;img" in drawn
    assert "<img" not in drawn


def test_failures_are_listed_and_counted(results):
    page = render(results)
    bad = int(results.runs.failed.sum())
    assert bad > 0
    assert f"{bad} runs failed" in page
    line = next(line for line in results.lines if line.label == HOSTILE)
    assert line.failed == bad


def test_figures_hold_what_they_say(results):
    drawn = {figure.name: figure for figure in study_figures(results)}
    # one size: no growth with it
    assert set(drawn) == {"gaps", "sizes", "reads", "time", "split", "alignment", "profile"}
    profile = {one.name: one for one in drawn["gaps"].series}
    assert profile["auto"].y[0] == profile["auto"].y[-1] == 1.0
    assert all(0 <= y <= 1 and one.y == sorted(one.y) for one in profile.values() for y in one.y)
    assert "random (null model)" in profile
    for one in drawn["reads"].series:
        assert one.y == sorted(one.y, reverse=True)
    for i in range(len(results.lines)):
        assert sum(one.x[i] for one in drawn["split"].series) == pytest.approx(1.0)


def test_markdown_keeps_hostile_names_in_their_cells(results):
    text = render_markdown(results)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(results.lines)
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert "<script" not in text


def test_texts_of_numbers():
    assert [percent(x) for x in (0, 1, 0.5, 0.9996, 0.0002, float("nan"))] == [
        "0%", "100%", "50.0%", ">99.9%", "<0.1%", "–",
    ]  # fmt: skip
    assert [number(x) for x in (0.0, 0.12345, float("nan"))] == ["0", "0.123", "–"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium that has no network."""
    chromium, driver = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1300,1000",
        "--proxy-server=127.0.0.1:9", f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    opened.set_page_load_timeout(60)
    yield opened
    opened.quit()


@pytest.mark.slow
def test_a_browser_shows_it(results, browser, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    page = write_report(results, tmp_path / "report.html")
    browser.get(page.as_uri())
    wait = WebDriverWait(browser, 30)
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#part-overview .main-svg"))
    assert browser.execute_script("return window.hacked") is None
    _overview_shows_the_summary(browser, results)
    _tabs_draw_their_figures(browser, wait)
    _runs_are_filtered(browser, wait, results)
    # light and dark
    before = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    browser.find_element(By.ID, "theme").click()
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") != before
    _titles_sort_the_table(browser)
    assert browser.execute_script("return window.hacked") is None
    assert browser.get_log("browser") == []


def _overview_shows_the_summary(browser, results):
    from selenium.webdriver.common.by import By

    rows = browser.find_elements(By.CSS_SELECTOR, "#summary tbody tr")
    shown = {
        row.find_element(By.TAG_NAME, "th").text: [c.text for c in row.find_elements(By.TAG_NAME, "td")] for row in rows
    }
    for line in results.lines:
        assert shown[line.label][1] == str(line.runs)
        assert shown[line.label][5] == gap_text(line)


def _tabs_draw_their_figures(browser, wait):
    """Tabs are changed by key and by click."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    tabs = browser.find_elements(By.CSS_SELECTOR, "[role=tab]")
    assert [tab.text for tab in tabs] == [
        "Overview",
        "Quality",
        "Reads",
        "Time",
        "Ranking",
        "Cost",
        "Pairs",
        "Runs",
        "Failures",
        "Reproduce",
    ]
    tabs[0].send_keys(Keys.ARROW_RIGHT)
    assert browser.switch_to.active_element == tabs[1]
    for tab in tabs:
        tab.click()
        panel = browser.find_element(By.ID, tab.get_attribute("aria-controls"))
        assert panel.is_displayed()
        plots = panel.find_elements(By.CLASS_NAME, "plot")
        wait.until(lambda b, plots=plots: all(plot.find_elements(By.CLASS_NAME, "main-svg") for plot in plots))
        assert sum(p.is_displayed() for p in browser.find_elements(By.CSS_SELECTOR, "[role=tabpanel]")) == 1


def _runs_are_filtered(browser, wait, results):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select

    browser.find_element(By.ID, "tab-runs").click()
    Select(browser.find_element(By.NAME, "label")).select_by_visible_text("sa")
    browser.find_element(By.NAME, "neuron").send_keys("1")
    assert browser.find_element(By.ID, "count").text.startswith(f"4 of {len(results.runs)} runs")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#all-runs tbody tr")) == 4
    assert browser.find_element(By.ID, "neuron").text == ""
    Select(browser.find_element(By.NAME, "instance")).select_by_visible_text("plain")
    wait.until(lambda b: b.find_element(By.ID, "count").text.startswith("2 of "))
    about = browser.find_element(By.ID, "neuron").text
    assert about.startswith("12 rows in 12 groups, 9 weights in ")
    assert "proved optimal" in about


def _titles_sort_the_table(browser):
    from selenium.webdriver.common.by import By

    browser.find_elements(By.CSS_SELECTOR, "[role=tab]")[0].click()
    title = browser.find_elements(By.CSS_SELECTOR, "#summary thead th button")[6]
    title.click()
    title.click()
    values = [
        float(cell.get_attribute("data-value"))
        for cell in browser.find_elements(By.CSS_SELECTOR, "#summary tbody tr td:nth-child(7)")
    ]
    assert values == sorted(values, reverse=True)


AXE = Path(__file__).with_name("axe") / "axe.min.js"  # axe-core 4.14.1, MPL-2.0, unchanged


def serious(browser):
    """What axe-core finds on the shown page that is not minor."""
    found = browser.execute_async_script(
        "const done = arguments[0];"
        "axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations.map("
        "v => [v.id, v.impact, v.nodes[0].html.slice(0, 200)])));"
    )
    return [one for one in found if one[1] in ("moderate", "serious", "critical")]


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("study", ["results", "tuned"])
def test_axe_finds_nothing_serious_and_no_part_is_wider_than_the_screen(
    request, browser, tmp_path, study, width, theme
):
    page = write_report(request.getfixturevalue(study), tmp_path / "report.html")
    no_part_has_a_serious_finding(browser, page, width, theme)


def no_part_has_a_serious_finding(browser, page, width, theme):
    _shown_at(browser, page, width)
    browser.execute_script(AXE.read_text("utf-8"))
    browser.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
    for part in _opened_parts(browser):
        assert serious(browser) == [], part
        wide, inner = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= inner, part
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A study with everything that a page can hold: tuning, scans, several sizes, long names, QPU time, moments."""
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "study.toml").write_text(
        'instances = ["random:n=10,d=5|7|9,neurons=4"]\n'
        'solvers = ["auto", "local-search", "dwave-emulated:encoding=margin,spin_reversals=2", "exhaustive", '
        '"sa:encoding=margin,encoding.kappa=0.5|1.25|4.75,num_sweeps=50"]\n'
        "reads = [5]\nseeds = 1\ntime_limits_s = [0.2]\nrecord_progress = true\n"
        '[[tune]]\nsolver = "sa:encoding=margin"\nsettings = 4\n'
        'parameters = { num_sweeps = [2, 500], "encoding.kappa" = [0.5, 4.0] }\n'
    )
    return run_study_file(folder / "study.toml", folder / "out", workers=2)


def _shown_at(browser, page, width):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    browser.get(page.as_uri())


def _opened_parts(browser):
    """Each part's name, once it is shown and all its figures are drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    for tab in browser.find_elements("css selector", "[role=tab]"):
        browser.execute_script("arguments[0].click()", tab)
        part = browser.find_element("id", tab.get_attribute("aria-controls"))
        plots = part.find_elements("css selector", ".plot")
        WebDriverWait(browser, 30).until(
            lambda _, plots=plots: all(plot.find_elements("css selector", ".main-svg") for plot in plots)
        )
        yield tab.get_attribute("id")[4:]


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 390])
def test_no_name_is_broken_inside_a_word_and_no_table_scrolls_on_a_wide_screen(tuned, browser, tmp_path, width):
    _shown_at(browser, write_report(tuned, tmp_path / "report.html"), width)
    parts = []
    for part in _opened_parts(browser):
        parts.append(part)
        broken = browser.execute_script(
            "return [...document.querySelectorAll('section:not([hidden]) .name span')]"
            ".filter(piece => piece.getClientRects().length > 1).map(piece => piece.textContent)"
        )
        assert broken == [], part
        scrolling = browser.execute_script(
            "return [...document.querySelectorAll('section:not([hidden]) .scroll')]"
            ".filter(e => e.scrollWidth > e.clientWidth).map(e => e.getAttribute('aria-label'))"
        )
        assert width < 600 or scrolling == [], part
        left, right = browser.execute_script(
            "const t = document.querySelector('[role=tab][aria-selected=true]').getBoundingClientRect();"
            "return [t.left, t.right]"
        )
        assert 0 <= left < right <= width, part  # the chosen tab is in sight
    assert {"overview", "time", "scans", "ranking", "cost", "tuning", "pairs", "runs"} <= set(parts)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.slow
def test_figures_keep_their_room_and_their_names_when_the_window_changes(tuned, browser, tmp_path):
    _shown_at(browser, write_report(tuned, tmp_path / "report.html"), 1400)
    for part in _opened_parts(browser):
        for width in (1400, 390, 1400):
            browser.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
            )
            browser.execute_async_script("setTimeout(arguments[0], 100)")
            found = browser.execute_script(
                "return [...document.querySelectorAll('section:not([hidden]) .plot')].map(place => {"
                "const box = place._fullLayout; const names = place.data.filter(t => t.showlegend !== false).length;"
                "return [place.dataset.figure, box.width, box.yaxis._length, box.xaxis._length, names, box.showlegend,"
                " (place.layout.annotations || []).length]; })"
            )
            for name, whole, height, length, names, legend, beside in found:
                assert whole <= width, (part, name)
                assert height >= 150, (part, name, width)
                assert length >= 0.4 * width, (part, name, width)
                assert names < 2 or legend or beside == names, (part, name, width)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.slow
def test_no_figure_can_be_sent_anywhere(tuned, browser, tmp_path):
    """Neither "Share chart" nor an editor: the buttons above a figure save a picture and move the view."""
    _shown_at(browser, write_report(tuned, tmp_path / "report.html"), 1400)
    next(_opened_parts(browser))
    titles = {button.get_attribute("data-title") for button in browser.find_elements("css selector", ".modebar-btn")}
    assert titles
    assert not [title for title in titles if any(word in title.lower() for word in ("share", "edit", "cloud", "chart"))]
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize(
    ("name", "expected"),
    [("sa:encoding=margin,num_sweeps=5", ["sa:", "encoding=margin,", "num_sweeps=5"]),
     ("polished(random) · 10 reads", ["polished(", "random) ", "· ", "10 ", "reads"]),
     ("sa (0.1 s → 2 s)", ["sa ", "(0.1 ", "s ", "→ ", "2 ", "s)"]), ("a: b", ["a: ", "b"]), ("auto", ["auto"]),
     ("digits/mlp-64-16/n32", ["digits/", "mlp-64-16/", "n32"]), ("", [""])],
)  # fmt: skip
def test_names_are_broken_after_signs_only(name, expected):
    assert "".join(pieces(name)) == name
    assert pieces(name) == expected


@pytest.mark.slow
def test_on_paper_every_part_and_figure_is_there_and_no_table_is_cut(results, browser, tmp_path):
    browser.get(write_report(results, tmp_path / "report.html").as_uri())
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        for panel in browser.find_elements("css selector", "[role=tabpanel]"):
            assert panel.is_displayed(), panel.get_attribute("id")
        plots = browser.find_elements("css selector", ".plot")
        assert plots
        assert all(plot.find_elements("css selector", ".main-svg") for plot in plots)
        clipped = browser.execute_script(
            "return [...document.querySelectorAll('.scroll')]"
            ".filter(e => getComputedStyle(e).overflowX !== 'visible').length"
        )
        assert clipped == 0
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.execute_script("dispatchEvent(new Event('afterprint'))")


@pytest.mark.nightly
def test_a_hundred_thousand_rows_weigh_at_most_15_mb_and_open():
    """Seconds are the benchmark's to state: `python -m benchmarks --full report_load` keeps them."""
    import subprocess
    import sys

    if not shutil.which("chromedriver"):
        pytest.skip("chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)")
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.report_load"], cwd=root, capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["rows"] == 100_000
    assert told["megabytes"] <= 15


def test_more_reads_never_raise_the_expected_gap(results):
    curves = [one.y for figure in study_figures(results) if figure.name == "reads" for one in figure.series]
    assert curves
    for y in curves:
        assert (np.diff(y) <= 1e-12).all()


def test_results_print_as_one_line(results):
    assert repr(results).endswith(f"{len(results.runs)} runs of {results.neurons} neurons)")
