"""A study's page: its tables and figures, every run, and how to repeat it; one file, no network, light and dark."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from qproj._arrays import FloatArray
from qproj._files import write_text
from qproj.lab.report.cost import training_rows
from qproj.lab.report.page import render_page
from qproj.lab.report.study_figures import study_figures
from qproj.lab.studies.comparisons import (
    MAX_PAIRS,
    cost_table,
    optimal_tts_table,
    pairs_table,
    ranking_table,
    time_to_gap_table,
)
from qproj.lab.studies.failures import failures
from qproj.lab.studies.metrics import agreement, gaps
from qproj.lab.studies.result_table import ResultTable
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import SolverLine, gap_text, number, percent, seconds
from qproj.lab.studies.tuning_table import tuning_table

#: Parts of the page that hold figures only, and the figures in their order.
FIGURE_PARTS = (
    ("quality", "Quality", ("sizes", "alignment")),
    ("reads", "Reads", ("success-d", "success-n", "reads")),
    ("time", "Time", ("time", "anytime", "tts", "split")),
)
#: The overview's columns beside the solver's name and kind.
SUMMARY_COLUMNS = (
    "runs", "failed", "cut", "proved", "mean gap", "wall clock", "at optimum", "lowest energy", "+ descent", "a read",
    "TTS99", "energy ≠ best", "cosine", "to flip", "broken chains", "one-off",
)  # fmt: skip
#: Rows of failures that are listed in full; the rest is counted.
MAX_FAILURES = 500


def write_report(results: Results, path: str | Path) -> Path:
    """Write the page, whole or not at all, and return its path.

    Raises
    ------
    MissingPackageError
        jinja2 or plotly is not installed.
    OSError
        The file cannot be written; one that was there stays.
    """
    target = Path(path)
    write_text(target, render(results))
    return target


def render(results: Results) -> str:
    """Return the page's HTML."""
    figures = study_figures(results)
    drawn = [figure.name for figure in figures]
    parts = [*FIGURE_PARTS, ("scans", "Scans", tuple(name for name in drawn if name.startswith("scan-")))]
    figure_parts = [
        (key, name, shown) for key, name, wanted in parts if (shown := [one for one in wanted if one in drawn])
    ]
    training, pairs, listed = training_rows(results), pairs_table(results), failure_rows(results)
    table_parts = _table_parts(results, drawn)
    tabs = [
        ("overview", "Overview"), *((key, name) for key, name, _ in figure_parts),
        *([("training", "Training")] if training else []), *((key, name) for key, name, _, _ in table_parts),
        *([("pairs", "Pairs")] if pairs.rows else []),
        ("runs", "Runs"), *([("failures", "Failures")] if listed else []),
    ]  # fmt: skip
    return render_page(
        "study.html",
        figures,
        {"runs": run_table(results), "neurons": neuron_table(results)},
        results.environments,
        tabs,
        kind="study",
        figure_parts=figure_parts,
        summary_columns=[(name, True) for name in SUMMARY_COLUMNS],
        title=results.folder.resolve().name,
        summary=summary_rows(results.lines),
        pairs=pairs,
        table_parts=table_parts,
        nulls={line.label for line in results.lines if line.is_null},
        agreement=agreement_rows(results),
        failures=listed,
        causes=failures(results),
        failed=int((results.runs.failed | results.known.contradicted).sum()),
        refused=int(results.runs.refused.sum()),
        neurons=results.neurons,
        optima=results.optima,
        layers=layer_rows(results),
        training=training,
        runs=len(results.runs),
    )


def _table_parts(results: Results, drawn: list[str]) -> list[tuple[str, str, list[ResultTable], list[str]]]:
    """Return (id, name, tables, figures) of the parts that hold both; those without a table are left out."""
    made = [
        ("ranking", "Ranking", [ranking_table(results), time_to_gap_table(results), optimal_tts_table(results)],
         ["profile", *(name for name in drawn if name.startswith("tts-"))]),
        ("cost", "Cost", [cost_table(results)], ["cost"]),
        ("tuning", "Tuning", [tuning_table(results)], ["tuning"]),
    ]  # fmt: skip
    parts = [(key, name, [one for one in tables if one.rows], figures) for key, name, tables, figures in made]
    return [
        (key, name, tables, [one for one in figures if one in drawn]) for key, name, tables, figures in parts if tables
    ]


def summary_rows(lines: list[SolverLine]) -> list[dict[str, Any]]:
    """Return the overview's rows: text, the number to sort by, the interval to show on hover."""
    rows = []
    for line in lines:
        cells = [
            _cell(str(line.runs), line.runs),
            _cell(f"{line.failed} (+{line.refused} n/a)" if line.refused else str(line.failed), line.failed),
            _cell(str(line.cut), line.cut, "runs that the clock cut short: they need not repeat"),
            _share_cell(line.proved),
            _cell(gap_text(line), line.gap_mean, f"95 %: {number(line.gap_low)} to {number(line.gap_high)}"),
            _cell(seconds(line.wall_s), line.wall_s),
            _share_cell(line.best), _share_cell(line.raw), _share_cell(line.descent), _share_cell(line.read),
            _cell(seconds(line.tts_s), line.tts_s, f"95 %: {seconds(line.tts_low)} to {seconds(line.tts_high)}"),
            _cell(percent(line.disagreement), line.disagreement),
            _cell(number(line.cosine), line.cosine),
            _cell(number(line.distance), line.distance),
            _cell(percent(line.chain_breaks), line.chain_breaks),
            _cell(seconds(line.setup_s), line.setup_s, "once per process: imports, compilation, a warm-up"),
        ]  # fmt: skip
        kind = "null model" if line.is_null else "exact" if line.exact else "heuristic"
        rows.append({"label": line.label, "kind": kind, "cells": cells})
    return rows


def _cell(text: str, value: float, hint: str = "") -> dict[str, Any]:
    shown = value if math.isfinite(value) else 1e300 if value == math.inf else -1
    return {"text": text, "value": f"{shown:.12g}", "hint": hint}


def _share_cell(share: Any) -> dict[str, Any]:
    hint = f"95 % Wilson: {percent(share.low)} to {percent(share.high)}, of {share.trials}" if share.trials else ""
    return _cell(percent(share.value), share.value, hint)


def agreement_rows(results: Results) -> dict[str, Any]:
    """Return the table of how often two solvers reach the same gain."""
    labels = [line.label for line in results.lines[:MAX_PAIRS]]
    shares = agreement(results.runs, labels)
    rows = [
        {"label": label, "cells": [
            {"text": percent(float(x)), "shade": 0 if math.isnan(x) else round(float(x) * 60)} for x in row
        ]}
        for label, row in zip(labels, shares, strict=True)
    ]  # fmt: skip
    return {"labels": labels, "rows": rows}


def failure_rows(results: Results) -> list[dict[str, Any]]:
    """Return runs that failed, were refused, or claimed a proof that another run beats."""
    runs = results.runs
    bad = runs.failed | runs.refused | results.known.contradicted
    rows = []
    for i in np.flatnonzero(bad)[:MAX_FAILURES].tolist():
        status, message = str(runs["status"][i]), str(runs["message"][i])
        if results.known.contradicted[i]:
            status, message = "wrong", f"its proof or bound is beaten by another run; {message}"
        rows.append({
            "label": runs["label"][i], "instance": runs["instance"][i], "neuron": int(runs["neuron"][i]),
            "seed": "–" if runs["seed"][i] is None else runs["seed"][i], "status": status, "message": message,
        })  # fmt: skip
    return rows


def layer_rows(results: Results) -> list[dict[str, Any]]:
    """Return one row per layer: its size before and after merging, and how many optima are proved."""
    runs = results.runs
    rows = []
    for name in dict.fromkeys(runs["instance"].tolist()):
        own = runs.where(runs["instance"] == name)
        problems = np.unique(own["problem"])
        rows.append({
            "name": name, "source": own["source"][0], "n": int(own["n"][0]), "d": int(own["d"][0]),
            "neurons": len(problems), "groups": round(float(own["groups"].mean()), 1),
            "classes": round(float(own["classes"].mean()), 1), "bits": round(float(own["weight_bits"].mean()), 1),
            "optima": int(results.known.proved[problems].sum()),
        })  # fmt: skip
    return rows


def run_table(results: Results) -> dict[str, Any]:
    """Return every run for the drill-down, in columns, names as numbers."""
    runs = results.runs
    columns: dict[str, Any] = {}
    for name in ("instance", "label", "status"):
        texts, index = _coded(runs[name].tolist())
        columns[f"{name}s"], columns[name] = texts, index
    gap = gaps(runs, results.known)
    columns |= {
        "neuron": runs["neuron"], "problem": runs["problem"], "seed": runs["seed"].tolist(),
        "reads": runs["reads"].tolist(), "gap": _rounded(gap, 4), "gain": _rounded(runs["gain"], 8),
        "distance": [None if math.isnan(x) else int(x) for x in results.distances.tolist()],
        "cosine": _rounded(runs["cosine"], 3), "seconds": _rounded(runs["wall_s"], 3),
    }  # fmt: skip
    return columns


def neuron_table(results: Results) -> dict[str, Any]:
    """Return the best gain, bound and proof of every neuron, in columns, in the order of ``problem``."""
    runs, known = results.runs, results.known
    _, first = np.unique(runs["problem"], return_index=True)
    return {
        **{name: runs[name][first] for name in ("n", "d", "groups", "classes", "weight_bits")},
        "best": _rounded(known.gain, 8), "bound": _rounded(known.bound, 8), "proved": known.proved.astype(int),
    }  # fmt: skip


def _rounded(values: FloatArray, digits: int) -> list[float | None]:
    """Return numbers of so many digits, None for NaN: whole numbers as such, which is shorter."""
    texts = (f"{x:.{digits}g}" for x in values.tolist())
    return [None if text == "nan" else int(text) if text.lstrip("-").isdigit() else float(text) for text in texts]


def _coded(values: list[Any]) -> tuple[list[str], list[int]]:
    place: dict[str, int] = {}
    index = [place.setdefault(str(value), len(place)) for value in values]
    return list(place), index
