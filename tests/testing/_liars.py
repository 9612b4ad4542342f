"""Forty solvers that lie in ways of their own: each is right wherever nobody looks twice."""

import ctypes
import itertools
import os
import signal
import threading
import time
from dataclasses import replace

import dimod
import numpy as np
import pytest

import qproj
from qproj.solvers import Termination, Timing, as_problem
from tests.testing._mutants import Wrapped, is_bqm, is_cqm, mutant, told

LIARS = []


def liar(check):
    def add(kind):
        LIARS.append(pytest.param(kind, check, id=kind.__name__))
        return kind

    return add


def lie(name, check, change, **options):
    LIARS.append(mutant(name, check, change, **options))


def _is_sign(problem):
    return isinstance(problem, qproj.SignProjection)


def _real(problem):
    return _is_sign(problem) and not np.isin(problem.X, (-1, 1)).all()


def _worse(solution, problem):
    """The best neighbour that is worse than the optimum, called optimal; the answer itself where there is none."""
    target = as_problem(problem)
    low = -1 if not is_bqm(problem) or problem.vartype is dimod.SPIN else 0
    near = np.repeat(solution.best[None], len(solution.best), axis=0)
    index = np.arange(len(near))
    near[index, index] = np.where(near[index, index] == 1, low, 1)
    gains = np.where(target.gain(near) < solution.gain, target.gain(near), -np.inf)
    if not len(near) or not np.isfinite(gains.max()):
        return solution
    return replace(told(solution, problem, near[int(gains.argmax())]), termination=Termination.PROVED)


def _where(condition):
    return lambda s, p: _worse(s, p) if condition(p) else s


# ---- wrong only somewhere

lie("wrong on real inputs", "proved_only_if_true", _where(_real), inner="exhaustive")
lie("gain off on real inputs", "objective_recomputed", lambda s, p: replace(s, gain=s.gain * 1.001) if _real(p) else s)
lie("real inputs are rounded to signs", "optimum_reached",
    lambda s, p: told(s, p, qproj.get_solver("exhaustive").solve(
        qproj.SignProjection(np.where(p.X >= 0, 1, -1), p.t)).best) if _real(p) else s, inner="exhaustive")  # fmt: skip
lie("wrong beyond 64 rows", "proved_only_if_true", _where(lambda p: _is_sign(p) and len(p.t) > 64), inner="exhaustive")
lie(
    "wrong beyond 128 rows", "proved_only_if_true", _where(lambda p: _is_sign(p) and len(p.t) > 128), inner="exhaustive"
)
lie("gain of the first 64 rows", "objective_recomputed",
    lambda s, p: replace(s, gain=float(qproj.SignProjection(p.X[:64], p.t[:64]).gain(s.best)))
    if _is_sign(p) and len(p.t) > 64 else s)  # fmt: skip
for _d in (7, 8, 10, 11, 12, 15):
    lie(f"wrong for {_d} weights", "proved_only_if_true",
        _where(lambda p, d=_d: _is_sign(p) and p.num_weights == d), inner="exhaustive")  # fmt: skip
lie("bound off for ten weights", "bound_valid",
    lambda s, p: replace(s, bound=s.bound + 1e-6, gain_bound=s.gain_bound - 1e-6)
    if _is_sign(p) and p.num_weights == 10 else s, inner="exhaustive")  # fmt: skip


# ---- constraints


class _Rewrites(Wrapped):
    """Solves another constrained model than the one that was given, and scores it rightly."""

    inner = "cpsat"

    def solve(self, problem, **limits):
        if not is_cqm(problem):
            return super().solve(problem, **limits)
        found = super().solve(self.other(problem), **limits)
        if found.best is None:
            return found
        return replace(
            told(found, problem, found.best), sampleset=found.sampleset, termination=found.termination
        )  # fmt: skip

    def keep(self, problem, wanted):
        other = dimod.ConstrainedQuadraticModel()
        for v in problem.variables:
            bounds = {}
            if problem.vartype(v) is dimod.INTEGER:
                bounds = {"lower_bound": problem.lower_bound(v), "upper_bound": problem.upper_bound(v)}
            other.add_variable(problem.vartype(v), v, **bounds)
        other.set_objective(problem.objective)
        for label, row in problem.constraints.items():
            if wanted(row):
                other.add_constraint(row.lhs, row.sense.value, row.rhs, label=label, **self.price(row))
        return other

    def price(self, row):
        return {"weight": row.lhs.weight(), "penalty": row.lhs.penalty()} if row.lhs.is_soft() else {}


@liar("objective_recomputed")
class DropsQuadraticConstraints(_Rewrites):
    def other(self, problem):
        return self.keep(problem, lambda row: not row.lhs.quadratic)


@liar("proved_only_if_true")
class DropsSoftConstraints(_Rewrites):
    def other(self, problem):
        return self.keep(problem, lambda row: not row.lhs.is_soft())


@liar("proved_only_if_true")
class TakesSoftConstraintsAsHard(_Rewrites):
    def other(self, problem):
        return self.keep(problem, lambda row: True)

    def price(self, row):
        return {}


@liar("proved_only_if_true")
class TakesQuadraticPenaltiesAsLinear(_Rewrites):
    def other(self, problem):
        return self.keep(problem, lambda row: True)

    def price(self, row):
        return {"weight": row.lhs.weight(), "penalty": "linear"} if row.lhs.is_soft() else {}


@liar("infeasible_distinguished_from_gave_up")
class SoftConstraintsMakeItInfeasible(Wrapped):
    inner = "cpsat"

    def solve(self, problem, **limits):
        found = super().solve(problem, **limits)
        if is_cqm(problem) and any(row.lhs.is_soft() for row in problem.constraints.values()):
            nothing = {"best": None, "gain": None, "objective": None, "bound": None, "gain_bound": None}
            return replace(
                found, candidates=found.candidates[:0], sampleset=None, raw_best=None, termination=Termination.REFUTED,
                **nothing,
            )  # fmt: skip
        return found


# ---- reads


def _reads(solution, rows, energies, occurrences):
    reads = solution.sampleset
    new = dimod.SampleSet.from_samples(
        (rows, reads.variables), energy=energies, vartype=reads.vartype, num_occurrences=occurrences, sort_labels=False
    )
    return replace(solution, sampleset=new)


def _one_read_repeated(s, p):
    record = s.sampleset.record
    k = int(np.argmin(record.energy))
    count = int(record.num_occurrences.sum())
    rows, energies = np.repeat(record.sample[k : k + 1], count, axis=0), np.repeat(record.energy[k], count)
    return _reads(s, rows, energies, np.ones(count, int))


def _forged_occurrences(s, p):
    record = s.sampleset.record
    k = int(np.argmin(record.energy))
    return _reads(s, record.sample[k : k + 1], record.energy[k : k + 1], [int(record.num_occurrences.sum())])


def _without_the_last(s, p):
    record = s.sampleset.record
    if len(record) < 2:
        return s
    counts = record.num_occurrences[:-1].copy()
    counts[0] += record.num_occurrences[-1]
    return _reads(s, record.sample[:-1], record.energy[:-1], counts)


def _first_half_doubled(s, p):
    record = s.sampleset.record
    if len(record) < 2 or len(record) != record.num_occurrences.sum():
        return s
    half = -(-len(record) // 2)
    rows, energies = (np.concatenate([a[:half], a[: len(record) - half]]) for a in (record.sample, record.energy))
    return _reads(s, rows, energies, np.ones(len(record), int))


lie("one read repeated", "reads_are_drawn", _one_read_repeated)
lie("occurrences forged", "reads_are_drawn", _forged_occurrences)
lie("the last read dropped", "reads_are_drawn", _without_the_last)
lie("half of the reads doubled", "reads_are_drawn", _first_half_doubled, inner="greedy")
lie("the last read dropped, of greedy", "reads_are_drawn", _without_the_last, inner="greedy")
lie("raw_best is the last candidate", "raw_best_has_the_lowest_energy",
    lambda s, p: replace(s, raw_best=s.candidates[-1].copy()))  # fmt: skip
lie("raw_best is the last candidate of projections", "raw_best_has_the_lowest_energy",
    lambda s, p: s if is_bqm(p) else replace(s, raw_best=s.candidates[-1].copy()), inner="sa")  # fmt: skip


# ---- words about time


def _in_time(name, change):
    def solve(self, problem, *, time_limit_s=None, **limits):
        found = Wrapped.solve(self, problem, time_limit_s=time_limit_s, **limits)
        return change(found) if time_limit_s is not None else found

    return {"solve": solve, "inner": name}


def _budget(s):
    return replace(s, termination=Termination.BUDGET) if s.termination is Termination.CLOCK else s


for _name in ("random", "greedy", "local-search", "sa", "cpsat"):
    _kind = type(f"CallsTheClockABudget{_name.title().replace('-', '')}", (Wrapped,), _in_time(_name, _budget))
    LIARS.append(pytest.param(_kind, "ended_by_the_budget_only_if_true", id=_kind.__name__))
lie("seconds are all zero", "timing_measured", lambda s, p: replace(s, timing=Timing()))
lie("seconds of annealing are all zero", "timing_measured", lambda s, p: replace(s, timing=Timing()), inner="sa")


@liar("solve_many_shares_the_time")
class TheLimitIsForEach(Wrapped):
    def solve_many(self, problems, *, time_limit_s=None, seed=None, num_reads=None, hints=None):
        return [self.solve(p, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads) for p in problems]


@liar("solve_many_shares_the_time")
class TheLimitIsForEveryOther(Wrapped):
    def solve_many(self, problems, *, time_limit_s=None, seed=None, num_reads=None, hints=None):
        limit = None if time_limit_s is None else 0.6 * time_limit_s
        return [self.solve(p, time_limit_s=limit, seed=seed, num_reads=num_reads) for p in problems]


# ---- what stays behind


@liar("leaves_nothing_open")
class LeavesAThread(Wrapped):
    def spoil(self, solution, problem):
        threading.Thread(target=time.sleep, args=(60.0,), daemon=True, name="forgotten").start()
        return solution


@liar("leaves_nothing_open")
class LeavesATimerWhenLimited(Wrapped):
    def solve(self, problem, *, time_limit_s=None, **limits):
        if time_limit_s is not None:
            timer = threading.Timer(60.0, print)
            timer.daemon = True
            timer.start()
        return super().solve(problem, time_limit_s=time_limit_s, **limits)


@liar("leaves_nothing_open")
class LeavesAFile(Wrapped):
    kept = []  # noqa: RUF012

    def spoil(self, solution, problem):
        self.kept.append(open(os.devnull))  # noqa: SIM115
        return solution


@liar("leaves_nothing_open")
class LeavesAPipe(Wrapped):
    def spoil(self, solution, problem):
        os.pipe()
        return solution


@liar("leaves_no_trace")
class SilencesFloatingPointErrors(Wrapped):
    def spoil(self, solution, problem):
        np.seterr(all="ignore")
        return solution


@liar("leaves_no_trace")
class RaisesOnUnderflowFromNowOn(Wrapped):
    def spoil(self, solution, problem):
        np.seterr(under="raise")
        return solution


@liar("leaves_no_trace")
class TakesTheInterrupt(Wrapped):
    def spoil(self, solution, problem):
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return solution


@liar("leaves_no_trace")
class TakesTheAlarm(Wrapped):
    def spoil(self, solution, problem):
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
        return solution


@liar("leaves_no_trace")
class TakesASignalInCompiledCode(Wrapped):
    def spoil(self, solution, problem):
        handle = ctypes.CDLL(None).signal
        handle.argtypes, handle.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
        handle(signal.SIGUSR1, int(signal.SIG_IGN))
        return solution


@liar("leaves_no_trace")
class SeedsTheGlobalState(Wrapped):
    def solve(self, problem, **limits):
        np.random.seed(0)  # noqa: NPY002
        return super().solve(problem, **limits)


@liar("leaves_no_trace")
class DrawsFromTheGlobalState(Wrapped):
    def spoil(self, solution, problem):
        np.random.random()  # noqa: NPY002
        return solution


# ---- one buffer for all


class _Buffered(Wrapped):
    inner = "exhaustive"

    def __init__(self):
        super().__init__()
        self.buffers = {}

    def __reduce__(self):
        return type(self), ()

    def shared(self, name, array):
        buffer = self.buffers.setdefault((name, array.shape[-1]), np.empty((4096, array.shape[-1]), array.dtype))
        view = buffer[: len(array)] if array.ndim == 2 else buffer[0]
        view[...] = array
        return view


@liar("results_are_its_own")
class BestIsABuffer(_Buffered):
    def spoil(self, solution, problem):
        return replace(solution, best=self.shared("best", solution.best))


@liar("results_are_its_own")
class CandidatesAreABuffer(_Buffered):
    inner = "random"

    def spoil(self, solution, problem):
        if len(solution.candidates) > 4096 or is_cqm(problem):
            return solution
        return replace(solution, candidates=self.shared("candidates", solution.candidates))


@liar("results_are_its_own")
class RawBestIsABuffer(_Buffered):
    inner = "random"

    def spoil(self, solution, problem):
        return replace(solution, raw_best=self.shared("raw", solution.best))


@liar("results_are_its_own")
class ManyResultsInOneArray(Wrapped):
    inner = "exhaustive"

    def solve_many(self, problems, *, time_limit_s=None, seed=None, num_reads=None, hints=None):
        found = [self.solve(p, seed=seed, time_limit_s=time_limit_s) for p in problems]
        if len({len(s.best) for s in found if s.best is not None}) != 1:
            return found
        rows = np.stack([s.best for s in found])
        strided = [np.lib.stride_tricks.as_strided(rows[0], rows[0].shape) for _ in found]
        return [replace(s, best=one) if i else s for i, (s, one) in enumerate(itertools.zip_longest(found, strided))]
