"""Optima and bounds from another study or a file, so that a study's denominators do not change with its own proofs."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj._files import replacing
from qproj.lab.studies.frame import Runs, read_runs
from qproj.lab.studies.metrics import References, references
from qproj.lab.studies.store import FILE, StudyStore
from qproj.solvers.claims import TOLERANCE

FIELDS = ("neuron_key", "gain", "gain_bound", "proved")


@dataclass(frozen=True)
class KnownOptimum:
    """What is known of one neuron: a gain that was reached, an upper bound on it, and whether they are the same."""

    gain: float
    bound: float
    proved: bool


def read_known_optima(path: str | Path) -> dict[str, KnownOptimum]:
    """Return what a study's folder, or a csv file that :func:`write_known_optima` wrote, knows of each neuron's key.

    Raises
    ------
    FileNotFoundError
        Neither a study nor a file.
    ValueError
        A file without the columns, or with a line that is not numbers (its number is named).
    """
    source = Path(path)
    if (source / FILE).is_file():
        with StudyStore(source) as store:
            runs = read_runs(store)
        return _of_runs(runs, references(runs)) if len(runs) else {}
    if not source.is_file():
        raise FileNotFoundError(f"{source} is neither a study's folder nor a csv file of references")
    with source.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if not set(FIELDS) <= set(reader.fieldnames or ()):
            raise ValueError(
                f"{source.name} has the columns {', '.join(reader.fieldnames or ()) or 'of no table'}; "
                f"{', '.join(FIELDS)} are needed: `qproj export STUDY --format references` writes them"
            )
        found = {}
        for row in reader:
            try:
                gain, bound, proved = float(row["gain"]), float(row["gain_bound"]), row["proved"].strip().lower()
                if proved not in ("0", "1", "true", "false") or math.isnan(gain) or bound < gain:
                    raise ValueError
            except (TypeError, ValueError):
                raise ValueError(
                    f"{source.name}, line {reader.line_num}: {dict(row)} is not a reference; a gain, a gain_bound that "
                    "is not below it, and proved as 0 or 1 are needed"
                ) from None
            found[row["neuron_key"]] = KnownOptimum(gain, bound, proved in ("1", "true"))
    return found


def _of_runs(runs: Runs, known: References) -> dict[str, KnownOptimum]:
    found = {}
    for key, problem in dict(zip(runs["neuron_key"].tolist(), runs["problem"].tolist(), strict=True)).items():
        gain = float(known.gain[problem])
        if not math.isnan(gain):
            found[key] = KnownOptimum(gain, float(known.bound[problem]), bool(known.proved[problem]))
    return found


def write_known_optima(folder: str | Path, out: str | Path) -> int:
    """Write what a study knows of its neurons to a csv file and return how many there are.

    Raises
    ------
    FileNotFoundError, ValueError
        No study, or one without an answer.
    """
    found = read_known_optima(folder)
    if not found:
        raise ValueError(f"{folder} has no answer yet; run the study first")
    with replacing(Path(out)) as file:
        lines = [",".join(FIELDS)]
        lines += [f"{key},{one.gain!r},{one.bound!r},{int(one.proved)}" for key, one in found.items()]
        file.write(("\n".join(lines) + "\n").encode())
    return len(found)


def with_references(runs: Runs, known: Mapping[str, KnownOptimum]) -> tuple[Runs, References]:
    """Return the runs and what is known of their neurons from elsewhere alone: the study's own proofs add nothing.

    A neuron is proved where `known` states it; others have the better of its bound and the trivial one. A model's
    gaps are divided by max(1, |its known objective|), whatever the study itself found.

    Raises
    ------
    ValueError
        No neuron is known, or a run's verified gain beats a proved optimum or a bound.
    """
    keys, problem = runs["neuron_key"].tolist(), runs["problem"]
    if not set(keys) & known.keys():
        raise ValueError("the references know none of the study's neurons; give those of the same layers")
    columns = dict(runs.columns)
    scale: FloatArray = columns["scale"].copy()
    for i in np.flatnonzero(columns["n"] == 0).tolist():
        if keys[i] in known:
            scale[i] = max(1.0, abs(known[keys[i]].gain)) / 2.0
    columns["scale"] = scale
    runs = Runs(columns)
    own = references(runs)
    count = len(own.scale)
    bound, proved, gain = np.full(count, np.inf), np.zeros(count, bool), own.gain.copy()
    ceiling = np.full(count, np.inf)
    ceiling[problem] = runs["ceiling"]
    for key, place in dict(zip(keys, problem.tolist(), strict=True)).items():
        one = known.get(key)
        bound[place] = ceiling[place] if one is None else min(one.bound, ceiling[place])
        if one is not None:
            proved[place] = one.proved
            bound[place] = one.gain if one.proved else bound[place]
            if gain[place] > bound[place] + TOLERANCE * own.scale[place]:
                raise ValueError(
                    f"the references allow neuron {key[:12]} a gain of {bound[place]:.12g}, and a run reached "
                    f"{gain[place]:.12g}; they are of other targets, or wrong: leave them out"
                )
            gain[place] = np.fmax(gain[place], one.gain)
    bound = np.where(proved, bound, np.fmax(bound, own.gain))
    return runs, References(gain, bound, proved, own.scale, _contradicted(runs, own, gain))


def _contradicted(runs: Runs, own: References, gain: FloatArray) -> NDArray[np.bool_]:
    """Runs that claim less than what is known to be reached: the study's own contradictions, and the references'."""
    claimed = np.where(runs["status"] == "optimal", runs["gain"], runs["gain_bound"])
    with np.errstate(invalid="ignore"):
        beaten = claimed < (gain - TOLERANCE * own.scale)[runs["problem"]]
    found: NDArray[np.bool_] = own.contradicted | beaten
    return found
