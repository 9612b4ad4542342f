"""Exact solvers on linear models, once for all backends: the model, the proof's own check, and near ties.

A backend minimises a linear model. What it calls optimal is believed only as far as its tolerances go: assignments
that could hide in between are searched for, with a row that every better assignment meets, until none is left.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.encodings.linear_model import REAL, LinearModel
from qproj.solvers.adapter import Adapter, Found
from qproj.solvers.contract import EndedBy, Ending, MissingPackageError, Request
from qproj.solvers.linear_task import LinearTask, linear_task

#: Near ties that are looked at, one search each, before a proof is given up.
MAX_ROUNDS = 64


@dataclass(frozen=True, eq=False)
class Answer:
    """What a backend says about one linear model.

    Attributes
    ----------
    ending : Ending
        PROVED: it calls `values` optimal; REFUTED: infeasible.
    values : (N,) array or None
    bound : float
        A lower bound on cost·x + offset, valid whatever the backend's tolerances; −inf where there is none.
    rounding : float
        Part of `bound` that is due to the rounding of coefficients alone.
    """

    ending: Ending
    ended_by: EndedBy
    values: FloatArray | None = None
    bound: float = -np.inf
    rounding: float = 0.0
    message: str = ""
    stats: dict[str, Any] = field(default_factory=dict)


class LinearAdapter(Adapter):
    """min objective(v) by a solver of mixed-integer linear models; a backend writes ``optimise`` alone."""

    #: Fixed-point bits of real rows that are no small whole numbers.
    row_bits = 20

    @abstractmethod
    def optimise(
        self, model: LinearModel, *, start: FloatArray | None, seed: int | None, deadline: float | None
    ) -> Answer:
        """Return the backend's answer; `start` holds all N values of a feasible assignment."""

    @classmethod
    def require_backend(cls) -> None:
        """Raise MissingPackageError, naming the extra, where the backend cannot be imported."""
        state = cls.availability()
        if not state.installed:
            raise MissingPackageError(f"solver {cls.name!r}: {state.reason}; {state.remedy}")

    def build(self, problem: Any, ask: Request) -> LinearTask:
        return linear_task(problem, ask.hint, self.row_bits)

    def call(self, model: LinearTask, ask: Request) -> Found:
        return search(self, model, ask)

    def decode(self, raw: Found, problem: Any) -> Found:
        return raw


def search(solver: LinearAdapter, task: LinearTask, ask: Request) -> Found:
    """Return the best assignment found, and a proof where no better one can hide in the backend's tolerances."""
    problem, model = task.problem, task.model
    tally = _Tally(problem)
    start = None
    if task.start is not None:
        if tally.add(task.start):
            start = model.complete(task.own(task.start))
        else:
            tally.stats["hint"] = "infeasible"
    if not model.num_own or not _constants_hold(model):
        return _without_variables(task, tally)
    for round_number in range(MAX_ROUNDS):
        if round_number and ask.deadline is not None and time.perf_counter() >= ask.deadline:
            return tally.found(Ending.STOPPED, EndedBy.CLOCK, "stopped by the clock between near ties")
        answer = solver.optimise(model, start=start, seed=ask.seed, deadline=ask.deadline)
        tally.note(answer)
        if answer.ending is Ending.REFUTED:
            if round_number:
                text = f"no better one is left beside {round_number} near ties ({answer.message})"
                return tally.found(Ending.PROVED, EndedBy.PROOF, text)
            if tally.best is not None:
                return tally.found(Ending.FAILED, EndedBy.ERROR, "called infeasible, against a feasible assignment")
            return tally.found(Ending.REFUTED, EndedBy.PROOF, answer.message)
        own = None if answer.values is None else clean(task.model, answer.values)
        if own is not None:
            tally.add(task.candidate(own))
        ceiling = -answer.bound + task.model.error
        tally.lower_to(ceiling)
        if answer.ending is not Ending.PROVED:
            return tally.found(answer.ending, answer.ended_by, answer.message)
        if tally.best is None or own is None:
            return tally.found(Ending.STOPPED, EndedBy.BUDGET, "optimal within tolerances, but infeasible when rounded")
        slack = ceiling - tally.best
        rounding = 4.0 * task.model.error + 2.0 * answer.rounding
        if slack <= rounding or slack < 0.99 * task.model.quantum or not task.model.cost.any():
            return tally.found(Ending.PROVED, EndedBy.PROOF, answer.message)
        if task.exclude is None:
            break
        model, start = task.exclude(model, own), None
        if not _constants_hold(model):  # it meets every row: nothing is better
            return tally.found(Ending.PROVED, EndedBy.PROOF, answer.message)
    return tally.found(Ending.STOPPED, EndedBy.BUDGET, "optimal within the backend's tolerances, which prove no more")


class _Tally:
    """Candidates, the best gain and the lowest ceiling of a search that goes on."""

    def __init__(self, problem: Any) -> None:
        self.problem = problem
        self.candidates: list[NDArray[Any]] = []
        self.best: float | None = None
        self.ceiling = np.inf
        self.stats: dict[str, Any] = {"rounds": 0, "nodes": 0}

    def add(self, candidate: NDArray[Any]) -> bool:
        """Keep a candidate, and tell whether it is feasible."""
        gain = float(self.problem.gain(candidate))
        if not np.isfinite(gain):
            return False
        self.candidates.append(candidate)
        self.best = gain if self.best is None else max(self.best, gain)
        return True

    def note(self, answer: Answer) -> None:
        """Add up what the backend counted."""
        nodes = self.stats["nodes"] + answer.stats.get("nodes", 0)
        rounds = self.stats["rounds"] + 1
        self.stats.update(answer.stats, nodes=nodes, rounds=rounds)

    def lower_to(self, ceiling: float) -> None:
        """Take a bound on all assignments that earlier rounds did not exclude: those are no better than the best."""
        self.ceiling = min(self.ceiling, ceiling if self.best is None else max(ceiling, self.best))

    def found(self, ending: Ending, ended_by: EndedBy, message: str) -> Found:
        if self.best is not None and ending is Ending.PROVED:
            self.ceiling = self.best
        bound = float(self.ceiling) if np.isfinite(self.ceiling) else None
        if self.best is not None and bound is not None:
            bound = max(bound, self.best)
        candidates = np.stack(self.candidates) if self.candidates else np.empty((0, self.problem.num_variables))
        stats = dict(self.stats, bound=None if bound is None else self.problem.bound_of_gain(bound))
        return Found(candidates, ending, ended_by, gain_bound=bound, message=message, stats=stats)


def clean(model: LinearModel, values: FloatArray) -> FloatArray:
    """Return the own values within their bounds, whole ones rounded."""
    own = slice(model.num_own)
    kept = np.clip(np.asarray(values, np.float64)[own], model.lower[own], model.upper[own])
    cleaned: FloatArray = np.where(model.kinds[own] == REAL, kept, np.rint(kept))
    return cleaned


def _constants_hold(model: LinearModel) -> bool:
    """Tell whether the rows without variables hold."""
    empty = np.diff(model.rows.indptr) == 0
    return bool((model.row_lower[empty] <= 0).all() and (model.row_upper[empty] >= 0).all())


def _without_variables(task: LinearTask, tally: _Tally) -> Found:
    if not task.model.num_own and _constants_hold(task.model):
        tally.add(task.candidate(np.empty(0)))
        return tally.found(Ending.PROVED, EndedBy.PROOF, "the only assignment there is")
    return tally.found(Ending.REFUTED, EndedBy.PROOF, "a constraint without variables does not hold")
