"""What all projections share: scoring by gain, the objective that follows, identity by content, immutability."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Hashable
from functools import cached_property
from typing import Any

import dimod
import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_signs, round_down
from qproj.encodings import Columns, Encoding, decode
from qproj.encodings.encoding import SampleLike


class Projection(ABC):
    """argmin over v ∈ {±1}^d of objective(v) = constant − 2·gain(v).

    Immutable; equal and hashed by content.
    """

    kind = "projection"

    @property
    @abstractmethod
    def num_weights(self) -> int:
        """The number d of weights."""

    @property
    @abstractmethod
    def constant(self) -> float:
        """objective(v) + 2·gain(v), the same for every v."""

    @property
    @abstractmethod
    def gain_bound(self) -> float:
        """An upper bound on the gain that costs nothing to know."""

    @abstractmethod
    def gap_scale(self, objective: float) -> float:
        """Return what the difference of objective and bound is divided by in the gap."""

    @abstractmethod
    def meets_bound(self, v: ArrayLike) -> bool:
        """Tell whether v reaches :attr:`gain_bound` exactly, which proves it optimal."""

    @abstractmethod
    def encode(self, name: str = ..., **options: Any) -> Encoding:
        """Return the named encoding."""

    @abstractmethod
    def _gains(self, V: SignArray) -> FloatArray:
        """Return the gains of checked ±1 vectors, shape (k, d)."""

    @abstractmethod
    def _content(self) -> tuple[object, list[NDArray[Any]]]:
        """Return what identifies the projection: a header and arrays."""

    @property
    def _columns(self) -> Columns:
        return Columns.plain(self.num_weights)

    @property
    def num_variables(self) -> int:
        return self.num_weights

    @property
    def variables(self) -> list[Hashable]:
        """Labels of the weights: ('w', 0), …, ('w', d−1)."""
        return [("w", k) for k in range(self.num_weights)]

    def gain(self, v: ArrayLike) -> Any:
        """Return the gain, a float for v of shape (d,), float64 (k,) for shape (k, d).

        Raises ValueError for other shapes and for entries other than ±1.
        """
        signs = as_signs(v, "v", self.num_weights)
        gains = self._gains(np.atleast_2d(signs))
        return gains if signs.ndim == 2 else float(gains[0])

    def objective(self, v: ArrayLike) -> Any:
        """Return constant − 2·gain(v), a float or (k,) float64."""
        return self.objective_of_gain(self.gain(v))

    def objective_of_gain(self, gain: Any) -> Any:
        """Return constant − 2·gain."""
        return self.constant - 2.0 * gain

    def bound_of_gain(self, gain_bound: float) -> float:
        """Return the lower bound on the objective that an upper bound on the gain implies, rounded down."""
        return round_down(self.constant - 2.0 * gain_bound, abs(self.constant) + 2.0 * abs(gain_bound), self._terms)

    @property
    def _terms(self) -> int:
        """How many floats a gain sums."""
        return self.num_weights**2

    @cached_property
    def trivial_bound(self) -> float:
        """Lower bound on the objective that follows from :attr:`gain_bound`, rounded down."""
        return self.bound_of_gain(self.gain_bound)

    @cached_property
    def bqm(self) -> dimod.BinaryQuadraticModel:
        """The model of the default encoding, which is exact (BINARY)."""
        return self.encode().bqm

    @cached_property
    def cqm(self) -> dimod.ConstrainedQuadraticModel:
        """A constrained model with the same minimisers."""
        return dimod.ConstrainedQuadraticModel.from_bqm(self.bqm)

    def decode(self, sample: SampleLike) -> SignArray:
        """Return the ±1 weights of a sample of ``bqm`` or ``cqm``, (d,), or of a sample set, (k, d)."""
        return decode(self._columns, sample)

    @cached_property
    def key(self) -> str:
        """SHA-256 of the projection's canonical bytes, in hex."""
        header, arrays = self._content()
        digest = hashlib.sha256(f"qproj {type(self).__name__} 1 {header!r}".encode())
        for array in arrays:
            plain = array + 0.0 if array.dtype.kind == "f" else array  # −0 and +0 are one number
            digest.update(f"{plain.shape} {plain.dtype.kind}{plain.dtype.itemsize}".encode())
            digest.update(np.ascontiguousarray(plain, plain.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Projection) and self.key == other.key

    def __hash__(self) -> int:
        return int(self.key[:15], 16)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; make a new one to change {name!r}")

    def _set(self, **fields: object) -> None:
        self.__dict__.update(fields)
