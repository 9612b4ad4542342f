"""README's picture of a report: the head of the overview that `make demo` leaves, as Chromium shows it.

    python -m benchmarks.demo_picture [REPORT]     REPORT is demo/report.html

The picture is docs/_static/report.png. Chromium and its driver are Debian's packages chromium and chromium-driver.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from selenium.webdriver.support.ui import WebDriverWait

from benchmarks.report_load import headless

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "_static" / "report.png"
SIZE = (1200, 1190)


def draw(report: Path, picture: Path = PICTURE) -> None:
    """Write the picture of a report's first part, light, at SIZE pixels."""
    browser = headless("--hide-scrollbars")
    try:
        width, height = SIZE
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(report.resolve().as_uri())
        browser.execute_script("document.documentElement.dataset.theme = 'light'")
        WebDriverWait(browser, 30).until(lambda b: b.find_elements("css selector", "#part-overview .main-svg"))
        browser.save_screenshot(str(picture))
    finally:
        browser.quit()


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("report", nargs="?", type=Path, default=ROOT / "demo" / "report.html")
    draw(options.parse_args().report)
    print(f"wrote {PICTURE}")


if __name__ == "__main__":
    main()
