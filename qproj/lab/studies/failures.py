"""Runs of a study that failed or were refused: grouped by cause, each with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qproj.lab.studies.outcome import CRASHED, HUNG, RAISED, REFUSED, WRONG
from qproj.lab.studies.results import Results
from qproj.solvers.contract import Status

#: What to do, by status.
REMEDIES = {
    HUNG: "it did not return in time; raise --grace or --time-limit, then add --retry-failed",
    CRASHED: "its process died, often for want of memory; see log.txt in the study's folder, try fewer --workers, "
    "then add --retry-failed",
    RAISED: "the solver or its backend failed; the message names the cause; mend it, then add --retry-failed",
    str(Status.ERROR): "the backend reported an error; the message has its words; then add --retry-failed",
    WRONG: "its answer contradicts the definition and is not counted; `qproj validate` shows the smallest such case",
    REFUSED: "the solver does not take this problem; the message names what it takes, or leave the pair out",
}


@dataclass(frozen=True)
class Failure:
    """Runs of one solver that ended alike.

    Attributes
    ----------
    label, status : str
    runs : int
        How many runs ended so.
    message : str
        The cause, in the words of the first of them.
    remedy : str
    """

    label: str
    status: str
    runs: int
    message: str
    remedy: str


def failures(results: Results) -> list[Failure]:
    """Return the failed and refused runs, grouped by solver and status, failures first, frequent ones first."""
    runs = results.runs
    bad = runs.failed | runs.refused | results.known.contradicted
    groups: dict[tuple[str, str], list[str]] = {}
    for i in np.flatnonzero(bad).tolist():
        status, message = str(runs["status"][i]), str(runs["message"][i])
        if results.known.contradicted[i]:
            status, message = WRONG, "its proof or bound is beaten by another run"
        groups.setdefault((str(runs["label"][i]), status), []).append(message)
    found = [
        Failure(label, status, len(messages), messages[0], REMEDIES[status])
        for (label, status), messages in groups.items()
    ]
    return sorted(found, key=lambda one: (one.status == REFUSED, -one.runs, one.label))
