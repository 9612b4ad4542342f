"""A report of 100,000 rows: its size, and how long a browser takes to open it.

python -m benchmarks.report_load          prints the figures as JSON; exit code 1 where the page is broken or too heavy
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

TITLE = "Reports of large studies"
LIMIT_MB, LIMIT_S = 15.0, 3.0
_READY = """
return document.querySelectorAll('#part-overview .main-svg').length
    && document.querySelector('#all-runs tbody').rows.length
"""


def run(quick: bool = True) -> dict[str, Any]:
    """Write a store of 100,000 rows (5,000 where quick), its page, and open that three times."""
    from qproj.lab.report import write_report
    from qproj.lab.studies.results import Results

    rows = 5_000 if quick else 100_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, rows)
        begin = time.perf_counter()
        results = Results.read(folder)
        read = time.perf_counter() - begin
        page = write_report(results, folder / "report.html")
        written = time.perf_counter() - begin
        assert len(results.runs) == rows
        opened = [_opened(page, rows) for _ in range(3)]
        size = page.stat().st_size
    return {"rows": rows, "read_s": read, "written_s": written, "megabytes": size / 1e6, "opened_s": opened}


def fill(folder: Path, rows: int) -> None:
    """Write a study of so many rows: 10 solvers on 250 neurons, plausible gains, 20 reads kept of each run."""
    from qproj.lab.datasets.instances import LayerInstance
    from qproj.lab.studies.outcome import Outcome, compress, pack
    from qproj.lab.studies.plan import make_plan
    from qproj.lab.studies.store import StudyStore
    from qproj.projections import LayerProjection
    from qproj.solvers.specs import parse_solvers

    rng = np.random.default_rng(0)
    layers = [
        LayerInstance(f"made/n{n}-d{d}", rng.choice([-1, 1], (n, d)), rng.normal(size=(n, 25)), source="made")
        for n, d in ((16, 9), (20, 15), (24, 24), (32, 32), (48, 48), (16, 64), (64, 64), (20, 5), (20, 7), (64, 24))
    ]
    solvers = parse_solvers(
        "local-search,sa,sqa,tabu,greedy,sa:encoding=majority,sa:num_sweeps=50|200|500,polished(sa),random"
    )
    plan = make_plan(layers, solvers, seeds=1, nulls=False)
    per = len(plan.solvers) * plan.num_neurons
    plan = make_plan(layers, solvers, seeds=-(-rows // per), nulls=False)
    drawn = [rng.choice([-1, 1], (64, layer.X.shape[1])) for layer in layers]
    problems = [list(LayerProjection(layer.X, layer.T)) for layer in layers]
    scores = [[np.asarray(p.gain(V)) for p in own] for V, own in zip(drawn, problems, strict=True)]
    store = StudyStore(folder, create=True)
    ids = store.register(plan, {"versions": {}, "command": "made", "processor": "", "cores": 0, "machine": "",
                                "system": "", "python": "", "seeds": [0]})  # fmt: skip
    group: list[Any] = []
    for done, planned in enumerate(plan.runs):
        if done == rows:
            break
        problem = problems[planned.instance][planned.neuron]
        scale, place = problem.gain_bound, int(rng.integers(64))
        gain = float(scores[planned.instance][planned.neuron][place])
        quality = 1 - 0.01 * planned.solver
        gains = np.append(gain, np.sort(gain - scale * np.round(1.0 - quality * rng.random(19), 2))[::-1])
        group.append((planned, Outcome(
            planned.key, "feasible", "", "budget", gain, float(problem.objective_of_gain(gain)), None, None, scale,
            float(gains[3]), float(gains[0]), 1e-3, float(rng.random()), 20, compress(gains),
            pack(drawn[planned.instance][place]),
            float(rng.gamma(2, 0.05)), 1e-3, 0.0, 0.0, 0.05, 1e-3, 1, '{"reads": 20, "variables": 20}',
        )))  # fmt: skip
        if len(group) == 2000:
            store.add(ids, group)
            group = []
    store.add(ids, group)
    store.close()


def _opened(page: Path, rows: int) -> float:
    """Seconds from asking a headless Chromium for the page to figures drawn and runs listed."""
    browser = headless()
    try:
        browser.get("about:blank")
        begin = time.perf_counter()
        browser.get(page.as_uri())
        while not browser.execute_script(_READY):
            if time.perf_counter() - begin > 120:
                raise TimeoutError("the page drew nothing for two minutes")
            time.sleep(0.01)
        took = time.perf_counter() - begin
        assert f"of {rows} runs" in browser.execute_script("return document.getElementById('count').textContent")
        assert browser.get_log("browser") == []
    finally:
        browser.quit()
    return took


def headless(*arguments: str) -> Any:
    """Return a Chromium without a window, driven by selenium, which keeps its log.

    Raises
    ------
    FileNotFoundError
        It or its driver is not installed.
    """
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    chromium, driver = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
    if not chromium or not driver:
        raise FileNotFoundError(
            "chromium and chromedriver are needed (Debian: apt-get install chromium chromium-driver)"
        )
    options = Options()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *arguments):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


def section(result: dict[str, Any]) -> str:
    """Return the page's part."""
    opened = sorted(result["opened_s"])
    over = opened[1] - LIMIT_S
    missed = f" **Over the limit, by {over:.1f} s.**" if over > 0 else ""
    return f"""
A report of {result["rows"]:,} rows weighs **{result["megabytes"]:.1f} MB** (limit {LIMIT_MB:g} MB) and opens in
**{opened[1]:.2f} s** ({opened[0]:.2f} to {opened[-1]:.2f}, limit {LIMIT_S:g} s) in headless Chromium: from asking for
it to figures drawn and runs listed. Reading the study takes {result["read_s"]:.1f} s, writing the page as well
{result["written_s"]:.1f} s.{missed}
"""


if __name__ == "__main__":
    found = run(quick="--quick" in sys.argv)
    print(json.dumps(found))
    sys.exit(found["megabytes"] > LIMIT_MB)
