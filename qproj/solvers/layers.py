"""Layers and sequences of problems: the one way in which many problems go through one solver.

A layer is cut into parts. Each part is one call of a solver that can search neurons together, else one call per neuron;
parts follow each other in this process, or are spread over processes by joblib (a Dask cluster's inside
``joblib.parallel_config("dask")``). Every neuron has its own seed, so the partition changes no result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import as_signs
from qproj._seeds import child_seeds
from qproj.projections import Layer, LayerProjection, as_problem
from qproj.solvers.claims import is_own, without_false_proof
from qproj.solvers.contract import (
    MalformedSolutionError,
    Request,
    Solution,
    Termination,
    Timing,
    check_capabilities,
    check_limits,
    solver_name,
)
from qproj.solvers.found import Found, LayerFound, is_scored_here, rescored, scored, solved
from qproj.solvers.layer_solution import LayerSolution, joined, scored_layer
from qproj.solvers.redact import logger
from qproj.solvers.registry import get_solver
from qproj.solvers.search_progress import SearchProgress

#: Neurons per process at a time: many enough to share the work on X, few enough to spread.
BATCH = 32
#: Neurons at a time of a solver whose results depend on the neurons that it is given together.
JOINT_BATCH = 1024


#: The least time limit that is passed on, and by how much a neuron may be expected to be late, in seconds.
LEAST_S, MOST_LATE_S = 1e-3, 0.1


@dataclass(frozen=True, eq=False)
class LayerRequest:
    """The limits of a call for many problems, the neurons of a layer above all.

    Attributes
    ----------
    seeds : (dout,) of int or None
        One independent seed per neuron, so that a neuron's result does not depend on the others searched with it.
    num_reads : int or None
        Per neuron.
    hints : (dout, d) array, optional
        Assignments to start from.
    deadline : float or None
        The layer's time limit on the clock of ``time.perf_counter``.
    progress : SearchProgress or None
        Where the search of a single neuron reports, if anybody listens.
    """

    seeds: Sequence[int | None]
    num_reads: int | None = None
    hints: Any = None
    deadline: float | None = None
    progress: SearchProgress | None = None

    def part(self, part: slice) -> LayerRequest:
        """Return the request for some of the neurons."""
        return replace(self, seeds=self.seeds[part], hints=None if self.hints is None else self.hints[part])

    def left_s(self, share: float = 1.0) -> float | None:
        """Return a share of the seconds that are left; None without a deadline."""
        return None if self.deadline is None else max(share * (self.deadline - time.perf_counter()), LEAST_S)

    def of_neuron(self, index: int) -> Request:
        """Return the request for the next neuron: with its equal share of the time that is left for the rest."""
        hint = None if self.hints is None else self.hints[index]
        if self.deadline is None:
            return Request(None, self.seeds[index], self.num_reads, hint)
        now = time.perf_counter()
        share = max((self.deadline - now) / (len(self.seeds) - index), LEAST_S)
        return Request(share, self.seeds[index], self.num_reads, hint, now + share)


def project(
    X: ArrayLike | Layer,
    T: ArrayLike | None = None,
    solver: Any = "auto",
    *,
    seed: int | None = None,
    time_limit_s: float | None = None,
    num_reads: int | None = None,
    hints: ArrayLike | None = None,
    workers: int | None = None,
    **options: Any,
) -> LayerSolution:
    """Return argmin over V ∈ {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F, σ(0) = +1 (arXiv 2310.15128, section 3.2).

    Parameters
    ----------
    X : (n, d) array_like
        Inputs, ±1 or real; or a layer such as :class:`qproj.LayerProjection`, which has its own targets.
    T : (n, dout) array_like
        Targets, usually −∂L/∂Z.
    solver : str or Solver
        A name (with `options` for its constructor) or an object with ``solve``.
    seed : int, optional
        One seed gives one result, whatever the number of threads or workers, where the work budget ends the search.
    time_limit_s : float, optional
        For the whole layer.
    num_reads : int, optional
        Per neuron, where the solver samples.
    hints : (dout, d) array_like, optional
        Weights to start from, ±1.
    workers : int, optional
        Processes over which the neurons are spread in batches of 32, −1 for all cores; inside
        ``joblib.parallel_config("dask")`` those of a cluster. Default: the threads of this process.

    Raises
    ------
    TypeError, ValueError
        Bad input, before any work; see :class:`qproj.SignProjection`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> layer = project(rng.choice([-1, 1], (8, 32)), rng.normal(size=(8, 4)))
    >>> layer.weights.shape, bool(layer.proved.all())
    ((4, 32), True)
    """
    layer = _as_layer(X, T)
    chosen = get_solver(solver, **options)
    idle = int(layer.idle.sum())
    if idle:
        logger().info("targets of %d of %d neurons are all zero: every v is optimal there", idle, len(layer))
    found = solve_many(
        chosen, layer, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads, hints=hints, workers=workers
    )
    assert isinstance(found, LayerSolution)
    return found


def _as_layer(X: ArrayLike | Layer, T: ArrayLike | None) -> Layer:
    """Return the layer of inputs and targets, or a layer itself; TypeError where targets are missing or given twice."""
    if isinstance(X, Layer):
        if T is not None:
            raise TypeError("a layer has its own targets; pass project(layer), or X and T")
        return X
    if T is None:
        raise TypeError("T is missing; pass X and T, or a qproj.LayerProjection")
    return LayerProjection(X, T)


def solve_many(
    solver: Any,
    problems: Sequence[Any],
    *,
    time_limit_s: float | None = None,
    seed: int | None = None,
    num_reads: int | None = None,
    hints: ArrayLike | None = None,
    workers: int | None = None,
    own_loop: bool = True,
) -> LayerSolution | list[Solution]:
    """Return one solution per problem by any solver, scored by the definition; a layer gives a LayerSolution.

    The time limit is for all problems together: each part gets its share of what is left. With `own_loop`, a solver
    that brings a ``solve_many`` of its own is called through it.
    """
    check_limits(time_limit_s, seed, num_reads)
    work = problems if isinstance(problems, Layer) else list(problems)
    states = None if hints is None else _checked_hints(hints, work)
    request = LayerRequest(child_seeds(seed, len(work)), num_reads, states)
    size = _part_size(solver, work, workers)
    if workers is None and len(work) <= size:
        return solve_part(solver, work, request, time_limit_s, own_loop)
    parts = [slice(start, min(start + size, len(work))) for start in range(0, len(work), size)]
    results: Iterable[tuple[slice, Any]]
    if workers is None:
        results = _in_time(solver, work, request, time_limit_s, parts, own_loop)
    else:
        from joblib import Parallel, delayed, effective_n_jobs

        rounds = math.ceil(len(parts) / max(1, effective_n_jobs(_checked_workers(workers))))
        share = None if time_limit_s is None else time_limit_s / max(1, rounds)
        jobs = ((solver, _part(work, part), request.part(part)) for part in parts)
        solved_parts = Parallel(n_jobs=workers)(delayed(solve_part)(*job, share, own_loop) for job in jobs)
        results = zip(parts, solved_parts, strict=True)
    if isinstance(work, Layer):
        return joined(work, results, solver_name(solver))
    return [solution for _, part in results for solution in part]


def solve_part(
    solver: Any, problems: Sequence[Any], request: LayerRequest, time_limit_s: float | None, own_loop: bool = True
) -> LayerSolution | list[Solution]:
    """Return the solutions of one part: by a search of the layer where the solver has one, else one by one."""
    start = time.perf_counter()
    request = replace(request, deadline=None if time_limit_s is None else start + time_limit_s)
    layer = problems if isinstance(problems, Layer) else None
    solutions: list[Solution] = []
    if own_loop and has_own_loop(solver):
        solutions = _by_its_own_loop(solver, problems, request, time_limit_s)
        return solutions if layer is None else LayerSolution.of(layer.num_weights, solutions, solver_name(solver))
    trusted = layer is not None and is_scored_here(solver)
    if layer is not None and trusted:
        found = solver.search_layer(layer, request)
        if isinstance(found, LayerFound) and not is_own(solver):
            found = _separated(layer, found)
        if isinstance(found, LayerFound):
            return scored_layer(layer, found, solver.name, Timing(solve=time.perf_counter() - start))
        if found is not None:
            solutions = _scored_each(layer, found, solver, time.perf_counter() - start)
            return LayerSolution.of(layer.num_weights, solutions, solver.name)
        # every neuron asks for the same, which is checked once
        check_capabilities(solver.name, solver.capabilities, layer[0], request.num_reads, request.hints)
    for i, problem in enumerate(problems):
        least_s = solver.least_seconds(problem) if trusted and request.deadline is not None else 0.0
        if layer is not None and not _is_time(request, i, least_s):
            if not i:
                return not_reached(layer, request, solver)
            first = LayerSolution.of(layer.num_weights, solutions, solver_name(solver))
            rest = not_reached(layer.part(i, len(layer)), request.part(slice(i, None)), solver)
            return joined(layer, [(slice(0, i), first), (slice(i, len(layer)), rest)], solver_name(solver))
        own = request.of_neuron(i)
        if trusted:
            solutions.append(solver._answer(problem, own))
        else:
            solutions.append(solved(solver, problem, **limits_of(own)))
    return solutions if layer is None else LayerSolution.of(layer.num_weights, solutions, solver_name(solver))


def _is_time(request: LayerRequest, place: int, least_s: float) -> bool:
    """Tell whether to begin the neuron at a place: what is left of all neurons' time does, or nearly does, for it."""
    if request.deadline is None:
        return True
    left = request.deadline - time.perf_counter()
    return least_s <= left + MOST_LATE_S and (left > 0 or not place)


def not_reached(layer: Layer, request: LayerRequest, solver: Any) -> LayerSolution:
    """Return what neurons have that the time limit left no time for: their hints, or a guess that costs nothing.

    ``stats["not_reached"]`` counts them.
    """
    weights = layer.guess if request.hints is None else np.array(request.hints, np.int8)
    terminations = np.array([Termination.CLOCK] * len(layer), object)
    found = LayerFound(weights, terminations, stats={"not_reached": len(layer)})
    return scored_layer(layer, found, solver_name(solver), Timing())


def has_own_loop(solver: Any) -> bool:
    """Return whether a solver brings a ``solve_many`` that is not the base's."""
    return hasattr(solver, "solve_many") and not is_scored_here(solver, "solve_many")


def limits_of(request: Request) -> dict[str, Any]:
    """Return the keywords of ``solve`` that a request stands for; reads and hints only where they are given."""
    limits: dict[str, Any] = {"seed": request.seed}
    for name in ("time_limit_s", "num_reads", "hint"):
        if (value := getattr(request, name)) is not None:
            limits[name] = value
    return limits


def _by_its_own_loop(
    solver: Any, problems: Sequence[Any], request: LayerRequest, time_limit_s: float | None
) -> list[Solution]:
    """Return the re-scored answers of a solver that brings its own ``solve_many``."""
    limits = {"time_limit_s": time_limit_s, "seed": request.seeds[0], "num_reads": request.num_reads}
    if request.hints is not None:
        limits["hints"] = request.hints
    answers = solver.solve_many(problems, **limits)
    if len(answers) != len(problems):
        name = solver_name(solver)
        raise MalformedSolutionError(f"{name} returned {len(answers)} solutions for {len(problems)} problems")
    return [rescored(as_problem(p), answer, solver) for p, answer in zip(problems, answers, strict=True)]


def _scored_each(layer: Layer, found: Sequence[Found], solver: Any, seconds: float) -> list[Solution]:
    spent, own = seconds / max(1, len(found)), is_own(solver)
    solutions = []
    for problem, each in zip(layer, found, strict=True):
        timing = Timing(embed=each.embed_s, queue=each.queue_s, solve=max(0.0, spent - each.embed_s - each.queue_s))
        solution = scored(problem, each, solver.name)
        if not own:
            solution = without_false_proof(problem, solution, solver)
        solutions.append(replace(solution, timing=timing))
    return solutions


def _separated(layer: Layer, found: LayerFound) -> list[Found]:
    """Return the outcome of a layer's search neuron by neuron, so that each proof can be questioned."""
    if found.weights.shape != (len(layer), layer.num_weights):
        raise MalformedSolutionError(
            f"search_layer returned weights of shape {found.weights.shape}; ({len(layer)}, {layer.num_weights}) fits"
        )
    bounds = [None] * len(layer) if found.gain_bound is None else found.gain_bound
    return [
        Found(found.weights[i : i + 1], Termination(found.terminations[i]), bound, message=found.message)
        for i, bound in enumerate(bounds)
    ]


def _part(work: Sequence[Any], part: slice) -> Sequence[Any]:
    if part == slice(0, len(work)):
        return work
    return work.part(part.start, part.stop) if isinstance(work, Layer) else work[part]


def _part_size(solver: Any, work: Sequence[Any], workers: int | None) -> int:
    """Return how many problems go together; where that can change a result, the number of workers does not."""
    if getattr(solver, "searches_jointly", False):
        return JOINT_BATCH
    if workers is not None:
        return BATCH
    return max(BATCH, work.block) if isinstance(work, Layer) else max(1, len(work))


def _in_time(
    solver: Any, work: Sequence[Any], request: LayerRequest, time_limit_s: float | None, parts: Sequence[slice],
    own_loop: bool,
) -> Iterator[tuple[slice, LayerSolution | list[Solution]]]:  # fmt: skip
    """Yield each part and its solutions, in its share of the time that is left when its turn comes.

    What no time is left for of a layer comes as one part, since a product for all of it takes less than many.
    """
    end = None if time_limit_s is None else time.perf_counter() + time_limit_s
    last = parts[-1].stop
    for part in parts:
        left = None if end is None else end - time.perf_counter()
        if left is not None and left <= 0 and part.start and isinstance(work, Layer):
            rest = slice(part.start, last)
            yield rest, not_reached(work.part(part.start, last), request.part(rest), solver)
            return
        share = None if left is None else max(left * (part.stop - part.start) / (last - part.start), LEAST_S)
        yield part, solve_part(solver, _part(work, part), request.part(part), share, own_loop)


def _checked_hints(hints: ArrayLike | None, work: Sequence[Any]) -> NDArray[Any] | None:
    if hints is None:
        return None
    if not isinstance(work, Layer):
        if len(hints) != len(work):  # type: ignore[arg-type]
            raise ValueError(f"{len(hints)} hints for {len(work)} problems; give one each, or none")  # type: ignore[arg-type]
        return hints  # type: ignore[return-value]
    states = as_signs(hints, "hints", work.num_weights)
    if states.shape != (len(work), work.num_weights):
        raise ValueError(f"hints has shape {states.shape}; ({len(work)}, {work.num_weights}) is needed")
    return states


def _checked_workers(workers: int) -> int:
    """Return the number of workers; TypeError or ValueError where it is not an integer, is 0, or is below −1."""
    if isinstance(workers, bool) or not isinstance(workers, int):
        raise TypeError(f"workers is {workers!r}; a number of processes is needed, or −1 for all cores")
    if workers == 0 or workers < -1:
        raise ValueError(f"workers is {workers}; 1 or more processes, or −1 for all cores")
    return workers
