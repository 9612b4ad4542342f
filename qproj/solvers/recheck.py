"""Answers of solvers that are no :class:`qproj.solvers.Adapter`, scored anew before anybody relies on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from qproj.solvers.adapter import Adapter, Found, judge
from qproj.solvers.contract import Ending, Problem, Solution


class MalformedSolutionError(RuntimeError):
    """A solver returned something that is no solution of the problem it was given."""


def rechecked(problem: Problem, answer: Any, solver: Any) -> Solution:
    """Return a solver's answer with gain, objective, bound and order of candidates computed from the definition.

    What an Adapter returns has been judged already and comes back as it is. A proof is kept unless the problem itself
    refutes it: an incumbent above the claimed bound, a bound beyond what is possible.

    Raises
    ------
    MalformedSolutionError
        No Solution, a vector of the wrong shape or with values outside the problem's domain, or NaN.
    """
    if isinstance(solver, Adapter) and isinstance(answer, Solution):
        return answer
    name = str(getattr(solver, "name", type(solver).__name__))
    if not isinstance(answer, Solution):
        raise MalformedSolutionError(f"{name} returned {type(answer).__name__}; solve() returns a Solution")
    if answer.best is None:
        if answer.ending is Ending.PROVED:
            raise MalformedSolutionError(f"{name} claims a proved optimum and returns none")
        return answer
    best = np.asarray(answer.best)
    if best.shape != (problem.num_variables,):
        raise MalformedSolutionError(f"{name} returned a vector of shape {best.shape}; ({problem.num_variables},) fits")
    rest = np.asarray(answer.candidates)
    known = rest.ndim == 2 and rest.shape[1] == len(best) and bool((rest == best).all(axis=1).any())
    candidates = rest if known else best[None]
    try:
        found = Found(
            candidates, Ending(answer.ending), answer.ended_by, gain_bound=_claimed(answer),
            sampleset=answer.sampleset, message=answer.message, stats=dict(answer.stats),
        )  # fmt: skip
        solution = judge(problem, found, name)
    except (TypeError, ValueError) as error:
        raise MalformedSolutionError(f"{name} returned a vector that is no assignment: {error}") from error
    return replace(solution, timing=answer.timing)


def _claimed(answer: Solution) -> float | None:
    """The claimed bound on the gain; a proof claims its own incumbent."""
    if answer.gain_bound is not None and np.isfinite(answer.gain_bound):
        return float(answer.gain_bound)
    return None
