"""The strategy of `auto` for plain models and for projections that are quadratic in the weights: a portfolio.

What proves at once comes first: enumeration of few variables, a tree decomposition where its tables are small. Then
annealing and tabu search, on sparse models anneals that recombine their states, look for incumbents, each followed by
steepest descent, and exact searches for a proof: under a time limit side by side, in threads that the first proof
stops; else one after the other, each within a work budget, so that the result depends on nothing but the seed. What
was asked, and who proved, is in ``message``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj.projections.models import BQMProblem, hook
from qproj.solvers.builtin.backends import answer_of, is_proof
from qproj.solvers.builtin.bucket_elimination import VARIABLE_S, SparseForm, least_degree_first, minimised
from qproj.solvers.builtin.exhaustive import Exhaustive
from qproj.solvers.builtin.relinked_annealing import RelinkedAnnealing
from qproj.solvers.builtin.samplers import SimulatedAnnealing, Tabu, descended
from qproj.solvers.contract import MissingPackageError, Request, Solution, Termination
from qproj.solvers.found import Found
from qproj.solvers.interrupt import is_over, race
from qproj.solvers.registry import get_solver

#: Up to so many variables every assignment is looked at; up to so many more beside other searches, if none proves.
FEW, MORE = 16, 22
#: Seconds per assignment that this takes, about.
ASSIGNMENT_S = 1e-6
#: Annealing's reads without a time limit, and tabu's.
READS, TABU_READS = 100, 10
#: Variables and interactions from which one slice of a search is too short for a read, and reads without a limit few.
LARGE = 200_000
#: Seconds that the tables of a tree decomposition may take without a time limit, and their share of one.
TREE_S, TREE_SHARE = 2.0, 0.5
#: Interactions up to which a model is given to exact searches, which take them one by one.
MOST_TERMS = 60_000
#: Work of CP-SAT without a time limit, in its own deterministic seconds: on models that it proves in about a second,
#: and on larger ones.
SMALL, WORK, MORE_WORK = 32, 60.0, 1.0
#: Seconds below which an exact search is not worth its start.
LEAST_EXACT_S = 0.05
#: Exact searches, most proofs of published QUBOs first; those of floating point confirm their proofs.
EXACT = ("gurobi", "cpsat")
#: For constrained models, first what counts in whole numbers; CP-SAT takes no real variables.
CONSTRAINED = ("cpsat", "highs", "scip", "gurobi")
#: Share of a limit that annealing gets first, and of the rest that walks go on beside more than one exact search.
FIRST_SHARE, BESIDE_SHARE = 0.1, 0.3
#: Variables up to which Gurobi and CP-SAT prove most models that Gurobi's own licence takes within a second.
MIDDLING = 100
_SLICE_S = 0.2
#: Products per variable up to which the states of a model are recombined: of denser ones, two differ in one piece.
SPARSE = 32


def solve_model(problem: Any, request: Request) -> Found:
    """Return argmin of a BQM, a CQM, a linear or a metric projection by whatever proves it soonest."""
    if problem.kind == "cqm":
        return _constrained(problem, request)
    if not problem.num_variables:  # the empty assignment is the only one
        return Found(np.empty((1, 0), np.int8), Termination.PROVED, message="no variables")
    if not isinstance(problem, BQMProblem):
        return _by_portfolio(problem, request)
    # every solver that is asked makes a sample set, whose table of labels weighs more than a sparse model
    return replace(_by_portfolio(problem.unlabelled, request), sampleset=None)


def _by_portfolio(problem: Any, request: Request) -> Found:
    for step in (_enumerated, _by_tree):
        found = step(problem, request)
        if found is not None:
            return found
    return (_in_steps if request.deadline is None else _in_a_race)(problem, request)


def _enumerated(problem: Any, request: Request) -> Found | None:
    if problem.num_variables > FEW:
        return None
    found = Found.of(Exhaustive().solve(problem, time_limit_s=_left(request), on_progress=_listener(request)))
    return replace(found, message=f"every assignment; {found.message}".rstrip("; "))


def _by_tree(problem: Any, request: Request) -> Found | None:
    """Return the optimum of a sparse BQM by dynamic programming, where its tables are small enough for the time."""
    if problem.kind != "bqm" or len(problem.arrays[3]) > 3 * problem.num_variables:
        return None
    left = _left(request)
    most_s = TREE_S if left is None else TREE_SHARE * left
    if VARIABLE_S * problem.num_variables > most_s:
        return None
    linear, first, second, products, _ = problem.arrays
    form = SparseForm.of(linear, first, second, products, -1 if problem.is_spin else 0)
    tried = least_degree_first(form, most_s)
    if len(tried.order) < problem.num_variables or tried.seconds > most_s:
        return None
    best = minimised(form, tried.order, lambda: request.deadline is not None and time.perf_counter() > request.deadline)
    if best is None:
        return None
    text = f"tree decomposition of width {tried.width}"
    return Found(best[None, :], Termination.PROVED, float(problem.gain(best)), message=text)


def _in_steps(problem: Any, request: Request) -> Found:
    """Return the best of annealing, tabu and descent, and of CP-SAT within its work; a seed gives one result."""
    size = max(_size(problem), LARGE)
    reads, tabu_reads = (max(2, each * LARGE // size) for each in (READS, TABU_READS))
    candidates = _annealed(problem, request, reads, None)
    names = ["annealing"]
    if not problem.meets_bound(candidates[0]):
        recombines = _recombines(problem)
        solver: Any = RelinkedAnnealing() if recombines else Tabu()
        count = READS if recombines else tabu_reads
        found = solver.solve(problem, seed=request.seed, num_reads=count, on_progress=_listener(request))
        candidates = _better(problem, candidates, np.asarray(found.candidates)[:1])
        names.append("relinked annealing" if recombines else "tabu search")
    heuristic = Found(candidates, Termination.BUDGET, message=", ".join(names))
    if problem.meets_bound(candidates[0]) or _terms(problem) > MOST_TERMS:
        return heuristic
    few = _is_enumerable(problem)
    work = WORK if problem.num_variables <= SMALL and not few else MORE_WORK
    options = {"deterministic_time": work}
    solution = answer_of(
        "cpsat", problem, options, seed=request.seed, hint=candidates[0], on_progress=_listener(request)
    )
    answers = [] if solution is None else [("cpsat", solution)]
    if few and not is_proof(solution):
        answers.append(("exhaustive", Exhaustive().solve(problem, on_progress=_listener(request))))
    return _joined(problem, heuristic, answers) if answers else heuristic


def _in_a_race(problem: Any, request: Request) -> Found:
    """Return the best of heuristics and exact searches side by side, until a proof or the deadline."""
    begin = time.perf_counter()
    assert request.deadline is not None
    left = request.deadline - begin
    first_end = begin + (0.5 * left if _size(problem) > LARGE else min(FIRST_SHARE * left, 0.5))
    candidates = _annealed(problem, request, READS, first_end)
    heuristic = Found(candidates, Termination.CLOCK, message="annealing")
    left = request.deadline - time.perf_counter()
    if problem.meets_bound(candidates[0]) or left <= 1e-3:
        return heuristic
    asked = left >= LEAST_EXACT_S and _terms(problem) <= MOST_TERMS
    names = [name for name in EXACT if asked and _takes(name, problem)]
    if _is_enumerable(problem) and ASSIGNMENT_S * 2**problem.num_variables < 0.2 * left:
        names.append("exhaustive")
    # two exact searches that may well end get both cores; of larger models they hardly do, and walks go on
    ends_soon = len(names) >= len(EXACT) and problem.num_variables <= MIDDLING
    end = time.perf_counter() + BESIDE_SHARE * left if ends_soon else request.deadline
    searches: list[Callable[[], Any]] = [lambda: _walked(problem, request, candidates, end)]
    searches += [lambda name=name: _exact(name, problem, request, candidates[0]) for name in names]  # type: ignore[misc]
    found = race(searches, is_proof)
    walked = _better(problem, candidates, found[0])
    if not any(map(is_proof, found)) and time.perf_counter() < request.deadline - LEAST_EXACT_S:  # they refused
        walked = _walked(problem, request, walked, request.deadline)
    text = "annealing, tabu search" + (", relinked annealing" if _recombines(problem) else "")
    heuristic = Found(walked, Termination.CLOCK, message=text)
    answers = [(name, one) for name, one in zip(names, found[1:]) if isinstance(one, Solution)]
    return _joined(problem, heuristic, answers)


def _annealed(problem: Any, request: Request, reads: int, end: float | None) -> NDArray[Any]:
    """Return (1, n): the best of annealing, of the hint and of a constant assignment, after descent."""
    limit = None if end is None else max(end - time.perf_counter(), 1e-3)
    found = SimulatedAnnealing().solve(
        problem, time_limit_s=limit, seed=request.seed, num_reads=reads, on_progress=_listener(request)
    )
    candidates = np.asarray(found.candidates)[:1]
    if request.hint is not None:
        candidates = _better(problem, candidates, np.asarray(request.hint)[None, :].astype(candidates.dtype))
    return _better(problem, candidates, descended(problem, candidates))


def _walked(problem: Any, request: Request, candidates: NDArray[Any], end: float) -> NDArray[Any]:
    """Return (1, n): the best of annealing and tabu search by turns until `end` or the end of the race.

    After a first turn of tabu search, sparse models get relinked annealing for the rest.
    """
    turn, best, large, recombines = 0, candidates, _size(problem) > LARGE, _recombines(problem)
    while not is_over():
        left = end - time.perf_counter()
        if left <= 0:
            break
        solver: Any = Tabu() if turn % 2 == large else SimulatedAnnealing()
        seed = None if request.seed is None else request.seed + turn + 1
        limit = min(left, max(_SLICE_S, 0.7 * left if large else 0.0))
        # short searches of a large model go on from the best
        hint = best[0] if large and turn else None
        if recombines and turn:
            solver, limit, hint = RelinkedAnnealing(), left, best[0]
        found = solver.solve(problem, time_limit_s=limit, seed=seed, hint=hint, on_progress=_listener(request))
        best = _better(problem, best, np.asarray(found.candidates)[:1])
        turn += 1
    return _better(problem, best, descended(problem, best))


def _exact(name: str, problem: Any, request: Request, hint: NDArray[Any]) -> Solution | None:
    """Return an exact solver's answer within the time that is left; None where it refuses the model."""
    more: dict[str, Any] = {} if name == "exhaustive" else {"seed": request.seed, "hint": hint}
    return answer_of(name, problem, time_limit_s=_left(request), on_progress=_listener(request), **more)


def _takes(name: str, problem: Any) -> bool:
    """Whether an exact solver is installed, and not known to refuse a model of this size."""
    try:
        get_solver(name)
    except MissingPackageError:
        return False
    return name != "gurobi" or _terms(problem) <= 2000


def _constrained(problem: Any, request: Request) -> Found:
    """Return the answer of the first installed solver that takes the constrained model; never without a limit."""
    real = any(problem.cqm.vartype(v).name == "REAL" for v in problem.variables)
    for name in CONSTRAINED[1:] if real else CONSTRAINED:
        limits: dict[str, Any] = {} if request.deadline is not None else _work_of(name)
        solution = answer_of(
            name, problem, limits, time_limit_s=_left(request), seed=request.seed, on_progress=_listener(request)
        )
        if solution is None:
            continue
        found = Found.of(solution)
        return replace(found, message=f"{name}: {found.message}")
    raise MissingPackageError('no solver of constrained models is installed; pip install "qproj[highs]"')


def _work_of(name: str) -> dict[str, Any]:
    """Return the option of a solver that ends its search without a clock."""
    return {"deterministic_time": WORK} if name == "cpsat" else {"node_limit": 1_000_000}


def _joined(problem: Any, heuristic: Found, answers: list[tuple[str, Solution]]) -> Found:
    """Return the best candidate of all, with the tightest bound; a proof's answer comes with its termination."""
    candidates = heuristic.candidates
    bounds = [one.gain_bound for _, one in answers if one.gain_bound is not None and np.isfinite(one.gain_bound)]
    proof = next(((name, one) for name, one in answers if one.termination is Termination.PROVED), None)
    for _, one in answers:
        if one.best is not None:
            candidates = _better(problem, candidates, np.asarray(one.best)[None, :].astype(candidates.dtype))
    asked = ", ".join([heuristic.message, *(name for name, _ in answers)])
    if proof is None:
        stats = dict(answers[0][1].stats) if answers else {}
        bound = min(bounds, default=None)
        return Found(candidates, heuristic.termination, bound, message=f"{asked}: no proof", stats=stats)
    name, solution = proof
    text = f"{asked}: proved by {name}"
    return Found(candidates, Termination.PROVED, solution.gain_bound, message=text, stats=dict(solution.stats))


def _better(problem: Any, first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Return whichever of two assignments, (1, n) each, gains more; the first where they gain the same."""
    if not len(second) or not len(first):
        return first if len(first) else second
    gains = problem.gain(np.concatenate([first, second.astype(first.dtype)]))
    return first if gains[0] >= gains[1] else second.astype(first.dtype)


def _size(problem: Any) -> int:
    """The number of variables and of products of them."""
    return int(problem.num_variables) + _terms(problem)


def _is_enumerable(problem: Any) -> bool:
    """Whether every assignment may be looked at where no other search proves."""
    return problem.kind == "bqm" and int(problem.num_variables) <= MORE


def _recombines(problem: Any) -> bool:
    """Whether a model is sparse, and neither so small that all searches are equal nor too large for many anneals."""
    N = int(problem.num_variables)
    return problem.kind == "bqm" and N > MIDDLING and _terms(problem) <= SPARSE * N and _size(problem) <= LARGE


def _terms(problem: Any) -> int:
    """The number of products of variables."""
    return int(hook(problem, "num_products")())


def _listener(request: Request) -> Any:
    """What the searches report their incumbents and bounds to; None where nobody listens."""
    return None if request.progress is None else request.progress.event


def _left(request: Request) -> float | None:
    if request.deadline is None:
        return None
    return max(request.deadline - time.perf_counter(), 1e-3)
