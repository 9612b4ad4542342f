"""All checks by name, and their common parts: the problems that a solver takes, one solve, one malformed answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from qproj.solvers import Problem, Solution, Termination, TooLargeError, as_problem
from qproj.testing.cases import cases
from qproj.testing.checked_problem import Case
from qproj.testing.deadlines import StillRunningError, slowdown, watched

#: Relative error of a recomputed figure.
TOLERANCE = 1e-9
#: For work that has no natural end: enough for every case but the hard ones.
ENOUGH_S = 20.0
#: For hard cases without a time limit, which end by the solver's own budget.
PATIENCE_S = 4.0

#: Variables of the middle cases that a heuristic is asked: a simulated quantum computer has to hold them.
SIMULATED = 14

Check = Callable[[Any], None]
#: Every check by its name without ``check_``.
CHECKS: dict[str, Check] = {}


class Skipped(Exception):
    """The check does not apply to this solver; the text says why."""


def check(function: Check) -> Check:
    """Register a check under its name without ``check_``."""
    CHECKS[function.__name__.removeprefix("check_")] = function
    return function


def taken(
    solver: Any, *tags: str, without: tuple[str, ...] = ("infeasible", "middle"), hard: bool = False
) -> list[Case]:
    """Return the cases that the solver says it takes, smallest first; with `tags`, those that have one of them."""
    capabilities = solver.capabilities
    limit = capabilities.max_variables
    return [
        each
        for each in cases(hard=hard)
        if each.kind in capabilities.forms
        and (limit is None or each.size <= limit)
        and (not tags or each.tags & set(tags))
        and not each.tags & (set(without) - set(tags))
        and (capabilities.exact or "middle" not in each.tags or each.size <= SIMULATED)
        and ("hard" in each.tags) == hard
    ]


def enough(solver: Any) -> dict[str, float]:
    """Return a time limit for exact solvers; a heuristic ends by its own budget, and would use all of a limit."""
    return {"time_limit_s": ENOUGH_S * slowdown()} if solver.capabilities.exact else {}


@dataclass(frozen=True)
class Answer:
    """What came of solving a case: the problem as it was handed over and is now, and the seconds that passed."""

    case: Case
    handed: Problem
    solution: Any
    seconds: float


#: Answers to cases by name, in the course of one run of checks.
ANSWERS: ContextVar[dict[str, Answer | None] | None] = ContextVar("ANSWERS", default=None)


def asked_once(solver: Any, found: list[Case]) -> Iterator[Answer]:
    """Yield answers with seed 1, each case solved once per run of checks; Skipped where the solver took none."""
    answers = ANSWERS.get()
    if answers is None:
        answers = {}
    count = 0
    for each in found:
        if each.name not in answers:
            start = time.perf_counter()
            try:
                _, problem, solution = next(solved(solver, [each], seed=1))
                answers[each.name] = Answer(each, problem, solution, time.perf_counter() - start)
            except Skipped:
                answers[each.name] = None
        answer = answers[each.name]
        if answer is not None:
            count += 1
            yield answer
    if not count:
        raise Skipped(NONE_TAKEN)


def answered(solver: Any, found: list[Case]) -> Iterator[tuple[Case, Any, Any]]:
    """Yield what `solved` does for seed 1, each case solved once per run, with problems that no solver has seen."""
    for answer in asked_once(solver, found):
        yield answer.case, as_problem(answer.case.make()), answer.solution


NONE_TAKEN = "it takes none of the problems of this check"


def solved(solver: Any, found: list[Case], **asked: Any) -> Iterator[tuple[Case, Any, Any]]:
    """Solve each case and yield (case, problem, well-formed answer); Skipped where the solver took none.

    A TooLargeError, a TypeError for a projection of another kind than the solver's, or a ValueError for constraints of
    a kind that it does not take, leaves the case out.
    """
    count = 0
    for each in found:
        problem = as_problem(each.make())
        limits = {**enough(solver), **asked}
        try:
            if "hard" in each.tags:
                limit = limits.get("time_limit_s")
                patience = PATIENCE_S if limit is None else 5 * limit + 2
                answer, _ = watched(solver, handed(problem), patience_s=patience, **limits)
            else:
                answer = solver.solve(handed(problem), **limits)
        except TooLargeError:
            continue
        except StillRunningError as late:
            if limits.get("time_limit_s") is None:  # a budget of its own may be long
                continue
            raise AssertionError(f"{where(each)}: {late}") from late
        except Exception as error:
            if isinstance(error, TypeError) and each.kind == "projection" and not each.name.startswith("sign"):
                continue
            if isinstance(error, ValueError | NotImplementedError) and "refusable" in each.tags:
                continue
            raise raised(error, each) from error
        count += 1
        yield each, problem, well_formed(answer, problem, each)
    if not count:
        raise Skipped(NONE_TAKEN)


def raised(error: Exception, each: Case) -> AssertionError:
    """Return the report of an exception, with the case that raised it."""
    return AssertionError(f"{where(each)}: solve() raised {type(error).__name__}: {error}")


def handed(problem: Any) -> Any:
    """Plain models are handed over without a wrapper."""
    return getattr(problem, "model", problem)


def well_formed(answer: Any, problem: Problem, each: Case) -> Solution:
    """Return the answer, or fail where it is not a Solution of this problem."""
    told = where(each)
    assert isinstance(answer, Solution), f"{told}: solve() returned {type(answer).__name__}, no Solution"
    termination, status = Termination(answer.termination), answer.status  # ValueError for other words
    if answer.best is None:
        assert termination is not Termination.PROVED, f"{told}: proved optimal without an incumbent"
        assert answer.gain is None, f"{told}: a gain without an incumbent"
        assert answer.objective is None, f"{told}: an objective without an incumbent"
        return answer
    assert termination is not Termination.REFUTED, f"{told}: proved infeasible, and there is an incumbent"
    assert answer.message or termination is not Termination.FAILED, f"{told}: it failed, and the backend's text is lost"
    assignment("best", answer.best, problem, each, ndim=1)
    assert answer.gain is not None, f"{told}: an incumbent without a gain (status {status})"
    assert answer.objective is not None, f"{told}: an incumbent without an objective (status {status})"
    if answer.raw_best is not None:
        assignment("raw_best", answer.raw_best, problem, each, ndim=1)
    return answer


def assignment(name: str, array: Any, problem: Problem, each: Case, *, ndim: int) -> None:
    """Fail where an array holds no assignments of the problem: their type, shape, numbers, domain."""
    told = f"{where(each)}: {name}"
    assert isinstance(array, np.ndarray), f"{told} is {type(array).__name__}, no array"
    assert array.ndim == ndim, f"{told} has {array.ndim} axes instead of {ndim}"
    assert array.shape[-1] == problem.num_variables, f"{told} has shape {array.shape} for {problem.num_variables}"
    assert np.isfinite(array.astype(np.float64)).all(), f"{told} holds NaN or infinity"
    whole = problem.kind == "cqm" or not array.size or np.issubdtype(array.dtype, np.integer)
    assert whole, f"{told} is {array.dtype}; ±1 and 0/1 are whole numbers"
    try:
        problem.gain(array)
    except ValueError as error:
        raise AssertionError(f"{told} is not an assignment of the problem: {error}") from error


def where(each: Case) -> str:
    """Name a case the way that reproduces it."""
    return f"on qproj.testing.case({each.name!r})"


# The checks register themselves, in the order of the report.
_PARTS = "answers reads limits many_problems side_effects left_behind hints time_outs imports"
for _name in _PARTS.split():
    import_module(f"qproj.testing.{_name}")
