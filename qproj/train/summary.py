"""Mean and standard deviation over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Summary:
    """One optimiser's runs of one experiment: texts for a table, numbers for what follows."""

    optimizer: str
    runs: int
    accuracy: str
    best_val: str
    mean: float | None
    binary: int
    floats: int
    seconds: float


def summaries(records: Sequence[dict[str, Any]]) -> list[Summary]:
    """Return a summary an optimiser, in the order of first appearance."""
    found = []
    for optimizer in dict.fromkeys(record["optimizer"] for record in records):
        mine = [record for record in records if record["optimizer"] == optimizer]
        values = [r["test_accuracy"] for r in mine if r["test_accuracy"] is not None]
        found.append(
            Summary(
                optimizer, len(mine), mean_std(values),
                mean_std([r["best_val_test_accuracy"] for r in mine if r["best_val_test_accuracy"] is not None]),
                statistics.fmean(values) if values else None, mine[0]["binary_parameters"], mine[0]["float_parameters"],
                statistics.fmean(record["seconds"] for record in mine),
            )
        )  # fmt: skip
    return found


def mean_std(values: Sequence[float]) -> str:
    """Return "mean ± standard deviation" with three digits after the point; the deviation from two values on."""
    if not values:
        return "–"
    mean = f"{statistics.fmean(values):.3f}"
    return f"{mean} ± {statistics.stdev(values):.3f}" if len(values) > 1 else mean
