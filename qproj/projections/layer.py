"""Layers: many neurons on shared data, as sequences of projections that share what can be shared."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_matrix, as_numpy, require_square
from qproj.encodings import Columns, Encoding, MajorityShape, Rows, SampledModel, majority_of
from qproj.projections.aggregation import class_columns
from qproj.projections.base import Projection
from qproj.projections.content import ByContent
from qproj.projections.inputs import Inputs
from qproj.projections.linear import LinearProjection
from qproj.projections.sign import SignProjection

#: Numbers that a block's neurons have in one row of work space, (neurons, n or d): some 2 MiB of float64.
BLOCK = 1 << 18
#: Vectors among which a guess is chosen.
GUESSES = 16
#: Numbers that are transposed at a time: columns of a large matrix share few lines of the cache.
_TRANSPOSED = 1 << 12


@dataclass(frozen=True, eq=False)
class LayerScore:
    """What the definition gives for one vector per neuron, each (dout,): its gain, and what bounds it.

    Attributes
    ----------
    gain, gain_bound, constant : float64
        objective = constant − 2·gain, and no vector gains more than `gain_bound`.
    met : bool
        Whether the vector reaches its bound, decided without comparing floats.
    gap_scale : float64
        What objective − bound is divided by in the gap.
    terms : int
        How many floats a gain sums.
    """

    gain: FloatArray
    gain_bound: FloatArray
    constant: FloatArray
    met: NDArray[np.bool_]
    gap_scale: FloatArray
    terms: int


class Layer(ByContent, Sequence[Projection]):
    """A sequence of projections that one search may serve together: the neurons of a layer."""

    @property
    @abstractmethod
    def num_weights(self) -> int:
        """The number d of weights per neuron."""

    @property
    @abstractmethod
    def idle(self) -> NDArray[np.bool_]:
        """(dout,) the neurons for which every v is optimal."""

    @property
    @abstractmethod
    def block(self) -> int:
        """How many neurons are searched at once, so that the work space stays small beside the layer."""

    @abstractmethod
    def part(self, start: int, stop: int) -> Self:
        """Return the layer of the neurons start, …, stop − 1, on the same data."""

    @abstractmethod
    def score(self, weights: SignArray) -> LayerScore:
        """Return the score of one ±1 vector per neuron, (dout, d), by the definition."""

    @property
    @abstractmethod
    def guess(self) -> SignArray:
        """(dout, d) weights that cost next to nothing: what a neuron has that no time was left for."""

    @abstractmethod
    def encode(self, name: str, **options: Any) -> Sequence[Encoding]:
        """Return one encoding per neuron, all over the same variables."""

    @property
    def shares_quadratic(self) -> bool:
        """Whether the neurons' models differ in their linear biases only."""
        return False

    def sampled_models(self, encoding: str, options: Mapping[str, Any]) -> Iterator[SampledModel]:
        """Yield one scaled BQM per neuron, all of one structure."""
        return map(SampledModel.of_encoding, self.encode(encoding, **options))

    @abstractmethod
    def neuron(self, index: int) -> Any:
        """Return the projection of one neuron, 0 ≤ index < dout."""

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self.neuron(j) for j in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"neuron {index} of {len(self)}")
        return self.neuron(index % len(self))

    def __iter__(self) -> Iterator[Any]:
        return map(self.neuron, range(len(self)))


class LayerProjection(Layer):
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
            inputs=Inputs(matrix, bool(aggregate_rows)),
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

    @property
    def idle(self) -> NDArray[np.bool_]:
        idle: NDArray[np.bool_] = ~np.any(self.T, axis=0)
        return idle

    @property
    def block(self) -> int:
        return BLOCK // int(max(self.inputs.X.shape))

    def __len__(self) -> int:
        return int(self.T.shape[1])

    def neuron(self, index: int) -> SignProjection:
        merge_rows, merge_columns = self.aggregate
        return SignProjection.of_inputs(
            self.inputs, self.T[:, index].copy(), aggregate_rows=merge_rows, aggregate_columns=merge_columns
        )

    def part(self, start: int, stop: int) -> LayerProjection:
        part = LayerProjection.__new__(LayerProjection)
        part._set(T=self.T[:, start:stop], inputs=self.inputs, aggregate=self.aggregate)
        return part

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
        if not inputs.is_binary:
            return A, self.tau, Columns.plain(A.shape[1])
        columns = class_columns(A, merge=self.aggregate[1])
        return A if columns.is_plain else np.ascontiguousarray(A[:, columns.first]), self.tau, columns

    @property
    def guess(self) -> SignArray:
        """The best, for each neuron, of a few rows of large targets and of their opposites.

        All neurons choose among the same few, so that one product finds the best, and few vectors are scored.
        """
        with np.errstate(over="ignore"):
            size = np.einsum("ij,ij->i", self.T, self.T)
        rows = self.inputs.matrix[np.argsort(-size, kind="stable")[:GUESSES]]
        some = np.where(rows >= 0, np.int8(1), np.int8(-1))
        gains = self.inputs.signs(some).astype(np.float64) @ self.T
        best = np.abs(gains).argmax(axis=0)
        up = gains[best, np.arange(len(self))] >= 0
        weights: SignArray = some[best]
        weights[~up] *= -1
        return weights

    def score(self, weights: SignArray) -> LayerScore:
        count, first = len(weights), self.inputs.groups.first
        merged = len(first) < len(self.T)
        gain, most, constant, met = np.empty(count), np.empty(count), np.empty(count), np.empty(count, np.bool_)
        step = max(1, self.block)
        for low in range(0, count, step):
            part = slice(low, low + step)
            signs = self.inputs.signs(weights[part])
            # signs leave sizes and squares as they are, so all figures are sums over these contiguous products, which
            # are added in the same order as in SignProjection.gain
            products = _times(signs, self.T[:, part])
            gain[part] = products.sum(axis=1)
            constant[part] = len(self.T) + np.vecdot(products, products)
            if merged:
                products = _times(signs[:, first], self.tau[:, part])
            met[part] = products.min(axis=1) >= 0
            most[part] = np.abs(products, out=products).sum(axis=1)
        return LayerScore(gain, most, constant, met, 4.0 * most, len(self.T))

    def encode(self, name: str = "majority", **options: Any) -> Sequence[Encoding]:
        """Return one encoding per neuron, all over the same variables and, for "majority", of one common structure.

        Unlike ``self[j].encode``, rows whose targets cancel stay, so that one embedding serves every neuron. Each is
        built when it is asked for, so that a large layer's coefficients need not be held together.
        """
        SignProjection.check_encoding(name, options)
        if name != "majority":
            build = SignProjection.encodings[name]
            return LayerEncodings(len(self), lambda j: build(self._rows_of(j), **options))
        factor, bits = options.get("factor", 4.5), options.get("bits", 6)
        shape = MajorityShape.of(self._rows_of(0), bits)
        return LayerEncodings(len(self), lambda j: majority_of(shape, self._rows_of(j), factor))

    def _rows_of(self, index: int) -> Rows:
        A, Tau, columns = self.rows
        problem = self.neuron(index)
        return Rows(A, np.ascontiguousarray(Tau[:, index]), columns, problem.constant, problem.gain)

    def _content(self) -> tuple[object, list[NDArray[Any]]]:
        return self.aggregate, [self.inputs.matrix, self.T]

    def __repr__(self) -> str:
        return f"LayerProjection(n={len(self.T)}, d={self.num_weights}, dout={len(self)})"


class LayerEncodings(Sequence[Encoding]):
    """One encoding per neuron, each built whenever it is asked for."""

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
    X: ArrayLike, T: ArrayLike, *, scale: float | str = 1.0, sample_weight: ArrayLike | None = None
) -> list[LinearProjection]:
    """Return one linear projection per column of T: argmin over V of Σ_ij a_i (α (X Vᵀ)_ij − T_ij)².

    `sample_weight` is (n,), shared, or (n, dout), one column per neuron.
    """
    matrix = as_matrix(X, "X")
    targets = _targets(T, len(matrix))
    if sample_weight is None:
        return [LinearProjection(matrix, t, scale=scale) for t in targets.T]
    weights = np.broadcast_to(as_numpy(sample_weight, "sample_weight").T, targets.T.shape)
    return [LinearProjection(matrix, t, scale=scale, sample_weight=a) for t, a in zip(targets.T, weights, strict=True)]


def _times(signs: SignArray, T: FloatArray) -> FloatArray:
    """Return the products of signs (k, n) and targets (n, k), contiguous: (k, n) float64."""
    products = np.empty(signs.shape)
    step = max(1, _TRANSPOSED // len(signs))
    for low in range(0, len(T), step):
        part = slice(low, low + step)
        np.multiply(signs[:, part], T[part].T, out=products[:, part])
    return products


def _targets(T: ArrayLike, n: int) -> FloatArray:
    targets = as_numpy(T, "T")
    if targets.ndim == 1 and len(targets) == n:
        raise ValueError(
            f"T has shape {targets.shape}; a layer's targets are (n, dout): use T[:, None], or SignProjection"
        )
    targets = as_matrix(targets, "T").astype(np.float64)
    if len(targets) != n:
        raise ValueError(f"T has {len(targets)} rows and X has {n}; one row of targets per row of inputs is needed")
    require_square(targets)
    return targets
