"""A layer's solution in arrays, made from separate neurons' solutions or from weights that were found all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj.projections import LayerProjection
from qproj.solvers.adapter import Found, judge
from qproj.solvers.contract import EndedBy, Ending, Solution, Timing, verdict

#: Numbers that a block's neurons have in one row of work space, (neurons, n or d): some 2 MiB of float64.
BLOCK = 1 << 18


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
        ended = np.fromiter((e is Ending.PROVED for e in self.endings), np.bool_, len(self.endings))
        return ended & ~np.isnan(self.gain)

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


@dataclass(frozen=True, eq=False)
class Judged:
    """Neuron i's solution, judged when it is asked for."""

    layer: LayerProjection
    weights: SignArray
    endings: tuple[Ending, ...]
    ended_by: tuple[EndedBy, ...]
    gain_bound: FloatArray
    solver: str
    stats: dict[str, Any]

    def __call__(self, index: int) -> Solution:
        found = Found(
            candidates=self.weights[index : index + 1], ending=self.endings[index], ended_by=self.ended_by[index],
            gain_bound=float(self.gain_bound[index]), stats=dict(self.stats),
        )  # fmt: skip
        return judge(self.layer[index], found, self.solver)


def layer_of_weights(
    layer: LayerProjection, weights: SignArray, gain_bound: FloatArray | None, proved: NDArray[np.bool_] | None,
    ended_by: Sequence[EndedBy], timing: Timing, solver: str, stats: dict[str, Any] | None = None,
) -> LayerSolution:  # fmt: skip
    """Return a layer's solution from weights found all at once, scored anew by the definition.

    `gain_bound` holds a valid upper bound on each neuron's gain (before rounding), where the search has a better one
    than Σ|τ|; `proved` tells which neurons it has proved optimal. Those that meet every sign are proved besides.
    """
    gain, most, constant, met = _scored(layer, weights)
    sure = met if proved is None else proved | met
    bound_gain = np.maximum(most if gain_bound is None else np.minimum(most, gain_bound), gain)
    bound_gain[sure] = gain[sure]
    gap = np.minimum((bound_gain - gain) / np.where(sure, 1.0, 2.0 * most), 1.0)  # signs of τ = 0 are always met
    slack = 2.0 * max(len(layer.T), 1) * np.finfo(np.float64).eps * (np.abs(constant) + 2.0 * np.abs(bound_gain))
    endings = tuple(Ending.PROVED if p else Ending.STOPPED for p in sure.tolist())
    ended = tuple(EndedBy.PROOF if p else e for p, e in zip(sure.tolist(), ended_by, strict=True))
    weights.setflags(write=False)

    return LayerSolution(
        weights=weights,
        gain=gain,
        objective=constant - 2.0 * gain,
        bound=np.nextafter(constant - 2.0 * bound_gain - slack, -np.inf),
        gap=gap,
        endings=endings,
        ended_by=ended,
        timing=timing,
        solver=solver,
        stats=dict(stats or {}),
        solution=Judged(layer, weights, endings, ended, bound_gain, solver, dict(stats or {})),
    )


def _scored(layer: LayerProjection, weights: SignArray) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_]]:
    """Return, a neuron, its gain by the definition, Σ_g |τ_g|, the objective at gain 0, whether all signs are met."""
    count, groups = len(weights), layer.inputs.groups
    gain, most, constant, met = np.empty(count), np.empty(count), np.empty(count), np.empty(count, np.bool_)
    block = max(1, BLOCK // max(len(layer.T), layer.num_weights))
    for low in range(0, count, block):
        part = slice(low, low + block)
        signs = layer.inputs.signs(weights[part])
        tau, targets = np.ascontiguousarray(layer.tau[:, part].T), np.ascontiguousarray(layer.T[:, part].T)
        met[part] = np.all(signs[:, groups.first] * tau >= 0, axis=1)
        most[part] = np.abs(tau).sum(axis=1)
        gain[part] = (signs * targets).sum(axis=1)  # the same order of summation as SignProjection.gain
        constant[part] = len(targets.T) + np.vecdot(targets, targets)
    return gain, most, constant, met


def _column(values: Any) -> FloatArray:
    return np.array([np.nan if value is None else float(value) for value in values], np.float64)
