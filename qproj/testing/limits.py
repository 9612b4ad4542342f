"""Checks of what a solver is asked: seeds, time limits, reads, options, and what it has to refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qproj.solvers import Status, Termination, TooLargeError, as_problem, get_solver
from qproj.solvers.registry import solver_class, solver_names
from qproj.testing.cases import cases
from qproj.testing.checked_problem import Case
from qproj.testing.checks import (
    ENOUGH_S,
    TOLERANCE,
    Skipped,
    answered,
    asked_once,
    check,
    enough,
    handed,
    raised,
    solved,
    taken,
    well_formed,
    where,
)
from qproj.testing.constrained_cases import market_split
from qproj.testing.deadlines import StillRunningError, slowdown, watched

#: A limit that no hard case is finished in, and the time after which it counts as ignored.
SHORT_S = 0.3
PATIENCE_S = 5 * SHORT_S + 2.0
#: Seconds in all that may go unreported.
UNMEASURED_S = 0.02


@check
def check_seed_reproduces(solver: Any) -> None:
    """One seed gives one result, unless the clock ended the search."""
    if not solver.capabilities.seed:
        raise Skipped("it declares that the seed changes nothing")
    capabilities = solver.capabilities
    _same_twice(solver, taken(solver))
    if not capabilities.exact and taken(solver, hard=True):  # on small ones every seed may find the same
        try:
            _same_twice(solver, taken(solver, hard=True), **({"num_reads": 1} if capabilities.num_reads else {}))
        except Skipped:
            return


def _same_twice(solver: Any, found: list[Case], **asked: Any) -> None:
    if asked:
        again = {each.name: solution for each, _, solution in solved(solver, found, seed=1, **asked)}
    else:
        again = {each.name: solution for each, _, solution in answered(solver, found)}
    by_clock = compared = 0
    for each, _, solution in solved(solver, found, seed=1, **asked):
        other = again.get(each.name, solution)
        compared += 1
        if Termination.CLOCK in (solution.termination, other.termination):
            by_clock += 1
            continue
        assert np.array_equal(np.asarray(solution.candidates), np.asarray(other.candidates)), (
            f"{where(each)}: two runs with seed 1 differ"
        )
    assert by_clock < compared, "every run claims to be ended by the clock, so that no seed has to repeat anything"


@check
def check_other_seed_differs(solver: Any) -> None:
    """Where the seed is declared to matter for a sampler, single reads of several seeds are not all the same."""
    capabilities = solver.capabilities
    if not capabilities.seed or capabilities.exact:
        raise Skipped("it is exact, or declares that the seed changes nothing")
    reads: dict[str, Any] = {"num_reads": 1} if capabilities.num_reads else {}
    # a good sampler finds the one optimum of a small problem with every seed, so a large one decides, and there four
    # seeds may well agree by chance
    for found, seeds in ((taken(solver, "reads"), 4), (taken(solver, hard=True), 16)):
        results: dict[str, set[bytes]] = {}
        for seed in range(seeds):
            for each, _, solution in solved(solver, found, seed=seed, **reads) if found else []:
                read = solution.sampleset.record.sample if solution.sampleset is not None else solution.candidates
                results.setdefault(each.name, set()).add(np.asarray(read, np.int8).tobytes())
            if any(len(reads_seen) > 1 for reads_seen in results.values()):
                return
    if not reads and not taken(solver, hard=True):
        raise Skipped("it draws no reads, and takes no problem that is too large for one search to find the optimum")
    raise AssertionError("single reads of seeds 0 to 3 are all the same, and of seeds 0 to 15 on large problems")


@check
def check_time_limit_honoured(solver: Any) -> None:
    """A search that is too long ends near its limit: at most five times that, and two seconds."""
    found = taken(solver, hard=True)
    if "cqm" in solver.capabilities.forms:
        found.append(Case("a market split", "cqm", 40, market_split))
    if not found:
        raise Skipped("it takes none of the problems that are too hard to finish")
    for each in found:
        try:
            watched(solver, each.make(), patience_s=PATIENCE_S, time_limit_s=SHORT_S, seed=0)
        except TooLargeError:
            continue
        except StillRunningError as late:
            raise AssertionError(f"{where(each)}: {late}") from late
        except Exception as error:
            raise raised(error, each) from error


@check
def check_stopped_runs_keep_the_incumbent(solver: Any) -> None:
    """A search that its limit stopped reports that and still holds what it found."""
    limit = 2 * SHORT_S * min(slowdown(), 5.0)
    for each, problem, solution in solved(solver, taken(solver, hard=True), time_limit_s=limit, seed=0):
        assert solution.best is not None, f"{where(each)}: stopped by time, and no incumbent was kept"
        allowed = (Status.FEASIBLE, Status.OPTIMAL)
        assert solution.status in allowed, f"{where(each)}: status is {solution.status}"
        gain = float(problem.gain(solution.best))
        assert math.isclose(solution.gain or 0.0, gain, rel_tol=1e-9), f"{where(each)}: gain is not the incumbent's"
        if problem.gain_bound is not None and solution.status is Status.OPTIMAL:
            assert problem.meets_bound(solution.best) or solver.capabilities.exact, f"{where(each)}: not proved"


@check
def check_num_reads_honoured(solver: Any) -> None:
    """As many reads as asked for, counted with num_occurrences; refused where they are not declared."""
    if not solver.capabilities.num_reads:
        found = taken(solver)[:1]
        for each in found:
            try:
                solver.solve(each.make(), num_reads=3)
            except (TypeError, ValueError):
                return
            raise AssertionError(f"{where(each)}: num_reads is not declared, and was not refused")
        raise Skipped("it takes none of the problems")
    for count in (1, 7):
        for each, _, solution in solved(solver, taken(solver, "reads"), num_reads=count, seed=2):
            assert solution.sampleset is not None, f"{where(each)}: no sample set"
            drawn = int(solution.sampleset.record.num_occurrences.sum())
            assert drawn == count, f"{where(each)}: {drawn} reads instead of {count}"


@check
def check_unknown_options_refused(solver: Any) -> None:
    """An option that does not exist is a TypeError, not ignored: of `solve`, and of a registered constructor."""
    _refused(solver, TypeError, num_raeds=3)
    name = registered_name(solver)
    if name is None:
        return
    try:
        get_solver(name, num_raeds=3)
    except TypeError:
        return
    raise AssertionError(f"get_solver({name!r}, num_raeds=3) was not refused")


def registered_name(solver: Any) -> str | None:
    """Return the name under which the solver's own class is registered, if it is."""
    name = getattr(solver, "name", None)
    if not isinstance(name, str) or name not in solver_names():
        return None
    return name if solver_class(name) is type(solver) else None


@check
def check_meaningless_limits_refused(solver: Any) -> None:
    """Limits ≤ 0, NaN, negative seeds and no reads are refused."""
    for limits in ({"time_limit_s": 0.0}, {"time_limit_s": -1.0}, {"time_limit_s": float("nan")}, {"seed": -1}):
        _refused(solver, (TypeError, ValueError), **limits)
    if solver.capabilities.num_reads:
        _refused(solver, (TypeError, ValueError), num_reads=0)


@check
def check_other_problems_refused(solver: Any) -> None:
    """Anything but a problem raises a TypeError or ValueError; so does an undeclared form, if it is not solved."""
    for nonsense in ("a problem", 3, None, np.ones((2, 3))):
        try:
            solver.solve(nonsense)
        except (TypeError, ValueError):
            continue
        raise AssertionError(f"solve({nonsense!r}) was not refused")
    capabilities = solver.capabilities
    for each in cases():
        large = capabilities.max_variables is not None and each.size > capabilities.max_variables
        if (each.kind in capabilities.forms and not large) or each.tags & {"degenerate", "infeasible"}:
            continue
        problem = as_problem(each.make())
        try:
            answer, _ = watched(solver, handed(problem), patience_s=ENOUGH_S, **enough(solver))
        except (TypeError, ValueError, NotImplementedError, StillRunningError):
            continue
        solution = well_formed(answer, problem, each)
        if solution.best is not None:
            gain = float(problem.gain(solution.best))
            assert math.isclose(gain, solution.gain or 0.0, rel_tol=TOLERANCE, abs_tol=TOLERANCE), (
                f"{where(each)}: not declared, not refused, and answered with gain {solution.gain!r} for {gain!r}"
            )


def _refused(solver: Any, errors: Any, **limits: Any) -> None:
    found = taken(solver)
    if not found:
        raise Skipped("it takes none of the problems")
    each = found[min(2, len(found) - 1)]
    try:
        solver.solve(each.make(), **limits)
    except errors:
        return
    raise AssertionError(f"{where(each)}: {limits} was not refused")


@check
def check_timing_sane(solver: Any) -> None:
    """Seconds are finite, not negative, and not more than passed."""
    for answer in asked_once(solver, taken(solver)):
        timing, told = answer.solution.timing, where(answer.case)
        parts = [getattr(timing, part) for part in ("build", "embed", "queue", "solve", "decode")]
        assert all(math.isfinite(part) and part >= 0 for part in parts), f"{told}: timing is {parts}"
        assert sum(parts) <= answer.seconds + 0.1, f"{told}: {sum(parts):.2f} s reported, {answer.seconds:.2f} s passed"


@check
def check_timing_measured(solver: Any) -> None:
    """Seconds are measured: what took time is not reported as none."""
    told = passed = 0.0
    for answer in asked_once(solver, taken(solver)):
        told, passed = told + float(answer.solution.timing.total), passed + answer.seconds
    assert told > 0 or passed < UNMEASURED_S, f"{passed:.2f} s passed in all, and timing says 0 everywhere"


__all__ = ["PATIENCE_S", "SHORT_S", "well_formed"]
