"""Checks of hints: refused where they are not declared; else taken, left alone, and not thrown away."""

from __future__ import annotations

from typing import Any

import numpy as np

from qproj.solvers import TooLargeError, as_problem, get_solver
from qproj.testing.checks import TOLERANCE, Skipped, check, enough, handed, raised, solved, taken, well_formed, where
from qproj.testing.deadlines import StillRunningError, slowdown, watched
from qproj.testing.limits import PATIENCE_S, SHORT_S
from qproj.testing.truth import truth_of


@check
def check_hints_taken_as_declared(solver: Any) -> None:
    """A valid hint is taken and not changed, any other refused; where hints are not declared, all are refused."""
    found = [each for each in taken(solver) if each.kind != "cqm" and each.size >= 2 and "degenerate" not in each.tags]
    if not found:
        raise Skipped("it takes none of the problems")
    declared = solver.capabilities.hint
    for each, problem, _ in solved(solver, found[:3], seed=1):
        for hint, good in (
            (np.ones(problem.num_variables, np.int8), declared),
            (np.ones(problem.num_variables + 1, np.int8), False),
            (np.full(problem.num_variables, 5, np.int8), False),
        ):
            before = hint.copy()
            try:
                answer = solver.solve(handed(problem), seed=1, hint=hint, **enough(solver))
            except (TypeError, ValueError) as error:
                if good:
                    raise raised(error, each) from error
                continue
            assert good, f"{where(each)}: hint {hint.tolist()} was not refused (declared: {declared})"
            assert np.array_equal(hint, before), f"{where(each)}: the hint was changed"
            solution, truth = well_formed(answer, problem, each), truth_of(problem)
            if solver.capabilities.exact and solution.gain is not None and truth.gain is not None:
                missed = solution.gain < truth.gain - TOLERANCE * truth.scale
                assert not missed, f"{where(each)}: with a hint the optimum is missed"


@check
def check_hints_kept(solver: Any) -> None:
    """An exact search that its limit stops is no worse than the hint that it was given."""
    if not (solver.capabilities.hint and solver.capabilities.exact):
        raise Skipped("it takes no hints, or is a heuristic, which may start from a hint and leave it")
    seen = 0
    for each in taken(solver, hard=True):
        problem = as_problem(each.make())
        name = "local-search" if each.kind == "projection" else "tabu"
        hint = get_solver(name).solve(handed(problem), seed=0, time_limit_s=1.0).require().best
        limit = SHORT_S * slowdown()
        try:
            answer, _ = watched(solver, handed(problem), patience_s=PATIENCE_S, time_limit_s=limit, seed=0, hint=hint)
        except (TooLargeError, StillRunningError):  # too long is a matter of check_time_limit_honoured
            continue
        except Exception as error:
            raise raised(error, each) from error
        seen += 1
        solution, least = well_formed(answer, problem, each), float(problem.gain(hint))
        kept = solution.gain is not None and solution.gain >= least * (1.0 - TOLERANCE)
        assert kept, f"{where(each)}: gain {solution.gain!r} after a hint of gain {least!r}"
    if not seen:
        raise Skipped("it takes, or ends in time, none of the problems that are too hard to finish")
