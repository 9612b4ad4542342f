"""Another solver for every problem that the first one fails at: training continues, and each failure is logged."""

from __future__ import annotations

from typing import Any

import numpy as np

from qproj.projections import Layer, SignProjection
from qproj.solvers.adapter import Adapter
from qproj.solvers.claims import REFUTED_CLAIM
from qproj.solvers.composites.composite import Composite, child_limits
from qproj.solvers.contract import MalformedSolutionError, Request, Solution, Termination, solver_name
from qproj.solvers.found import Found, LayerFound, rescored
from qproj.solvers.layers import LayerRequest
from qproj.solvers.redact import logger, redact
from qproj.solvers.registry import get_solver

LOG = logger()
#: Share of the time that is left which each solver of the chain gets, but the last.
FIRST_SHARE = 0.8


class Fallback(Composite):
    """argmin objective(v) by the first of several solvers that gives a sound answer.

    A solver fails where it raises, returns no incumbent or an object that is not an assignment of the problem, or
    claims a proof that its own figures, an assignment nearby or the direction of signSGD contradict. Each failure is a
    warning of the logger "qproj", and is listed in ``solution.stats["failures"]``. A solver that hangs has to be
    wrapped: ``Fallback(Isolated("dwave"), "auto")``.

    Parameters
    ----------
    *solvers : str or Solver
        In the order in which they are called.

    Raises
    ------
    RuntimeError
        From ``solve``: every solver of the chain failed.
    """

    def __init__(self, *solvers: Any) -> None:
        if len(solvers) < 2:
            raise ValueError("a fallback needs two solvers or more, such as Fallback('dwave', 'auto')")
        self.solvers = [get_solver(solver) for solver in solvers]
        forms = frozenset.intersection(*(solver.capabilities.forms for solver in self.solvers))
        if not forms:
            raise ValueError("the solvers of this fallback have no form of problem in common; give ones that have")
        super().__init__(
            self.solvers[0],
            "fallback",
            forms=forms,
            exact=any(s.capabilities.exact for s in self.solvers),
            max_variables=None,
            thread_safe=all(s.capabilities.thread_safe for s in self.solvers),
            picklable=all(s.capabilities.picklable for s in self.solvers),
        )
        self.name = f"fallback({', '.join(map(solver_name, self.solvers))})"

    def call(self, model: Any, request: Request) -> Found:
        return self._first_sound(model, request, self.solvers, [])

    def search_layer(self, layer: Layer, request: LayerRequest) -> LayerFound | list[Found] | None:
        """Return the outcome of all neurons: the first solver gets all at once, the next ones those it failed at."""
        from qproj.solvers.layer_solution import LayerSolution
        from qproj.solvers.layers import has_own_loop, solve_part

        if not has_own_loop(self.solver) and getattr(type(self.solver), "search_layer", None) in (
            None,
            Adapter.search_layer,
        ):
            return None  # it takes one neuron at a time, and may fail at some
        try:
            solutions = solve_part(self.solver, layer, request, request.left_s(FIRST_SHARE))
        except Exception as error:
            failure = _failure(self.solver, error)
            LOG.warning("%s; %d neurons go to the next solver", failure, len(layer))
            return self._neuron_by_neuron(layer, request, [failure])
        assert isinstance(solutions, LayerSolution)
        if not np.isnan(solutions.gain).any() and not solutions.has_solutions:
            return LayerFound(
                solutions.weights.copy(), solutions.terminations, solutions.gain_bound, stats=solutions.stats
            )
        return self._neuron_by_neuron(layer, request, [], solutions)

    def _neuron_by_neuron(
        self, layer: Layer, request: LayerRequest, failures: list[str], solutions: Any = None
    ) -> list[Found]:
        found: list[Found] = []
        for i, problem in enumerate(layer):
            own = list(failures)
            if solutions is not None:
                try:
                    found.append(Found.of(_sound(problem, solutions[i], self.solver)))
                    continue
                except Exception as error:
                    own = [_failure(self.solver, error)]
                    LOG.warning("%s; neuron %d goes to the next solver", own[0], i)
            found.append(self._first_sound(problem, request.of_neuron(i), self.solvers[1:], own))
        return found

    def _first_sound(self, problem: Any, request: Request, solvers: list[Any], failures: list[str]) -> Found:
        for solver in solvers:
            last = solver is self.solvers[-1]
            limits = child_limits(solver, request, share=1.0 if last else FIRST_SHARE)
            try:
                solution = _sound(problem, solver.solve(problem, **limits), solver)
            except Exception as error:
                failures = [*failures, _failure(solver, error)]
                LOG.warning("%s; %s", failures[-1], "no solver is left" if last else "the next solver is called")
                continue
            stats = {**solution.stats, "answered_by": solver_name(solver), "failures": failures}
            return Found.of(solution, stats=stats)
        raise RuntimeError("every solver of the fallback failed: " + "; ".join(failures))


def _sound(problem: Any, answer: Any, solver: Any) -> Solution:
    """Return the answer, re-scored, or raise where it is not sound."""
    solution = rescored(problem, answer, solver)
    if REFUTED_CLAIM in solution.stats:
        raise MalformedSolutionError(solution.message)
    if solution.termination is Termination.REFUTED:
        return solution
    solution.require()
    if solution.termination is Termination.PROVED and isinstance(problem, SignProjection):
        simple = np.where(problem.linear_direction() >= 0, 1, -1)
        if solution.gain is not None and problem.gain(simple) > solution.gain + 1e-9 * float(np.abs(problem.t).sum()):
            raise MalformedSolutionError("a claimed optimum is worse than sign(Xᵀt)")
    return solution


def _failure(solver: Any, error: Exception) -> str:
    return redact(f"{solver_name(solver)}: {type(error).__name__}: {error}")
