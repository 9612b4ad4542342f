"""The sign projection: argmin over v ∈ {±1}^d of ‖σ(X v) − t‖², σ(0) = +1, a weighted binary perceptron."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import dimod
import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_matrix, as_numpy, as_signs, as_vector, require_square
from qproj._options import call_with_options
from qproj.encodings import Columns, Encoding, Rows, SampledModel, constrained, majority, margin, paper, unbalanced
from qproj.projections.aggregation import Aggregated, aggregate
from qproj.projections.base import Projection
from qproj.projections.inputs import Inputs

if TYPE_CHECKING:
    from qproj.encodings.linear_task import LinearTask

#: Entries of one block of pre-activations: 4 Mi float64 are 32 MiB.
_BLOCK = 1 << 22
_EPS = float(np.finfo(np.float64).eps)


class SignProjection(Projection):
    """argmin over v ∈ {±1}^d of objective(v) = Σ_i (σ(x_i·v) − t_i)² = Σ_i (1 + t_i²) − 2·gain(v).

    gain(v) = Σ_i t_i σ(x_i·v), σ(0) = +1 (arXiv 2310.15128, section 3.2, one neuron). Candidates are ranked by gain:
    for small t the constant would swamp the objective in float64.

    Parameters
    ----------
    X : (n, d) array_like
        Inputs, ±1 or real; numpy, nested lists or a torch tensor of any real dtype.
    t : (n,) array_like
        Targets, one per row; usually −∂L/∂z.
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

    encodings: ClassVar = {"majority": majority, "margin": margin, "unbalanced": unbalanced, "paper": paper}
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
        inputs = Inputs(matrix, bool(aggregate_rows))
        self._set(inputs=inputs, t=vector, _merge=(bool(aggregate_rows), bool(aggregate_columns)))

    @classmethod
    def of_inputs(
        cls, inputs: Inputs, t: FloatArray, *, aggregate_rows: bool = True, aggregate_columns: bool = True
    ) -> SignProjection:
        """Return the projection of one neuron on inputs that other neurons share; nothing is checked or copied."""
        self = cls.__new__(cls)
        self._set(inputs=inputs, t=t, _merge=(aggregate_rows, aggregate_columns))
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

    def encode(self, name: str | None = None, **options: Any) -> Encoding:
        """Return an encoding: "majority" (exact, the default), "margin", "unbalanced" or "paper".

        The last three are inexact and give the reason as ``why``. "paper" is the encoding of arXiv 2310.15128, whose
        rows and columns are not merged.

        Raises
        ------
        ValueError, TypeError
            An unknown name or option; the nearest is offered.
        """
        rows = self.rows
        if name == "paper":
            plain = SignProjection.of_inputs(
                self.inputs.unmerged, self.t, aggregate_rows=False, aggregate_columns=False
            )
            rows = plain.rows
        encoding: Encoding = call_with_options(self.encodings, name or self._default, "encoding", rows, options)
        return encoding

    def known_optimum(self) -> tuple[SignArray, str] | None:
        """Return a vector of ones where t is all zero, since every v is optimal then."""
        return None if self.t.any() else (np.ones(self.num_weights, np.int8), "t is all zero: every v is optimal")

    def linear_direction(self) -> FloatArray:
        """Return Xᵀt up to a positive factor: its sign is the direction of signSGD."""
        largest = float(np.abs(self.t).max(initial=0.0)) or 1.0  # tiny targets would underflow
        direction: FloatArray = self.inputs.matrix.T.astype(np.float64) @ (self.t / largest)
        return direction

    def sampled_model(self, encoding: str, options: Mapping[str, Any]) -> SampledModel:
        """Return the scaled BQM of the named encoding."""
        return SampledModel.of_encoding(self.encode(encoding, **options))

    def num_products(self) -> int:
        return 0  # its linear model has a row per sign instead

    def linear_task(self, start: NDArray[Any] | None, row_bits: int) -> LinearTask:
        """Return the one-sided model, which begins at `start` or at the direction of signSGD."""
        from qproj.encodings.linear_task import task_of_rows

        first = np.where(self.linear_direction() >= 0, 1, -1).astype(np.int8) if start is None else start
        # the gain is summed over the rows as given, whose targets may cancel in the merged ones
        error = 4.0 * _EPS * (len(self.t) + 1) * float(np.abs(self.t).sum())
        return task_of_rows(self.rows, first, bits=row_bits, error=error)

    @cached_property
    def cqm(self) -> dimod.ConstrainedQuadraticModel:
        """The one-sided constrained model, with an integer per column class."""
        return constrained(self.rows)

    @property
    def _columns(self) -> Columns:
        return self.aggregated.columns

    def _content(self) -> tuple[object, list[NDArray[Any]]]:
        return self._merge, [self.inputs.matrix, self.t]

    def __repr__(self) -> str:
        n, d = self.X.shape
        return f"SignProjection(n={n}, d={d}, {'±1' if self.inputs.is_binary else 'real'} inputs)"
