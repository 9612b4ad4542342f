"""Solvers that search all neurons of a layer together, and the merged rows that they search on."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_signs
from qproj.encodings import Columns
from qproj.projections import LayerProjection, SignProjection
from qproj.projections.sign import Inputs
from qproj.solvers import Adapter, EndedBy, Request, Solution
from qproj.solvers.contract import Timing, check_limits
from qproj.solvers.layers import layer_of_weights


@dataclass(frozen=True, eq=False)
class Searched:
    """What a search of a layer ends with: weights (dout, d), what ended each neuron's, and what it proved.

    `bound` is an upper bound on each gain in units of :attr:`LayerRows.scale`; None: Σ|τ| alone.
    """

    weights: SignArray
    ended_by: Sequence[EndedBy]
    bound: FloatArray | None = None
    proved: NDArray[np.bool_] | None = None
    stats: dict[str, Any] = field(default_factory=dict)


class LayerAdapter(Adapter):
    """An adapter whose :meth:`solve_many` searches a layer at once; any other sequence is solved one by one."""

    @abstractmethod
    def search_layer(self, rows: LayerRows, problems: Any, ask: Request, starts: SignArray | None) -> Searched:
        """Search all neurons of `rows`, from `starts` (dout, d) where given, until the request's deadline."""

    def solve_many(
        self, problems: Iterable[Any], *, time_limit_s: float | None = None, seed: int | None = None,
        num_reads: int | None = None, hints: Sequence[ArrayLike] | None = None,
    ) -> Sequence[Solution]:  # fmt: skip
        """Return all neurons of a layer, searched together; the time limit is the layer's."""
        if not isinstance(problems, LayerProjection) or num_reads is not None:
            return super().solve_many(problems, time_limit_s=time_limit_s, seed=seed, num_reads=num_reads, hints=hints)
        check_limits(time_limit_s, seed, num_reads)
        begin = time.perf_counter()
        ask = Request(time_limit_s, seed, deadline=None if time_limit_s is None else begin + time_limit_s)
        rows = LayerRows.of_layer(problems)
        starts = None if hints is None else as_signs(np.asarray(hints), "hints", problems.num_weights)
        built = time.perf_counter()
        found = self.search_layer(rows, problems, ask, starts)
        timing = Timing(build=built - begin, solve=time.perf_counter() - built)
        bound = None if found.bound is None else found.bound * rows.scale
        return layer_of_weights(
            problems, found.weights, bound, found.proved, found.ended_by, timing, self.name, found.stats
        )


class LayerRows:
    """A layer's merged rows, common to its neurons: union of groups (τ = 0 kept) and the column classes of that union.

    Attributes
    ----------
    A : (U, C) int8 or float64
    tau : (U, dout) float64
        Merged targets, each neuron's scaled by its largest |τ|: only relative sizes matter.
    scale : (dout,) float64
        That |τ|, 1 where all are 0.
    columns : Columns
    inputs, X, T
        The layer's own inputs and targets.
    first : (U,) intp
        The row of X that stands for each group.
    """

    def __init__(
        self, inputs: Inputs, T: FloatArray, first: NDArray[np.intp], A: NDArray[Any], tau: FloatArray, columns: Columns
    ) -> None:
        self.inputs, self.X, self.T = inputs, inputs.matrix, T
        self.first, self.A, self.columns = first, A, columns
        largest = np.abs(tau).max(axis=0, initial=0.0)
        self.scale: FloatArray = np.where(largest > 0, largest, 1.0)
        self.tau: FloatArray = np.ascontiguousarray(tau / self.scale)

    def met(self, weights: SignArray, neurons: NDArray[np.intp] | slice) -> NDArray[np.bool_]:
        """Tell which weights (k, d) meet every sign of their neuron, by the definition's sums."""
        signs = self.inputs.signs(weights)[:, self.first]
        met: NDArray[np.bool_] = np.all(signs * self.tau[:, neurons].T >= 0, axis=1)
        return met

    @property
    def is_binary(self) -> bool:
        """Whether every entry is ±1."""
        return self.A.dtype == np.int8

    @property
    def expanded(self) -> NDArray[Any]:
        """(U, d) rows over plain columns, each with its class's sign: A v' for v' = v·sign_of equals A over classes."""
        return self.A[:, self.columns.class_of]

    @classmethod
    def of_layer(cls, layer: LayerProjection) -> LayerRows:
        """Return the merged rows of a layer."""
        A, tau, columns = layer.rows
        return cls(layer.inputs, layer.T, layer.inputs.groups.first, A, tau, columns)

    @classmethod
    def of_projection(cls, problem: SignProjection) -> LayerRows:
        """Return one neuron's own merged rows, those with τ = 0 dropped."""
        merged = problem.aggregated
        first = merged.groups.first[merged.kept]
        return cls(problem.inputs, problem.t[:, None], first, merged.A, merged.tau[:, None], merged.columns)
