"""The kit on trial: solvers that are wrong on purpose are caught by the check meant for them, honest ones never."""

import os
import random
import time
import warnings
from dataclasses import replace

import dimod
import numpy as np
import pytest

import qproj
from qproj.solving import BQMProblem, Capabilities, Ending, Timing
from qproj.testing import CHECKS, ConformanceError, check_solver, run_checks, solver_checks

warnings.filterwarnings("ignore", message="All bqm biases are zero")


class Wrapped:
    """An honest solver whose answers may be spoilt on the way; structural, no Adapter."""

    inner = "sa"
    options: dict = {}  # noqa: RUF012
    changes: dict = {}  # noqa: RUF012

    def __init__(self):
        self.solver = qproj.get_solver(self.inner, **self.options)
        self.capabilities = replace(self.solver.capabilities, **self.changes)

    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        limits = {"time_limit_s": time_limit_s, "seed": seed}
        if num_reads is not None:
            limits["num_reads"] = num_reads
        return self.spoil(self.solver.solve(problem, **limits), problem)

    def spoil(self, solution, problem):
        return solution


def honest_exact(**changes):
    return {"inner": "exhaustive", **changes}


def mutant(name, check, **parts):
    return pytest.param(type(name.title().replace(" ", ""), (Wrapped,), parts), check, id=name)


def spoil(function, **parts):
    return {"spoil": lambda self, solution, problem: function(solution, problem), **parts}


def when_found(function):
    return lambda solution, problem: solution if solution.best is None else function(solution, problem)


def _shifted(solution, by):
    reads = solution.sampleset.copy()
    reads.record.energy = reads.record.energy + by
    return replace(solution, sampleset=reads)


def _energies(solution, change):
    reads = solution.sampleset.copy()
    record = reads.record.copy()
    new = dimod.SampleSet.from_samples(
        (record.sample, reads.variables), energy=change(np.asarray(record.energy, np.float64)), vartype=reads.vartype,
        num_occurrences=record.num_occurrences, sort_labels=False,
    )  # fmt: skip
    return replace(solution, sampleset=new)


def _other_vartype(solution):
    reads = solution.sampleset
    other = "SPIN" if reads.vartype is dimod.BINARY else "BINARY"
    return replace(solution, sampleset=reads.change_vartype(other, inplace=False))


def _sorted_variables(solution, problem):
    if not isinstance(problem, dimod.BinaryQuadraticModel) or len(solution.best) < 2:
        return solution
    order = np.argsort([str(v) for v in problem.variables])
    return replace(solution, best=solution.best[order], candidates=solution.candidates[:, order])


class IgnoresSeed(Wrapped):
    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        return super().solve(problem, time_limit_s=time_limit_s, seed=int(time.time_ns() % 2**31), num_reads=num_reads)


class SameSeed(Wrapped):
    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        return super().solve(problem, time_limit_s=time_limit_s, seed=0, num_reads=num_reads)


class IgnoresTimeLimit(Wrapped):
    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        if len(getattr(problem, "variables", ())) > 50:
            time.sleep(5.0)  # what its users would wait for
        return super().solve(problem, seed=seed, num_reads=num_reads)


class GivesUpEmptyHanded(Wrapped):
    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        found = super().solve(problem, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads)
        if time_limit_s is not None and len(problem.variables) > 50:
            return replace(found, best=None, gain=None, objective=None, candidates=found.candidates[:0], sampleset=None)
        return found


class TimeoutMeansInfeasible(GivesUpEmptyHanded):
    def solve(self, problem, **limits):
        found = super().solve(problem, **limits)
        return replace(found, ending=Ending.REFUTED) if found.best is None else found


class MutatesTheModel(Wrapped):
    def solve(self, problem, **limits):
        found = super().solve(problem, **limits)
        if isinstance(problem, dimod.BinaryQuadraticModel):
            problem.offset += 1e-6
        return found


class ReordersTheModel(Wrapped):
    def solve(self, problem, **limits):
        found = super().solve(problem, **limits)
        if isinstance(problem, dimod.BinaryQuadraticModel) and problem.num_variables > 1:
            first = next(iter(problem.variables))
            neighbours = {v: problem.get_quadratic(first, v) for v in list(problem.adj[first])}
            bias = problem.get_linear(first)
            problem.remove_variable(first)
            problem.add_linear(first, bias)
            for v, q in neighbours.items():
                problem.add_quadratic(first, v, q)
        return found


class SwallowsOptions(Wrapped):
    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None, **ignored):
        return super().solve(problem, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads)


class DropsTheLastRead(Wrapped):
    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        fewer = None if num_reads is None else max(1, num_reads - 1)
        return super().solve(problem, time_limit_s=time_limit_s, seed=seed, num_reads=fewer)


class TakesAnyLimit(Wrapped):
    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        limit = time_limit_s if time_limit_s is not None and time_limit_s > 0 else None
        return super().solve(problem, time_limit_s=limit, seed=abs(seed or 0), num_reads=num_reads or None)


class CachesBySize(Wrapped):
    inner = "exhaustive"

    def __init__(self):
        super().__init__()
        self.known = {}

    def solve(self, problem, **limits):
        key = len(problem.variables)
        if key not in self.known:
            self.known[key] = super().solve(problem, **limits)
        return self.known[key]


class CachesById(CachesBySize):
    def solve(self, problem, **limits):
        key = id(problem)
        if key not in self.known:
            self.known[key] = Wrapped.solve(self, problem, **limits)
        return self.known[key]


class ConnectedOnly(Wrapped):
    inner = "exhaustive"

    def spoil(self, solution, problem):
        if not isinstance(problem, dimod.BinaryQuadraticModel) or problem.num_variables < 3:
            return solution
        import networkx as nx

        graph = nx.Graph(list(problem.quadratic))
        graph.add_nodes_from(problem.variables)
        if nx.is_connected(graph):
            return solution
        keep = max(nx.connected_components(graph), key=len)
        best = solution.best.copy()
        for i, v in enumerate(problem.variables):
            if v not in keep:
                best[i] = 1  # never looked at
        return scored(solution, best, problem)


def scored(solution, best, problem):
    wrapped = BQMProblem(problem)
    gain = float(wrapped.gain(best))
    return replace(
        solution, best=best, gain=gain, objective=-gain, candidates=best[None], gain_bound=gain, bound=-gain - 1e-9,
        sampleset=dimod.SampleSet.from_samples_bqm((best[None], list(problem.variables)), problem),
    )  # fmt: skip


class TouchesGlobalRandomState(Wrapped):
    def solve(self, problem, **limits):
        np.random.seed(0)  # noqa: NPY002
        random.random()
        return super().solve(problem, **limits)


class ChangesTheEnvironment(Wrapped):
    def solve(self, problem, **limits):
        os.environ["OMP_NUM_THREADS"] = str(time.time_ns())
        return super().solve(problem, **limits)


class OneAtATime(Wrapped):
    """Keeps the problem in an attribute while it works, and says that it is thread-safe."""

    def solve(self, problem, **limits):
        self.current = problem
        time.sleep(0.01)
        return super().solve(self.current, **limits)


class NotPicklable(Wrapped):
    def __init__(self):
        super().__init__()
        self.lock = __import__("threading").Lock()


class ForgetsOne(Wrapped):
    def solve_many(self, problems, **limits):
        return [self.solve(p, **limits) for p in problems][:-1]


class Everything(Wrapped):
    """Takes what is no problem."""

    def solve(self, problem, **limits):
        if not hasattr(problem, "variables"):
            problem = dimod.BinaryQuadraticModel({0: 1.0}, {}, 0.0, "BINARY")
        return super().solve(problem, **limits)


MUTANTS = [
    mutant("sign flipped", "objective_recomputed",
           **spoil(when_found(lambda s, p: replace(s, gain=-s.gain, objective=-s.objective)))),
    mutant("offset lost", "objective_recomputed",
           **spoil(when_found(lambda s, p: replace(s, objective=s.objective - getattr(p, "offset", 1.0))))),
    mutant("objective in float32", "objective_recomputed",
           **spoil(when_found(lambda s, p: replace(s, gain=float(np.float32(s.gain)))))),
    mutant("gain is nan", "objective_recomputed", **spoil(when_found(lambda s, p: replace(s, gain=float("nan"))))),
    mutant("claims optimal", "proved_only_if_true", inner="random", options={},
           **spoil(when_found(lambda s, p: replace(s, ending=Ending.PROVED)))),
    mutant("claims optimal at the worst", "proved_only_if_true", inner="exhaustive",
           **spoil(when_found(lambda s, p: replace(_worst(s, p), ending=Ending.PROVED)))),
    mutant("bound too high by a hair", "bound_valid", inner="exhaustive",
           **spoil(when_found(lambda s, p: replace(s, bound=s.objective + 1e-9 * max(1.0, abs(s.objective)))))),
    mutant("bound is nan", "bound_valid", inner="exhaustive",
           **spoil(when_found(lambda s, p: replace(s, bound=float("nan"))))),
    mutant("nan energies", "sampleset_honest",
           **spoil(when_found(lambda s, p: _energies(s, lambda e: np.full_like(e, np.nan))))),
    mutant("float32 energies", "sampleset_honest",
           **spoil(when_found(lambda s, p: _energies(s, lambda e: e.astype(np.float32).astype(np.float64))))),
    mutant("energies without offset", "sampleset_honest",
           **spoil(when_found(lambda s, p: _shifted(s, -getattr(p, "offset", 0.0))))),
    mutant("empty sampleset", "sampleset_honest",
           **spoil(when_found(lambda s, p: replace(s, sampleset=s.sampleset.slice(0))))),
    mutant("no sampleset", "sampleset_honest", **spoil(when_found(lambda s, p: replace(s, sampleset=None)))),
    mutant("the other vartype", "sampleset_honest", **spoil(when_found(lambda s, p: _other_vartype(s)))),
    mutant("sorts variables", "objective_recomputed", **spoil(when_found(_sorted_variables))),
    mutant("sorts labels", "labels_do_not_matter", **spoil(when_found(_sorted_variables))),
    mutant("returns slack bits", "candidates_ranked_by_gain",
           **spoil(when_found(lambda s, p: replace(s, candidates=np.hstack([s.candidates, s.candidates[:, :1]]))
                              if len(s.best) else s))),
    mutant("zero for minus one", "objective_recomputed",
           **spoil(when_found(lambda s, p: replace(s, best=(np.asarray(s.best) + 1) // 2)))),
    mutant("best is the worst read", "candidates_ranked_by_gain", inner="random",
           **spoil(when_found(lambda s, p: replace(s, best=s.candidates[-1], gain=_gain(p, s.candidates[-1]),
                                                   objective=-_gain(p, s.candidates[-1]))))),
    mutant("candidates lost", "candidates_ranked_by_gain",
           **spoil(when_found(lambda s, p: replace(s, candidates=s.candidates[:0])))),
    mutant("returns none", "objective_recomputed", spoil=lambda self, s, p: None),
    mutant("returns a tuple", "objective_recomputed", spoil=lambda self, s, p: (s.best, s.objective)),
    mutant("finds nothing", "an_incumbent_is_found",
           **spoil(lambda s, p: replace(s, best=None, gain=None, objective=None, candidates=s.candidates[:0]))),
    mutant("says infeasible", "infeasible_told_from_gave_up", inner="cpsat",
           **spoil(lambda s, p: replace(s, best=None, gain=None, objective=None, candidates=s.candidates[:0],
                                        ending=Ending.REFUTED))),
    mutant("infeasible is no solution", "infeasible_told_from_gave_up", inner="cpsat",
           **spoil(lambda s, p: replace(s, ending=Ending.STOPPED))),
    mutant("breaks constraints", "infeasible_told_from_gave_up", inner="cpsat",
           **spoil(lambda s, p: s if s.best is not None else replace(
               s, best=np.zeros(5), gain=0.0, objective=0.0, candidates=np.zeros((1, 5)), ending=Ending.STOPPED))),
    mutant("negative timing", "timing_sane", **spoil(lambda s, p: replace(s, timing=Timing(solve=-1.0)))),
    mutant("timing is nan", "timing_sane", **spoil(lambda s, p: replace(s, timing=Timing(solve=float("nan"))))),
    mutant("right on few variables", "proved_only_if_true", inner="exhaustive",
           **spoil(when_found(lambda s, p: _flipped(s, p) if len(s.best) > 12 else s))),
    mutant("stopped is proved", "hard_problems_not_claimed",
           **spoil(when_found(lambda s, p: replace(s, ending=Ending.PROVED)))),
    mutant("bound of the incumbent", "bounds_on_hard_problems",
           **spoil(when_found(lambda s, p: replace(s, bound=s.objective, gain_bound=s.gain)
                              if len(s.best) > 50 else s))),
    mutant("no incumbent means infeasible", "gave_up_is_not_infeasible", inner="cpsat",
           **spoil(lambda s, p: replace(s, best=None, gain=None, objective=None, candidates=s.candidates[:0],
                                        sampleset=None, ending=Ending.REFUTED))),
    mutant("exact by name", "optimum_reached", inner="sign", changes={"exact": True}),
    mutant("no forms", "capabilities_declared", changes={"forms": frozenset()}),
    mutant("a form that it cannot take", "declared_forms_taken", changes={"forms": frozenset({"bqm", "cqm"})}),
    mutant("raises on constants", "degenerate_problems",
           solve=lambda self, problem, **limits: (_ for _ in ()).throw(ZeroDivisionError("no scale"))
           if not any(getattr(problem, "linear", {1: 1}).values()) else Wrapped.solve(self, problem, **limits)),
    *(pytest.param(kind, check, id=kind.__name__) for kind, check in [
        (IgnoresSeed, "seed_reproduces"),
        (SameSeed, "other_seed_differs"),
        (IgnoresTimeLimit, "time_limit_honoured"),
        (GivesUpEmptyHanded, "stopped_runs_keep_the_incumbent"),
        (TimeoutMeansInfeasible, "stopped_runs_keep_the_incumbent"),
        (MutatesTheModel, "inputs_not_mutated"),
        (ReordersTheModel, "inputs_not_mutated"),
        (SwallowsOptions, "unknown_options_refused"),
        (DropsTheLastRead, "num_reads_honoured"),
        (TakesAnyLimit, "meaningless_limits_refused"),
        (CachesBySize, "nothing_kept_between_calls"),
        (CachesById, "nothing_kept_between_calls"),
        (ConnectedOnly, "optimum_reached"),
        (TouchesGlobalRandomState, "leaves_no_trace"),
        (ChangesTheEnvironment, "leaves_no_trace"),
        (OneAtATime, "threads"),
        (NotPicklable, "pickling"),
        (ForgetsOne, "several_at_once"),
        (Everything, "other_problems_refused"),
    ]),
]  # fmt: skip


def _flipped(solution, problem):
    """A neighbour of the optimum, told as the optimum, with figures that fit."""
    best = solution.best.copy()
    best[0] = (
        1 - best[0] if 0 in set(np.unique(best)) or getattr(problem, "vartype", None) is dimod.BINARY else -best[0]
    )
    gain = _gain(problem, best)
    objective = float(qproj.as_problem(problem).objective(best))
    return replace(
        solution,
        best=best,
        gain=gain,
        objective=objective,
        candidates=best[None],
        bound=None,
        gain_bound=None,
        sampleset=None,
    )


def _gain(problem, vector):
    return float(qproj.as_problem(problem).gain(vector))


def _worst(solution, problem):
    if not isinstance(problem, dimod.BinaryQuadraticModel) or not len(solution.best):
        return solution
    low = -1 if problem.vartype is dimod.SPIN else 0
    return scored(solution, np.where(np.asarray(solution.best) == 1, low, 1), problem)


def test_there_are_enough_mutants():
    assert len(MUTANTS) >= 25
    assert {parameter.values[1] for parameter in MUTANTS} <= set(CHECKS)


@pytest.mark.parametrize(("kind", "check"), MUTANTS)
def test_the_check_meant_for_it_catches_a_mutant(kind, check, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    (result,) = run_checks(kind(), names=[check])
    assert result.outcome == "failed", f"{kind.__name__} got past {check}: {result}"
    assert result.message


def test_the_unspoilt_wrapper_passes_all():
    check_solver(Wrapped())


class Delegating:
    """Honest, by delegation of every name."""

    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._inner, name)


class Plain:
    """Honest, written from scratch: best of random vectors, for BQMs only, its capabilities made per instance."""

    def __init__(self):
        self.capabilities = Capabilities(forms=frozenset({"bqm"}), seed=True, num_reads=True, max_variables=20)

    def solve(self, problem, *, time_limit_s=None, seed=None, num_reads=None, hint=None):
        return qproj.get_solver("random").solve(problem, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads)


@pytest.mark.parametrize(
    "make",
    [
        Plain,
        lambda: Delegating(qproj.get_solver("greedy")),
        lambda: qproj.from_sampler(dimod.RandomSampler()),
        lambda: qproj.get_solver("exhaustive"),
        lambda: qproj.get_solver("sign"),
        lambda: qproj.get_solver("random"),
    ],
    ids=["plain", "delegating", "from_sampler", "exhaustive", "sign", "random"],
)
def test_honest_solvers_are_not_accused(make):
    check_solver(make())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["auto", "cpsat", "greedy", "local-search", "sa", "sqa", "tabu", "tree", "highs", "scip", "gurobi",
     "qaoa-fast", "dwave-emulated"],
)  # fmt: skip
def test_built_in_solvers_and_adapters_pass(name):
    if name not in {s.name for s in qproj.list_solvers() if s.ready}:
        pytest.skip(f"{name} is not installed")
    start = time.monotonic()
    check_solver(qproj.get_solver(name))
    assert time.monotonic() - start < 240  # a search that never ends, not a matter of speed


@solver_checks(qproj.get_solver("sign"))
def test_the_decorator_makes_one_test_a_check(check):
    check()


@solver_checks(SwallowsOptions(), expected_failures={"unknown_options_refused"})
def test_known_failures_are_expected(check):
    check()


def test_errors_list_every_failed_check_and_how_to_reproduce_it():
    class Bad(Wrapped):
        def spoil(self, solution, problem):
            return replace(solution, gain=None if solution.gain is None else solution.gain + 1.0)

    with pytest.raises(ConformanceError, match=r"objective_recomputed.*qproj\.testing\.case\(") as caught:
        check_solver(Bad())
    assert str(caught.value).count("\n") >= 2


def test_a_failure_that_is_gone_is_a_failure():
    with pytest.raises(ConformanceError, match="take it off the list"):
        check_solver(qproj.get_solver("sign"), expected_failures={"timing_sane"})


def test_hard_cases_have_a_best_known_gain():
    from qproj.testing import cases
    from qproj.testing.stopped import BEST_KNOWN

    assert {each.name for each in cases(hard=True) if "hard" in each.tags} == set(BEST_KNOWN)


def test_names_of_checks_are_checked():
    with pytest.raises(ValueError, match="did you mean 'timing_sane'"):
        run_checks(qproj.get_solver("sign"), names=["timing_sain"])
    with pytest.raises(ValueError, match="unknown check"):
        solver_checks(qproj.get_solver("sign"), expected_failures={"nothing"})


def test_cases_can_be_made_by_name_and_are_new_each_time():
    from qproj.testing import case, cases

    names = [each.name for each in cases(hard=True)]
    assert len(names) == len(set(names)) >= 30
    assert case("binary model") is not case("binary model")
    with pytest.raises(ValueError, match="unknown case"):
        case("nothing")


def test_a_solver_that_takes_nothing_shows_nothing():
    class Nothing(Wrapped):
        changes = {"max_variables": -1}  # noqa: RUF012

    with pytest.raises(ConformanceError):
        check_solver(Nothing())
