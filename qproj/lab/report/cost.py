"""Cost in training: test accuracy of one run with each solver, against that solver's gap on the study's neurons."""

from __future__ import annotations

import math
from typing import Any

from qproj.lab.report.figure import GREY, PALETTE, Axis, Figure, Series, Style
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import SolverLine, number, percent
from qproj.lab.studies.training_cost import TrainingLine, training_lines


def training_cost(results: Results) -> Figure | None:
    """Accuracy against gap, one point per solver and experiment; None for a study without training."""
    known = {line.label: line for line in results.lines}
    lines = [line for line in training_lines(results.training) if line.solver in known]
    series = []
    for colour, experiment in zip(PALETTE, dict.fromkeys(line.experiment for line in lines), strict=False):
        for null in (False, True):
            own = [line for line in lines if line.experiment == experiment and known[line.solver].is_null == null]
            if own:
                series.append(_points(experiment, own, known, GREY if null else colour, in_legend=not null))
    if not series:
        return None
    return Figure(
        "training", "What a worse projection costs in training",
        "Test accuracy at the end of the same training run with each solver, mean and standard deviation over seeds, "
        "against the solver's mean gap on the neurons of this study. The null model is grey.",
        Axis("mean gap on the study's neurons", from_zero=True), Axis("test accuracy", ticks=".1%"), series,
    )  # fmt: skip


def _points(
    experiment: str, lines: list[TrainingLine], known: dict[str, SolverLine], colour: str, *, in_legend: bool
) -> Series:
    spread = [0.0 if math.isnan(line.deviation) else line.deviation for line in lines]
    gaps = [known[line.solver] for line in lines]
    return Series(
        experiment, [gap.gap_mean for gap in gaps], [line.accuracy for line in lines], Style(colour, size=10), "points",
        low=[line.accuracy - s for line, s in zip(lines, spread, strict=True)],
        high=[line.accuracy + s for line, s in zip(lines, spread, strict=True)],
        x_low=[gap.gap_low for gap in gaps], x_high=[gap.gap_high for gap in gaps],
        labels=[line.solver for line in lines], labelled=True, in_legend=in_legend,
        hover="{label}: {y:.1%} at a gap of {x:.3g}",
    )  # fmt: skip


def training_rows(results: Results) -> list[dict[str, Any]]:
    """Return the table beside it."""
    known = {line.label: line for line in results.lines}
    return [
        {
            "experiment": line.experiment, "solver": line.solver, "seeds": line.seeds,
            "null": line.solver in known and known[line.solver].is_null,
            "accuracy": percent(line.accuracy), "deviation": percent(line.deviation),
            "gap": number(known[line.solver].gap_mean) if line.solver in known else "–",
            "own": number(line.gap), "seconds": number(line.seconds), "share": percent(line.share),
        }
        for line in training_lines(results.training)
    ]  # fmt: skip
