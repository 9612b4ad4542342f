"""Checks of ``solve_many``: one answer per problem, each its own, and every limit meant as in ``solve``."""

from __future__ import annotations

from typing import Any

import numpy as np

from qproj.solvers import Solution, Termination, TooLargeError, as_problem
from qproj.testing.checked_problem import Case
from qproj.testing.checks import PATIENCE_S, TOLERANCE, Skipped, check, handed, taken, well_formed, where
from qproj.testing.deadlines import StillRunningError, watched
from qproj.testing.truth import truth_of

#: Seconds that a list of problems shares, each of which would use all of them.
SHARED_S = 0.5
SHARING = 12


def _many(solver: Any) -> Any:
    many = getattr(solver, "solve_many", None)
    if many is None:
        raise Skipped("it has no solve_many")
    return many


def _small(solver: Any, *tags: str) -> list[Case]:
    found = [
        each for each in taken(solver, *tags) if each.size >= 2 and each.name.startswith(("sign", "binary", "spin"))
    ]
    if not found:
        raise Skipped("it takes none of the problems")
    return found


def _answers(solver: Any, found: list[Case], **asked: Any) -> list[Solution]:
    answers = list(_many(solver)([each.make() for each in found], **asked))
    assert len(answers) == len(found), f"{len(answers)} answers to {len(found)} problems"
    return [well_formed(a, as_problem(each.make()), each) for each, a in zip(found, answers, strict=True)]


@check
def check_solve_many_answers(solver: Any) -> None:
    """`solve_many`, where there is one, gives one answer per problem, each its own, and none to no problem."""
    many = _many(solver)
    assert list(many([])) == [], "solve_many([]) is not empty"
    found = _small(solver)[:5]
    found += found[:1]  # one of them twice
    for each, solution in zip(found, _answers(solver, found, seed=1), strict=True):
        problem = as_problem(each.make())
        if solution.best is not None:
            gain = float(problem.gain(solution.best))
            assert abs(gain - float(solution.gain or 0.0)) <= TOLERANCE * truth_of(problem).scale, (
                f"{where(each)}: another's answer"
            )


@check
def check_solve_many_seeds(solver: Any) -> None:
    """One seed of `solve_many` gives one list of results, and other seeds others, where they are declared to matter."""
    _many(solver)
    capabilities = solver.capabilities
    if not capabilities.seed:
        raise Skipped("it declares that the seed changes nothing")
    reads: dict[str, Any] = {"num_reads": 1} if capabilities.num_reads else {}
    _seeds_matter(solver, _small(solver, "reads"), reads)
    seen = []
    for each in taken(solver, hard=True) if reads and not capabilities.exact else []:
        try:  # where single reads of a good sampler differ
            seen.append(_seeds_matter(solver, [each], reads))
        except TooLargeError:
            continue
    assert not seen or max(seen) > 1, "single reads of seeds 6 to 9 are all the same"


def _seeds_matter(solver: Any, found: list[Case], reads: dict[str, Any]) -> int:
    """Return how many different lists of reads four seeds gave; fail where one seed gave two."""
    runs = [_answers(solver, found, seed=seed, **reads) for seed in (6, 6, 7, 8, 9)]
    for each, one, two in zip(found, runs[0], runs[1], strict=True):
        same = np.array_equal(np.asarray(one.candidates), np.asarray(two.candidates))
        assert same or Termination.CLOCK in (one.termination, two.termination), (
            f"{where(each)}: two runs with seed 6 differ"
        )
    return len({b"".join(_bytes(solution) for solution in run) for run in runs})


def _bytes(solution: Solution) -> bytes:
    read = solution.sampleset.record.sample if solution.sampleset is not None else solution.candidates
    return np.asarray(read, np.int8).tobytes()


@check
def check_solve_many_limits(solver: Any) -> None:
    """`solve_many` draws as many reads per problem as asked for, and refuses what `solve` refuses."""
    many = _many(solver)
    found = _small(solver)[:3]
    refused: list[dict[str, Any]] = [{"num_raeds": 3}, {"time_limit_s": -1.0}, {"seed": -1}]
    if not solver.capabilities.num_reads:
        refused.append({"num_reads": 3})
    for asked in refused:
        try:
            list(many([each.make() for each in found], **asked))
        except (TypeError, ValueError):
            continue
        raise AssertionError(f"solve_many(…, {asked}) was not refused")
    if not solver.capabilities.num_reads:
        return
    for each, solution in zip(found, _answers(solver, found, num_reads=4, seed=2), strict=True):
        assert solution.sampleset is not None, f"{where(each)}: no sample set"
        drawn = int(solution.sampleset.record.num_occurrences.sum())
        assert drawn == 4, f"{where(each)}: {drawn} reads instead of 4"


@check
def check_solve_many_shares_the_time(solver: Any) -> None:
    """The time limit of `solve_many` is for all together: less than half of what they would take in turn."""
    many = _many(solver)
    hard = taken(solver, hard=True)[:1]
    if not hard:
        raise Skipped("it takes none of the problems that are too hard to finish")

    class Many:
        """As watched() wants it."""

        @staticmethod
        def solve(problem: Any, **asked: Any) -> Any:
            return list(many(problem, **asked))

    def spent(count: int, limit: float, patience: float) -> float:
        problems = [handed(as_problem(hard[0].make())) for _ in range(count)]
        return watched(Many, problems, patience_s=patience, time_limit_s=limit, seed=0)[1]

    def measured() -> tuple[float, float]:
        """Seconds of all together, and the most that sharing explains; a load of this moment counts in both."""
        start = min(spent(1, 1e-3, PATIENCE_S) for _ in range(3))
        alone = max(spent(1, SHARED_S, PATIENCE_S), SHARED_S)
        shared, each = SHARED_S + SHARING * start, SHARING * alone
        return spent(SHARING, SHARED_S, each + 2.0), 0.6 * shared + 0.4 * each

    try:
        for _ in range(2):  # what one of two measurements explains is not held against the solver
            together, most = measured()
            if together <= most:
                return
    except TooLargeError as refusal:
        raise Skipped("the problem is too large for it") from refusal
    except StillRunningError as late:
        raise AssertionError(f"{SHARING} times {where(hard[0])}: {late}") from late
    raise AssertionError(f"{SHARING} times {where(hard[0])}: {SHARED_S} s for all, and {together:.1f} s passed")
