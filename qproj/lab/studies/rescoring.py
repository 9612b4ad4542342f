"""Stored runs are scored again when they are read: a row counts as far as its weights and its seal confirm it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qproj.lab.studies.outcome import FAILURES, WRONG, unpack
from qproj.projections import SignProjection
from qproj.solvers.claims import TOLERANCE
from qproj.solvers.contract import Status

if TYPE_CHECKING:
    from qproj.lab.studies.store import StudyStore


def question(store: StudyStore, columns: dict[str, NDArray[Any]]) -> None:
    """Give runs the status `wrong`, and say why, whose seal is broken or whose figures their weights contradict.

    Gains are computed from the stored weights. A proof by a solver that is not exact stands where its weights meet the
    neuron's own bound alone.

    Raises
    ------
    ValueError
        A layer whose content is not that of its key.
    """
    rows = store.query("SELECT key, best FROM run")
    weights = {row["key"]: row["best"] for row in rows if row["best"] is not None}
    broken = store.broken()
    keys = columns["run"].tolist()
    for i, key in enumerate(keys):
        if key in broken:
            _reject(columns, i, "the row, or a row that it refers to, was changed after it was written")
    claims = ~np.isnan(columns["gain"]) | ~np.isnan(columns["objective"]) | (columns["status"] == str(Status.OPTIMAL))
    groups: dict[tuple[int, int], list[int]] = {}
    for i in np.flatnonzero(claims).tolist():
        if keys[i] in weights:
            groups.setdefault((int(columns["instance_id"][i]), int(columns["neuron"][i])), []).append(i)
        elif columns["status"][i] not in FAILURES:
            _reject(columns, i, "figures are stored, and no weights that have them")
    layers = store.layers()
    for (instance, neuron), members in groups.items():
        _score(layers[instance].problems[neuron], members, [weights[keys[i]] for i in members], columns)


def _score(problem: Any, members: list[int], packed: list[bytes], columns: Mapping[str, NDArray[Any]]) -> None:
    V = np.stack([unpack(data, problem.num_variables) for data in packed])
    if problem.kind == "bqm" and not problem.is_spin:
        V = (V + 1) // 2
    gains = np.asarray(problem.gain(V), np.float64)
    objectives = np.asarray(problem.objective_of_gain(gains), np.float64)
    size = abs(float(problem.gain_bound))
    for i, v, gain, objective in zip(members, V, gains.tolist(), objectives.tolist(), strict=True):
        stored, claimed = float(columns["gain"][i]), float(columns["objective"][i])
        columns["gain"][i], columns["objective"][i] = gain, objective
        if columns["status"][i] in FAILURES:
            continue
        if not abs(stored - gain) <= TOLERANCE * size:
            _reject(columns, i, f"gain {stored!r} is stored, its weights have {gain!r}")
        elif not abs(claimed - objective) <= TOLERANCE * max(1.0, abs(objective)):
            _reject(columns, i, f"objective {claimed!r} is stored, its weights have {objective!r}")
        elif (
            columns["status"][i] == str(Status.OPTIMAL)
            and not columns["exact"][i]
            and isinstance(problem, SignProjection)
            and not problem.meets_bound(v)
        ):
            _reject(columns, i, "a proof is stored of a solver that proves nothing")


def _reject(columns: Mapping[str, NDArray[Any]], i: int, reason: str) -> None:
    columns["status"][i], columns["message"][i] = WRONG, reason
