"""Clocks, spread, tables and what is recorded about the machine."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"
FULL = "_full"  # a full run's file stands beside the quick run's
PACKAGES = ("numpy", "numba", "dimod", "gurobipy", "highspy", "ortools", "pyqubo", "qubovert")


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return (seconds of the wall clock, what the call returned)."""
    begin = time.perf_counter()
    answer = call()
    return time.perf_counter() - begin, answer


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": median(values), "least": min(values), "most": max(values)}


def seconds(value: float) -> str:
    """Return a duration with three significant digits, in the unit that reads best."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-6:.3g} µs"


def range_of(cell: dict[str, float]) -> str:
    """Return a spread as text: median (least to most)."""
    return f"{seconds(cell['median'])} ({seconds(cell['least'])} to {seconds(cell['most'])})"


def ratio_of(value: float) -> str:
    """Return a ratio with two significant digits, or all digits before the point."""
    return f"{value:.2g}×" if value < 10 else f"{value:.0f}×"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def machine() -> dict[str, Any]:
    """Return what a figure depends on besides the code: processor, versions, load before the run, date."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cpu": _cpu(), "cores": os.cpu_count(), "python": platform.python_version(), "versions": versions,
        "load": [round(x, 2) for x in os.getloadavg()],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }  # fmt: skip


def commit(checkout: Path = RESULTS) -> str:
    """Return a checkout's commit, "unknown" outside git."""
    done = subprocess.run(
        ["git", "rev-parse", "--short=10", "HEAD"], cwd=checkout, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def stored(name: str) -> dict[str, Any] | None:
    """Return the last full run of a module, or the last quick one where there is none."""
    for file in (RESULTS / f"{name}{FULL}.json", RESULTS / f"{name}.json"):
        if file.exists():
            record: dict[str, Any] = json.loads(file.read_text())
            return record
    return None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
