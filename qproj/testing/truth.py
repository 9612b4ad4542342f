"""What is true of a small problem, by going through every assignment; CP-SAT's proof where that is too many."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import dimod
import numpy as np

from qproj._arrays import FloatArray
from qproj.solvers import Problem, Status, get_solver

#: Assignments that are gone through at most.
MOST = 1 << 16


@dataclass(frozen=True)
class Truth:
    """The best gain and objective there are, None where nothing is feasible; `scale` is what errors compare to."""

    gain: float | None
    objective: float | None
    scale: float


_KNOWN: dict[str, Truth] = {}


def truth_of(problem: Problem) -> Truth:
    """Return the truth of a problem; computed once per process for each content.

    Raises
    ------
    ValueError
        Too many assignments, and CP-SAT could not prove an optimum in a minute.
    """
    if problem.key not in _KNOWN:
        _KNOWN[problem.key] = _found_out(problem)
    return _KNOWN[problem.key]


def _found_out(problem: Problem) -> Truth:
    ranges = [_values(problem, v) for v in problem.variables]
    count = np.prod([float(len(r)) for r in ranges]) if ranges else 1.0
    if count > MOST:
        solution = get_solver("cpsat").solve(problem, time_limit_s=60.0)
        if solution.status is not Status.OPTIMAL:
            raise ValueError(f"{count:.0f} assignments are too many, and CP-SAT ended with {solution.status}")
        return Truth(solution.gain, solution.objective, abs(solution.gain) or 1.0)
    every = np.array(list(itertools.product(*ranges)), np.float64).reshape(int(count), len(ranges))
    gains: FloatArray = np.asarray(problem.gain(every), np.float64)
    finite = gains[np.isfinite(gains)]
    if not len(finite):
        return Truth(None, None, 1.0)
    best = float(finite.max())
    scale = float(np.abs(finite).max())
    return Truth(best, float(problem.objective_of_gain(best)), scale if scale > 0 else 1.0)


def _values(problem: Any, variable: Any) -> list[float]:
    if problem.kind == "projection":
        return [-1.0, 1.0]
    model = problem.model
    kind = model.vartype if problem.kind == "bqm" else model.vartype(variable)
    if kind is dimod.SPIN:
        return [-1.0, 1.0]
    if kind is dimod.BINARY:
        return [0.0, 1.0]
    return [float(x) for x in range(int(model.lower_bound(variable)), int(model.upper_bound(variable)) + 1)]
