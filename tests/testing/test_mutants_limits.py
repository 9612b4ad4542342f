"""Solvers that do not keep to what they are asked, on purpose: each is caught by the check meant for it."""

import math
import time
import types
from dataclasses import replace
from functools import partial

import dimod
import pytest

from qproj.solvers import Termination
from tests.testing._mutants import Wrapped, caught, empty_handed, is_cqm, listed

MUTANTS = []
caught_by = partial(listed, MUTANTS)


# ---- seeds, reads, time


@caught_by("seed_reproduces")
class IgnoresSeed(Wrapped):
    def solve(self, problem, *, seed=None, **limits):
        return super().solve(problem, seed=time.time_ns() % 2**31, **limits)


@caught_by("seed_reproduces")
class CallsEveryEndTheClock(IgnoresSeed):
    def spoil(self, solution, problem):
        return replace(solution, termination=Termination.CLOCK)


@caught_by("seed_reproduces")
class CountsCalls(Wrapped):
    calls = 0

    def solve(self, problem, *, seed=None, **limits):
        self.calls += 1
        return super().solve(problem, seed=self.calls, **limits)


@caught_by("seed_reproduces")
class Exits(Wrapped):
    def solve(self, problem, **limits):
        raise SystemExit(3)


@caught_by("other_seed_differs")
class SameSeed(Wrapped):
    def solve(self, problem, *, seed=None, **limits):
        return super().solve(problem, seed=0, **limits)


@caught_by("num_reads_honoured")
class IgnoresReads(Wrapped):
    def solve(self, problem, *, num_reads=None, **limits):
        return super().solve(problem, **limits)


@caught_by("num_reads_honoured")
class DropsTheLastRead(Wrapped):
    def solve(self, problem, *, num_reads=None, **limits):
        return super().solve(problem, num_reads=None if num_reads is None else max(1, num_reads - 1), **limits)


@caught_by("num_reads_honoured")
class DropsReads(IgnoresReads):
    changes = {"num_reads": False}  # noqa: RUF012


@caught_by("time_limit_honoured")
class IgnoresTimeLimit(Wrapped):
    def solve(self, problem, *, time_limit_s=None, **limits):
        if len(problem.variables) > 50:
            time.sleep(5.0)  # what its users would wait for
        return super().solve(problem, **limits)


@caught_by("time_limit_honoured")
class IgnoresTheLimitOfConstrainedModels(Wrapped):
    inner = "cpsat"

    def solve(self, problem, **limits):
        if is_cqm(problem) and len(problem.variables) > 30:
            time.sleep(8.0)
        return super().solve(problem, **limits)


@caught_by("stopped_runs_keep_the_incumbent")
class GivesUpEmptyHanded(Wrapped):
    def solve(self, problem, *, time_limit_s=None, **limits):
        found = super().solve(problem, time_limit_s=time_limit_s, **limits)
        return found if time_limit_s is None or len(problem.variables) < 50 else self.stopped(found)

    def stopped(self, found):
        return empty_handed(found, sampleset=None)


@caught_by("stopped_runs_keep_the_incumbent")
class TimeoutMeansInfeasible(GivesUpEmptyHanded):
    def stopped(self, found):
        return empty_handed(found, termination=Termination.REFUTED)


@caught_by("stopped_runs_keep_the_incumbent")
class RaisesAtTheLimit(GivesUpEmptyHanded):
    def stopped(self, found):
        raise TimeoutError("time is up")


# ---- what has to be refused


@caught_by("unknown_options_refused")
class DropsOptions(Wrapped):
    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None, **ignored):
        return super().solve(problem, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads)


@caught_by("unknown_options_refused")
class UnknownIsAValueError(Wrapped):
    def solve(self, problem, **limits):
        if set(limits) - {"time_limit_s", "seed", "num_reads", "hint"}:
            raise ValueError("no such option")
        return super().solve(problem, **limits)


@caught_by("meaningless_limits_refused")
class ZeroReadsAreTheDefault(Wrapped):
    def solve(self, problem, *, num_reads=None, **limits):
        return super().solve(problem, num_reads=num_reads or None, **limits)


@caught_by("meaningless_limits_refused")
class NanIsForever(Wrapped):
    def solve(self, problem, *, time_limit_s=None, **limits):
        forever = time_limit_s is not None and math.isnan(time_limit_s)
        return super().solve(problem, time_limit_s=None if forever else time_limit_s, **limits)


@caught_by("other_problems_refused")
class Everything(Wrapped):
    def solve(self, problem, **limits):
        if not hasattr(problem, "variables"):
            problem = dimod.BinaryQuadraticModel({0: 1.0}, {}, 0.0, "BINARY")
        return super().solve(problem, **limits)


@caught_by("other_problems_refused")
class SolvesTheFirstFour(Wrapped):
    changes = {"max_variables": 4}  # noqa: RUF012

    def spoil(self, solution, problem):
        best = solution.best.copy()
        best[4:] = 1
        return replace(solution, best=best, candidates=best[None])


@caught_by("other_problems_refused")
class ForgetsConstraints(Wrapped):
    """Takes constrained models, which it does not declare, without their constraints."""

    def solve(self, problem, **limits):
        if not is_cqm(problem):
            return super().solve(problem, **limits)
        free = dimod.BinaryQuadraticModel(dict.fromkeys(problem.variables, -1.0), {}, 0.0, "BINARY")
        return super().solve(free, **limits)


@caught_by("hints_taken_as_declared")
class DropsHints(Wrapped):
    def solve(self, problem, *, hint=None, **limits):
        return super().solve(problem, **limits)


@caught_by("hints_taken_as_declared")
class NeverLooksAtHints(DropsHints):
    inner = "local-search"


@caught_by("hints_taken_as_declared")
class RefusesHintsThatItDeclares(Wrapped):
    changes = {"hint": True}  # noqa: RUF012


@caught_by("hints_taken_as_declared")
class ChangesTheHint(Wrapped):
    inner = "local-search"

    def solve(self, problem, *, hint=None, **limits):
        found = super().solve(problem, hint=hint, **limits)
        if hint is not None:
            hint *= -1
        return found


@caught_by("hints_kept")
class StartsFromNowhere(DropsHints):
    inner = "cpsat"


@caught_by("capabilities_declared")
class NoForms(Wrapped):
    changes = {"forms": frozenset()}  # noqa: RUF012


@caught_by("capabilities_declared")
class ExactIsAWord(Wrapped):
    changes = {"exact": "yes"}  # noqa: RUF012


@caught_by("capabilities_declared")
class CapabilitiesAreNone(Wrapped):
    def __init__(self):
        super().__init__()
        self.capabilities = types.SimpleNamespace(**vars(self.capabilities))


@caught_by("declared_forms_taken")
class AFormThatItCannotTake(Wrapped):
    changes = {"forms": frozenset({"bqm", "cqm"})}  # noqa: RUF012


@caught_by("degenerate_problems")
class RaisesOnConstants(Wrapped):
    def solve(self, problem, **limits):
        if not any(getattr(problem, "linear", {1: 1}).values()):
            raise ZeroDivisionError("no scale")
        return super().solve(problem, **limits)


@pytest.mark.parametrize(("kind", "check"), MUTANTS)
def test_the_check_meant_for_it_catches_a_mutant(kind, check):
    caught(kind, check)
