"""What solvers that are wrong on purpose are made of: an honest one, whose answers are spoilt on the way."""

from dataclasses import replace

import dimod
import numpy as np
import pytest

import qproj
from qproj.solvers import Termination, as_problem


class Wrapped:
    """An honest solver whose answers may be spoilt; structural, no Adapter."""

    inner = "random"  # quick, and wrong often enough for its claims to be checked
    changes: dict = {}  # noqa: RUF012

    def __init__(self):
        self.solver = qproj.get_solver(self.inner)
        self.capabilities = replace(self.solver.capabilities, **self.changes)

    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        limits = {"time_limit_s": time_limit_s, "seed": seed, "num_reads": num_reads, "hint": hint}
        asked = {name: value for name, value in limits.items() if value is not None}
        return self.spoil(self.solver.solve(problem, **asked), problem)

    def spoil(self, solution, problem):
        return solution


def mutant(name, check, change, *, inner="random", also_without_incumbent=False, **changes):
    """A Wrapped whose solutions go through change(solution, problem)."""

    def spoil(self, solution, problem):
        return change(solution, problem) if also_without_incumbent or solution.best is not None else solution

    parts = {"spoil": spoil, "inner": inner, "changes": changes}
    return pytest.param(type(name.title().replace(" ", ""), (Wrapped,), parts), check, id=name)


def listed(mutants, check):
    """A decorator that registers mutants with the check meant for them."""

    def add(kind):
        mutants.append(pytest.param(kind, check, id=kind.__name__))
        return kind

    return add


def caught(kind, check):
    """Assert that the check meant for it catches a mutant."""
    from qproj.testing import run_checks

    (result,) = run_checks(kind(), names=[check])
    assert result.outcome == "failed", f"{kind.__name__} got past {check}: {result}"
    assert result.message


def is_bqm(problem):
    return isinstance(problem, dimod.BinaryQuadraticModel)


def is_cqm(problem):
    return isinstance(problem, dimod.ConstrainedQuadraticModel)


def empty_handed(solution, **changes):
    nothing = {"best": None, "gain": None, "objective": None, "candidates": solution.candidates[:0]}
    return replace(solution, **nothing, **changes)


def sampled(solution, *, energy=lambda e: e, occurrences=lambda n: n):
    """Other energies or numbers of occurrences in the sample set."""
    reads = solution.sampleset
    new = dimod.SampleSet.from_samples(
        (reads.record.sample, reads.variables), energy=energy(np.asarray(reads.record.energy, np.float64)),
        vartype=reads.vartype, num_occurrences=occurrences(reads.record.num_occurrences), sort_labels=False,
    )  # fmt: skip
    return replace(solution, sampleset=new)


def told(solution, problem, best):
    """Another assignment, with the figures that belong to it, as if it were the answer."""
    target = as_problem(problem)
    reads = (
        dimod.SampleSet.from_samples_bqm((best[None], list(problem.variables)), problem) if is_bqm(problem) else None
    )
    return replace(
        solution, best=best, gain=float(target.gain(best)), objective=float(target.objective(best)), bound=None,
        gain_bound=None, raw_best=None, candidates=best[None], sampleset=reads,
    )  # fmt: skip


def low(problem):
    """The lower of a variable's two values."""
    return 0 if is_bqm(problem) and problem.vartype is dimod.BINARY else -1


def flipped(solution, problem):
    """The optimum's best neighbour, told as the optimum."""
    near = np.repeat(solution.best[None], len(solution.best), axis=0)
    index = np.arange(len(near))
    near[index, index] = np.where(solution.best == 1, low(problem), 1)
    best = near[int(np.argmax(as_problem(problem).gain(near)))]
    return replace(told(solution, problem, best), termination=Termination.PROVED)


def sorted_by_name(solution, problem):
    """Values in the order of the labels' text instead of the model's."""
    if not is_bqm(problem):
        return solution
    order = np.argsort([str(v) for v in problem.variables])
    return replace(solution, best=solution.best[order], candidates=solution.candidates[:, order])
