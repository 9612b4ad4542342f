"""How far a solver's claims hold: its figures against its own assignment, its proofs against assignments nearby.

Answers of the toolkit's own solvers are scored by the base class, and their proofs are tested against ground truth.
Every other answer passes here, wherever it enters: gain, objective and bound that contradict the assignment, an optimum
that a neighbour beats, a proof by a solver that declares none. What is left of a false proof is its assignment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj.projections import Problem
from qproj.projections.models import hook, is_spin
from qproj.solvers.contract import Solution, Termination, solver_name

#: Packages whose solvers are part of this toolkit; that of OMMX, which passes on what foreign adapters say, is not.
OWN_PACKAGES = frozenset({
    "qproj", "qproj_dwave", "qproj_dynamics", "qproj_exact", "qproj_gurobi", "qproj_highs", "qproj_ortools",
    "qproj_pysat", "qproj_qiskit", "qproj_scip",
})  # fmt: skip
#: A claimed figure may differ from the computed one by rounding: this much of the largest gain there can be.
TOLERANCE = 1e-9
#: Problems with at most so many assignments are enumerated, which settles a claim.
ENUMERATED = 1024
#: Of ``stats``: why a claimed proof does not hold.
REFUTED_CLAIM = "refuted_claim"
#: Numbers in the neighbours that are looked at, of problems too large to enumerate.
_MOST_NUMBERS = 1 << 22


def is_own(solver: Any) -> bool:
    """Return whether a solver's class is part of this toolkit."""
    return type(solver).__module__.partition(".")[0] in OWN_PACKAGES


def false_claim(problem: Problem, solution: Any, gain: float) -> str:
    """Return the first figure of a solution that its own assignment, of this gain, contradicts; "" where none does."""
    objective = float(problem.objective_of_gain(gain))
    tolerance = _tolerance(problem, gain)
    of_objective = TOLERANCE * max(1.0, abs(objective))
    if solution.gain is None or not abs(solution.gain - gain) <= tolerance:
        return f"claims gain {solution.gain!r}, its weights have {gain!r}"
    if solution.objective is None or not abs(solution.objective - objective) <= of_objective:
        return f"claims objective {solution.objective!r}, its weights have {objective!r}"
    if solution.gain_bound is not None and solution.gain_bound < gain - tolerance:
        return f"claims that no gain exceeds {solution.gain_bound!r}, its weights have {gain!r}"
    if solution.bound is not None and solution.bound > objective + of_objective:
        return f"claims that no objective is below {solution.bound!r}, its weights have {objective!r}"
    proved = solution.termination == Termination.PROVED
    if proved and solution.gain_bound is not None and solution.gain_bound > gain + tolerance:
        return f"claims an optimum of gain {gain!r}, and that {solution.gain_bound!r} may be reached"
    return ""


def _tolerance(problem: Problem, gain: float) -> float:
    """Return by how much gains of a problem may differ by rounding."""
    known = problem.gain_bound
    return TOLERANCE * max(abs(gain), abs(known) if known is not None and np.isfinite(known) else 0.0)


def without_false_proof(problem: Problem, solution: Solution, solver: Any, reason: str = "") -> Solution:
    """Return a scored solution, its proof given up where `reason` or an assignment nearby contradicts it."""
    if solution.termination is Termination.REFUTED:
        reason = _contradicted_refutation(problem)
    elif solution.termination is not Termination.PROVED or solution.best is None or problem.meets_bound(solution.best):
        return solution
    elif not reason:
        reason = _contradicted_optimum(problem, solution, solver)
    if not reason:
        return solution
    text = f"{solver_name(solver)} claims a proof, which does not hold: {reason}"
    known = problem.gain_bound
    if known is not None and solution.gain is not None:
        known = max(float(known), solution.gain)
    return replace(
        solution,
        termination=Termination.FAILED,
        gain_bound=known,
        bound=None if known is None else problem.bound_of_gain(known),
        message=f"{text}; {solution.message}" if solution.message else text,
        stats={**solution.stats, REFUTED_CLAIM: reason},
    )


def _contradicted_optimum(problem: Problem, solution: Solution, solver: Any) -> str:
    if not solver.capabilities.exact and hook(problem, "known_optimum")() is None:
        return "it declares that it proves nothing (capabilities.exact is False)"
    assert solution.best is not None
    assert solution.gain is not None
    tolerance = _tolerance(problem, solution.gain)
    for near in _nearby(problem, solution.best):
        best = float(np.max(problem.gain(near)))
        if best > solution.gain + tolerance:
            return f"an assignment nearby has gain {best!r}, more than {solution.gain!r}"
    return ""


def _contradicted_refutation(problem: Problem) -> str:
    if problem.kind != "cqm":
        return "the problem has no constraints, so that every assignment is feasible"
    domain = _domain(problem)
    if domain is not None and (rows := _enumerated(*domain)) is not None and np.isfinite(problem.gain(rows)).any():
        return "there is a feasible assignment"
    return ""


def _nearby(problem: Problem, best: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield blocks of assignments: all of a small problem, else those one step from the best."""
    domain = _domain(problem)
    if domain is None:
        return
    lower, upper, step = domain
    if (rows := _enumerated(lower, upper, step)) is not None:
        yield rows
        return
    d = len(best)
    kept = np.arange(min(d, _MOST_NUMBERS // d))
    for sign in (1, -1):
        moved = np.repeat(best[None, :], len(kept), axis=0)
        moved[kept, kept] += (sign * step[kept]).astype(moved.dtype)
        inside = (moved[kept, kept] <= upper[kept]) & (moved[kept, kept] >= lower[kept])
        if inside.any():
            yield moved[inside]


def _domain(problem: Problem) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """Return lowest value, highest value and distance of neighbouring values of each variable; None for real ones."""
    size = problem.num_variables
    if not size:
        return None
    if problem.kind == "cqm":
        model = getattr(problem, "constrained", None)
        if model is None or "REAL" in model.kinds:
            return None
        step = np.where(np.array(model.kinds) == "SPIN", 2.0, 1.0)
        return np.ceil(model.lower), np.floor(model.upper), step
    signed = problem.kind == "projection" or is_spin(problem)
    return np.full(size, -1.0 if signed else 0.0), np.ones(size), np.full(size, 2.0 if signed else 1.0)


def _enumerated(lower: NDArray[Any], upper: NDArray[Any], step: NDArray[Any]) -> NDArray[Any] | None:
    """Return all assignments, (k, d) int64; None where there are more than :data:`ENUMERATED`."""
    counts = (upper - lower) // step + 1
    if (counts < 1).any() or np.log2(counts).sum() > np.log2(ENUMERATED) + 1e-9:
        return None
    whole = counts.astype(np.int64)
    period = np.cumprod(whole) // whole
    places = np.arange(int(whole.prod()))[:, None] // period % whole
    rows: NDArray[np.int64] = (lower + step * places).astype(np.int64)
    return rows
