"""Layers: one input matrix, many neurons; sequences of projections that share what can be shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, as_matrix, as_numpy, frozen
from qproj._options import call_with_options
from qproj.encodings import Columns, Encoding, MajorityShape, Rows, majority_of
from qproj.projections.aggregation import class_columns
from qproj.projections.content import ByContent
from qproj.projections.linear import LinearProjection
from qproj.projections.sign import ENCODINGS, Inputs, SignProjection, require_square


class LayerProjection(ByContent, Sequence[SignProjection]):
    """argmin over V ∈ {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F: dout independent neurons on shared inputs.

    Immutable; equal and hashed by content.

    Parameters
    ----------
    X : (n, d) array_like
    T : (n, dout) array_like
        T[:, j] is the target of neuron j.
    aggregate_rows, aggregate_columns : bool
        As for :class:`SignProjection`.

    Raises
    ------
    TypeError, ValueError
        As for :class:`SignProjection`.
    """

    T: FloatArray
    inputs: Inputs
    aggregate: tuple[bool, bool]

    def __init__(
        self, X: ArrayLike, T: ArrayLike, *, aggregate_rows: bool = True, aggregate_columns: bool = True
    ) -> None:
        matrix = as_matrix(X, "X")
        self._set(
            T=_targets(T, len(matrix)),
            inputs=Inputs.of(matrix, aggregate_rows),
            aggregate=(bool(aggregate_rows), bool(aggregate_columns)),
        )

    @property
    def X(self) -> FloatArray:
        """(n, d) the inputs, as given."""
        return self.inputs.X

    @property
    def num_weights(self) -> int:
        """The fan-in d."""
        return int(self.inputs.X.shape[1])

    def __len__(self) -> int:
        return int(self.T.shape[1])

    @overload
    def __getitem__(self, index: int) -> SignProjection: ...
    @overload
    def __getitem__(self, index: slice) -> list[SignProjection]: ...
    def __getitem__(self, index: int | slice) -> SignProjection | list[SignProjection]:
        if isinstance(index, slice):
            return [self[j] for j in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"neuron {index} of {len(self)}")
        merge_rows, merge_columns = self.aggregate
        return SignProjection.of_inputs(
            self.inputs, self.T[:, index].copy(), aggregate_rows=merge_rows, aggregate_columns=merge_columns
        )

    def part(self, start: int, stop: int) -> LayerProjection:
        """Return the layer of neurons start, …, stop − 1, on the same inputs."""
        part = LayerProjection.__new__(LayerProjection)
        part._set(T=frozen(self.T[:, start:stop]), inputs=self.inputs, aggregate=self.aggregate)
        return part

    def __iter__(self) -> Iterator[SignProjection]:
        return (self[j] for j in range(len(self)))

    @cached_property
    def tau(self) -> FloatArray:
        """(U, dout) the targets of the union of row groups, τ = 0 kept."""
        return self.inputs.groups.sums(self.T)

    @cached_property
    def rows(self) -> tuple[NDArray[Any], FloatArray, Columns]:
        """(A, Tau, columns) common to all neurons: the union of row groups, τ = 0 kept, and its column classes."""
        inputs = self.inputs
        first = inputs.groups.first
        A = inputs.matrix if len(first) == len(inputs.matrix) else inputs.matrix[first]
        Tau = self.tau
        if not inputs.is_binary:
            return A, Tau, Columns.plain(A.shape[1])
        columns = class_columns(A, merge=self.aggregate[1])
        return A if columns.is_plain else np.ascontiguousarray(A[:, columns.first]), Tau, columns

    def encode(self, name: str = "majority", **options: Any) -> Sequence[Encoding]:
        """Return one encoding a neuron, all over the same variables and, for "majority", of one common structure.

        Unlike ``self[j].encode``, rows whose targets cancel stay, so that one embedding serves every neuron. Each is
        built when it is asked for, so that a large layer's coefficients need not be held together.
        """
        if name not in ENCODINGS or options:
            call_with_options(ENCODINGS, name, "encoding", self._neuron(0), options)  # refuses now, not at first use
        if name != "majority":
            return LayerEncodings(len(self), lambda j: ENCODINGS[name](self._neuron(j), **options))
        factor, bits = options.get("factor", 4.5), options.get("bits", 6)
        shape = MajorityShape.of(self._neuron(0), bits)
        return LayerEncodings(len(self), lambda j: majority_of(shape, self._neuron(j), factor))

    def _neuron(self, index: int) -> Rows:
        A, Tau, columns = self.rows
        problem = self[index]
        return Rows(A, np.ascontiguousarray(Tau[:, index]), columns, problem.constant, problem.gain)

    def _content(self) -> tuple[object, list[NDArray[Any]]]:
        return self.aggregate, [self.inputs.matrix, self.T]

    def __repr__(self) -> str:
        return f"LayerProjection(n={len(self.T)}, d={self.num_weights}, dout={len(self)})"


class LayerEncodings(Sequence[Encoding]):
    """One encoding a neuron, each built anew whenever it is asked for."""

    def __init__(self, count: int, build: Callable[[int], Encoding]) -> None:
        self._count, self._build = count, build

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Encoding: ...
    @overload
    def __getitem__(self, index: slice) -> list[Encoding]: ...
    def __getitem__(self, index: int | slice) -> Encoding | list[Encoding]:
        each = range(self._count)[index]
        return self._build(each) if isinstance(each, int) else [self._build(j) for j in each]


def linear_layer(
    X: ArrayLike, T: ArrayLike, *, scale: float | str = 1.0, weights: ArrayLike | None = None
) -> list[LinearProjection]:
    """Return one linear projection a column of T: argmin over V of Σ_ij a_i (α (X Vᵀ)_ij − T_ij)².

    `weights` is (n,), shared, or (n, dout), one column a neuron.
    """
    matrix = as_matrix(X, "X")
    targets = _targets(T, len(matrix))
    rows = None if weights is None else as_numpy(weights, "weights")
    return [
        LinearProjection(
            matrix, t, scale=scale, weights=None if rows is None else rows if rows.ndim == 1 else rows[:, j]
        )
        for j, t in enumerate(targets.T)
    ]


def _targets(T: ArrayLike, n: int) -> FloatArray:
    targets = as_numpy(T, "T")
    if targets.ndim == 1 and len(targets) == n:
        raise ValueError(
            f"T has shape {targets.shape}; a layer's targets are (n, dout): use T[:, None], or SignProjection"
        )
    targets = as_matrix(targets, "T").astype(np.float64)
    if len(targets) != n:
        raise ValueError(f"T has {len(targets)} rows and X has {n}; one row of targets a row of inputs is needed")
    require_square(targets)
    return frozen(targets)
