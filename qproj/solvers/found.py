"""What a backend came back with, and the solution that it amounts to: every candidate scored by the definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.projections import Problem, as_problem
from qproj.projections.models import sampleset_of
from qproj.solvers.claims import false_claim, without_false_proof
from qproj.solvers.contract import MalformedSolutionError, Solution, Termination, solver_name

Method = TypeVar("Method", bound=Callable[..., Any])


@dataclass(frozen=True, eq=False)
class Found:
    """What a backend came back with, in the problem's own terms; :func:`scored` makes a solution of it.

    Attributes
    ----------
    candidates : (k, d) array
        Assignments in the backend's own order; may be empty.
    termination : Termination
        BUDGET for a heuristic that used up its reads.
    gain_bound : float or None
        A valid upper bound on the gain, if the backend proved one; errors of scaling are inside it.
    energies : (k,) array, optional
        Of the candidates in the model that was sampled; the lowest makes ``raw_best``.
    sampleset : dimod.SampleSet, optional
        As sampled; made from the candidates where absent.
    queue_s, embed_s : float
        Seconds of ``call`` that were spent waiting or embedding.
    rounding : float
        The part of `gain_bound` that is due to the rounding of coefficients alone.
    """

    candidates: NDArray[Any]
    termination: Termination = Termination.BUDGET
    gain_bound: float | None = None
    energies: NDArray[Any] | None = None
    sampleset: dimod.SampleSet | None = None
    message: str = ""
    stats: dict[str, Any] = field(default_factory=dict)
    queue_s: float = 0.0
    embed_s: float = 0.0
    rounding: float = 0.0

    @classmethod
    def of(cls, solution: Solution, **changes: Any) -> Found:
        """Return what a composite passes on of its child's solution, with some fields changed."""
        found = cls(
            candidates=np.asarray(solution.candidates),
            termination=Termination(solution.termination),
            gain_bound=solution.gain_bound,
            sampleset=solution.sampleset,
            message=solution.message,
            stats=dict(solution.stats),
        )
        return replace(found, **changes)


@dataclass(frozen=True, eq=False)
class LayerFound:
    """What a search of a whole layer came back with.

    Attributes
    ----------
    weights : (dout, d) int8
    terminations : (dout,) sequence of Termination
    gain_bound : (dout,) float64, optional
        Valid upper bounds on each gain; the layer's own bounds hold besides.
    """

    weights: NDArray[np.int8]
    terminations: Any
    gain_bound: FloatArray | None = None
    message: str = ""
    stats: dict[str, Any] = field(default_factory=dict)


def scored(problem: Problem, found: Found, solver: str) -> Solution:
    """Return the solution that `found` amounts to: every candidate scored by the definition, best first.

    A candidate outside the problem's domain, or infeasible, is dropped. A bound that an incumbent beats is refuted, so
    it is dropped too, and the termination is FAILED. An incumbent that meets the problem's own bound is proved.
    """
    candidates = _rows_of(found, problem.num_variables, solver)
    gains = np.asarray(problem.gain(candidates), np.float64) if len(candidates) else np.empty(0)
    if candidates.dtype.kind == "f" and problem.kind != "cqm":
        candidates = candidates.astype(np.int8)  # ±1 or 0/1, else gain() had refused them
    order = np.argsort(-gains, kind="stable")
    order = order[np.isfinite(gains[order])]
    if not len(order):
        bound = None if found.gain_bound is None else problem.bound_of_gain(found.gain_bound)
        return Solution(
            None, None, None, bound, found.termination, candidates[:0], found.sampleset,
            gain_bound=found.gain_bound, solver=solver, message=found.message, stats=found.stats,
        )  # fmt: skip
    best, gain = candidates[order[0]], float(gains[order[0]])
    termination, gain_bound, message = _judged(problem, found, best, gain)
    objective = float(problem.objective_of_gain(gain))
    raw = best
    if found.energies is not None and len(found.energies):
        raw = candidates[int(np.argmin(found.energies))]
    sampleset = found.sampleset
    if sampleset is None:
        sampleset = sampleset_of(problem, candidates[order], gains[order])
    best, ranked, raw = best.copy(), candidates[order], raw.copy()
    for array in (best, ranked, raw):
        array.setflags(write=False)
    return Solution(
        best=best,
        gain=gain,
        objective=objective,
        bound=None if gain_bound is None else problem.bound_of_gain(gain_bound),
        termination=termination,
        candidates=ranked,
        sampleset=sampleset,
        gain_bound=gain_bound,
        gap_scale=problem.gap_scale(objective) if problem.kind == "projection" else None,
        raw_best=raw,
        solver=solver,
        message=message,
        stats=found.stats,
    )


def _rows_of(found: Found, size: int, solver: str) -> NDArray[Any]:
    """Return the candidates as a matrix of `size` columns; raise MalformedSolutionError where that cannot be."""
    if not isinstance(found, Found):
        raise MalformedSolutionError(
            f"{solver} returned {type(found).__name__} from call() or decode(); "
            "return Found(candidates, Termination.BUDGET) instead"
        )
    if not isinstance(found.termination, Termination):
        raise MalformedSolutionError(
            f"{solver} returned the termination {found.termination!r}; pass a Termination, such as Termination.BUDGET"
        )
    candidates = np.asarray(found.candidates)
    if candidates.ndim == 2 and candidates.shape[1] == size:
        return candidates
    if candidates.size:
        raise MalformedSolutionError(
            f"{solver} returned candidates of shape {candidates.shape}; (k, {size}) is needed, one row per candidate: "
            "numpy.atleast_2d makes a matrix of one vector"
        )
    return candidates.reshape(0, size)


def _judged(problem: Problem, found: Found, best: NDArray[Any], gain: float) -> tuple[Termination, float | None, str]:
    """Return how far the claims of `found` hold beside its best candidate: termination, bound on the gain, message."""
    known = problem.gain_bound
    claimed = found.gain_bound
    if claimed is not None and claimed < gain - 1e-9 * max(abs(gain), abs(known or gain)):
        message = f"the backend's bound on the gain ({claimed!r}) is beaten by its own incumbent; {found.message}"
        return Termination.FAILED, None if known is None else max(known, gain), message
    if problem.meets_bound(best):
        return Termination.PROVED, gain, found.message
    if found.termination is Termination.PROVED:
        # a proof up to the rounding of sums keeps the bound that includes it
        size = abs(known) if known is not None else problem.gap_scale(problem.objective_of_gain(gain))
        near = claimed is not None and claimed - gain <= 1e-9 * max(abs(gain), size)
        return Termination.PROVED, max(gain, claimed) if near and claimed is not None else gain, found.message
    bounds = [bound for bound in (known, claimed) if bound is not None and np.isfinite(bound)]
    return found.termination, max(gain, min(bounds)) if bounds else None, found.message


def rescored(problem: Problem, answer: Any, solver: Any) -> Solution:
    """Return a solver's answer with gain, objective, bound and order of candidates computed from the definition.

    A proof is kept unless something refutes it: figures that the answer's own assignment contradicts, an incumbent
    above the claimed bound, a better assignment nearby, or that the solver declares no proofs (see
    :mod:`qproj.solvers.claims`). Then the termination is FAILED, and the message says why.

    Raises
    ------
    MalformedSolutionError
        Not a Solution, a vector of the wrong shape or with values outside the problem's domain, or NaN.
    """
    name = solver_name(solver)
    if not isinstance(answer, Solution):
        raise MalformedSolutionError(f"{name} returned {type(answer).__name__}; solve() returns a Solution")
    try:
        termination = Termination(answer.termination)
        if answer.best is None:
            if termination is Termination.PROVED:
                raise MalformedSolutionError(f"{name} claims a proved optimum and returns none")
            empty = replace(Found.of(answer), candidates=np.empty((0, problem.num_variables)), gain_bound=None)
            solution, reason = scored(problem, empty, name), ""
        else:
            solution, reason = _rescored_incumbent(problem, answer, name)
    except (TypeError, ValueError) as error:
        raise MalformedSolutionError(f"{name} returned a vector that is not an assignment: {error}") from error
    return replace(without_false_proof(problem, solution, solver, reason), timing=answer.timing)


def _rescored_incumbent(problem: Problem, answer: Solution, name: str) -> tuple[Solution, str]:
    """Return the scored solution, and the figure of the answer that its own incumbent contradicts, or ""."""
    best = np.asarray(answer.best)
    if best.shape != (problem.num_variables,):
        raise MalformedSolutionError(f"{name} returned a vector of shape {best.shape}; ({problem.num_variables},) fits")
    rest = np.asarray(answer.candidates)
    known = rest.ndim == 2 and rest.shape[1] == len(best) and bool((rest == best).all(axis=1).any())
    reason = false_claim(problem, answer, float(problem.gain(best)))
    claimed = answer.gain_bound if answer.gain_bound is not None and np.isfinite(answer.gain_bound) else None
    found = Found.of(answer, candidates=rest if known else best[None], gain_bound=None if reason else claimed)
    if reason and found.termination is not Termination.PROVED:
        found = replace(found, message=f"{reason}; {found.message}" if found.message else reason)
    return scored(problem, found, name), reason


#: Methods of the base class whose answers are scored from the definition.
_SCORED: set[Any] = set()


def scored_here(method: Method) -> Method:
    """Mark a method of the base class, whose answers are scored from the definition; an override loses the mark."""
    _SCORED.add(method)
    return method


def is_scored_here(solver: Any, method: str = "solve") -> bool:
    """Return whether a solver's answers were scored by the base class, whose methods it does not override.

    The functions themselves are compared: ``functools.wraps`` copies every attribute to an override.
    """
    names = ("solve", "_answer", "_run") if method == "solve" else (method,)
    return all(getattr(getattr(solver, name, None), "__func__", None) in _SCORED for name in names)


def solved(solver: Any, problem: Any, **limits: Any) -> Solution:
    """Return a solver's answer, scored by the definition whoever gives it; ``solve`` of a foreign object is not."""
    answer: Solution = solver.solve(problem, **limits)
    return answer if is_scored_here(solver) else rescored(as_problem(problem), answer, solver)
