"""The sign projection: argmin over v ∈ {±1}^d of ‖σ(X v) − t‖², σ(0) = +1, a weighted binary perceptron."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import dimod
import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import (
    FloatArray,
    SignArray,
    as_matrix,
    as_numpy,
    as_real,
    as_signs,
    as_vector,
    frozen,
    is_sign_matrix,
)
from qproj._options import call_with_options
from qproj.encodings import Columns, Encoding, Rows, constrained, majority, margin, published, unbalanced
from qproj.projections.aggregation import Aggregated, RowGroups, aggregate, group_rows
from qproj.projections.base import Projection
from qproj.projections.content import Immutable

ENCODINGS: dict[str, Callable[..., Encoding]] = {
    "majority": majority,
    "margin": margin,
    "unbalanced": unbalanced,
    "published": published,
}

#: Entries of one block of pre-activations: 4 Mi float64 are 32 MiB.
_BLOCK = 1 << 22


class SignProjection(Projection):
    """argmin over v ∈ {±1}^d of objective(v) = Σ_i (σ(x_i·v) − t_i)² = Σ_i (1 + t_i²) − 2·gain(v).

    gain(v) = Σ_i t_i σ(x_i·v), σ(0) = +1 (arXiv 2310.15128, section 3.2, one neuron). Candidates are ranked by gain:
    for small t the constant would swamp the objective in float64.

    Parameters
    ----------
    X : (n, d) array_like
        Inputs, ±1 or real; numpy, nested lists or a torch tensor of any real dtype.
    t : (n,) array_like
        Targets, one a row; usually −∂L/∂y.
    aggregate_rows, aggregate_columns : bool
        Merge equal rows (and opposite ones when d is odd), and columns equal up to sign: exact for ±1 X.

    Raises
    ------
    TypeError
        Not real numbers.
    ValueError
        Empty, not finite, of mismatched shapes, or |t| beyond 1e150 (its square overflows).

    Examples
    --------
    >>> p = SignProjection([[1, 1, -1], [1, -1, 1]], [0.5, -0.2])
    >>> p.gain([1, 1, -1])
    0.7
    """

    inputs: Inputs
    t: FloatArray
    _merge: tuple[bool, bool]

    def __init__(
        self, X: ArrayLike, t: ArrayLike, *, aggregate_rows: bool = True, aggregate_columns: bool = True
    ) -> None:
        matrix = as_matrix(X, "X")
        target = as_numpy(t, "t")
        if target.ndim == 2:
            raise ValueError(
                f"t has shape {target.shape}; SignProjection is one neuron, t of shape ({len(matrix)},): "
                "use qproj.project(X, T) for a layer"
            )
        vector = as_vector(t, "t", len(matrix))
        require_square(vector)
        self._set(
            inputs=Inputs.of(matrix, aggregate_rows),
            t=frozen(vector),
            _merge=(bool(aggregate_rows), bool(aggregate_columns)),
        )

    @classmethod
    def of_inputs(
        cls, inputs: Inputs, t: FloatArray, *, aggregate_rows: bool = True, aggregate_columns: bool = True
    ) -> SignProjection:
        """Return the projection of one neuron on inputs that other neurons share; nothing is checked or copied."""
        self = cls.__new__(cls)
        self._set(inputs=inputs, t=frozen(t), _merge=(aggregate_rows, aggregate_columns))
        return self

    @property
    def X(self) -> NDArray[Any]:
        """(n, d) the inputs, as given, read-only."""
        return self.inputs.X

    @property
    def num_weights(self) -> int:
        return int(self.inputs.X.shape[1])

    def _gains(self, V: SignArray) -> FloatArray:
        gains = np.empty(len(V))
        step = max(1, _BLOCK // len(self.t))
        for start in range(0, len(V), step):
            signs = self.inputs.signs(V[start : start + step])
            # a plain sum over the last axis adds in the same order for one vector as for many
            gains[start : start + step] = (signs * self.t).sum(axis=1)
        return gains

    @property
    def _terms(self) -> int:
        return len(self.t)

    @cached_property
    def constant(self) -> float:
        """Σ_i (1 + t_i²)."""
        return float(len(self.t) + self.t @ self.t)

    @cached_property
    def gain_bound(self) -> float:
        """Σ_g |τ_g|: no vector gains more; reached exactly where every group's sign is met."""
        return float(np.abs(self.aggregated.tau).sum())

    def gap_scale(self, objective: float) -> float:
        """Return 4 Σ|τ|, the range of the objective: gap = (objective − bound) / gap_scale."""
        return 4.0 * self.gain_bound

    def meets_bound(self, v: ArrayLike) -> bool:
        """Tell whether v meets every group's sign, which proves it optimal; floats are never compared."""
        merged = self.aggregated
        if not len(merged.tau):
            return True
        signs = self.inputs.signs(np.atleast_2d(as_signs(v, "v", self.num_weights)))[0]
        first = merged.groups.first[merged.kept]
        return bool((signs[first] * merged.tau >= 0).all())

    @cached_property
    def aggregated(self) -> Aggregated:
        """What was merged: rows and columns."""
        merge_rows, merge_columns = self._merge
        return aggregate(
            self.inputs.matrix, self.t, self.inputs.groups,
            binary=self.inputs.is_binary, merge_rows=merge_rows, merge_columns=merge_columns,
        )  # fmt: skip

    @property
    def rows(self) -> Rows:
        """The merged neuron as encodings take it; not kept, since it refers back to the projection's gain."""
        merged = self.aggregated
        return Rows(merged.A, merged.tau, merged.columns, self.constant, self.gain)

    def encode(self, name: str = "majority", **options: Any) -> Encoding:
        """Return an encoding: "majority" (exact), "margin", "unbalanced" or "published" (inexact; they say why)."""
        rows = self.rows
        if name == "published":
            plain = SignProjection.of_inputs(
                self.inputs.unmerged, self.t, aggregate_rows=False, aggregate_columns=False
            )
            rows = plain.rows
        encoding: Encoding = call_with_options(ENCODINGS, name, "encoding", rows, options)
        return encoding

    @cached_property
    def cqm(self) -> dimod.ConstrainedQuadraticModel:
        """The one-sided constrained model, with an integer a column class."""
        return constrained(self.rows)

    @property
    def _columns(self) -> Columns:
        return self.aggregated.columns

    def _content(self) -> tuple[object, list[NDArray[Any]]]:
        return self._merge, [self.inputs.matrix, self.t]

    def __repr__(self) -> str:
        n, d = self.X.shape
        return f"SignProjection(n={n}, d={d}, {'±1' if self.inputs.is_binary else 'real'} inputs)"


class Inputs(Immutable):
    """The inputs of one layer: validated once, shared by its neurons, with their row groups found once.

    Attributes
    ----------
    X : (n, d)
        As given, read-only.
    matrix : (n, d) int8 or float64
        The same numbers, int8 where every entry is ±1.
    """

    X: NDArray[Any]
    matrix: NDArray[Any]
    _merge: bool

    def __init__(self, X: NDArray[Any], matrix: NDArray[Any], merge: bool) -> None:
        self._set(X=X, matrix=matrix, _merge=merge)

    @classmethod
    def of(cls, X: NDArray[Any], merge: bool = True) -> Inputs:
        """Return the inputs of a checked matrix, copied."""
        kept = frozen(np.array(X, order="C"))
        if is_sign_matrix(kept):
            return cls(kept, frozen(kept.astype(np.int8)), merge)
        return cls(kept, frozen(as_real(kept, "X")), merge)

    @property
    def is_binary(self) -> bool:
        return self.matrix.dtype == np.int8

    @property
    def unmerged(self) -> Inputs:
        """The same inputs, every row for itself."""
        return Inputs(self.X, self.matrix, merge=False)

    @cached_property
    def groups(self) -> RowGroups:
        odd = self.is_binary and self.matrix.shape[1] % 2 == 1
        return group_rows(self.matrix, merge=self._merge, opposite=odd)

    @cached_property
    def _float_rows(self) -> NDArray[Any]:
        # float32 products of ±1 rows are exact up to d = 2^24, and twice as fast as float64
        return self.matrix.T.astype(np.float32 if self.matrix.shape[1] < 2**24 else np.float64)

    def signs(self, V: SignArray) -> SignArray:
        """Return σ(X v), int8 (k, n), of ±1 vectors of shape (k, d)."""
        if self.is_binary:
            z = V.astype(self._float_rows.dtype) @ self._float_rows
            return np.where(z >= 0, np.int8(1), np.int8(-1))
        # The definition sums a row in numpy's order; a product by BLAS decides all but those near a tie.
        z = V.astype(np.float64) @ self.matrix.T
        signs = np.where(z >= 0, np.int8(1), np.int8(-1))
        for i, g in zip(*np.nonzero(np.abs(z) <= self._near), strict=True):
            signs[i, g] = 1 if (self.matrix[g] * V[i]).sum() >= 0 else -1
        return signs

    @cached_property
    def _near(self) -> FloatArray:
        """(n,) how far two orders of summation of a row can lie apart, doubled."""
        d = self.matrix.shape[1]
        near: FloatArray = 4.0 * d * np.finfo(np.float64).eps * np.abs(self.matrix).sum(axis=1)
        return near


def require_square(t: FloatArray) -> None:
    """Refuse targets whose squares overflow the objective."""
    largest = max(float(t.max(initial=0.0)), -float(t.min(initial=0.0)))  # without a copy of t
    if largest > 1e150:
        raise ValueError(
            f"|t| reaches {largest:.3g}; beyond 1e150 the objective overflows float64: scale t by 1/max|t|"
        )
