"""Runs by optimiser and solver: mean and standard deviation over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qproj.lab.training.experiments import OPTIMIZERS


@dataclass(frozen=True)
class Summary:
    """One optimiser's runs of one experiment with one solver: texts for a table, numbers for what follows.

    Attributes
    ----------
    projecting : str
        The projections' share of the seconds; empty for optimisers without projections.
    """

    label: str
    optimizer: str
    solver: str | None
    runs: int
    accuracy: str
    best_val: str
    mean: float | None
    binary: int
    floats: int
    seconds: float
    gap: str
    audit_gap: str
    projecting: str


def summaries(records: Sequence[dict[str, Any]]) -> list[Summary]:
    """Return a summary a group (:func:`groups`); functions have none."""
    found = []
    for label, mine in groups([record for record in records if "figures" not in record]).items():
        values = _numbers(mine, "test_accuracy")
        found.append(
            Summary(
                label, mine[0]["optimizer"], mine[0]["solver"], len(mine), mean_std(values),
                mean_std(_numbers(mine, "best_val_test_accuracy")), statistics.fmean(values) if values else None,
                mine[0]["binary_parameters"], mine[0]["float_parameters"],
                statistics.fmean(record["seconds"] for record in mine), mean_std(_numbers(mine, "mean_gap"), digits=4),
                mean_std(_numbers(mine, "mean_audit_gap"), digits=4), _share(_numbers(mine, "projection_share")),
            )
        )  # fmt: skip
    return found


def _share(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.0%}" if values else ""


def groups(records: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the runs by optimiser, in their usual order, and by solver, settings and length where these differ."""
    known = {name: place for place, name in enumerate(OPTIMIZERS)}
    ordered = sorted(records, key=lambda record: known.get(record["optimizer"], len(known)))
    found: dict[str, list[dict[str, Any]]] = {}
    for record in ordered:
        peers = [one for one in ordered if one["optimizer"] == record["optimizer"]]
        label = record["optimizer"]
        if len({one["solver"] for one in peers}) > 1 or record["solver"] not in (None, "auto"):
            label += f", {record['solver']}"
        if len({_settings(one) for one in peers}) > 1:
            label += f", {_settings(record)}"
        found.setdefault(label, []).append(record)
    return found


def figure_table(records: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return titles and rows of the measurements on a function: one row per figure, one column per optimiser."""
    by = groups([record for record in records if "figures" in record])
    names = list(dict.fromkeys(name for mine in by.values() for record in mine for name in record["figures"]))
    rows = [
        [name.replace("_", " "), *(_figure([record["figures"].get(name) for record in mine]) for mine in by.values())]
        for name in names
    ]
    return ["measured", *by], rows


def mean_std(values: Sequence[float], *, digits: int = 3) -> str:
    """Return "mean ± standard deviation" with so many digits after the point; the deviation from two values on."""
    if not values:
        return "–"
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def _settings(record: dict[str, Any]) -> str:
    shown = {**record["settings"], "epochs": record["epochs"]}
    return " ".join(f"{name}={value}" for name, value in shown.items())


def _numbers(records: Sequence[dict[str, Any]], name: str) -> list[float]:
    return [float(record[name]) for record in records if record.get(name) is not None]


def _figure(values: Sequence[Any]) -> str:
    there = [float(value) for value in values if value is not None]
    if not there:
        return "–"
    mean = f"{statistics.fmean(there):.4g}"
    return f"{mean} ± {statistics.stdev(there):.2g}" if len(there) > 1 and len(set(there)) > 1 else mean
