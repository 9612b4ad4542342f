"""Solvers that change inputs, keep state, leave traces or mix up several problems, on purpose."""

import os
import random
import threading
import time
import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import qproj
from qproj.solvers import as_problem
from tests.testing._mutants import Wrapped, caught, is_bqm, is_cqm, listed

MUTANTS = []
caught_by = partial(listed, MUTANTS)


# ---- inputs, and what is left behind


@caught_by("inputs_not_mutated")
class ShiftsTheModel(Wrapped):
    def spoil(self, solution, problem):
        if is_bqm(problem):
            problem.offset += 1e-6
        return solution


@caught_by("inputs_not_mutated")
class TurnsTheModelIntoSpins(Wrapped):
    def spoil(self, solution, problem):
        if is_bqm(problem):
            problem.change_vartype("SPIN", inplace=True)
        return solution


@caught_by("inputs_not_mutated")
class AddsARow(Wrapped):
    inner = "cpsat"

    def spoil(self, solution, problem):
        if is_cqm(problem):
            problem.add_constraint([(next(iter(problem.variables)), 1)], sense="<=", rhs=99)
        return solution


@caught_by("inputs_not_mutated")
class ReordersTheModel(Wrapped):
    def spoil(self, solution, problem):
        if is_bqm(problem) and problem.num_variables > 1:
            first = next(iter(problem.variables))
            neighbours = {v: problem.get_quadratic(first, v) for v in list(problem.adj[first])}
            bias = problem.get_linear(first)
            problem.remove_variable(first)
            problem.add_linear(first, bias)
            for v, q in neighbours.items():
                problem.add_quadratic(first, v, q)
        return solution


@caught_by("leaves_no_trace")
class TouchesGlobalRandomState(Wrapped):
    def solve(self, problem, **limits):
        np.random.seed(0)  # noqa: NPY002
        random.random()
        return super().solve(problem, **limits)


@caught_by("leaves_no_trace")
class ChangesTheEnvironment(Wrapped):
    def solve(self, problem, **limits):
        os.environ["OMP_NUM_THREADS"] = str(time.time_ns())
        return super().solve(problem, **limits)


@caught_by("leaves_no_trace")
class ChangesTheFolder(Wrapped):
    def solve(self, problem, **limits):
        os.chdir("..") if os.getcwd() != "/" else os.chdir("/tmp")
        return super().solve(problem, **limits)


@caught_by("leaves_no_trace")
class SilencesWarnings(Wrapped):
    def solve(self, problem, **limits):
        warnings.filterwarnings("ignore", message=str(time.time_ns()))
        return super().solve(problem, **limits)


# ---- state: between calls, among threads, in other processes


class Caches(Wrapped):
    def __init__(self):
        super().__init__()
        self.known = {}

    def solve(self, problem, **limits):
        key = self.key(problem)
        if key not in self.known:
            self.known[key] = super().solve(problem, **limits)
        return self.known[key]


@caught_by("nothing_kept_between_calls")
class CachesBySize(Caches):
    def key(self, problem):
        return len(problem.variables)


@caught_by("nothing_kept_between_calls")
class CachesById(Caches):
    inner = "exhaustive"

    def key(self, problem):
        return id(problem)


@caught_by("nothing_kept_between_calls")
class CachesProjectionsByShape(Caches):
    def key(self, problem):
        return getattr(problem, "X", np.empty(0)).shape if hasattr(problem, "t") else as_problem(problem).key


@caught_by("threads")
class KeepsTheProblemInAnAttribute(Wrapped):
    def solve(self, problem, **limits):
        self.current = problem
        time.sleep(0.002)
        return super().solve(self.current, **limits)


@caught_by("threads")
class ReturnsTheLastAnswerOfAnybody(Wrapped):
    inner = "sign"  # the seed changes nothing

    def spoil(self, solution, problem):
        self.last = solution
        time.sleep(0.002)
        return self.last


@caught_by("pickling")
class HoldsALock(Wrapped):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@caught_by("pickling")
class LosesItsParameters(Wrapped):
    def __init__(self, num_sweeps=3):
        super().__init__()
        self.solver = qproj.get_solver("sa", num_sweeps=num_sweeps)

    def __reduce__(self):
        return type(self), (1000,)


@caught_by("pickling")
class LosesItsCapabilities(Wrapped):
    def __init__(self, largest=20):
        super().__init__()
        self.capabilities = replace(self.capabilities, max_variables=largest)

    def __reduce__(self):
        return type(self), (30,)


@caught_by("pickling")
class ItsSolutionsHoldLocks(Wrapped):
    def spoil(self, solution, problem):
        return replace(solution, stats={"lock": threading.Lock()})


# ---- several problems at once


class ManyProblems(Wrapped):
    def solve_many(self, problems, *, time_limit_s=None, seed=None, num_reads=None, hints=None):
        return self.many(list(problems), {"time_limit_s": time_limit_s, "seed": seed, "num_reads": num_reads})

    def many(self, problems, limits):
        return self.solver.solve_many(problems, **limits)


@caught_by("solve_many_answers")
class ForgetsOne(ManyProblems):
    def many(self, problems, limits):
        return super().many(problems, limits)[:-1]


@caught_by("solve_many_answers")
class AnswersBackwards(ManyProblems):
    def many(self, problems, limits):
        return super().many(problems[::-1], limits)


@caught_by("solve_many_answers")
class NeedsOneAtLeast(ManyProblems):
    def many(self, problems, limits):
        return [self.solver.solve(problems[0], **limits), *super().many(problems[1:], limits)]


@caught_by("solve_many_seeds")
class LosesTheSeed(ManyProblems):
    def many(self, problems, limits):
        return super().many(problems, {**limits, "seed": None})


@caught_by("solve_many_seeds")
class OneSeedForAll(ManyProblems):
    def many(self, problems, limits):
        return super().many(problems, {**limits, "seed": 0})


@caught_by("solve_many_limits")
class LosesTheReads(ManyProblems):
    def many(self, problems, limits):
        return super().many(problems, {**limits, "num_reads": None})


@caught_by("solve_many_limits")
class DropsOptionsOfMany(Wrapped):
    def solve_many(self, problems, *, time_limit_s=None, seed=None, num_reads=None, hints=None, **ignored):
        return self.solver.solve_many(problems, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads)


@caught_by("solve_many_shares_the_time")
class TheLimitIsForEach(ManyProblems):
    def many(self, problems, limits):
        return [self.solver.solve(problem, **limits) for problem in problems]


@pytest.mark.parametrize(("kind", "check"), MUTANTS)
def test_the_check_meant_for_it_catches_a_mutant(kind, check, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    monkeypatch.chdir("/")
    with warnings.catch_warnings():
        caught(kind, check)
