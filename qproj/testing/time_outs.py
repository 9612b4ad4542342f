"""Checks on problems that nobody finishes in a second: the answers when the clock, not the search, ends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from qproj.solvers import Problem, Solution, Termination, TooLargeError, as_problem
from qproj.testing.checked_problem import Case
from qproj.testing.checks import TOLERANCE, Skipped, check, handed, raised, taken, well_formed, where
from qproj.testing.constrained_cases import market_split
from qproj.testing.deadlines import StillRunningError, slowdown, watched

#: The highest gains that were found on the hard cases, by minutes of several heuristics: lower gains are not optima.
BEST_KNOWN = {"sign projection that takes too long": 93.59617845, "spin glass that takes too long": 623.23251631}
#: Seconds; the second leaves no time for an incumbent, which does not prove that there is none.
LIMITS = (0.3, 1e-3)


@check
def check_hard_problems_not_claimed(solver: Any) -> None:
    """What ended by the clock is called neither proved nor infeasible."""
    for each, problem, limit, solution in _stopped(solver):
        told = f"{where(each)} with {limit} s: status is {solution.status}"
        assert solution.termination is not Termination.REFUTED, f"{told}, and the problem is feasible"
        if (
            solution.termination is not Termination.PROVED
            or solution.best is None
            or problem.meets_bound(solution.best)
        ):
            continue
        gain, best = float(problem.gain(solution.best)), BEST_KNOWN[each.name]
        assert gain >= best * (1.0 - TOLERANCE), f"{told} at gain {gain!r}, and {best!r} has been reached"
        assert solver.capabilities.exact, f"{told}, and the solver does not claim to prove anything"


@check
def check_bounds_on_hard_problems(solver: Any) -> None:
    """Bounds of stopped searches are not better than the best known value; gaps are not negative."""
    seen = 0
    for each, problem, limit, solution in _stopped(solver):
        told = f"{where(each)} with {limit} s"
        best = BEST_KNOWN[each.name] * (1.0 - 1e-8)
        if solution.gain_bound is not None:
            seen += 1
            assert solution.gain_bound >= best, f"{told}: no gain exceeds {solution.gain_bound!r}, and {best!r} does"
        if solution.bound is not None:
            seen += 1
            reached = float(problem.objective_of_gain(best))
            assert solution.bound <= reached, f"{told}: bound {solution.bound!r}, and {reached!r} has been reached"
        assert solution.gap is None or solution.gap >= 0, f"{told}: the gap is {solution.gap}"
    if not seen:
        raise Skipped("it gives no bounds")


def _stopped(solver: Any) -> Iterator[tuple[Case, Problem, float, Solution]]:
    count = 0
    for each in taken(solver, hard=True):
        for limit in LIMITS:
            problem = as_problem(each.make())
            solution = _within(solver, each, problem, limit)
            if solution is not None:
                count += 1
                yield each, problem, limit, solution
    if not count:
        raise Skipped("it takes, or ends in time, none of the problems that are too hard to finish")


def _within(solver: Any, each: Case, problem: Problem, limit: float) -> Solution | None:
    """Return the solution under a time limit; None where the problem is refused or the limit is not kept."""
    try:
        answer, _ = watched(solver, handed(problem), patience_s=5 * limit + 2, time_limit_s=limit, seed=0)
    except (TooLargeError, StillRunningError):  # too long is a matter of check_time_limit_honoured
        return None
    except Exception as error:
        raise raised(error, each) from error
    return well_formed(answer, problem, each)


@check
def check_ended_by_the_budget_only_if_true(solver: Any) -> None:
    """What ended by its budget does not depend on the time limit: else the clock ended it, and has to be named."""
    capabilities = solver.capabilities
    if not (capabilities.seed or capabilities.exact) or not capabilities.time_limit:
        raise Skipped("it does not repeat its results by a seed, or takes no time limit")
    seen = 0
    for each in taken(solver, hard=True):
        found = []
        for limit in (0.1, 0.1, 0.6 * min(slowdown(), 5.0)):
            solution = _within(solver, each, as_problem(each.make()), limit)
            if solution is None:
                break
            found.append(solution)
        if len(found) < 3 or any(one.termination is not Termination.BUDGET for one in found):
            continue
        seen += 1
        same = [_figures(one) == _figures(found[0]) for one in found[1:]]
        assert all(same), f"{where(each)}: every run says that its budget ended it, and more time gives another result"
    if not seen:
        raise Skipped("no run on the problems that are too hard to finish ended by its budget")


def _figures(solution: Solution) -> tuple[Any, ...]:
    reads = solution.sampleset
    drawn = None if reads is None else int(reads.record.num_occurrences.sum())
    return solution.gain, solution.gain_bound, np.asarray(solution.candidates).tobytes(), drawn


@check
def check_gave_up_is_not_infeasible(solver: Any) -> None:
    """A feasible problem on which the limit comes before any incumbent is not called infeasible."""
    if "cqm" not in solver.capabilities.forms:
        raise Skipped("it takes no constrained models")
    cqm = market_split()
    try:
        answer, _ = watched(solver, cqm, patience_s=4.0, time_limit_s=0.4, seed=0)
    except (TooLargeError, StillRunningError) as refusal:  # too long is a matter of check_time_limit_honoured
        raise Skipped("the problem is too large for it, or it does not end in time") from refusal
    case = Case("a market split", "cqm", 40, market_split)
    where_ = where(case)
    solution = well_formed(answer, as_problem(cqm), case)
    assert solution.termination is not Termination.REFUTED, f"{where_}: said to be infeasible, and it is feasible"
    if solution.best is not None:
        assert np.isfinite(as_problem(cqm).objective(solution.best)), f"{where_}: best breaks a constraint"
