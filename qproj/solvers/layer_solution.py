"""What a solver found for a layer, in arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj.projections import Layer
from qproj.solvers.contract import Solution, Termination, Timing
from qproj.solvers.found import Found, LayerFound, scored


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
        if i < len(self._solutions):
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
        """Whether the neurons were solved one by one, so that each that was reached keeps its candidates."""
        return bool(self._solutions)

    def require(self) -> LayerSolution:
        """Return self where every neuron has an incumbent; raise NoSolutionError for the first that has none."""
        for i in np.flatnonzero(np.isnan(self.gain)):
            self[int(i)].require()
        return self


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


def joined(layer: Layer, parts: Iterable[tuple[slice, Any]], solver: str) -> LayerSolution:
    """Return one layer's solution from those of its parts, in order: (neurons, solution) each."""
    weights = np.empty((len(layer), layer.num_weights), np.int8)
    figures = np.empty((5, len(layer)))
    terminations = np.empty(len(layer), object)
    solutions: list[Solution] = []
    stats: dict[str, Any] = {}
    timing = Timing()
    for part, result in parts:
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
