"""What all projections share: scoring by gain, the objective that follows, identity by content, immutability."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import dimod
import numpy as np
from numpy.typing import ArrayLike

from qproj._arrays import FloatArray, SignArray, as_signs, round_down
from qproj.encodings import Columns, Encoding, decode
from qproj.encodings.encoding import SampleLike
from qproj.projections.content import ByContent


@runtime_checkable
class Problem(Protocol):
    """min objective(v) over assignments v, scored by the problem's own definition.

    ``gain`` grows as ``objective`` falls, and ranks; for plain models it is −objective. Arrays are ±1 for projections,
    else in the model's own vartype, in the order of ``variables``.
    """

    @property
    def kind(self) -> str: ...  # "projection", "bqm" or "cqm"
    @property
    def key(self) -> str: ...
    @property
    def variables(self) -> Sequence[Hashable]: ...
    @property
    def num_variables(self) -> int: ...
    @property
    def bqm(self) -> dimod.BinaryQuadraticModel: ...
    @property
    def cqm(self) -> dimod.ConstrainedQuadraticModel: ...
    @property
    def gain_bound(self) -> float | None: ...  # known without search, or None
    def gain(self, v: ArrayLike) -> Any: ...
    def objective(self, v: ArrayLike) -> Any: ...
    def objective_of_gain(self, gain: Any) -> Any: ...
    def bound_of_gain(self, gain_bound: float) -> float: ...
    def gap_scale(self, objective: float) -> float: ...
    def meets_bound(self, v: ArrayLike) -> bool: ...


class Projection(ByContent, ABC):
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
        """Return the ±1 weights of a sample of ``bqm`` or ``cqm``, (d,), or of a sample set, (k, d).

        A bare array is in the order of ``bqm.variables``. Weight variables alone are read.
        """
        return decode(self._columns, sample, lambda: self.bqm.variables)
