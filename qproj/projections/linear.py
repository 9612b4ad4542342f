"""The linear projection: argmin over v ∈ {±1}^d of Σ_i a_i (α x_i·v − t_i)², a QUBO in the weights alone."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_matrix, as_vector, require_square
from qproj.encodings import Encoding, spin_quadratic
from qproj.projections.base import Projection

#: Spelling of the scale that minimises the objective for each v.
LEAST_SQUARES = "least-squares"


def _linear(projection: LinearProjection) -> Encoding:
    """Return the d-variable model of Σ a (α x·v − t)², which is exact; a least-squares scale has none."""
    if isinstance(projection.scale, str):
        raise ValueError(
            "a least-squares scale has no quadratic model; give a number, or pass the projection to a solver"
        )
    x, a = projection.scale * projection._x, projection.sample_weight
    gram = x.T @ (a[:, None] * x)
    return spin_quadratic(
        "linear",
        np.triu(2.0 * gram, 1),
        -2.0 * (x.T @ (a * projection.t)),
        float(np.trace(gram)) + projection.constant,
        projection.gain,
    )


class LinearProjection(Projection):
    """argmin over v ∈ {±1}^d of Σ_i a_i (α x_i·v − t_i)².

    With targets κ√d·sign t and sample weights |t| this is the margin surrogate of the sign projection; with α = 1 and
    real t, the projection of a layer without activation.

    Parameters
    ----------
    X : (n, d) array_like
    t : (n,) array_like
    scale : float or "least-squares"
        α. The least-squares α(v) = Σ a t z / Σ a z² depends on v: the objective is then not quadratic, there is no
        model, no bound but 0, and solvers alternate between v and α (a heuristic).
    sample_weight : (n,) array_like, optional
        a ≥ 0, one per row; all 1 by default.

    Raises
    ------
    TypeError, ValueError
        As for :class:`SignProjection`; a scale that is 0 or not finite; a negative sample weight.
    """

    encodings: ClassVar = {"linear": _linear}
    X: NDArray[Any]
    t: FloatArray
    sample_weight: FloatArray
    scale: float | str
    _x: FloatArray

    def __init__(
        self, X: ArrayLike, t: ArrayLike, *, scale: float | str = 1.0, sample_weight: ArrayLike | None = None
    ) -> None:
        matrix = np.array(as_matrix(X, "X"))
        vector = as_vector(t, "t", len(matrix))
        require_square(vector)
        a = np.ones(len(matrix))
        if sample_weight is not None:
            a = as_vector(sample_weight, "sample_weight", len(matrix))
        if (a < 0).any():
            raise ValueError("sample_weight holds a negative entry; it is ≥ 0: flip the sign of t instead")
        scale = _checked_scale(scale)
        size = 1.0 if isinstance(scale, str) else abs(scale)
        with np.errstate(all="ignore"):
            rows = np.abs(matrix.astype(np.float64)).sum(axis=1)
            # both with and without α: sums are formed before it is applied
            reach = (a * np.square(max(size, 1.0) * rows + np.abs(vector))).sum()
        if not np.isfinite(reach) or not np.isfinite(size * size):
            raise ValueError("Σ a (|α x|·1 + |t|)² overflows float64; scale X, t, sample_weight or α down")
        self._set(X=matrix, t=vector, sample_weight=a, _x=matrix.astype(np.float64), scale=scale)

    @property
    def num_weights(self) -> int:
        return int(self.X.shape[1])

    @property
    def alternates(self) -> bool:
        """Whether α is fitted to v, so that a solver has to alternate."""
        return isinstance(self.scale, str)

    def with_scale(self, scale: float) -> LinearProjection:
        """Return the same projection with a given α."""
        return LinearProjection(self.X, self.t, scale=scale, sample_weight=self.sample_weight)

    def best_scale(self, v: ArrayLike) -> float:
        """Return α(v) = Σ a t z / Σ a z², the minimiser over α for this v (1 where z vanishes)."""
        z = self._x @ np.asarray(v, np.float64)
        power = float(self.sample_weight @ (z * z))
        return float(self.sample_weight @ (self.t * z)) / power if power > 0 else 1.0

    def _gains(self, V: SignArray) -> FloatArray:
        gains = np.empty(len(V))
        for i, v in enumerate(V):  # one fixed order of summation per vector
            z = (self._x * v).sum(axis=1)
            if not isinstance(self.scale, str):
                z *= self.scale  # before squaring: α² may be too small for float64
            linear = (self.sample_weight * self.t * z).sum()
            power = (self.sample_weight * z * z).sum()
            if isinstance(self.scale, str):
                gains[i] = 0.5 * linear * (linear / power) if power > 0 else 0.0
            else:
                gains[i] = linear - 0.5 * power
        return gains

    @cached_property
    def constant(self) -> float:
        """Σ a_i t_i²."""
        return float(self.sample_weight @ (self.t * self.t))

    @cached_property
    def gain_bound(self) -> float:
        """Half of Σ a t²: the objective is a sum of squares."""
        return 0.5 * self.constant

    def gap_scale(self, objective: float) -> float:
        """Return Σ a t², the objective at v·α = 0 (1 where that is 0)."""
        return self.constant or 1.0

    def meets_bound(self, v: ArrayLike) -> bool:
        """Tell whether every weighted residual is exactly 0."""
        alpha = self.best_scale(v) if isinstance(self.scale, str) else self.scale
        residual = alpha * (self._x @ np.asarray(v, np.float64)) - self.t
        return bool((self.sample_weight * residual == 0).all())

    @property
    def _terms(self) -> int:
        return len(self.t) * (self.num_weights + 2)

    def bound_of_gain(self, gain_bound: float) -> float:
        """Return constant − 2·gain_bound, rounded down by the sums' own size, which exceeds the constant's."""
        reach = float(self.sample_weight @ np.square(np.abs(self._x).sum(axis=1))) * (
            1.0 if isinstance(self.scale, str) else self.scale**2
        )
        slack = 4.0 * np.finfo(np.float64).eps * self._terms * (abs(self.constant) + reach)
        return float(np.nextafter(self.constant - 2.0 * gain_bound - slack, -np.inf))

    def linear_direction(self) -> FloatArray:
        """Return Xᵀ(a t) up to a positive factor."""
        weighted = self.sample_weight * self.t
        direction: FloatArray = self._x.T @ (weighted / (float(np.abs(weighted).max(initial=0.0)) or 1.0))
        return direction

    def _content(self) -> tuple[object, list[NDArray[Any]]]:
        return self.scale, [self._x, self.t, self.sample_weight]

    def __repr__(self) -> str:
        n, d = self.X.shape
        return f"LinearProjection(n={n}, d={d}, scale={self.scale!r})"


def _checked_scale(scale: object) -> float | str:
    if isinstance(scale, str):
        if scale != LEAST_SQUARES:
            raise ValueError(f"scale is {scale!r}; a number or {LEAST_SQUARES!r} is allowed")
        return scale
    try:
        number = float(scale)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"scale is {scale!r}; a number or {LEAST_SQUARES!r} is allowed") from None
    if not np.isfinite(number) or number == 0:
        raise ValueError(f"scale is {scale}; it is finite and not 0: use 1.0 or {LEAST_SQUARES!r}")
    return number
