"""Cost in training: test accuracy of one run with each solver, against that solver's gap on the study's neurons."""

from __future__ import annotations

import math
from typing import Any

from qproj.lab.report.style import GREY, PALETTE, Figure, safe
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import number, percent
from qproj.lab.studies.training_cost import training_lines

#: Where names stand at their points, in turn: good solvers lie close together.
_PLACES = ("top right", "bottom right", "middle right", "top left", "bottom left")


def training_cost(results: Results) -> Figure | None:
    """Accuracy against gap, one point a solver and experiment; None for a study without training."""
    traces: list[dict[str, Any]] = []
    known = {line.label: line for line in results.lines}
    lines = training_lines(results.training)
    for colour, experiment in zip(PALETTE, dict.fromkeys(line.experiment for line in lines), strict=False):
        own = [line for line in lines if line.experiment == experiment and line.solver in known]
        traces.append({
            "type": "scatter", "mode": "markers+text", "name": safe(experiment),
            "x": [known[line.solver].gap_mean for line in own], "y": [line.accuracy for line in own],
            "text": [safe(line.solver) for line in own],
            "textposition": [_PLACES[i % len(_PLACES)] for i in range(len(own))],
            "marker": {
                "size": 10, "color": [GREY if known[line.solver].is_null else colour for line in own],
            },
            "error_y": {
                "type": "data", "thickness": 1, "color": GREY,
                "array": [0.0 if math.isnan(line.deviation) else line.deviation for line in own],
            },
            "error_x": {
                "type": "data", "symmetric": False, "thickness": 1, "color": GREY,
                "array": [known[line.solver].gap_high - known[line.solver].gap_mean for line in own],
                "arrayminus": [known[line.solver].gap_mean - known[line.solver].gap_low for line in own],
            },
            "hovertemplate": "%{text}: %{y:.1%} at a gap of %{x:.3g}<extra></extra>",
        })  # fmt: skip
    if not traces:
        return None
    layout: dict[str, Any] = {
        "xaxis": {"title": "mean gap on the study's neurons", "rangemode": "tozero"},
        "yaxis": {"title": "test accuracy", "tickformat": ".1%"}, "showlegend": len(traces) > 1,
    }  # fmt: skip
    return Figure(
        "training", "What a worse projection costs in training",
        "Test accuracy at the end of the same training run with each solver, mean and standard deviation over seeds, "
        "against the solver's mean gap on the neurons of this study. The null model is grey.", traces, layout,
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
