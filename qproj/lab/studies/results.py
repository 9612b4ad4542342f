"""A study read back: its runs, the best that is known of each neuron, one line per solver."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.studies.distance import distances
from qproj.lab.studies.frame import Runs, read_gains, read_progress, read_runs
from qproj.lab.studies.known_optima import read_known_optima, with_references
from qproj.lab.studies.metrics import References, references
from qproj.lab.studies.solver_table import SolverLine, summarise
from qproj.lab.studies.store import StudyStore
from qproj.lab.studies.study_export import to_polars
from qproj.lab.studies.training_cost import read_training
from qproj.lab.studies.tuning_table import hidden_labels

if TYPE_CHECKING:
    import polars


def _events(store: StudyStore, runs: Runs) -> dict[str, FloatArray]:
    """The recorded searches as (seconds, gain, upper bound on the gain) a row."""
    found = {}
    for key, events in read_progress(store, runs).items():
        rows = [(event.time_s, event.gain, event.gain_bound) for event in events]
        found[key] = np.array(rows, np.float64).reshape(-1, 3)  # None becomes NaN
    return found


@dataclass(frozen=True, eq=False)
class Results:
    """A study's rows and what follows from them; :meth:`read` makes it.

    Attributes
    ----------
    runs : Runs
    gains : mapping of run to (reads,) float64
        Gains of all reads, best first.
    environments : list of dict
        Of every call that added to the study, oldest first.
    known : References
        The best gain, bound and proof of each neuron.
    distances : (runs,) float64
        To the nearest proved optimum, in weights to flip; NaN where none is proved.
    training : list of dict
        Records of the study's training runs.
    events : mapping of run to (k, 3) float64
        Seconds, gain and upper bound on the gain of the search as it went, where the solver reports it.
    source : str
        Where the optima are from: a path, or "" for the study itself.
    """

    folder: Path
    runs: Runs
    gains: Mapping[str, FloatArray]
    environments: list[dict[str, Any]]
    known: References
    distances: FloatArray
    training: list[dict[str, Any]]
    events: Mapping[str, FloatArray] = field(default_factory=dict)
    source: str = ""

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r}: {len(self.runs)} runs of {self.neurons} neurons)"

    @classmethod
    def read(cls, folder: str | Path, *, references_from: str | Path | None = None) -> Results:
        """Read a study's folder.

        Parameters
        ----------
        folder : path
        references_from : path, optional
            Another study, or a csv file of `qproj export --format references`: optima and bounds are taken from there
            alone, so that no proof of this study changes a denominator.

        Raises
        ------
        FileNotFoundError, ValueError
            No study, an unreadable one, or one without runs.
        """
        with StudyStore(Path(folder)) as store:
            runs = read_runs(store)
            if not len(runs):
                raise ValueError(f"{folder} has no finished run yet; `qproj compare --out {folder}` runs the study")
            rows = store.query("SELECT content FROM environment WHERE id IN (SELECT environment FROM run) ORDER BY id")
            known = references(runs)
            if references_from is not None:
                runs, known = with_references(runs, read_known_optima(references_from))
            with store.decoding():
                environments = [json.loads(row["content"]) for row in rows]
            return cls(
                Path(folder), runs, read_gains(store, runs), environments, known,
                distances(store, runs, known), read_training(Path(folder)), _events(store, runs),
                "" if references_from is None else str(references_from),
            )  # fmt: skip

    @cached_property
    def frame(self) -> polars.DataFrame:
        """The runs as a polars frame; see ``docs/reference/metrics.md`` for its columns."""
        return to_polars(self.runs, self.known)

    @cached_property
    def lines(self) -> list[SolverLine]:
        """One line per solver and budget; of a tuned solver, its default and the settings that are recommended."""
        hidden = hidden_labels(self)
        shown = self.runs.where(~np.isin(self.runs["label"].astype(str), list(hidden))) if hidden else self.runs
        if len(shown) == len(self.runs):
            return summarise(self.runs, self.known, self.gains, self.distances)
        kept = ~np.isin(self.runs["label"].astype(str), list(hidden))
        known = replace(self.known, contradicted=self.known.contradicted[kept])
        return summarise(shown, known, self.gains, self.distances[kept])

    @property
    def neurons(self) -> int:
        """Number of neurons in the study."""
        return len(self.known.proved)

    @property
    def optima(self) -> int:
        """Number of neurons whose optimum some run proved."""
        return int(self.known.proved.sum())

    def of(self, label: str) -> Runs:
        """Return one line's runs."""
        mask: NDArray[Any] = self.runs["label"] == label
        return self.runs.where(mask)
