"""The stored runs as columns: plain arrays for metrics and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.studies.outcome import FAILURES, REFUSED, decompress, unpack
from qproj.lab.studies.schema import OUTCOME_COLUMNS
from qproj.lab.studies.store import StudyStore

#: Columns of an outcome that are read apart (packed bytes), or taken from the neuron's row.
_APART = ("best", "read_gains", "scale")
_OUTCOME = [name for name in OUTCOME_COLUMNS if name not in _APART]
_SQL = f"""
SELECT r.key AS run, i.name AS instance, i.source AS source, r.neuron AS neuron, i.n AS n, i.d AS d,
    u.key AS neuron_key, u.groups AS groups, u.classes AS classes, u.bits AS weight_bits, s.text AS solver,
    s.name AS solver_name, s.encoding AS encoding, s.exact AS exact, s.samples AS samples, s.is_null AS is_null,
    r.num_reads, r.time_limit_s, r.seed, r.withheld, {", ".join(f"r.{name}" for name in _OUTCOME)},
    u.scale AS scale, r.finished, r.environment, i.id AS instance_id
FROM run r JOIN neuron u ON u.instance = r.instance AND u.neuron = r.neuron
JOIN instance i ON i.id = r.instance JOIN solver s ON s.id = r.solver
ORDER BY i.id, r.neuron, s.id, r.num_reads, r.time_limit_s, r.seed
"""  # nosec B608: the names of a record's fields
_FLOATS = {"time_limit_s", "scale", "finished", *(name for name in _OUTCOME if OUTCOME_COLUMNS[name] == "REAL")}
_INTEGERS = {"neuron", "n", "d", "groups", "classes", "weight_bits", "exact", "samples", "is_null"}


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
        mask: NDArray[np.bool_] = self["status"].astype(str) == REFUSED
        return mask

    @property
    def cut_short(self) -> NDArray[np.bool_]:
        """Runs that the clock ended: they need not repeat."""
        mask: NDArray[np.bool_] = self["ended_by"] == "clock"
        return mask

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Runs whose incumbent counts."""
        mask: NDArray[np.bool_] = ~np.isnan(self["gain"]) & ~self.failed
        return mask


def read_runs(store: StudyStore) -> Runs:
    """Return every stored run in columns."""
    rows = store.query(_SQL)
    names = rows[0].keys() if rows else [*_FLOATS, "run", "status", "solver"]
    columns: dict[str, NDArray[Any]] = {}
    for name in names:
        values = [row[name] for row in rows]
        if name in _FLOATS:
            columns[name] = np.array([np.nan if value is None else value for value in values], np.float64)
        elif name in _INTEGERS:
            columns[name] = np.array(values, np.int64)
        else:
            columns[name] = np.array(values, object)
    if rows:
        columns["label"] = _labels(columns)
        pairs = [(row["instance_id"], row["neuron"]) for row in rows]
        place = {pair: i for i, pair in enumerate(dict.fromkeys(pairs))}
        columns["problem"] = np.array([place[pair] for pair in pairs], np.int64)
        columns["ceiling"] = columns["scale"]
        columns["scale"] = _scales(columns)
    return Runs(columns)


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
    return {row["key"]: decompress(row["read_gains"]) for row in rows if row["key"] in wanted}


def read_weights(store: StudyStore, runs: Runs) -> dict[str, NDArray[np.int8]]:
    """Return the incumbents, (d,), by run."""
    wanted = set(runs["run"].tolist())
    rows = store.query(
        "SELECT r.key, r.best, i.d FROM run r JOIN instance i ON i.id = r.instance WHERE r.best NOT NULL"
    )
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
