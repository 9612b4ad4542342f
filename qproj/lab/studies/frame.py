"""The stored runs as columns: plain arrays for metrics and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.studies.outcome import FAILURES, REFUSED, decompress, unpack, unpack_events
from qproj.lab.studies.rescoring import question
from qproj.lab.studies.schema import OUTCOME_TYPES
from qproj.lab.studies.store import StudyStore
from qproj.solvers.search_progress import ProgressEvent

#: Each column's place in the tables and its type. Of an outcome, packed bytes are read apart (`read_gains`,
#: `read_progress`, `read_weights`), and the neuron's own row has the scale.
COLUMNS: dict[str, tuple[str, Any]] = {
    "run": ("r.key", str), "instance": ("i.name", str), "source": ("i.source", str), "neuron": ("r.neuron", int),
    "n": ("i.n", int), "d": ("i.d", int), "neuron_key": ("u.key", str), "groups": ("u.groups", int),
    "classes": ("u.classes", int), "weight_bits": ("u.bits", int), "solver": ("s.text", str),
    "solver_name": ("s.name", str), "encoding": ("s.encoding", str), "exact": ("s.exact", bool),
    "samples": ("s.samples", bool), "is_null": ("s.is_null", bool), "num_reads": ("r.num_reads", int | None),
    "time_limit_s": ("r.time_limit_s", float | None), "seed": ("r.seed", int | None), "withheld": ("r.withheld", str),
    **{name: (f"r.{name}", kind) for name, kind in OUTCOME_TYPES.items() if kind != bytes | None},
    "scale": ("u.scale", float | None), "finished": ("r.finished", float | None),
    "environment": ("r.environment", int), "instance_id": ("i.id", int),
}  # fmt: skip
_SQL = f"""
SELECT {", ".join(f"{place} AS {name}" for name, (place, _) in COLUMNS.items())}
FROM run r JOIN neuron u ON u.instance = r.instance AND u.neuron = r.neuron
JOIN instance i ON i.id = r.instance JOIN solver s ON s.id = r.solver
ORDER BY i.id, r.neuron, s.id, r.num_reads, r.time_limit_s, r.seed
"""  # nosec B608: our own names


@dataclass(frozen=True, eq=False)
class Runs:
    """All runs of a study in columns of equal length; numbers are float64 with NaN where there is none.

    Attributes
    ----------
    columns : dict of arrays
        As in the store, with ``ceiling`` (the bound on the gain that needs no solver: Σ|τ|; of a model its published
        optimum, else what its signs allow), ``label`` (solver, and budget where there are several) and ``problem``
        (index of the neuron among all neurons) added.
    """

    columns: dict[str, NDArray[Any]]

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["run"])

    def where(self, mask: NDArray[np.bool_]) -> Runs:
        """Return the runs of a mask."""
        return Runs({name: column[mask] for name, column in self.columns.items()})

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Runs that broke off, or whose answer was wrong."""
        return np.isin(self["status"].astype(str), FAILURES)

    @property
    def refused(self) -> NDArray[np.bool_]:
        """Runs that the solver did not take: not applicable."""
        return np.asarray(self["status"].astype(str) == REFUSED, np.bool_)

    @property
    def cut_short(self) -> NDArray[np.bool_]:
        """Runs that the clock ended: they need not repeat."""
        return np.asarray(self["termination"] == "clock", np.bool_)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Runs whose incumbent counts."""
        return np.asarray(~np.isnan(self["gain"]) & ~self.failed, np.bool_)


def read_runs(store: StudyStore) -> Runs:
    """Return every stored run in columns, scored again; see :func:`qproj.lab.studies.rescoring.question`.

    Raises
    ------
    ValueError
        The file is damaged.
    """
    rows = store.query(_SQL)
    with store.decoding():
        return _columns(store, rows)


def _columns(store: StudyStore, rows: Sequence[Any]) -> Runs:
    columns = {name: _array([row[name] for row in rows], kind) for name, (_, kind) in COLUMNS.items()}
    if rows:
        question(store, columns)
        columns["label"] = _labels(columns)
        pairs = [(row["instance_id"], row["neuron"]) for row in rows]
        place = {pair: i for i, pair in enumerate(dict.fromkeys(pairs))}
        columns["problem"] = np.array([place[pair] for pair in pairs], np.int64)
        columns["ceiling"] = columns["scale"]
        columns["scale"] = _scales(columns)
    return Runs(columns)


def _array(values: list[Any], kind: Any) -> NDArray[Any]:
    """Return a column; texts and numbers that may be missing stay Python's own."""
    if kind == float | None:
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return np.array(values, {int: np.int64, bool: np.bool_}.get(kind, object))


def _scales(columns: dict[str, NDArray[Any]]) -> FloatArray:
    """Half of a gap's denominator: Σ|τ| of a neuron; max(1, |best objective|)/2 of a model, which has no rows."""
    model, problem = columns["n"] == 0, columns["problem"]
    size = np.ones(int(problem.max(initial=-1)) + 1)
    known = model & ~np.isnan(columns["gain"])
    best = np.full(len(size), -np.inf)
    np.maximum.at(best, problem[known], columns["gain"][known])
    size = np.where(np.isfinite(best), np.maximum(1.0, np.abs(best)), 1.0)
    scales: FloatArray = np.where(model, size[problem] / 2.0, columns["scale"])
    return scales


def read_gains(store: StudyStore, runs: Runs) -> dict[str, FloatArray]:
    """Return the gains of all reads, best first, by run, where they were kept."""
    wanted = set(runs["run"].tolist())
    rows = store.query("SELECT key, read_gains FROM run WHERE read_gains IS NOT NULL")
    with store.decoding():
        return {row["key"]: decompress(row["read_gains"]) for row in rows if row["key"] in wanted}


def read_progress(store: StudyStore, runs: Runs) -> dict[str, list[ProgressEvent]]:
    """Return the events of the searches, in order of time, by run, where they were recorded (``record_progress``)."""
    wanted = set(runs["run"].tolist())
    rows = store.query("SELECT key, events FROM run WHERE events IS NOT NULL")
    with store.decoding():
        return {row["key"]: unpack_events(row["events"]) for row in rows if row["key"] in wanted}


def read_weights(store: StudyStore, runs: Runs) -> dict[str, NDArray[np.int8]]:
    """Return the incumbents, (d,), by run."""
    wanted = set(runs["run"].tolist())
    rows = store.query(
        "SELECT r.key, r.best, i.d FROM run r JOIN instance i ON i.id = r.instance WHERE r.best NOT NULL"
    )
    with store.decoding():
        return {row["key"]: unpack(row["best"], row["d"]) for row in rows if row["key"] in wanted}


def _labels(columns: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """The solver's text, and its budget where the study gives that solver several."""
    solvers, reads, limits = columns["solver"], columns["num_reads"], columns["time_limit_s"]
    budgets: dict[str, set[tuple[Any, float]]] = {}
    for solver, read, limit in zip(solvers, reads, limits, strict=True):
        budgets.setdefault(solver, set()).add((read, -1.0 if np.isnan(limit) else limit))
    labels = []
    for solver, read, limit in zip(solvers, reads, limits, strict=True):
        parts = [solver]
        if len({r for r, _ in budgets[solver]}) > 1:
            parts.append("default reads" if read is None else f"{read} reads")
        if len({t for _, t in budgets[solver]}) > 1:
            parts.append("no limit" if np.isnan(limit) else f"{limit:g} s")
        labels.append(" · ".join(parts))
    return np.array(labels, object)
