"""A study for other tools: rows as csv or parquet, layers as npz, neurons as COO, LP or MPS files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from qproj._extras import install_hint
from qproj._files import replacing
from qproj.formats.coo import coo_text
from qproj.formats.lp import lp_text
from qproj.formats.mps import mps
from qproj.lab.datasets.instances import LayerInstance, save_instances
from qproj.lab.studies.frame import COLUMNS, Runs, read_runs
from qproj.lab.studies.metrics import References, gaps, references
from qproj.lab.studies.store import StudyStore
from qproj.projections import SignProjection
from qproj.solvers.contract import MissingPackageError

if TYPE_CHECKING:
    import polars

FORMATS = ("csv", "parquet", "reads", "references", "npz", "coo", "lp", "mps")


def export_study(folder: str | Path, out: str | Path, kind: str, *, encoding: str = "majority") -> tuple[int, str]:
    """Write a study in another format and return a count and its unit.

    Parameters
    ----------
    folder, out : path
        The study; a file (csv, parquet, npz) or a folder (coo, lp, mps).
    kind : str
        "csv" and "parquet" hold one row per run; "reads" one per read, as parquet or csv by the file's ending;
        "references" the best gain and bound of each neuron, as csv; "npz" the layers; "coo" one BQM per neuron under
        `encoding`; "lp" and "mps" one constrained model per neuron. Published QUBOs are written as they are.

    Raises
    ------
    ValueError
        Unknown format, neurons that the encoding refuses, or "npz" of a study without layers.
    FileNotFoundError
        No study.
    """
    target = Path(out)
    if kind not in FORMATS:
        raise ValueError(f"unknown format {kind!r}; there are {', '.join(FORMATS)}")
    if kind in ("csv", "parquet"):
        return _rows(Path(folder), target, kind)
    if kind == "references":
        from qproj.lab.studies.known_optima import write_known_optima

        return write_known_optima(folder, target), "neurons"
    if kind == "reads":
        from qproj.lab.studies.read_export import write_reads

        return write_reads(folder, target), "reads"
    with StudyStore(Path(folder)) as store:
        layers = list(store.layers().values())
    if kind == "npz":
        kept = [layer for layer in layers if isinstance(layer, LayerInstance)]
        if not kept:
            raise ValueError("the study holds published models only; 'coo', 'lp' and 'mps' write those")
        save_instances(target, _distinct(kept))
        return len(kept), "layers"
    write: dict[str, Callable[[Any], str]] = {
        "coo": lambda p: _coo(p, encoding), "lp": _lp, "mps": lambda p: mps(_named(p)),
    }  # fmt: skip
    comment = {"coo": "#", "lp": "\\", "mps": "*"}[kind]
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    for place, layer in enumerate(layers):
        problems: Sequence[Any] = layer.problems
        for j, problem in enumerate(problems):
            head = f"{layer.name} neuron {j}, key {problem.key}"
            name = f"layer{place:03d}-neuron{j:03d}.{kind}"
            # the readers of these formats take ASCII only
            (target / name).write_text(f"{comment} {ascii(head)[1:-1]}\n{write[kind](problem)}", encoding="ascii")
            count += 1
    return count, "neurons"


def to_polars(runs: Runs, known: References | None = None) -> polars.DataFrame:
    """Return the runs as a polars frame, with ``gap`` (to the proved optimum or the best bound) and ``gap_to``."""
    try:
        import polars
    except ImportError as error:
        raise MissingPackageError(f"polars is not installed; {install_hint('report')}") from error
    dtypes: dict[Any, Any] = {str: polars.String, str | None: polars.String, int | None: polars.Int64}
    columns: dict[str, Any] = {}
    for name, (_, kind) in COLUMNS.items():
        if kind in dtypes:
            columns[name] = polars.Series(name, runs[name].tolist(), dtypes[kind])
        elif name != "instance_id":
            columns[name] = polars.Series(name, runs[name], nan_to_null=True)
    if len(runs):
        known = references(runs) if known is None else known
        columns["gap"] = polars.Series("gap", gaps(runs, known), nan_to_null=True)
        columns["gap_to"] = np.where(known.proved[runs["problem"]], "optimum", "bound").tolist()
    return polars.DataFrame(columns)


def read_frame(folder: Path) -> polars.DataFrame:
    """Return every run of a study's folder as a polars frame."""
    with StudyStore(folder) as store:
        return to_polars(read_runs(store))


def _rows(folder: Path, target: Path, kind: str) -> tuple[int, str]:
    from qproj.lab.studies.read_export import without_formulas

    frame = read_frame(folder)
    with replacing(target) as file:
        if kind == "csv":
            without_formulas(frame).write_csv(file)
        else:
            frame.write_parquet(file)
    return frame.height, "rows"


def _distinct(layers: list[LayerInstance]) -> list[LayerInstance]:
    """Layers under names of their own: two studies of one name may have added different ones."""
    seen: set[str] = set()
    named = []
    for layer in layers:
        name, number = layer.name, 2
        while name in seen:
            name, number = f"{layer.name}#{number}", number + 1
        seen.add(name)
        named.append(layer if name == layer.name else replace(layer, name=name, meta=dict(layer.meta)))
    return named


def _coo(problem: Any, encoding: str) -> str:
    """The encoding's BQM over 0..N−1, the order of its labels, which a comment holds."""
    if isinstance(problem, SignProjection):
        encoded = problem.encode(encoding)
        bqm, labels = encoded.bqm.copy(), list(encoded.labels)
    else:
        bqm, labels = problem.bqm.copy(), list(problem.variables)
    bqm.relabel_variables({label: i for i, label in enumerate(labels)})
    return f"# variables 0..{len(labels) - 1}: {labels!a}\n{coo_text(bqm)}"


def _named(problem: Any) -> Any:
    """The constrained model, its labels as plain words."""
    cqm = problem.cqm
    variables = {
        label: "_".join(str(part) for part in label) if isinstance(label, tuple) else f"x_{label}"
        for label in cqm.variables
    }
    named = cqm.relabel_variables(variables, inplace=False)
    named.relabel_constraints({label: f"row_{i}" for i, label in enumerate(cqm.constraints)})
    return named


def _lp(problem: Any) -> str:
    """LP text; the objective's constant belongs to a variable fixed at 1, as readers differ over constants."""
    named = _named(problem)
    if named.objective.offset:
        one = named.add_variable("INTEGER", "one", lower_bound=1, upper_bound=1)
        named.objective.add_linear(one, named.objective.offset)
        named.objective.offset = 0.0
    return lp_text(named)
