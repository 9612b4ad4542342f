"""The overview as text, one line per solver: for the terminal and for Markdown."""

from __future__ import annotations

import math

from qproj.lab.studies.comparisons import ranking_table
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import SolverLine, gap_text, number, percent, seconds


def overview(results: Results) -> tuple[list[str], list[list[str]]]:
    """Return the table's titles and rows, ordered by the mean gap on common neurons.

    "rank" is the mean rank on common neurons, "–" for a solver that took fewer than half of them; "TTS99" the median
    time to solution of solvers whose reads were kept, in seconds.
    """
    ranks = {row["solver"]: row["mean_rank"] for row in ranking_table(results).records}
    titles = [
        "solver", "runs", "failed", "proved", "gap", "rank", "at optimum", "lowest energy", "+descent", "a read",
        "TTS99", "cosine", "build", "solve", "decode",
    ]  # fmt: skip
    rows = [
        [
            f"{line.label} (null)" if line.is_null else line.label, str(line.runs), _failures(line),
            percent(line.proved.value), gap_text(line), number(ranks.get(line.label, math.nan)),
            percent(line.best.value), percent(line.raw.value), percent(line.descent.value), percent(line.read.value),
            seconds(line.tts_s), number(line.cosine),
            *(seconds(line.seconds[part]) for part in ("build", "solve", "decode")),
        ]
        for line in results.lines
    ]  # fmt: skip
    return titles, rows


def _failures(line: SolverLine) -> str:
    return str(line.failed) if not line.refused else f"{line.failed} (+{line.refused} n/a)"
