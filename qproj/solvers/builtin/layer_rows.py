"""The merged rows of a layer, or of one neuron, as the built-in searches take them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj.encodings import Columns
from qproj.projections import LayerProjection, SignProjection
from qproj.projections.inputs import Inputs
from qproj.solvers.search_progress import SearchProgress


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
    is_binary : bool
        Whether every entry is ±1.
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
        self.is_binary = A.dtype == np.int8
        largest = np.abs(tau).max(axis=0, initial=0.0)
        self.scale: FloatArray = np.where(largest > 0, largest, 1.0)
        self.tau: FloatArray = np.ascontiguousarray(tau / self.scale)

    def met(self, weights: SignArray, neurons: NDArray[np.intp] | slice) -> NDArray[np.bool_]:
        """Tell which weights (k, d) meet every sign of their neuron, by the definition's sums."""
        signs = self.inputs.signs(weights)[:, self.first]
        met: NDArray[np.bool_] = np.all(signs * self.tau[:, neurons].T >= 0, axis=1)
        return met

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


def watch_of(progress: SearchProgress | None, rows: LayerRows) -> Callable[[NDArray[Any]], None] | None:
    """Return what a search of one neuron calls with its column counts, (1, C); None where nobody listens."""
    if progress is None:
        return None
    return lambda counts: progress.candidates(rows.columns.weights_from_counts(np.asarray(counts, np.int64)))
