"""Training runs to one HTML file: the tables, every curve, every run, and how to repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from qproj._files import write_text
from qproj.lab.report.page import render_page
from qproj.lab.report.training_figures import training_figures
from qproj.lab.training.tables import figure_table, summaries


def write_training_report(
    records: Sequence[dict[str, Any]], path: Path, environments: Sequence[dict[str, Any]] = ()
) -> Path:
    """Write the page of stored runs, whole or not at all, and return its path.

    Parameters
    ----------
    records : sequence of dict
        Of :meth:`qproj.lab.training.run_folder.Store.all`; at least one.
    path : Path
    environments : sequence of dict
        Of :func:`qproj.lab.studies.environment.environment`, oldest first.

    Raises
    ------
    MissingPackageError
        jinja2 or plotly is not installed.
    ValueError
        `records` is empty.
    """
    if not records:
        raise ValueError("no run is there to report; `qproj train NAME --out DIR` makes some")
    names = dict.fromkeys(record["experiment"] for record in records)
    parts = [_part(name, place, records) for place, name in enumerate(names)]
    figures = [figure for part in parts for figure in part["figures"]]
    title, runs = path.resolve().parent.name, [_run(record) for record in records]
    tabs = [*((name, name) for name in names), ("runs", "Runs")]
    page = render_page(
        "training.html", figures, {}, environments, tabs, kind="training", title=title, parts=parts, runs=runs
    )
    write_text(path, page)
    return path


def _part(name: str, place: int, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one experiment's table and figures."""
    mine = [record for record in records if record["experiment"] == name]
    titles, rows = figure_table(mine)
    return {
        "name": name, "seeds": len({record["seed"] for record in mine}), "summaries": summaries(mine),
        "columns": [(name, True) for name in titles[1:]], "measured": rows,
        "figures": [
            replace(one, name=f"f{place}-{i}", text=_averaged(mine)) for i, one in enumerate(training_figures(mine))
        ],
    }  # fmt: skip


def _averaged(records: Sequence[dict[str, Any]]) -> str:
    return "Mean of the seeds, and their range." if len({one["seed"] for one in records}) > 1 else "One seed."


def _run(record: dict[str, Any]) -> dict[str, Any]:
    accuracy = record["test_accuracy"]
    return {
        "experiment": record["experiment"], "optimizer": record["optimizer"], "solver": record["solver"] or "–",
        "seed": record["seed"], "accuracy": "–" if accuracy is None else f"{accuracy:.4f}",
        "steps": record["steps"], "seconds": f"{record['seconds']:.1f}",
        "settings": " ".join(f"{name}={value}" for name, value in record["settings"].items()),
        "sha": (record["weights_sha256"] or "–")[:12],
    }  # fmt: skip
