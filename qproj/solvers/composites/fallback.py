"""Another solver for whatever the first one fails at: training goes on, and the log says so."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from qproj.projections import LayerProjection, SignProjection
from qproj.solvers import Adapter, Ending, Found, LayerSolution, Request, Solution, get_solver, layer_of_solutions
from qproj.solvers.adapter import child_seeds
from qproj.solvers.builtin.sign import sign_direction
from qproj.solvers.contract import check_limits
from qproj.solvers.recheck import MalformedSolutionError, rechecked
from qproj.solvers.redact import logger, redact

LOG = logger()
#: Share of the time that is left which each solver of the chain gets, but the last.
FIRST_SHARE = 0.8


class Fallback(Adapter):
    """argmin objective(v) by the first of several solvers that gives a sound answer.

    A solver fails where it raises, returns no incumbent or no assignment of the problem, or claims an optimum that
    the signSGD direction beats. Each failure is a warning of the logger "qproj", and is listed in
    ``solution.stats["failures"]``. A solver that hangs has to be wrapped: ``Fallback(Isolated("dwave"), "auto")``.

    Parameters
    ----------
    *solvers : str or Solver
        In the order in which they are asked.

    Raises
    ------
    RuntimeError
        From ``solve``: every solver of the chain failed.
    """

    name: ClassVar[str] = "fallback"

    def __init__(self, *solvers: Any) -> None:
        if len(solvers) < 2:
            raise ValueError("a fallback needs two solvers or more, such as Fallback('dwave', 'auto')")
        self.solvers = [get_solver(solver) for solver in solvers]
        first = self.solvers[0].capabilities
        forms = frozenset.intersection(*(solver.capabilities.forms for solver in self.solvers))
        if not forms:
            raise ValueError("the solvers of this fallback have no form of problem in common; give ones that have")
        self.name = f"fallback({', '.join(_name(solver) for solver in self.solvers)})"  # type: ignore[misc]
        self.capabilities = replace(
            first, forms=forms, exact=any(s.capabilities.exact for s in self.solvers), max_variables=None,
            thread_safe=all(s.capabilities.thread_safe for s in self.solvers),
            picklable=all(s.capabilities.picklable for s in self.solvers),
        )  # fmt: skip

    def build(self, problem: Any, ask: Request) -> Any:
        return problem

    def call(self, model: Any, ask: Request) -> Solution:
        return self._ask(model, ask, 0, [])

    def decode(self, raw: Solution, problem: Any) -> Found:
        return Found(
            raw.candidates, raw.ending, raw.ended_by, gain_bound=raw.gain_bound, sampleset=raw.sampleset,
            message=raw.message, stats=dict(raw.stats),
        )  # fmt: skip

    def solve_many(
        self,
        problems: Iterable[Any],
        *,
        time_limit_s: float | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        hints: Sequence[ArrayLike] | None = None,
    ) -> Sequence[Solution]:
        """Return one solution a problem: the first solver gets all at once, the next ones what it failed at."""
        limits: dict[str, Any] = {"time_limit_s": time_limit_s, "seed": seed, "num_reads": num_reads, "hints": hints}
        if not isinstance(problems, LayerProjection) or not hasattr(self.solvers[0], "solve_many"):
            return super().solve_many(problems, **limits)
        check_limits(time_limit_s, seed, num_reads)
        start = time.perf_counter()
        first = self.solvers[0]
        share = {} if time_limit_s is None else {"time_limit_s": FIRST_SHARE * time_limit_s}
        failure = ""
        solutions: Any = None
        try:
            solutions = first.solve_many(problems, **{**limits, **share})
            if len(solutions) != len(problems):
                raise MalformedSolutionError(f"{len(solutions)} solutions for {len(problems)} neurons")
        except Exception as error:
            failure = _said(first, error)
            LOG.warning("%s; %d neurons go to the next solver", failure, len(problems))
        if isinstance(solutions, LayerSolution) and isinstance(first, Adapter) and not np.isnan(solutions.gain).any():
            return solutions
        kept: list[Solution] = []
        for i, (problem, child) in enumerate(zip(problems, child_seeds(seed, len(problems)), strict=True)):
            left = None if time_limit_s is None else (start + time_limit_s - time.perf_counter()) / (len(problems) - i)
            share_s = None if left is None else max(left, 1e-3)
            hint = None if hints is None else np.asarray(hints[i], np.float64)
            deadline = None if share_s is None else time.perf_counter() + share_s
            ask = Request(share_s, child, num_reads, hint, deadline)
            failures = [failure] if failure else []
            if not failure:
                try:
                    kept.append(_sound(problem, solutions[i], first))
                    continue
                except Exception as error:
                    failures = [_said(first, error)]
                    LOG.warning("%s; neuron %d goes to the next solver", failures[0], i)
            kept.append(self._ask(problem, ask, 1, failures))
        layer = layer_of_solutions(kept, problems.num_weights, self.name)
        failed = [f for solution in kept for f in solution.stats.get("failures", [])]
        return replace(layer, stats={"failures": failed})

    def _ask(self, problem: Any, ask: Request, first: int, failures: list[str]) -> Solution:
        for place, solver in enumerate(self.solvers[first:], first):
            last = place == len(self.solvers) - 1
            limits: dict[str, Any] = {"seed": ask.seed}
            if ask.deadline is not None:
                left = ask.deadline - time.perf_counter()
                limits["time_limit_s"] = max(left if last else FIRST_SHARE * left, 1e-3)
            if ask.num_reads is not None and solver.capabilities.num_reads:
                limits["num_reads"] = ask.num_reads
            if ask.hint is not None and solver.capabilities.hint:
                limits["hint"] = ask.hint
            try:
                solution = _sound(problem, solver.solve(problem, **limits), solver)
                return replace(solution, stats={**solution.stats, "answered_by": _name(solver), "failures": failures})
            except Exception as error:
                failures = [*failures, _said(solver, error)]
                LOG.warning("%s; %s", failures[-1], "no solver is left" if last else "the next solver is asked")
        raise RuntimeError("every solver of the fallback failed: " + "; ".join(failures))


def _sound(problem: Any, answer: Any, solver: Any) -> Solution:
    """Return the answer scored anew, or raise where it is none."""
    solution = rechecked(problem, answer, solver)
    if solution.ending is Ending.REFUTED:
        return solution
    solution.require()
    if solution.ending is Ending.PROVED and isinstance(problem, SignProjection):
        simple = sign_direction(np.asarray(problem.X), np.asarray(problem.t)[:, None])[0]
        if solution.gain is not None and problem.gain(simple) > solution.gain + 1e-9 * float(np.abs(problem.t).sum()):
            raise MalformedSolutionError("a claimed optimum is worse than sign(Xᵀt)")
    return solution


def _said(solver: Any, error: Exception) -> str:
    return redact(f"{_name(solver)}: {type(error).__name__}: {error}")


def _name(solver: Any) -> str:
    return str(getattr(solver, "name", type(solver).__name__))
