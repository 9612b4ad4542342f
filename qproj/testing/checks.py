"""All checks by name, and what they have in common: which problems a solver takes, one solve, one malformed answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from qproj.solving import EndedBy, Ending, Problem, Solution, TooLargeError, as_problem
from qproj.testing.cases import Case, cases
from qproj.testing.watch import StillRunningError, watched

#: Relative error of a recomputed figure.
TOLERANCE = 1e-9
#: For work that has no natural end: enough for every case but the hard ones.
ENOUGH_S = 20.0
#: For hard cases without a time limit, which end by the solver's own budget.
PATIENCE_S = 4.0

#: Variables of the middle cases that a heuristic is asked: a simulated quantum computer has to hold them.
SIMULATED = 14

Check = Callable[[Any], None]
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
    return {"time_limit_s": ENOUGH_S} if solver.capabilities.exact else {}


def solved(solver: Any, found: list[Case], **asked: Any) -> Iterator[tuple[Case, Any, Any]]:
    """Solve each case and yield (case, problem, well-formed answer); Skipped where the solver took none.

    A TooLargeError, or a TypeError for a projection of another kind than the solver's, leaves the case out.
    """
    count = 0
    for each in found:
        problem = as_problem(each.make())
        try:
            limits = {**enough(solver), **asked}
            if "hard" in each.tags:
                limit = limits.get("time_limit_s")
                patience = PATIENCE_S if limit is None else 5 * limit + 2
                answer, _ = watched(solver, _handed(problem), patience_s=patience, **limits)
            else:
                answer = solver.solve(_handed(problem), **limits)
        except TooLargeError:
            continue
        except StillRunningError:
            if limits.get("time_limit_s") is None:  # a budget of its own may be long
                continue
            raise
        except TypeError:
            if each.kind == "projection" and not each.name.startswith("sign"):
                continue
            raise
        count += 1
        yield each, problem, well_formed(answer, problem, each)
    if not count:
        raise Skipped("it takes none of the problems of this check")


def _handed(problem: Any) -> Any:
    """Plain models are handed over as what they are."""
    return getattr(problem, "model", problem)


def well_formed(answer: Any, problem: Problem, each: Case) -> Solution:
    """Return the answer, or fail where it is no Solution of this problem."""
    assert isinstance(answer, Solution), f"{where(each)}: solve() returned {type(answer).__name__}, no Solution"
    status = answer.status
    EndedBy(answer.ended_by)  # a word of its own is refused here
    if answer.best is None:
        assert answer.ending is not Ending.PROVED, f"{where(each)}: proved optimal, and there is no incumbent"
        assert answer.gain is None, f"{where(each)}: a gain without an incumbent"
        assert answer.objective is None, f"{where(each)}: an objective without an incumbent"
        return answer
    assert answer.ending is not Ending.REFUTED, f"{where(each)}: proved infeasible, and there is an incumbent"
    failed = answer.ending is Ending.FAILED
    assert answer.message or not failed, f"{where(each)}: it failed, and the backend's text is lost"
    best = np.asarray(answer.best)
    assert best.shape == (problem.num_variables,), (
        f"{where(each)}: best has shape {best.shape}, not ({problem.num_variables},)"
    )
    assert np.isfinite(best.astype(np.float64)).all(), f"{where(each)}: best holds NaN or infinity"
    try:
        problem.gain(best)
    except ValueError as error:
        raise AssertionError(f"{where(each)}: best is no assignment of the problem: {error}") from error
    assert answer.gain is not None, f"{where(each)}: an incumbent without a gain (status {status})"
    assert answer.objective is not None, f"{where(each)}: an incumbent without an objective (status {status})"
    return answer


def where(each: Case) -> str:
    """Name a case the way that reproduces it."""
    return f"on qproj.testing.case({each.name!r})"


# The checks register themselves.
from qproj.testing import honesty, limits, manners, stopped  # noqa: E402, F401
