"""What every encoding knows: its model, its labels, whether its minimiser is exact and why, and the one decode."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import dimod
import numpy as np
from dimod.variables import Variables
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_numpy
from qproj.encodings.columns import Columns, Label

#: Dense coefficient matrices beyond this many variables (512 MiB) are refused rather than swapped to disk.
MAX_VARIABLES = 8192

#: Weight patterns, and patterns of one row's own variables, that brute force goes through at most.
MAX_WEIGHT_BITS = 16
MAX_ROW_BITS = 13


@dataclass(frozen=True, eq=False)
class Encoding:
    """A binary quadratic model whose low states decode to good projections.

    Attributes
    ----------
    name : str
        "majority", "margin", "unbalanced", "paper", "linear" or "metric".
    labels : list of tuple
        One label per variable: ('w', k), ('c', j, b), ('r', g, b), ('y', g), ('p', i, k).
    linear : (N,) float64
    quadratic : (N, N) float64
        Above the diagonal, 0 elsewhere. Energy = linear·x + xᵀ·quadratic·x + offset for x ∈ {0,1}^N.
    exact : bool
        Whether a minimiser of the model is certified to decode to a minimiser of the projection.
    why : str
        The reason, in words.
    smallest_gap : float
        By how much the cheapest wrong indicator of a row is dearer than the right one (0 without indicators).
    error : float
        Largest error of a row's pre-activation x·v that the model's arithmetic can hide (0 for ±1 rows).
    structure : {"clique", "rows", "sparse"}
        Which variables may interact, whatever the values: all pairs; weight bits with each other and with every row's
        own variables, and these within their row; or the pairs with a coefficient.
    """

    name: str
    columns: Columns
    labels: list[Label]
    linear: FloatArray
    quadratic: FloatArray
    offset: float
    exact: bool
    why: str
    gain: Callable[[SignArray], FloatArray] = field(repr=False)
    smallest_gap: float = 0.0
    error: float = 0.0
    structure: str = "sparse"
    options: Mapping[str, object] = field(default_factory=dict)

    @cached_property
    def bqm(self) -> dimod.BinaryQuadraticModel:
        """The model (BINARY), labelled."""
        bqm = dimod.BinaryQuadraticModel(dimod.BINARY)
        bqm.add_linear_from_array(self.linear)  # type: ignore[arg-type]
        bqm.add_quadratic_from_dense(self.quadratic)
        bqm.offset = self.offset
        # relabelling checks every label against all others: it can take longer than the biases
        bqm.variables.__init__(_variables(tuple(self.labels)))  # type: ignore[misc]
        return bqm

    @cached_property
    def coefficients(self) -> FloatArray:
        """(N, N) float64, upper triangular; the diagonal is linear."""
        both = self.quadratic.copy()
        np.fill_diagonal(both, self.linear)
        return both

    @property
    def num_variables(self) -> int:
        """Number of the model's variables: weight bits and slack bits."""
        return len(self.labels)

    @property
    def num_weight_bits(self) -> int:
        """Number of weight bits, one or more per column class."""
        return len(self.columns.labels)

    @cached_property
    def num_interactions(self) -> int:
        return int(np.count_nonzero(self.quadratic))

    @cached_property
    def largest_coefficient(self) -> float:
        return max(largest(self.linear), largest(self.quadratic))

    def decode(self, sample: SampleLike, rng: np.random.Generator | None = None) -> SignArray:
        """Return the ±1 weights of a sample, (d,), or of several, (k, d); only weight bits are read.

        A bare array is in the order of ``labels``. See :func:`decode`.
        """
        return decode(self.columns, sample, lambda: self.labels, rng)

    def verify(self) -> Verification:
        """Compare, by brute force, the best decoded minimiser of the model with the best projection.

        By brute force; see :func:`verify`.
        """
        return verify(self)


@dataclass(frozen=True)
class Verification:
    """What brute force found: the gain of the model's minimiser and the best gain there is.

    ``agrees`` holds where every minimiser of the model decodes to a vector of the best gain.
    """

    agrees: bool
    model_gain: float
    best_gain: float
    minimum_energy: float
    minimisers: int


SampleLike = Mapping[Hashable, float] | dimod.SampleSet | ArrayLike


def decode(
    columns: Columns,
    sample: SampleLike,
    variables: Callable[[], Sequence[Hashable]],
    rng: np.random.Generator | None = None,
) -> SignArray:
    """Return ±1 weights, (d,) or (k, d), from the weight variables of a sample, a sample set or an array.

    Read are ('w', k), the bits ('c', j, b), or the integers ('c', j) of a constrained model; indicators and slacks are
    never trusted. Spin-valued sample sets are read as bits (v+1)/2. `variables` gives the order of a bare array.

    Raises
    ------
    TypeError
        Neither a mapping from variables to values, nor a sample set, nor an array of numbers.
    ValueError
        A weight variable is missing, or holds a value outside its range; an array of another shape.
    """
    if isinstance(sample, tuple) and isinstance(getattr(sample, "sample", None), Mapping):
        sample = sample.sample  # type: ignore[attr-defined]  # sampleset.first, and rows of sampleset.data()
    if isinstance(sample, Mapping):
        single = {label: np.asarray([value]) for label, value in sample.items()}
        vector: SignArray = columns.weights_from_counts(_counts(columns, single, 1), rng)[0]
        return vector
    if isinstance(sample, dimod.SampleSet):
        sampleset = sample.change_vartype(dimod.BINARY, inplace=False) if sample.vartype is dimod.SPIN else sample
        rows, names, shape = np.asarray(sampleset.record.sample), list(sampleset.variables), (-1, columns.num_columns)
    else:
        array, names = as_numpy(sample, "sample"), list(variables())
        if array.ndim not in (1, 2) or array.shape[-1] != len(names):
            raise ValueError(
                f"the sample has shape {array.shape}; ({len(names)},) or (k, {len(names)}) is needed, in the order of "
                "the model's variables: or pass a mapping from variables to values"
            )
        rows, shape = np.atleast_2d(array), (*array.shape[:-1], columns.num_columns)
    counts = _counts(columns, {label: rows[:, i] for i, label in enumerate(names)}, len(rows))
    return columns.weights_from_counts(counts, rng).reshape(shape)


@lru_cache(maxsize=16)
def _variables(labels: tuple[Label, ...]) -> Variables:
    return Variables(labels)


def _counts(columns: Columns, values: Mapping[Hashable, NDArray[Any]], rows: int) -> NDArray[np.int64]:
    integers = {j: ("c", j) for j in range(len(columns.sizes)) if ("c", j) in values}
    counts = np.zeros((rows, len(columns.sizes)), np.int64)
    owners, coefficients = columns.bits
    for label, j, coefficient in zip(columns.labels, owners.tolist(), coefficients.tolist(), strict=True):
        if j in integers:
            continue
        if label not in values:
            raise ValueError(f"the sample has no variable {label!r}; decode samples of this encoding's own model")
        counts[:, j] += coefficient * _whole(values[label], 1, label)
    for j, name in integers.items():
        counts[:, j] = _whole(values[name], int(columns.sizes[j]), name)
    return counts


def _whole(values: NDArray[Any], largest: int, label: Hashable) -> NDArray[np.int64]:
    rounded: NDArray[Any] = np.rint(values)
    if not (np.abs(values - rounded) <= 1e-5).all() or (rounded < 0).any() or (rounded > largest).any():
        raise ValueError(f"variable {label!r} holds a value outside 0..{largest}; weight variables are whole numbers")
    whole: NDArray[np.int64] = rounded.astype(np.int64)
    return whole


def require_positive(name: str, value: object, remedy: str) -> None:
    """Refuse an option that is not a finite number > 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} is {value!r}; {remedy}")
    if not 0 < value < np.inf:
        raise ValueError(f"{name} is {value}; {remedy}")


def require_size(num_variables: int, name: str) -> None:
    """Refuse a model too large to be held as a dense matrix."""
    if num_variables > MAX_VARIABLES:
        raise ValueError(
            f"encode({name!r}) would have {num_variables} variables; at most {MAX_VARIABLES} are built: "
            "use encode('margin'), or a solver that takes projections ('auto', 'local-search')"
        )


def largest(coefficients: FloatArray) -> float:
    """Return max |coefficient|, 0 for none, without a copy; NaN or infinity where there is one."""
    return float(max(coefficients.max(initial=0.0), -coefficients.min(initial=0.0)))


def require_precision(linear: FloatArray, quadratic: FloatArray, smallest: float, name: str) -> None:
    """Refuse coefficients that overflow, or whose sums in float64 would hide the smallest term that matters."""
    sizes = (largest(linear), largest(quadratic))
    most = max(sizes)
    if not all(map(math.isfinite, sizes)):
        raise ValueError(f"encode({name!r}) overflows: its coefficients exceed float64; scale t by 1/max|t| first")
    if smallest > 0 and most * np.finfo(np.float64).eps * len(linear) > smallest:
        raise ValueError(
            f"encode({name!r}) would lose the smallest weight ({smallest:.3g}) beside the largest coefficient "
            f"({most:.3g}) in float64; use 'auto', which takes the projection itself, or drop rows with tiny |t|"
        )


def verify(encoding: Encoding) -> Verification:
    """Return the best decoded gain among the model's minimisers beside max_v gain(v), both by brute force.

    Rows' own variables (slacks, indicators, products) meet each other only within their row, so for every pattern of
    the weight bits they are minimised row by row.

    Raises
    ------
    ValueError
        More than 16 weight bits, or more than 13 variables in one row.
    """
    B = encoding.num_weight_bits
    if B > MAX_WEIGHT_BITS:
        raise ValueError(
            f"verify goes through 2^{B} weight patterns; at most 2^{MAX_WEIGHT_BITS}: verify a smaller case"
        )
    bits = ((np.arange(2**B)[:, None] >> np.arange(B)) & 1).astype(np.float64)
    # without the offset, beside which small weights would vanish in float64
    energies = minimum_energies(replace(encoding, offset=0.0), bits)
    v = encoding.columns.weights_from_counts(encoding.columns.counts_from_bits(bits.astype(np.int64)))
    gains = np.asarray(encoding.gain(v))
    # what summing a row of coefficients in float64 may add or lose, and no more: near ties do not count as ties
    tolerance = 4.0 * np.finfo(np.float64).eps * len(encoding.coefficients) * encoding.largest_coefficient
    lowest = energies <= energies.min() + tolerance
    model_gain, best = float(gains[lowest].min()), float(gains.max())
    spread = float(np.abs(gains).max(initial=0.0))
    return Verification(
        agrees=model_gain >= best - 1e-9 * spread,
        model_gain=model_gain,
        best_gain=best,
        minimum_energy=float(energies.min()) + encoding.offset,
        minimisers=int(lowest.sum()),
    )


def minimum_energies(encoding: Encoding, bits: FloatArray) -> FloatArray:
    """Return, for each 0/1 pattern of the weight bits, shape (k, B), the lowest energy over all other variables."""
    Q, B = encoding.coefficients, encoding.num_weight_bits
    energies: FloatArray = np.einsum("kb,bc,kc->k", bits, Q[:B, :B], bits, optimize=True) + encoding.offset
    rest = sorted(range(B, len(Q)), key=lambda i: encoding.labels[i][1])
    for _, members in itertools.groupby(rest, key=lambda i: encoding.labels[i][1]):
        own = list(members)
        if len(own) > MAX_ROW_BITS:
            raise ValueError(
                f"a row has {len(own)} variables of its own; at most {MAX_ROW_BITS}: verify a smaller case"
            )
        block = Q[np.ix_(own, own)]
        field = bits @ Q[:B, own]
        best = np.full(len(bits), np.inf)
        for pattern in itertools.product((0.0, 1.0), repeat=len(own)):
            s = np.array(pattern)
            best = np.minimum(best, field @ s + s @ block @ s)
        energies += best
    return energies
