"""Correct solvers of many styles pass every check."""

import itertools
import time
from dataclasses import replace

import dimod
import numpy as np
import pytest

import qproj
from qproj.solvers import (
    Adapter,
    Capabilities,
    Found,
    Solution,
    Termination,
    Timing,
    TooLargeError,
    as_problem,
)
from qproj.testing import check_solver
from tests.testing._mutants import Wrapped


class Delegating:
    """Correct, by delegation of every name."""

    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._inner, name)


class Plain:
    """Written from scratch, and slow: every assignment of a small BQM, scored by dimod, one after the other."""

    def __init__(self, largest=10):
        self.capabilities = Capabilities(
            forms=frozenset({"bqm"}), exact=True, seed=False, time_limit=False, max_variables=largest
        )

    def solve(self, problem, *, time_limit_s=None, seed=None):
        if not isinstance(problem, dimod.BinaryQuadraticModel):
            raise TypeError("only BQMs")
        if time_limit_s is not None and not time_limit_s > 0:
            raise ValueError("time_limit_s is positive")
        if seed is not None and seed < 0:
            raise ValueError("seed is not negative")
        if problem.num_variables > self.capabilities.max_variables:
            raise TooLargeError("too large; use 'auto'")
        start = time.perf_counter()
        values = (-1, 1) if problem.vartype is dimod.SPIN else (0, 1)
        names = list(problem.variables)
        best = min(itertools.product(values, repeat=len(names)), key=lambda v: problem.energy(dict(zip(names, v))))
        energy = float(problem.energy(dict(zip(names, best))))
        array = np.array(best, np.int64)
        return Solution(
            best=array, gain=problem.offset - energy, objective=energy, bound=energy, termination=Termination.PROVED,
            candidates=array[None], sampleset=dimod.SampleSet.from_samples_bqm(dict(zip(names, best)), problem),
            timing=Timing(solve=time.perf_counter() - start),
        )  # fmt: skip


class ByThreeSteps(Adapter):
    """build → call → decode: random spins or bits from the seed, as many as asked for."""

    name = "by-three-steps"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm"}), num_reads=True, note="draws at random")

    def build(self, problem, request):
        low = 0 if problem.kind == "bqm" and problem.bqm.vartype is dimod.BINARY else -1
        return low, problem.num_variables

    def call(self, model, request):
        low, size = model
        return request.rng().choice([low, 1], (request.num_reads or 5, size)).astype(np.int8)

    def decode(self, raw, problem):
        return Found(raw, Termination.BUDGET)


class OnlySigns(Wrapped):
    """Takes one kind of projection; its capabilities are a property, made again each time it is asked."""

    inner = "local-search"

    def __init__(self):
        self.solver = qproj.get_solver("local-search")

    @property
    def capabilities(self):
        return replace(self.solver.capabilities, note=f"asked at {time.monotonic():.0f}")


class Slots:
    """Without __dict__, positional-only helpers, numpy integers in its figures."""

    __slots__ = ("capabilities", "inner")

    def __init__(self):
        self.inner = qproj.get_solver("greedy")
        self.capabilities = replace(self.inner.capabilities, forms=frozenset({"bqm"}), picklable=False)

    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        as_problem(problem)
        found = self.inner.solve(problem, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads, hint=hint)
        if found.best is None:
            return found
        return replace(found, gain=np.float64(found.gain), objective=np.float64(found.objective), raw_best=None)


class FirstOf:
    """A portfolio: asks two solvers and keeps the better, as a fallback would."""

    def __init__(self, *solvers):
        self.solvers = solvers
        self.capabilities = replace(solvers[0].capabilities, picklable=False, hint=False)

    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        share = None if time_limit_s is None else time_limit_s / len(self.solvers)
        found = [s.solve(problem, time_limit_s=share, seed=seed, num_reads=num_reads, hint=hint) for s in self.solvers]
        return max(found, key=lambda s: -np.inf if s.gain is None else s.gain)


class Unseeded(dimod.Sampler):
    """A dimod sampler without a seed: reads at random."""

    parameters = {"num_reads": []}  # noqa: RUF012
    properties = {}  # noqa: RUF012

    def sample(self, bqm, *, num_reads=1):
        return dimod.RandomSampler().sample(bqm, num_reads=num_reads)


STYLES = {
    "wrapped": Wrapped,
    "from scratch, slow": Plain,
    "delegating": lambda: Delegating(qproj.get_solver("greedy")),
    "adapter": ByThreeSteps,
    "one kind of projection": OnlySigns,
    "slots": Slots,
    "portfolio": lambda: FirstOf(qproj.get_solver("greedy"), qproj.get_solver("random")),
    "random sampler": lambda: qproj.from_sampler(dimod.RandomSampler()),
    "a sampler without seed": lambda: qproj.from_sampler(Unseeded()),
    "exhaustive": lambda: qproj.get_solver("exhaustive"),
    "sign": lambda: qproj.get_solver("sign"),
    "random": lambda: qproj.get_solver("random"),
}


#: Quick ones; the others take seconds each.
QUICK = ("wrapped", "one kind of projection", "sign")


@pytest.mark.parametrize("style", [pytest.param(s, marks=() if s in QUICK else pytest.mark.slow) for s in STYLES])
def test_correct_solvers_pass(style):
    check_solver(STYLES[style]())
