"""A study read back: its runs, the best that is known of each neuron, one line per solver."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.studies.distance import distances
from qproj.lab.studies.frame import Runs, read_gains, read_runs
from qproj.lab.studies.metrics import References, references
from qproj.lab.studies.solver_table import SolverLine, summarise
from qproj.lab.studies.store import StudyStore
from qproj.lab.studies.study_export import to_polars
from qproj.lab.studies.training_cost import read_training

if TYPE_CHECKING:
    import polars


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
    """

    folder: Path
    runs: Runs
    gains: Mapping[str, FloatArray]
    environments: list[dict[str, Any]]
    known: References
    distances: FloatArray
    training: list[dict[str, Any]]

    @classmethod
    def read(cls, folder: str | Path) -> Results:
        """Read a study's folder.

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
            return cls(
                Path(folder), runs, read_gains(store, runs), [json.loads(row["content"]) for row in rows], known,
                distances(store, runs, known), read_training(Path(folder)),
            )  # fmt: skip

    @cached_property
    def frame(self) -> polars.DataFrame:
        """The runs as a polars frame; see ``docs/reference/metrics.md`` for its columns."""
        return to_polars(self.runs)

    @cached_property
    def lines(self) -> list[SolverLine]:
        return summarise(self.runs, self.known, self.gains, self.distances)

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
