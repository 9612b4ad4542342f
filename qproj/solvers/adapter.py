"""The base of every solver: checks, clocks and scoring, once. A solver writes build → call → decode."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Never

import dimod
import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj.projections import SignProjection
from qproj.projections.models import as_problem, sampleset_of
from qproj.solvers.contract import (
    LIMITS,
    Capabilities,
    EndedBy,
    Ending,
    Problem,
    Request,
    Solution,
    Timing,
    check_capabilities,
    check_limits,
    nearest,
)
from qproj.solvers.interrupt import unswallowed
from qproj.solvers.least_squares import alternate
from qproj.solvers.redact import logger, scrub


@dataclass(frozen=True, eq=False)
class Found:
    """What a backend came back with, in the problem's own terms.

    Attributes
    ----------
    candidates : (k, d) array
        Assignments in the backend's own order; may be empty.
    ending, ended_by
        A heuristic that used up its reads is (STOPPED, BUDGET).
    gain_bound : float or None
        A valid upper bound on the gain, if the backend proved one; errors of scaling inside it.
    energies : (k,) array, optional
        Of the candidates in the model that was sampled; the lowest makes ``raw_best``.
    sampleset : dimod.SampleSet, optional
        As sampled; made from the candidates where absent.
    queue_s, embed_s : float
        Seconds of ``call`` that were spent waiting or embedding.
    """

    candidates: NDArray[Any]
    ending: Ending = Ending.STOPPED
    ended_by: EndedBy = EndedBy.BUDGET
    gain_bound: float | None = None
    energies: NDArray[Any] | None = None
    sampleset: dimod.SampleSet | None = None
    message: str = ""
    stats: dict[str, Any] = field(default_factory=dict)
    queue_s: float = 0.0
    embed_s: float = 0.0


@dataclass(frozen=True)
class Availability:
    """Whether a solver can be used here: absent, unlicensed, without token and broken are different answers."""

    installed: bool = True
    licensed: bool | None = None  # None: needs no licence
    token: bool | None = None  # None: needs no token
    reason: str = ""
    remedy: str = ""

    @property
    def ready(self) -> bool:
        return self.installed and self.licensed is not False and self.token is not False


class Adapter(ABC):
    """min objective(v) by some backend: build → call → decode.

    Subclasses declare ``name`` and ``capabilities``, take hyper-parameters in the constructor, write the three steps.
    """

    name: ClassVar[str]
    capabilities: Capabilities
    #: The extra that installs the backend, and the modules that it needs.
    extra: ClassVar[str] = ""
    requires: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def build(self, problem: Any, ask: Request) -> Any:
        """Return the backend's own model; free of charge."""

    @abstractmethod
    def call(self, model: Any, ask: Request) -> Any:
        """Run the backend; the only step that costs money."""

    @abstractmethod
    def decode(self, raw: Any, problem: Any) -> Found:
        """Return the backend's answer in the problem's terms."""

    @classmethod
    def availability(cls) -> Availability:
        """Say whether the backend can be used, without importing it."""
        from qproj.solvers.registry import missing_modules

        missing = missing_modules(cls.requires)
        if missing:
            return Availability(
                installed=False,
                reason=f"{', '.join(missing)} not installed",
                remedy=f'pip install "qproj[{cls.extra}]"',
            )
        return Availability()

    def solve(
        self,
        problem: Any,
        *,
        time_limit_s: float | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        hint: ArrayLike | None = None,
        **unknown: Never,
    ) -> Solution:
        """Return argmin objective(v) as far as the search got.

        Parameters
        ----------
        problem : Problem, dimod.BinaryQuadraticModel or dimod.ConstrainedQuadraticModel
        time_limit_s : float, optional
            For the whole call.
        seed : int, optional
            One seed gives one result where the work budget, not the clock, ends the search.
        num_reads : int, optional
            Samples to draw.
        hint : (d,) array_like, optional
            A good assignment to start from.

        Raises
        ------
        TypeError, ValueError
            What cannot be asked of this solver, with what can be done instead, before any work.
        """
        start = time.perf_counter()
        for name in unknown:
            raise TypeError(f"{self.name}.solve() has no argument {name!r}; {nearest(name, LIMITS)}")
        target = as_problem(problem)
        check_limits(time_limit_s, seed, num_reads)
        check_capabilities(self.name, self.capabilities, target, num_reads, hint)
        ask = Request(
            time_limit_s=None if time_limit_s is None else float(time_limit_s),
            seed=None if seed is None else int(seed),
            num_reads=num_reads,
            hint=None if hint is None else checked_hint(hint, target),
            deadline=None if time_limit_s is None else start + float(time_limit_s),
        )
        if isinstance(target, SignProjection) and not target.t.any():
            logger().info("t is all zero: every v is optimal")
            if not self.capabilities.exact:  # which would draw one at random, or pay for it
                ones = np.ones((1, target.num_weights), np.int8)
                return judge(target, Found(ones, Ending.PROVED, EndedBy.PROOF), self.name)
        if getattr(target, "alternates", False):
            return alternate(self, target, ask)  # type: ignore[arg-type]
        self.check(target, ask)
        return self._run(target, ask)

    def check(self, problem: Any, ask: Request) -> None:  # noqa: B027 (optional hook)
        """Refuse, before any work, what ``capabilities`` cannot express."""

    def _run(self, problem: Problem, ask: Request) -> Solution:
        clock = time.perf_counter
        t0 = clock()
        model = self.build(problem, ask)
        t1 = clock()
        try:
            with unswallowed():
                raw = self.call(model, ask)
        except Exception as error:
            scrub(error)  # a service's client may name the token in what it says
            raise
        t2 = clock()
        found = self.decode(raw, problem)
        solution = judge(problem, found, self.name)
        t3 = clock()
        spent = Timing(t1 - t0, found.embed_s, found.queue_s, t2 - t1 - found.embed_s - found.queue_s, t3 - t2)
        return replace(solution, timing=spent)

    def solve_many(
        self,
        problems: Iterable[Any],
        *,
        time_limit_s: float | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        hints: Sequence[ArrayLike] | None = None,
    ) -> Sequence[Solution]:
        """Return one solution a problem; `time_limit_s` is shared, every problem gets a random state of its own."""
        return solve_each(self, problems, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads, hints=hints)


def solve_each(
    solver: Any,
    problems: Iterable[Any],
    *,
    time_limit_s: float | None = None,
    seed: int | None = None,
    num_reads: int | None = None,
    hints: Sequence[ArrayLike] | None = None,
) -> list[Solution]:
    """Solve one after the other with any solver: each gets an equal share of the time that is left."""
    check_limits(time_limit_s, seed, num_reads)
    todo = list(problems)
    if hints is not None and len(hints) != len(todo):
        raise ValueError(f"{len(hints)} hints for {len(todo)} problems; give one each, or none")
    start = time.perf_counter()
    solutions: list[Solution] = []
    for i, (problem, child) in enumerate(zip(todo, child_seeds(seed, len(todo)), strict=True)):
        limits: dict[str, Any] = {"seed": child}
        if time_limit_s is not None:
            left = start + time_limit_s - time.perf_counter()
            limits["time_limit_s"] = max(left / (len(todo) - i), 1e-3)
        if num_reads is not None:
            limits["num_reads"] = num_reads
        if hints is not None:
            limits["hint"] = hints[i]
        solutions.append(solver.solve(problem, **limits))
    return solutions


def child_seeds(seed: int | None, count: int) -> list[int | None]:
    """Return one independent seed a problem, whatever the order or number of workers; None stays None."""
    if seed is None:
        return [None] * count
    return [int(s) for s in np.random.SeedSequence(seed).generate_state(count, np.uint32) >> 1]


def checked_hint(hint: ArrayLike, problem: Problem) -> NDArray[Any]:
    """Return the hint as an array, or raise ValueError where it is no assignment of the problem."""
    array = np.asarray(hint)
    if array.shape != (problem.num_variables,):
        raise ValueError(f"hint has shape {array.shape}; ({problem.num_variables},) is needed")
    problem.gain(array)  # refuses values outside the problem's domain
    return array


def judge(problem: Problem, found: Found, solver: str) -> Solution:
    """Return the solution that `found` amounts to: every candidate scored anew, best first; a proof checked.

    A candidate outside the problem's domain, or infeasible, is dropped. A bound that an incumbent beats is
    refuted, so it is dropped too, and the ending is FAILED.
    """
    candidates = np.asarray(found.candidates)
    if candidates.ndim != 2 or candidates.shape[1] != problem.num_variables:
        candidates = candidates.reshape(0, problem.num_variables)
    gains = np.asarray(problem.gain(candidates), np.float64) if len(candidates) else np.empty(0)
    order = np.argsort(-gains, kind="stable")
    order = order[np.isfinite(gains[order])]
    message, ending, ended_by = found.message, found.ending, found.ended_by
    if not len(order):
        return Solution(
            None, None, None, _bound(problem, found.gain_bound), ending, candidates[:0], found.sampleset,
            ended_by=ended_by, gain_bound=found.gain_bound, solver=solver, message=message, stats=found.stats,
            gap_scale=None,
        )  # fmt: skip
    best = candidates[order[0]].copy()
    gain = float(gains[order[0]])
    objective = float(problem.objective_of_gain(gain))
    gain_bound = _tightest(problem.gain_bound, found.gain_bound)
    tolerance = 1e-9 * max(abs(gain), abs(problem.gain_bound or gain))
    if found.gain_bound is not None and found.gain_bound < gain - tolerance:
        message = f"the backend's bound on the gain ({found.gain_bound!r}) is beaten by its own incumbent; {message}"
        ending, ended_by, gain_bound = Ending.FAILED, EndedBy.ERROR, problem.gain_bound
    elif problem.meets_bound(best):
        ending, ended_by = Ending.PROVED, EndedBy.PROOF
    if ending is Ending.PROVED:
        gain_bound = gain
    elif gain_bound is not None:
        gain_bound = max(gain_bound, gain)
    raw = (
        None if found.energies is None or not len(found.energies) else candidates[int(np.argmin(found.energies))].copy()
    )
    return Solution(
        best=_frozen(best),
        gain=gain,
        objective=objective,
        bound=_bound(problem, gain_bound),
        ending=ending,
        candidates=_frozen(candidates[order]),
        sampleset=found.sampleset
        if found.sampleset is not None
        else sampleset_of(problem, candidates[order], gains[order]),
        ended_by=ended_by,
        gain_bound=gain_bound,
        gap_scale=problem.gap_scale(objective) if problem.kind == "projection" else None,
        raw_best=_frozen(best if raw is None else raw),
        solver=solver,
        message=message,
        stats=found.stats,
    )


def _tightest(known: float | None, proved: float | None) -> float | None:
    bounds = [bound for bound in (known, proved) if bound is not None and np.isfinite(bound)]
    return min(bounds) if bounds else None


def _bound(problem: Problem, gain_bound: float | None) -> float | None:
    return None if gain_bound is None else problem.bound_of_gain(gain_bound)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array
