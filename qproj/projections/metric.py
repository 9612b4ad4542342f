"""The metric projection: argmin over r ∈ {±1}^N of (r − g)ᵀM(r − g), the literal Π of the paper's text."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_matrix, as_vector, require_square, round_down
from qproj.encodings import Encoding, spin_quadratic
from qproj.projections.base import Projection


def _metric(projection: MetricProjection) -> Encoding:
    """Return the N-variable model of (r − g)ᵀM(r − g), which is exact."""
    return spin_quadratic(
        "metric", 2.0 * projection._pairs, -2.0 * projection._field, projection.constant, projection.gain
    )


class MetricProjection(Projection):
    """argmin over r ∈ {±1}^N of (r − g)ᵀM(r − g), M symmetrised; M = I gives sign(g).

    gain(r) = rᵀMg − Σ_{k<l} M_kl r_k r_l, so that objective = constant − 2·gain with constant = gᵀMg + tr M
    (arXiv 2310.15128, section 3.1, with g = −∂L/∂W).

    Parameters
    ----------
    M : (N, N) array_like
        Any real square matrix; its symmetric part counts.
    g : (N,) array_like

    Raises
    ------
    TypeError, ValueError
        Not real numbers, not finite, M not square, g of another length.
    """

    encodings: ClassVar = {"metric": _metric}
    M: NDArray[Any]
    g: FloatArray
    _symmetric: FloatArray
    _pairs: FloatArray
    _field: FloatArray
    _reach: float

    def __init__(self, M: ArrayLike, g: ArrayLike) -> None:
        matrix = np.array(as_matrix(M, "M"))
        if matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"M has shape {matrix.shape}; a metric is square, as long as g")
        vector = as_vector(g, "g", len(matrix))
        require_square(vector)
        with np.errstate(all="ignore"):
            symmetric = (matrix.astype(np.float64) + matrix.T.astype(np.float64)) / 2.0
            reach = (np.abs(vector) + 1.0) @ (np.abs(symmetric) @ (np.abs(vector) + 1.0))
        if not np.isfinite(reach):
            raise ValueError("(r − g)ᵀM(r − g) overflows float64; scale M or g down")
        self._set(
            M=matrix,
            g=vector,
            _symmetric=symmetric,
            _pairs=np.triu(symmetric, 1),
            _field=symmetric @ vector,
            _reach=float(reach),
        )

    @property
    def num_weights(self) -> int:
        return len(self.g)

    def _gains(self, V: SignArray) -> FloatArray:
        gains = np.empty(len(V))
        for i, r in enumerate(V):  # one fixed order of summation per vector
            pairs = ((self._pairs * r).sum(axis=1) * r).sum()
            gains[i] = (self._field * r).sum() - pairs
        return gains

    @cached_property
    def constant(self) -> float:
        """gᵀMg + tr M."""
        return float(self.g @ self._field) + float(np.trace(self._symmetric))

    @cached_property
    def gain_bound(self) -> float:
        """Σ|Mg| + Σ_{k<l}|M_kl|."""
        return float(np.abs(self._field).sum() + np.abs(self._pairs).sum())

    def bound_of_gain(self, gain_bound: float) -> float:
        """Return constant − 2·gain_bound, rounded down by the size of the terms of gᵀMg, which may cancel."""
        return round_down(self.constant - 2.0 * gain_bound, self._reach, self._terms + 4)

    def gap_scale(self, objective: float) -> float:
        """Return 4·gain_bound, more than the range of the objective (1 where that is 0)."""
        return 4.0 * self.gain_bound or 1.0

    def meets_bound(self, v: ArrayLike) -> bool:
        """Tell whether every term of the gain has its best sign."""
        r = np.asarray(v)
        return bool((self._field * r >= 0).all() and (self._pairs * np.outer(r, r) <= 0).all())

    def linear_direction(self) -> FloatArray:
        """Return Mg."""
        return self._field

    def _content(self) -> tuple[object, list[NDArray[Any]]]:
        return "", [self.M.astype(np.float64), self.g]

    def __repr__(self) -> str:
        return f"MetricProjection(N={len(self.g)})"
