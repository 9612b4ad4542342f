"""What a study costs beyond its solvers: 2,000 runs on two processes against the sum of the solvers' own seconds."""

from __future__ import annotations

import tempfile
import time
from typing import Any

TITLE = "Studies: overhead over the solvers' own time"
WORKERS = 2
SOLVERS = ["sa:num_sweeps=500", "sqa"]


def run(quick: bool = True) -> dict[str, Any]:
    """Run a study of many runs of about a tenth of a second and account for its seconds."""
    from qproj.lab.studies.study import Study

    seeds, neurons = (2, 5) if quick else (20, 10)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        study = Study(
            folder, [f"random:n=20,d=15|24|32|48|64,neurons={neurons}"], SOLVERS, seeds=seeds, time_limits_s=[None],
            nulls=False,
        )  # fmt: skip
        ended = study.run(workers=WORKERS)
        wall = time.perf_counter() - begin
        frame = study.frame
    assert ended.failed == 0
    assert ended.done == len(frame) == 2 * 5 * neurons * seeds
    solving, setup = float(frame["wall_s"].sum()), float(frame["setup_s"].sum() or 0.0)
    descent = float(frame["descent_s"].sum())
    ideal = solving / WORKERS
    return {
        "runs": ended.done, "workers": WORKERS, "solvers": SOLVERS, "wall_s": wall, "solving_s": solving,
        "setup_s": setup, "descent_s": descent, "overhead": wall / ideal - 1.0, "mean_run_s": solving / ended.done,
    }  # fmt: skip


def section(result: dict[str, Any]) -> str:
    """Return the page's part."""
    cores, percent = result["workers"], 100 * result["overhead"]
    return f"""
A study of {result["runs"]:,} runs ({", ".join(result["solvers"])}; random layers, d = 15…64) on {cores} processes took
{result["wall_s"]:.1f} s; its solvers' own seconds, from problem to weights, are {result["solving_s"]:.1f} s,
{1000 * result["mean_run_s"]:.0f} ms per run. Overhead over the solvers' own time on {cores} cores: **{percent:.1f} %**
(target: 5 %). It holds the start of the processes, the making of solvers ({result["setup_s"]:.2f} s of one core), the
descent from every read that tables show beside the reads themselves ({result["descent_s"]:.1f} s of one core), every
score recomputed from the definition, and the file. A short study pays for the start alone: some two seconds.
"""
