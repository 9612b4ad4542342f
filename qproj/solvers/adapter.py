"""The base of every solver: checks, clocks and scoring, once. A solver writes build → call → decode, or call alone."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Never, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from qproj._extras import install_hint
from qproj._options import nearest
from qproj.projections import Layer, Problem, as_problem
from qproj.projections.models import PlainModel, hook
from qproj.solvers.claims import is_own, without_false_proof
from qproj.solvers.contract import (
    LIMITS,
    Capabilities,
    Request,
    Solution,
    Termination,
    Timing,
    check_capabilities,
    check_limits,
    checked_hint,
)
from qproj.solvers.found import Found, LayerFound, scored, scored_here
from qproj.solvers.interrupt import interrupt_raised
from qproj.solvers.layers import LayerRequest, solve_many
from qproj.solvers.least_squares import alternate
from qproj.solvers.redact import logger, scrub
from qproj.solvers.registry import missing_modules
from qproj.solvers.search_progress import OnProgress, SearchProgress, check_on_progress

Model = TypeVar("Model")
Raw = TypeVar("Raw")


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
        """Whether it can run here: installed, licensed, and a token where it needs one."""
        return self.installed and self.licensed is not False and self.token is not False


class Adapter(ABC, Generic[Model, Raw]):
    """min objective(v) by some backend: build → call → decode.

    Subclasses declare ``name`` and ``capabilities``, take hyper-parameters in the constructor, and write the three
    steps; a search that works on the problem itself writes ``call`` alone, and returns :class:`Found`. One that can
    search all neurons of a layer together writes ``search_layer`` too.
    """

    name: str
    capabilities: Capabilities
    #: The extra that installs the backend, and the modules that it needs.
    extra: ClassVar[str] = ""
    requires: ClassVar[tuple[str, ...]] = ()
    #: Whether a neuron's result in ``search_layer`` depends on the neurons that are searched with it.
    searches_jointly: ClassVar[bool] = False

    def check(self, problem: Any, request: Request) -> None:
        """Refuse, before any work, what ``capabilities`` cannot express."""

    def build(self, problem: Any, request: Request) -> Model:
        """Return the backend's own model, free of charge; the default is the problem itself."""
        return problem  # type: ignore[no-any-return]

    @abstractmethod
    def call(self, model: Model, request: Request) -> Raw:
        """Run the backend; the only step that costs money."""

    def decode(self, raw: Raw, problem: Any) -> Found:
        """Return the backend's answer in the problem's terms; the default takes what ``call`` returned."""
        return raw  # type: ignore[return-value]

    def search_layer(self, layer: Layer, request: LayerRequest) -> LayerFound | Sequence[Found] | None:
        """Return the outcome of one search of all neurons; None, the default, solves them one by one."""
        return None

    def least_seconds(self, problem: Any) -> float:
        """Return what ``build`` and the least search of ``call`` take at least, by arithmetic; 0 where it is little.

        A neuron of a layer is not begun where that is much more than the time that is left.
        """
        return 0.0

    @classmethod
    def availability(cls) -> Availability:
        """Return whether the backend can be used, without importing it."""
        missing = missing_modules(cls.requires)
        if missing:
            return Availability(
                installed=False,
                reason=f"{', '.join(missing)} not installed",
                remedy=install_hint(cls.extra),
            )
        return Availability()

    @scored_here
    def solve(
        self,
        problem: Any,
        *,
        time_limit_s: float | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        hint: ArrayLike | None = None,
        on_progress: OnProgress | None = None,
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
        on_progress : callable, optional
            Called with a :class:`ProgressEvent` whenever incumbent or bound improve, perhaps from another thread; once
            at the end by solvers whose capabilities lack ``progress``. What it raises is raised after the search.

        Raises
        ------
        TypeError, ValueError
            A request that this solver cannot honour, before any work; the message names what can be done instead.
        """
        start = time.perf_counter()
        for name in unknown:
            raise TypeError(f"{self.name}.solve() has no argument {name!r}; {nearest(name, LIMITS)}")
        target = as_problem(problem)
        check_limits(time_limit_s, seed, num_reads)
        check_on_progress(on_progress)
        check_capabilities(self.name, self.capabilities, target, num_reads, hint)
        request = Request(
            time_limit_s=None if time_limit_s is None else float(time_limit_s),
            seed=None if seed is None else int(seed),
            num_reads=num_reads,
            hint=None if hint is None else checked_hint(hint, target),
            deadline=None if time_limit_s is None else start + float(time_limit_s),
        )
        if not isinstance(target, PlainModel):
            return self._watched(target, request, on_progress, start)
        # sorted variables: the order in which the caller made them changes no result
        if hint is not None:
            sorted_hint = np.empty_like(request.hint)
            sorted_hint[target.place] = request.hint
            request = replace(request, hint=sorted_hint)
        return self._watched(target.canonical, request, on_progress, start).renumbered(target.place)

    def _watched(self, problem: Problem, request: Request, on_progress: OnProgress | None, start: float) -> Solution:
        if on_progress is None:
            return self._answer(problem, request)
        progress = SearchProgress(problem, on_progress, start)
        solution = self._answer(problem, replace(request, progress=progress))
        progress.close(solution.gain, solution.gain_bound)
        return solution

    @scored_here
    def _answer(self, problem: Problem, request: Request) -> Solution:
        known = hook(problem, "known_optimum")()
        if known is not None:
            optimum, reason = known
            logger().info(reason)
            if not self.capabilities.exact:  # which would draw one at random, or pay for it
                return scored(problem, Found(optimum[None, :], Termination.PROVED), self.name)
        if getattr(problem, "alternates", False):
            return alternate(self, problem, request)
        self.check(problem, request)
        return self._run(problem, request)

    @scored_here
    def _run(self, problem: Problem, request: Request) -> Solution:
        clock = time.perf_counter
        t0 = clock()
        model = self.build(problem, request)
        t1 = clock()
        try:
            with interrupt_raised():
                raw = self.call(model, request)
        except Exception as error:
            scrub(error)  # the text of a service's client may contain the token
            raise
        t2 = clock()
        found = self.decode(raw, problem)
        solution = scored(problem, found, self.name)
        if not is_own(self):
            solution = without_false_proof(problem, solution, self)
        t3 = clock()
        spent = Timing(t1 - t0, found.embed_s, found.queue_s, t2 - t1 - found.embed_s - found.queue_s, t3 - t2)
        return replace(solution, timing=spent)

    @scored_here
    def solve_many(
        self,
        problems: Sequence[Any],
        *,
        time_limit_s: float | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        hints: ArrayLike | None = None,
    ) -> Sequence[Solution]:
        """Return one solution per problem; `time_limit_s` is shared, and every problem has its own seed."""
        return solve_many(
            self, problems, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads, hints=hints, own_loop=False
        )
