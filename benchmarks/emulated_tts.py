"""Optimal time to solution on an emulated annealer, in QPU access and by this machine's clock, from one study.

`python -m benchmarks.emulated_tts` runs examples/studies/emulated-tts.toml and rewrites
docs/solvers/emulated-tts-table.md from it; `--page DIR` takes a study that was run before.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.study_findings import shown_figure
from qproj.lab.studies.comparisons import QPU, WALL, optimal_tts_table, times_by_setting
from qproj.lab.studies.metrics import middle
from qproj.lab.studies.result_table import to_markdown
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_families import families
from qproj.lab.studies.solver_table import seconds

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "examples" / "studies" / "emulated-tts.toml"
PAGE = ROOT / "docs" / "solvers" / "emulated-tts-table.md"
INTRODUCTION = """# Optimal time to solution, emulated

Everything on this page is **emulated**: topology, embedding and control errors of a small Zephyr machine, classical
Monte Carlo in the place of its physics, ten sweeps per microsecond of annealing time by convention, and the charges of
a machine (15 ms of programming per call of 200 reads; 120 µs and the annealing time per read). It shows how an
annealing time is chosen by its time to solution and what that costs in QPU access; it says nothing about the speed of a
quantum annealer.

TTS99 is the time in which a read is optimal with a probability of 99 %, the median over neurons with a proved optimum
(random neurons of 9 and 15 weights). QPU access follows from reads and charges alone; the wall clock is that of a
machine with other work on it. Written by `python -m benchmarks.emulated_tts`.
"""


def measured(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "qproj", "compare", str(STUDY), "--out", str(folder)], check=True)


def by_setting(results: Results) -> list[str]:
    """Return one table of medians per sampler, and the neurons that they are over."""
    lines = []
    for family in families(results.lines, least=2):
        clocks = {clock: times_by_setting(results, family, clock) for clock in (QPU, WALL)}
        shared = sorted(set.intersection(*(set(times) for times in clocks[QPU].values())))
        lines += ["", f"`{family.name}`, {len(shared)} neurons:", ""]
        lines += [f"| {family.option}, µs | TTS99, QPU access | TTS99, wall clock |", "|---|---|---|"]
        for value in sorted(clocks[QPU]):
            cells = [middle(np.sort([clocks[clock][value][p] for p in shared])) for clock in (QPU, WALL)]
            lines.append(f"| {value:g} | " + " | ".join(seconds(cell) for cell in cells) + " |")
    return lines


def page(results: Results) -> str:
    name, text = "tts-qpu-annealing_time", "TTS99 in QPU access against annealing time, emulated"
    figure = shown_figure(results, "emulated", name, text, width=6.5).replace("(_static", "(../_static")
    lines = [INTRODUCTION, to_markdown(optimal_tts_table(results)), "## Every annealing time", figure]
    lines += by_setting(results)
    return "\n".join(lines) + "\n"


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--page", type=Path, metavar="DIR", help="a study that was run before")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as space:
        folder = asked.page or Path(space) / "emulated-tts"
        if asked.page is None:
            measured(folder)
        PAGE.write_text(page(Results.read(folder)))
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
