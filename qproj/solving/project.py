"""One call for a layer: argmin over V ∈ {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F, neuron by neuron or all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_signs
from qproj.projections import SignLayer, SignProjection
from qproj.solving.adapter import Found, child_seeds, judge, solve_each
from qproj.solving.contract import EndedBy, Ending, Solution, Status, Timing, check_limits, verdict
from qproj.solving.recheck import MalformedSolutionError, rechecked
from qproj.solving.registry import get_solver


@dataclass(frozen=True, eq=False)
class LayerSolution(Sequence[Solution]):
    """What a solver found for a layer, in arrays; ``layer[i]`` is neuron i's :class:`Solution`.

    Attributes
    ----------
    weights : (dout, d) int8
    gain, objective, bound, gap : (dout,) float64
        NaN where a neuron has no incumbent or no bound.
    endings : (dout,) of Ending
    ended_by : (dout,) of EndedBy
    timing : Timing
        Of the whole layer.
    stats : mapping
    """

    weights: SignArray
    gain: FloatArray
    objective: FloatArray
    bound: FloatArray
    gap: FloatArray
    endings: tuple[Ending, ...]
    ended_by: tuple[EndedBy, ...]
    timing: Timing
    solver: str = ""
    stats: dict[str, Any] = field(default_factory=dict)
    solution: Callable[[int], Solution] = field(repr=False, default=lambda i: _absent(i))

    @property
    def status(self) -> NDArray[Any]:
        """(dout,) of Status."""
        found = ~np.isnan(self.gain)
        return np.array([verdict(e, bool(f)) for e, f in zip(self.endings, found, strict=True)], dtype=object)

    @property
    def proved(self) -> NDArray[np.bool_]:
        """(dout,) whether each neuron is proved optimal."""
        return np.array([s is Status.OPTIMAL for s in self.status], bool)

    def __len__(self) -> int:
        return len(self.weights)

    @overload
    def __getitem__(self, index: int) -> Solution: ...
    @overload
    def __getitem__(self, index: slice) -> list[Solution]: ...
    def __getitem__(self, index: int | slice) -> Solution | list[Solution]:
        if isinstance(index, slice):
            return [self.solution(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"neuron {index} of {len(self)}")
        return self.solution(index % len(self))

    def require(self) -> LayerSolution:
        """Return self where every neuron has an incumbent; raise NoSolutionError for the first that has none."""
        for i in np.flatnonzero(np.isnan(self.gain)):
            self[int(i)].require()
        return self


def _absent(index: int) -> Solution:
    raise IndexError(f"neuron {index} was not kept")


def layer_of_solutions(solutions: Sequence[Solution], num_weights: int, solver: str) -> LayerSolution:
    """Return separate neurons' solutions as one layer; weights of a neuron without incumbent are 0."""
    count = len(solutions)
    weights = np.zeros((count, num_weights), np.int8)
    for i, solution in enumerate(solutions):
        if solution.best is not None:
            weights[i] = solution.best
    weights.setflags(write=False)
    spent = [solution.timing for solution in solutions]
    kept = list(solutions)
    failures = [failure for solution in solutions for failure in solution.stats.get("failures", ())]
    return LayerSolution(
        weights=weights,
        gain=_column(solution.gain for solution in solutions),
        objective=_column(solution.objective for solution in solutions),
        bound=_column(solution.bound for solution in solutions),
        gap=_column(solution.gap for solution in solutions),
        endings=tuple(Ending(solution.ending) for solution in solutions),
        ended_by=tuple(solution.ended_by for solution in solutions),
        timing=Timing(
            *(sum(getattr(t, part) for t in spent) for part in ("build", "embed", "queue", "solve", "decode"))
        ),
        solver=solver,
        stats={"failures": failures} if failures else {},  # what a chain of solvers went through
        solution=kept.__getitem__,
    )


def layer_of_weights(
    layer: SignLayer, weights: SignArray, gain_bound: FloatArray, proved: NDArray[np.bool_],
    ended_by: Sequence[EndedBy], timing: Timing, solver: str, stats: dict[str, Any] | None = None,
) -> LayerSolution:  # fmt: skip
    """Return a layer's solution from weights found all at once, scored anew by the definition.

    `gain_bound` holds a valid upper bound on each neuron's gain (before rounding), Σ|τ| or better.
    """
    signs = layer.inputs.signs(weights)
    # the same order of summation as SignProjection.gain
    targets = np.ascontiguousarray(layer.T.T)
    gain = (signs * targets).sum(axis=1)
    bound_gain = np.where(proved, gain, np.maximum(gain_bound, gain))
    constant = len(layer.T) + np.vecdot(targets, targets)
    scale = 2.0 * layer_gain_bounds(layer)
    gap = np.where(
        proved | (scale == 0), 0.0, np.clip((bound_gain - gain) / np.where(scale == 0, 1.0, scale), 0.0, 1.0)
    )
    slack = 2.0 * max(len(layer.T), 1) * np.finfo(np.float64).eps * (np.abs(constant) + 2.0 * np.abs(bound_gain))
    endings = tuple(Ending.PROVED if p else Ending.STOPPED for p in proved.tolist())
    weights.setflags(write=False)

    def solution(index: int) -> Solution:
        found = Found(
            candidates=weights[index : index + 1], ending=endings[index], ended_by=ended_by[index],
            gain_bound=float(bound_gain[index]), stats=dict(stats or {}),
        )  # fmt: skip
        return judge(layer[index], found, solver)

    return LayerSolution(
        weights=weights,
        gain=gain,
        objective=constant - 2.0 * gain,
        bound=np.nextafter(constant - 2.0 * bound_gain - slack, -np.inf),
        gap=gap,
        endings=endings,
        ended_by=tuple(ended_by),
        timing=timing,
        solver=solver,
        stats=dict(stats or {}),
        solution=solution,
    )


def layer_gain_bounds(layer: SignLayer) -> FloatArray:
    """Return Σ_g |τ_g| of every neuron, (dout,), from the layer's row groups, found once."""
    tau = layer.inputs.groups.sums(layer.T)
    bounds: FloatArray = np.abs(np.ascontiguousarray(tau.T)).sum(axis=1)
    return bounds


def _column(values: Any) -> FloatArray:
    return np.array([np.nan if value is None else float(value) for value in values], np.float64)


def project(
    X: ArrayLike,
    T: ArrayLike,
    solver: Any = "auto",
    *,
    seed: int | None = 0,
    time_limit_s: float | None = None,
    num_reads: int | None = None,
    hints: ArrayLike | None = None,
    **options: Any,
) -> LayerSolution:
    """Return argmin over V ∈ {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F, σ(0) = +1 (arXiv 2310.15128, section 3.2).

    Parameters
    ----------
    X : (n, d) array_like
        Inputs, ±1 or real.
    T : (n, dout) array_like
        Targets, usually −∂L/∂Y.
    solver : str or Solver
        A name (with `options` for its constructor) or an object with ``solve``.
    seed : int or None
        One seed gives one result, whatever the number of workers, where the work budget ends the search.
    time_limit_s : float, optional
        For the whole layer.
    num_reads : int, optional
        For every neuron, where the solver samples.
    hints : (dout, d) array_like, optional
        Weights to start from, ±1.

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
    check_limits(time_limit_s, seed, num_reads)
    layer = X if isinstance(X, SignLayer) else SignLayer(X, T)
    chosen = get_solver(solver, **options)
    starts = None if hints is None else as_signs(hints, "hints", layer.num_weights)
    if starts is not None and starts.shape != (len(layer), layer.num_weights):
        raise ValueError(f"hints has shape {starts.shape}; ({len(layer)}, {layer.num_weights}) is needed")
    limits: dict[str, Any] = {"time_limit_s": time_limit_s, "seed": seed, "num_reads": num_reads}
    if starts is not None:
        limits["hints"] = starts
    many = getattr(chosen, "solve_many", None)
    solutions = many(layer, **limits) if many is not None else solve_each(chosen, layer, **limits)
    if isinstance(solutions, LayerSolution):
        return solutions
    if len(solutions) != len(layer):
        raise MalformedSolutionError(f"{solver!r} returned {len(solutions)} solutions for {len(layer)} neurons")
    solutions = [rechecked(p, s, chosen) for p, s in zip(layer, solutions, strict=True)]
    return layer_of_solutions(solutions, layer.num_weights, getattr(chosen, "name", type(chosen).__name__))


__all__ = [
    "LayerSolution",
    "SignProjection",
    "child_seeds",
    "layer_of_solutions",
    "layer_of_weights",
    "project",
]
