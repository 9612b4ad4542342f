"""Exact solvers on mixed-integer linear models, once for all backends: the search, and the check of every proof.

A backend minimises a linear model. What it calls optimal is believed only as far as its tolerances go: assignments
that could hide in between are searched for, with a row that every better assignment meets, until none is left. Where
numbers are so large that the tolerances of a backend in floating point may hide whole assignments, and wherever such a
backend calls a model infeasible, CP-SAT, which counts in whole numbers, has to confirm it.
"""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.encodings.linear_model import REAL, LinearModel
from qproj.encodings.linear_task import LinearTask
from qproj.encodings.units import dyadic_unit
from qproj.projections import SignProjection
from qproj.projections.models import hook
from qproj.solvers.adapter import Adapter
from qproj.solvers.contract import MissingPackageError, Request, Termination, TooLargeError
from qproj.solvers.found import Found
from qproj.solvers.layers import MOST_LATE_S
from qproj.solvers.mip_watch import LinearWatch, floating_lowest
from qproj.solvers.registry import get_solver

#: Near ties that are looked at, one search each, before a proof is given up.
MAX_ROUNDS = 64
#: Rounding errors that may hide a better assignment, relative to the optimum, where a proof is still one.
NEGLIGIBLE = 1e-12
#: Work of CP-SAT, in its own deterministic seconds, to confirm what a floating-point backend claims.
CONFIRMATION_WORK = 20.0
_EPS = float(np.finfo(np.float64).eps)


class MIPAdapter(Adapter[tuple[Any, LinearTask | None], Found]):
    """min objective(v) by a solver of mixed-integer linear models; a backend writes ``optimise`` alone."""

    #: Fixed-point bits of real rows that are not multiples of small whole numbers.
    row_bits = 20
    #: Whether the backend computes in floating point, so that its proofs hold up to its tolerances only.
    floating: ClassVar[bool] = True
    #: Whether none of its proofs counts before CP-SAT has confirmed it: its gaps and tolerances are unknown.
    doubted: ClassVar[bool] = False
    #: Seconds per coefficient of a model before the backend begins to search, measured at 1024 rows of 1024 weights.
    term_s: ClassVar[float] = 3e-7
    #: Whether values that cost more than the whole start are taken out of the model: its proof is then of what is left.
    narrows: bool = True
    #: Bytes per product of two variables that is linearised, as measured on sparse models.
    product_bytes: ClassVar[int] = 8000

    @abstractmethod
    def optimise(
        self, model: LinearModel, *, start: FloatArray | None, seed: int | None, deadline: float | None,
        watch: LinearWatch | None = None,
    ) -> Found:  # fmt: skip
        """Return the backend's answer in the variables of the linear model; :func:`mip_found` builds it.

        `start` holds all N values of a feasible assignment. `watch` is passed where somebody listens to the search.
        """

    @classmethod
    def require_backend(cls) -> None:
        """Raise MissingPackageError, naming the extra, where the backend cannot be imported."""
        state = cls.availability()
        if not state.installed:
            raise MissingPackageError(f"solver {cls.name!r}: {state.reason}; {state.remedy}")

    def check(self, problem: Any, request: Request) -> None:
        """Refuse a model whose products, which become variables with rows of their own, would not fit into memory."""
        products = hook(problem, "num_products")()
        need, limit = products * self.product_bytes, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        if need > limit:
            raise TooLargeError(
                f"{self.name} would linearise {products:,} products, in about {need / 2**30:.3g} GiB; "
                f"{limit / 2**30:.3g} GiB are allowed: use 'sa', 'tabu' or 'auto', or a model of fewer products"
            )

    def build(self, problem: Any, request: Request) -> tuple[Any, LinearTask | None]:
        if request.deadline is not None:
            needed = self.least_seconds(problem)
            late = time.perf_counter() + needed - request.deadline
            if needed and late > MOST_LATE_S:  # other problems have no assignment to answer with
                return problem, None
        return problem, hook(problem, "linear_task")(request.hint, self.row_bits)

    def least_seconds(self, problem: Any) -> float:
        """Return about what a sign projection's linear model takes, in the backend's own terms too."""
        if not isinstance(problem, SignProjection):
            return 0.0
        return self.term_s * len(problem.inputs.groups.first) * problem.num_weights

    def call(self, model: tuple[Any, LinearTask | None], request: Request) -> Found:
        problem, task = model
        if task is None:
            first = np.where(problem.linear_direction() >= 0, 1, -1) if request.hint is None else request.hint
            text = "the time limit is shorter than what the linear model takes: where the search would begin"
            return Found(first.astype(np.int8)[None, :], Termination.CLOCK, message=text)
        search = _Rounds(problem, task, trusted=not self.doubted and (not self.floating or task.model.is_tame))
        if not task.model.num_own or not _constants_hold(task.model):
            return search.without_variables()
        start, optimise = search.first_incumbent(), self.optimise
        linear = task.model if start is None or not self.narrows else task.model.no_worse_than(start)
        for round_number in range(MAX_ROUNDS):
            if round_number and request.deadline is not None and time.perf_counter() >= request.deadline:
                return search.found(Termination.CLOCK, "stopped by the clock between near ties")
            watch = search.watch(linear, request)
            answer = optimise(linear, start=start, seed=request.seed, deadline=request.deadline, **watch)
            own = search.take(answer)
            if search.doubts(answer):
                # from here on a search in whole numbers does the work, and its claims count
                optimise, answer = search.confirmed(linear, answer, request)
                own = search.take(answer)
            if answer.termination is not Termination.PROVED or own is None:
                return search.stopped(answer, round_number)
            if search.is_closed(answer):
                return search.found(Termination.PROVED, answer.message)
            if task.exclude is None:
                break
            linear, start = task.exclude(linear, own), None
            if not _constants_hold(linear):  # it meets every row: nothing is better
                return search.found(Termination.PROVED, answer.message)
        text = "optimal within tolerances, which prove no more"
        return search.found(
            Termination.BUDGET, text if search.best is not None else f"{text}: none of them is feasible"
        )


class _Rounds:
    """The incumbents of a search in rounds, and the ceiling: the lowest valid bound on the gain.

    Claims of a backend count while it is trusted: where it counts in whole numbers, or where its tolerances are too
    small to matter.
    """

    def __init__(self, problem: Any, task: LinearTask, *, trusted: bool) -> None:
        self.problem, self.task, self.trusted = problem, task, trusted
        self.candidates: list[NDArray[Any]] = []
        self.best: float | None = None
        self._best_at = 0
        self._hidden = 0.0
        self.ceiling = task.model.highest_gain
        self.stats: dict[str, Any] = {"rounds": 0, "nodes": 0}

    def first_incumbent(self) -> FloatArray | None:
        """Return all values of the linear model at the task's start where it is feasible."""
        start = self.task.start
        if start is None:
            return None
        if not self._add(start):
            self.stats["hint"] = "infeasible"
            return None
        return self.task.model.complete(self.task.own(start))

    def watch(self, linear: LinearModel, request: Request) -> dict[str, LinearWatch]:
        """Return the keyword by which a backend reports while it searches; none where nobody listens."""
        if request.progress is None:
            return {}
        if self.best is not None:
            request.progress.improve(self.best, None)
        task = self.task
        watch = LinearWatch(
            request.progress, linear, lambda values: task.candidate(whole_values(task.model, values)),
            lambda: self.trusted, lambda: -np.inf if self.best is None else self.best,
        )  # fmt: skip
        return {"watch": watch}

    def take(self, answer: Found) -> FloatArray | None:
        """Keep the incumbent and the bound of one round, and return the model's own values, or None without any."""
        nodes = self.stats["nodes"] + answer.stats.get("nodes", 0)
        rounds = self.stats["rounds"] + 1
        self.stats.update(answer.stats, nodes=nodes, rounds=rounds)
        own = None
        if answer.termination is not Termination.REFUTED:
            if len(answer.candidates):
                own = whole_values(self.task.model, answer.candidates[0])
                self._add(self.task.candidate(own))
            if self.trusted:
                # a bound on all assignments that earlier rounds did not exclude, which are no better than the best
                bound = max(self._ceiling_of(answer), -np.inf if self.best is None else self.best)
                self.ceiling = min(self.ceiling, bound)
        return own

    def doubts(self, answer: Found) -> bool:
        """Return whether the answer claims what its backend's tolerances may hide: an optimum, or that there is none.

        That nothing at all is feasible is never taken from a backend in floating point.
        """
        if answer.termination is Termination.REFUTED:
            return not self.trusted or (self.best is None and not answer.stats.get("whole_numbers"))
        return answer.termination is Termination.PROVED and not self.trusted

    def confirmed(self, linear: LinearModel, claim: Found, request: Request) -> tuple[Callable[..., Found], Found]:
        """Return a search that counts in whole numbers, and its answer, or an answer whose message gives the reason."""
        self.trusted = True
        self.stats["doubted"] = claim.message
        known = None if self.best is None else self.candidates[self._best_at]
        start = None if known is None else linear.complete(self.task.own(known))
        if start is not None and len(start) != len(linear.cost):
            start = None  # rows that exclude assignments have variables of their own
        search = whole_number_search(request.deadline)
        try:
            watch = self.watch(linear, request)
            answer = search(linear, start=start, seed=request.seed, deadline=request.deadline, **watch)
        except (ValueError, MissingPackageError) as error:
            return search, self._certified(linear, claim, str(error), request.deadline)
        ended = answer.termination in (Termination.PROVED, Termination.REFUTED)
        text = f"{answer.message}, in whole numbers" if ended else "not confirmed in whole numbers"
        return search, replace(answer, message=f"{text} ({claim.message})")

    def _certified(self, linear: LinearModel, claim: Found, reason: str, deadline: float | None) -> Found:
        """Return what certificates say of a claim that no search in whole numbers can check, for the given reason."""
        from qproj.solvers.certificates import is_infeasible

        if claim.termination is Termination.REFUTED and self.best is None and is_infeasible(linear, deadline):
            return replace(claim, message=f"certified in rational numbers ({claim.message})")
        text = f"not confirmed ({claim.message}): {reason}"
        return Found(np.empty((0, len(linear.cost))), Termination.BUDGET, message=text)

    def is_closed(self, answer: Found) -> bool:
        """Return whether no better assignment can hide between the incumbent and the answer's bound."""
        if self.best is None:
            return False
        model = self.task.model
        slack = self._ceiling_of(answer) - self.best
        rounding = 4.0 * model.error + 2.0 * answer.rounding + _EPS * abs(self.best)
        hidden = slack <= rounding <= NEGLIGIBLE * abs(self.best)
        self._hidden = max(slack, 0.0) if hidden else 0.0
        return hidden or slack < 0 or slack < 0.99 * model.quantum or not model.cost.any()

    def stopped(self, answer: Found, round_number: int) -> Found:
        """Return the outcome where a round ended without an optimum."""
        if answer.termination is Termination.PROVED:
            return self.found(Termination.BUDGET, "optimal within tolerances, but without values")
        if answer.termination is not Termination.REFUTED:
            return self.found(answer.termination, answer.message)
        if round_number:
            text = f"no better one is left beside {round_number} near ties ({answer.message})"
            return self.found(Termination.PROVED if self.best is not None else Termination.REFUTED, text)
        if self.best is not None:
            return self.found(Termination.FAILED, "called infeasible, against a feasible assignment")
        return self.found(Termination.REFUTED, answer.message)

    def without_variables(self) -> Found:
        """Return the outcome of a model without variables of its own, or with a constant row that does not hold."""
        if not self.task.model.num_own and _constants_hold(self.task.model):
            self._add(self.task.candidate(np.empty(0)))
            return self.found(Termination.PROVED, "the only assignment there is")
        return self.found(Termination.REFUTED, "a constraint without variables does not hold")

    def found(self, termination: Termination, message: str) -> Found:
        """Return everything that the rounds found."""
        ceiling = self.ceiling
        if self.best is not None:
            lost = max(self._hidden, self._lost_in_sums)
            ceiling = self.best + lost if termination is Termination.PROVED else max(ceiling, self.best)
        bound = float(ceiling) if np.isfinite(ceiling) else None
        candidates = np.stack(self.candidates) if self.candidates else np.empty((0, self.problem.num_variables))
        stats = dict(self.stats, bound=None if bound is None else self.problem.bound_of_gain(bound))
        return Found(candidates, termination, bound, message=message, stats=stats)

    @property
    def _lost_in_sums(self) -> float:
        """What sums of a plain model may lose, so that no proof bounds better; 0 where they are exact."""
        model = self.task.model
        if self.problem.kind == "projection" or model.reach < 2.0**52 * dyadic_unit(model.cost):
            return 0.0
        return 4.0 * _EPS * (len(model.cost) + 1) * model.reach

    def _add(self, candidate: NDArray[Any]) -> bool:
        """Keep a candidate, and return whether it is feasible."""
        gain = float(self.problem.gain(candidate))
        if not np.isfinite(gain):
            return False
        if self.best is None or gain > self.best:
            self.best, self._best_at = gain, len(self.candidates)
        self.candidates.append(candidate)
        return True

    def _ceiling_of(self, answer: Found) -> float:
        return (np.inf if answer.gain_bound is None else answer.gain_bound) + self.task.model.error


def whole_number_search(deadline: float | None) -> Callable[..., Found]:
    """Return ``optimise`` of CP-SAT, which counts exactly; without a deadline its work is limited."""
    budget = None if deadline is not None else CONFIRMATION_WORK
    search: Callable[..., Found] = get_solver("cpsat", deterministic_time=budget).optimise
    return search


def whole_values(model: LinearModel, values: FloatArray) -> FloatArray:
    """Return the own values within their bounds, those of whole variables rounded."""
    own = slice(model.num_own)
    kept = np.clip(np.asarray(values, np.float64)[own], model.lower[own], model.upper[own])
    rounded: FloatArray = np.where(model.kinds[own] == REAL, kept, np.rint(kept))
    return rounded


def _constants_hold(model: LinearModel) -> bool:
    """Return whether the rows without variables hold."""
    empty = np.diff(model.rows.indptr) == 0
    return bool((model.row_lower[empty] <= 0).all() and (model.row_upper[empty] >= 0).all())


def mip_found(
    model: LinearModel,
    termination: Termination,
    values: FloatArray | None,
    bound: float,
    message: str,
    stats: dict[str, Any],
    *,
    rounding: float = 0.0,
) -> Found:
    """Return a backend's answer on a linear model, `bound` being a valid lower bound on cost·x + offset, or −inf."""
    candidates = np.empty((0, len(model.cost))) if values is None else np.asarray(values, np.float64)[None, :]
    ceiling = -bound if np.isfinite(bound) else None
    return Found(candidates, termination, ceiling, message=message, stats=stats, rounding=rounding)


def floating_found(
    model: LinearModel,
    termination: Termination | None,
    values: FloatArray | None,
    bound: float,
    message: str,
    stats: dict[str, Any],
) -> Found:
    """Return the answer of a backend in floating point that minimises cost·x/scale, `bound` being its own.

    Parameters
    ----------
    termination : Termination or None
        None stands for "infeasible or unbounded", which backends do not tell apart.
    bound : float
        Counts after a proof or a stop only, less what tolerances may hide; backends call 1e20 infinite.
    """
    if termination is None:
        termination = Termination.REFUTED if model.is_bounded else Termination.FAILED
    lowest = -np.inf
    if termination not in (Termination.REFUTED, Termination.FAILED):
        lowest = floating_lowest(model, values, bound)
    return mip_found(model, termination, values, lowest, message, stats)


def check_mip_options(threads: int, node_limit: int | None) -> None:
    """Refuse numbers of threads or nodes without a meaning."""
    for option, value in (("threads", threads), ("node_limit", node_limit)):
        if value is None and option == "node_limit":
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{option} is {value!r}; an integer ≥ 1 is allowed")
