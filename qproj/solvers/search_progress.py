"""What a search reports while it runs: an event whenever its incumbent or its bound improves (``on_progress``)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from qproj.projections.base import Problem
from qproj.solvers.redact import scrub


@dataclass(frozen=True)
class ProgressEvent:
    """Incumbent and bound of a search at one moment; both are computed from the problem's definition.

    Attributes
    ----------
    time_s : float
        Seconds since ``solve`` was called.
    objective, gain : float or None
        Of the incumbent; None before the first.
    bound : float or None
        Lower bound on the objective, rounded down; None where none is known.
    gain_bound : float or None
        Upper bound on the gain: the same bound without the objective's rounding.
    """

    time_s: float
    objective: float | None
    bound: float | None
    gain: float | None
    gain_bound: float | None


OnProgress = Callable[[ProgressEvent], object]


def check_on_progress(on_progress: object) -> None:
    """Raise TypeError where `on_progress` is not None and cannot be called."""
    if on_progress is not None and not callable(on_progress):
        raise TypeError(
            f"on_progress is {type(on_progress).__name__}; a function of one ProgressEvent is allowed, or None: "
            "pass events.append to collect the events in a list"
        )


class SearchProgress:
    """The reports of one call: what a search finds goes in, and events that improve on the last one come out.

    Incumbents are scored here and infeasible ones dropped; gains never fall and bounds on them never rise. Searches may
    report from several threads. Where `on_progress` raises, it is called no more, and :meth:`close` raises the error.
    """

    def __init__(self, problem: Problem, on_progress: OnProgress, start: float) -> None:
        self.problem, self._callback, self._start = problem, on_progress, start
        self._gain: float | None = None
        self._ceiling = np.inf if problem.gain_bound is None else float(problem.gain_bound)
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self._closed = False

    def candidates(self, candidates: Any) -> None:
        """Report assignments, (d,) or (k, d), in the problem's own terms."""
        rows = np.atleast_2d(np.asarray(candidates))
        if not rows.size:
            return
        gains = np.asarray(self.problem.gain(rows), np.float64)
        feasible = gains[np.isfinite(gains)]
        if len(feasible):
            self.improve(float(feasible.max()), None)

    def gain_bound(self, gain_bound: float) -> None:
        """Report a valid upper bound on the gain."""
        self.improve(None, float(gain_bound))

    def event(self, event: ProgressEvent) -> None:
        """Report an event of another solver on the same problem."""
        self.improve(event.gain, event.gain_bound)

    def improve(self, gain: float | None, gain_bound: float | None) -> None:
        """Emit an event where the gain or the bound on it is better than the last one's."""
        with self._lock:
            better = gain is not None and (self._gain is None or gain > self._gain)
            if better:
                self._gain = gain
            if gain_bound is not None and gain_bound < self._ceiling:
                self._ceiling, better = gain_bound, True
            if better and not self._closed and self._error is None:
                self._emit()

    def close(self, gain: float | None, gain_bound: float | None) -> None:
        """Emit the final event, and raise what the callback raised, if anything."""
        self.improve(gain, gain_bound)
        with self._lock:
            self._closed = True
        if self._error is not None:
            scrub(self._error)
            raise self._error

    def _emit(self) -> None:
        problem, gain = self.problem, self._gain
        ceiling = self._ceiling if gain is None else max(self._ceiling, gain)
        known = None if not np.isfinite(ceiling) else float(ceiling)
        event = ProgressEvent(
            time.perf_counter() - self._start,
            None if gain is None else float(problem.objective_of_gain(gain)),
            None if known is None else float(problem.bound_of_gain(known)),
            gain,
            known,
        )
        try:
            self._callback(event)
        except Exception as error:  # compiled code that called us would drop it
            self._error = error
