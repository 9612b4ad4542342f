"""Layers and sequences of problems: the one way in which many problems go through one solver.

A layer is cut into parts. Each part is one call of a solver that can search neurons together, else one call per neuron;
parts follow each other in this process, or are spread over processes by joblib (a Dask cluster's inside
``joblib.parallel_config("dask")``). Every neuron has a seed of its own, so the partition changes no result.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_signs
from qproj._seeds import child_seeds
from qproj.projections import Layer, LayerProjection, as_problem
from qproj.solvers.adapter import LEAST_S, Adapter, LayerRequest, is_scored_here
from qproj.solvers.contract import (
    MalformedSolutionError,
    Request,
    Solution,
    Termination,
    Timing,
    check_limits,
    solver_name,
)
from qproj.solvers.found import Found, LayerFound, rescored, scored
from qproj.solvers.redact import logger
from qproj.solvers.registry import get_solver

#: Neurons per process at a time: many enough to share the work on X, few enough to spread.
BATCH = 32
#: Neurons at a time of a solver whose results depend on the neurons that it is given together.
JOINT_BATCH = 1024


@dataclass(frozen=True, eq=False)
class LayerSolution(Sequence[Solution]):
    """What a solver found for a layer, in arrays; ``layer[i]`` is the :class:`Solution` of neuron i.

    Attributes
    ----------
    weights : (dout, d) int8
        0 for a neuron without incumbent.
    gain, objective, bound, gap, gain_bound : (dout,) float64
        As in :class:`Solution`; NaN where a neuron has no incumbent or no bound.
    terminations : (dout,) object
        A Termination per neuron.
    timing : Timing
        Of the whole layer; times of several processes are added.
    stats : mapping
    """

    weights: SignArray
    gain: FloatArray
    objective: FloatArray
    bound: FloatArray
    gap: FloatArray
    gain_bound: FloatArray
    terminations: NDArray[Any]
    timing: Timing = field(default_factory=Timing)
    solver: str = ""
    stats: dict[str, Any] = field(default_factory=dict)
    _layer: Layer | None = field(repr=False, default=None)
    _solutions: tuple[Solution, ...] = field(repr=False, default=())

    @classmethod
    def of(cls, num_weights: int, solutions: Sequence[Solution], solver: str) -> LayerSolution:
        """Return the separate solutions of a layer's neurons as one; their times are added."""
        weights = np.zeros((len(solutions), num_weights), np.int8)
        figures = np.full((5, len(solutions)), np.nan)
        failures: list[str] = []
        timing = Timing()
        for i, found in enumerate(solutions):
            if found.best is not None:
                weights[i] = found.best
            row = np.array([found.gain, found.objective, found.bound, found.gap, found.gain_bound], object)
            figures[:, i] = row.astype(np.float64)  # None becomes NaN
            failures += found.stats.get("failures", ())
            timing += found.timing
        terminations = np.empty(len(solutions), object)
        terminations[:] = [found.termination for found in solutions]
        weights.setflags(write=False)
        stats = {"failures": failures} if failures else {}
        gain, objective, bound, gap, gain_bound = figures
        return cls(
            weights,
            gain,
            objective,
            bound,
            gap,
            gain_bound,
            terminations,
            timing,
            solver,
            stats,
            None,
            tuple(solutions),
        )

    @property
    def status(self) -> NDArray[Any]:
        """(dout,) of Status."""
        found = ~np.isnan(self.gain)
        return np.array([t.status(f) for t, f in zip(self.terminations, found, strict=True)], dtype=object)

    @property
    def proved(self) -> NDArray[np.bool_]:
        """(dout,) whether each neuron is proved optimal."""
        proved: NDArray[np.bool_] = (self.terminations == Termination.PROVED) & ~np.isnan(self.gain)
        return proved

    def __len__(self) -> int:
        return len(self.weights)

    @overload
    def __getitem__(self, index: int) -> Solution: ...
    @overload
    def __getitem__(self, index: slice) -> list[Solution]: ...
    def __getitem__(self, index: int | slice) -> Solution | list[Solution]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"neuron {index} of {len(self)}")
        i = index % len(self)
        if self._solutions:
            return self._solutions[i]
        assert self._layer is not None
        found = Found(self.weights[i : i + 1], self.terminations[i], float(self.gain_bound[i]), stats=dict(self.stats))
        return scored(self._layer[i], found, self.solver)

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], stats: dict[str, Any] | None = None) -> LayerSolution:
        """Return the solution with the given figures, as ``arrays`` returns them; it keeps no separate solutions."""
        return cls(**dict(arrays), stats=stats or {})  # type: ignore[arg-type]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the figures per neuron by name, each (dout,) or (dout, d)."""
        names = ("weights", "gain", "objective", "bound", "gap", "gain_bound", "terminations")
        return {name: getattr(self, name) for name in names}

    @property
    def has_solutions(self) -> bool:
        """Whether the neurons were solved one by one, so that each keeps its candidates and sample set."""
        return bool(self._solutions)

    def require(self) -> LayerSolution:
        """Return self where every neuron has an incumbent; raise NoSolutionError for the first that has none."""
        for i in np.flatnonzero(np.isnan(self.gain)):
            self[int(i)].require()
        return self


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
    if isinstance(X, Layer):
        if T is not None:
            raise TypeError("a layer has its own targets; pass project(layer), or X and T")
        layer = X
    elif T is None:
        raise TypeError("T is missing; pass X and T, or a qproj.LayerProjection")
    else:
        layer = LayerProjection(X, T)
    chosen = get_solver(solver, **options)
    idle = int(layer.idle.sum())
    if idle:
        logger().info("targets of %d of %d neurons are all zero: every v is optimal there", idle, len(layer))
    found = solve_many(
        chosen, layer, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads, hints=hints, workers=workers
    )
    assert isinstance(found, LayerSolution)
    return found


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
    jobs = ((solver, _part(work, part), request.part(part)) for part in parts)
    if workers is None:
        results = (solve_part(*job, share, own_loop) for job, share in zip(jobs, _shares(time_limit_s, parts)))
    else:
        from joblib import Parallel, delayed, effective_n_jobs

        rounds = math.ceil(len(parts) / max(1, effective_n_jobs(_checked_workers(workers))))
        share = None if time_limit_s is None else time_limit_s / max(1, rounds)
        results = iter(Parallel(n_jobs=workers)(delayed(solve_part)(*job, share, own_loop) for job in jobs))
    if isinstance(work, Layer):
        return _joined(work, parts, results, solver_name(solver))
    return [solution for part in results for solution in part]


def solve_part(
    solver: Any, problems: Sequence[Any], request: LayerRequest, time_limit_s: float | None, own_loop: bool = True
) -> LayerSolution | list[Solution]:
    """Return the solutions of one part: by a search of the layer where the solver has one, else one by one."""
    start = time.perf_counter()
    request = replace(request, deadline=None if time_limit_s is None else start + time_limit_s)
    layer = problems if isinstance(problems, Layer) else None
    trusted = is_scored_here(solver)
    solutions: list[Solution] = []
    if own_loop and has_own_loop(solver):
        solutions = _by_its_own_loop(solver, problems, request, time_limit_s)
        return solutions if layer is None else LayerSolution.of(layer.num_weights, solutions, solver_name(solver))
    if layer is not None and trusted:
        found = solver.search_layer(layer, request)
        if isinstance(found, LayerFound):
            return scored_layer(layer, found, solver.name, Timing(solve=time.perf_counter() - start))
        if found is not None:
            solutions = _scored_each(layer, found, solver.name, time.perf_counter() - start)
            return LayerSolution.of(layer.num_weights, solutions, solver.name)
    for i, problem in enumerate(problems):
        limits = limits_of(request.of_neuron(i))
        answer = solver.solve(problem, **limits)
        solutions.append(answer if trusted else rescored(as_problem(problem), answer, solver))
    return solutions if layer is None else LayerSolution.of(layer.num_weights, solutions, solver_name(solver))


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


def _scored_each(layer: Layer, found: Sequence[Found], solver: str, seconds: float) -> list[Solution]:
    spent = seconds / max(1, len(found))
    solutions = []
    for problem, each in zip(layer, found, strict=True):
        timing = Timing(embed=each.embed_s, queue=each.queue_s, solve=max(0.0, spent - each.embed_s - each.queue_s))
        solutions.append(replace(scored(problem, each, solver), timing=timing))
    return solutions


def scored_layer(layer: Layer, found: LayerFound, solver: str, timing: Timing) -> LayerSolution:
    """Return a layer's solution from weights that were found together, scored by the definition.

    A neuron that reaches its layer's own bound is proved besides those that the search has proved.
    """
    score = layer.score(found.weights)
    terminations = np.array(found.terminations, dtype=object)
    proved = score.met | (terminations == Termination.PROVED)
    terminations[proved] = Termination.PROVED
    bound = score.gain_bound if found.gain_bound is None else np.minimum(score.gain_bound, found.gain_bound)
    bound = np.where(proved, score.gain, np.maximum(bound, score.gain))
    size = np.abs(score.constant) + 2.0 * np.abs(bound)
    slack = 2.0 * max(score.terms, 1) * np.finfo(np.float64).eps * size  # as in `round_down`
    found.weights.setflags(write=False)
    return LayerSolution(
        weights=found.weights,
        gain=score.gain,
        objective=score.constant - 2.0 * score.gain,
        bound=np.nextafter(score.constant - 2.0 * bound - slack, -np.inf),
        gap=np.minimum(2.0 * (bound - score.gain) / np.where(proved, 1.0, score.gap_scale), 1.0),
        gain_bound=bound,
        terminations=terminations,
        timing=timing,
        solver=solver,
        stats=found.stats,
        _layer=layer,
    )


def _joined(layer: Layer, parts: Sequence[slice], results: Iterator[Any], solver: str) -> LayerSolution:
    """Return one layer's solution from those of its parts, in order."""
    weights = np.empty((len(layer), layer.num_weights), np.int8)
    figures = np.empty((5, len(layer)))
    terminations = np.empty(len(layer), object)
    solutions: list[Solution] = []
    stats: dict[str, Any] = {}
    timing = Timing()
    for part, result in zip(parts, results, strict=True):
        weights[part], terminations[part] = result.weights, result.terminations
        figures[:, part] = result.gain, result.objective, result.bound, result.gap, result.gain_bound
        timing += result.timing
        solutions += result._solutions
        _merge(stats, result.stats)
    weights.setflags(write=False)
    gain, objective, bound, gap, gain_bound = figures
    return LayerSolution(
        weights, gain, objective, bound, gap, gain_bound, terminations, timing, solver, stats, layer, tuple(solutions)
    )


def _merge(stats: dict[str, Any], more: dict[str, Any]) -> None:
    """Add up what the parts of a layer report: numbers and lists."""
    for name, value in more.items():
        if isinstance(value, (int, float)) or (isinstance(value, list) and value):
            stats[name] = stats[name] + value if name in stats else value


def _part(work: Sequence[Any], part: slice) -> Sequence[Any]:
    if part == slice(0, len(work)):
        return work
    return work.part(part.start, part.stop) if isinstance(work, Layer) else work[part]


def _part_size(solver: Any, work: Sequence[Any], workers: int | None) -> int:
    """Return how many problems go together; where that can change a result, the number of workers does not."""
    if isinstance(solver, Adapter) and solver.searches_jointly:
        return JOINT_BATCH
    if workers is not None:
        return BATCH
    return max(BATCH, work.block) if isinstance(work, Layer) else max(1, len(work))


def _shares(time_limit_s: float | None, parts: Sequence[slice]) -> Iterator[float | None]:
    """Yield the time limit of each part when its turn comes: its share of what is left."""
    end = None if time_limit_s is None else time.perf_counter() + time_limit_s
    for part in parts:
        left = None if end is None else end - time.perf_counter()
        yield None if left is None else max(left * (part.stop - part.start) / (parts[-1].stop - part.start), LEAST_S)


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
