"""Every table of a study's report as plain values: for the page, the terminal, papers and other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from qproj._files import write_text
from qproj.lab.studies import comparisons
from qproj.lab.studies.failures import failures
from qproj.lab.studies.metrics import agreement
from qproj.lab.studies.result_table import WRITERS, Column, ResultTable
from qproj.lab.studies.results import Results
from qproj.lab.studies.training_cost import training_lines
from qproj.lab.studies.tuning_table import tuning_table

#: File endings by format.
ENDINGS = {"latex": "tex", "md": "md", "csv": "csv"}


def report_tables(study: Results | str | Path) -> list[ResultTable]:
    """Return the tables that the study has data for, in the report's order."""
    results = study if isinstance(study, Results) else Results.read(study)
    made = [
        solvers_table(results), layers_table(results), comparisons.ranking_table(results),
        comparisons.pairs_table(results), agreement_table(results), comparisons.time_to_gap_table(results),
        comparisons.optimal_tts_table(results), comparisons.cost_table(results), tuning_table(results),
        training_table(results), failures_table(results),
    ]  # fmt: skip
    return [table for table in made if table.rows]


def write_tables(study: Results | str | Path, folder: str | Path, kind: str) -> list[Path]:
    """Write every table to its own file, such as ``solvers.tex``, and return their paths.

    Parameters
    ----------
    study : Results or path
    folder : path
        Made where it is missing.
    kind : {"latex", "md", "csv"}

    Raises
    ------
    ValueError
        Another kind.
    """
    if kind not in ENDINGS:
        raise ValueError(f"tables are asked for as {kind!r}; latex, md or csv is needed")
    Path(folder).mkdir(parents=True, exist_ok=True)
    written = []
    for table in report_tables(study):
        path = Path(folder) / f"{table.name}.{ENDINGS[kind]}"
        write_text(path, WRITERS[kind](table))
        written.append(path)
    return written


def solvers_table(results: Results) -> ResultTable:
    """Return the overview: one line per solver."""
    columns = (
        Column("solver"), Column("kind"), Column("runs", "count"), Column("failed", "count"),
        Column("refused", "count"), Column("cut", "count"), Column("neurons", "count"), Column("asked", "count"),
        Column("proved", "share"), Column("mean gap", "number"), Column("low", "number", "gap_low"),
        Column("high", "number", "gap_high"), Column("median gap", "number"), Column("at optimum", "share"),
        Column("lowest energy", "share"), Column("+ descent", "share", "after_descent"), Column("a read", "share"),
        Column("TTS99", "seconds"), Column("wall clock", "seconds"), Column("cosine", "number"),
    )  # fmt: skip
    rows: list[list[Any]] = [
        [
            line.label, "null model" if line.is_null else "exact" if line.exact else "heuristic", line.runs,
            line.failed, line.refused, line.cut, line.neurons, line.asked, line.proved.value, line.gap_mean,
            line.gap_low, line.gap_high, line.gap_median, line.best.value, line.raw.value, line.descent.value,
            line.read.value, line.tts_s, line.wall_s, line.cosine,
        ]
        for line in results.lines
    ]  # fmt: skip
    origin = f"Optima and bounds are those of {Path(results.source).name}. " if results.source else ""
    note = (
        f"{results.neurons} neurons, {len(results.runs)} runs; the optimum of {results.optima} neurons is proved. "
        f"{origin}Gaps are to the proved optimum, else to the best bound, with their 95 % bootstrap interval."
    )
    return ResultTable("solvers", "Solvers, one line each", note, columns, rows)


def layers_table(results: Results) -> ResultTable:
    """Return one row per layer: its size before and after merging, and how many optima are proved."""
    runs, rows = results.runs, []
    for name in dict.fromkeys(runs["instance"].tolist()):
        own = runs.where(runs["instance"] == name)
        problems = np.unique(own["problem"])
        means = [round(float(own[column].mean()), 1) for column in ("groups", "classes", "weight_bits")]
        proved = int(results.known.proved[problems].sum())
        rows.append([name, own["source"][0], int(own["n"][0]), int(own["d"][0]), len(problems), *means, proved])
    columns = (
        Column("layer"), Column("source"), Column("rows n", "count"), Column("fan-in d", "count"),
        Column("neurons", "count"), Column("row groups", "count"), Column("column classes", "count"),
        Column("weight bits", "count"), Column("optima proved", "count"),
    )  # fmt: skip
    return ResultTable("layers", "Layers", "Sizes after merging are means over neurons.", columns, rows)


def agreement_table(results: Results) -> ResultTable:
    """Return how often two solvers reach the same gain."""
    labels = [line.label for line in results.lines[: comparisons.MAX_PAIRS]]
    shares = agreement(results.runs, labels)
    rows: list[list[Any]] = [[label, *map(float, row)] for label, row in zip(labels, shares, strict=True)]
    columns = (Column("solver"), *(Column(label, "share") for label in labels))
    note = "Share of neurons and seeds on which two solvers reach the same gain."
    return ResultTable("agreement", "Agreement of two solvers", note, columns, rows if len(labels) > 1 else [])


def training_table(results: Results) -> ResultTable:
    """Return the training runs, one line per experiment and solver."""
    known = {line.label: line for line in results.lines}
    rows: list[list[Any]] = [
        [
            line.experiment, line.solver, line.seeds, line.accuracy, line.deviation,
            known[line.solver].gap_mean if line.solver in known else None, line.gap, line.seconds, line.share,
        ]
        for line in training_lines(results.training)
    ]  # fmt: skip
    columns = (
        Column("experiment"), Column("solver"), Column("seeds", "count"), Column("test accuracy", "share"),
        Column("std", "share"), Column("gap on the study’s neurons", "number", "gap_on_neurons"),
        Column("gap in training", "number"), Column("seconds per run", "number"), Column("in projections", "share"),
    )  # fmt: skip
    note = (
        "“Gap in training” is to each solver’s own bound, which is weaker where it proves nothing; compare solvers by "
        "the gap on the study’s neurons."
    )
    return ResultTable("training", "Training runs, one line per experiment and solver", note, columns, rows)


def failures_table(results: Results) -> ResultTable:
    """Return the causes of failed and refused runs, each with its remedy."""
    rows: list[list[Any]] = [[one.label, one.status, one.runs, one.message, one.remedy] for one in failures(results)]
    columns = (
        Column("solver"), Column("status"), Column("runs", "count"), Column("cause, in the first run", key="cause"),
        Column("remedy"),
    )  # fmt: skip
    note = "“wrong”: the solver’s claim contradicts the definition, or another run beats it."
    return ResultTable("failures", "Causes and remedies", note, columns, rows)
