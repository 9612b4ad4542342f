"""What all problems share: scoring by gain, the objective that follows, and the models that solvers are given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import dimod
import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_signs, round_down
from qproj._options import call_with_options, check_named_options
from qproj.encodings import Columns, Encoding, SampledModel, decode
from qproj.encodings.encoding import SampleLike
from qproj.projections.content import ByContent

if TYPE_CHECKING:
    from qproj.encodings.linear_task import LinearTask


class Problem(ABC):
    """min objective(v) over assignments v, scored by the problem's own definition.

    ``gain`` grows as ``objective`` falls, and ranks assignments; for plain models it is offset − objective. Assignments
    are ±1 vectors for projections, else they are in the model's own vartype, in the order of ``variables``. Solvers
    also take an object that has these members without inheriting them.

    Attributes
    ----------
    kind : {"projection", "bqm", "cqm"}
    alternates : bool
        Whether a parameter of the objective is fitted to v, so that a solver has to alternate between the two.
    """

    kind: ClassVar[str]

    @property
    def alternates(self) -> bool:
        """Whether a coefficient is fitted to v, so that a solver has to alternate."""
        return False

    @property
    @abstractmethod
    def key(self) -> str:
        """A digest of everything that decides the objective."""

    @property
    @abstractmethod
    def variables(self) -> Sequence[Hashable]:
        """Labels of the variables."""

    @property
    @abstractmethod
    def num_variables(self) -> int:
        """Number of variables of an assignment."""

    @property
    @abstractmethod
    def bqm(self) -> dimod.BinaryQuadraticModel:
        """The problem as a BQM whose minimisers decode to its own."""

    @property
    @abstractmethod
    def cqm(self) -> dimod.ConstrainedQuadraticModel:
        """The problem as a constrained model."""

    @property
    @abstractmethod
    def gain_bound(self) -> float | None:
        """An upper bound on the gain that is known without search, or None."""

    @abstractmethod
    def gain(self, v: ArrayLike) -> Any:
        """Return the gain, a float for v of shape (d,), (k,) float64 for shape (k, d)."""

    @abstractmethod
    def objective(self, v: ArrayLike) -> Any:
        """Return the objective of assignments, one float64 per row."""

    @abstractmethod
    def objective_of_gain(self, gain: Any) -> Any:
        """Return the objective that belongs to a gain."""

    @abstractmethod
    def bound_of_gain(self, gain_bound: float) -> float:
        """Return the lower bound on the objective that an upper bound on the gain implies, rounded down."""

    @abstractmethod
    def gap_scale(self, objective: float) -> float:
        """Return what objective − bound is divided by in the gap."""

    @abstractmethod
    def meets_bound(self, v: ArrayLike) -> bool:
        """Return whether v is optimal because it reaches :attr:`gain_bound`, decided without comparing floats."""

    # What solvers ask beyond the protocol. The defaults need nothing but the members above.

    def known_optimum(self) -> tuple[NDArray[Any], str] | None:
        """Return an optimal assignment and the reason, where one is known without search."""
        return None

    def linear_direction(self) -> FloatArray:
        """Return u, (d,), such that sign(u) maximises the linear part of the gain."""
        raise TypeError(f"{type(self).__name__} has no linear direction; use 'auto'")

    def num_products(self) -> int:
        """Return how many products of two variables a linear model of the problem has; all pairs by default."""
        return self.num_variables * (self.num_variables - 1) // 2


class Projection(ByContent, Problem):
    """argmin over v ∈ {±1}^d of objective(v) = constant − 2·gain(v).

    Immutable; equal and hashed by content.

    Attributes
    ----------
    encodings : mapping
        The encodings by name, the exact default first.
    """

    kind = "projection"
    encodings: ClassVar[Mapping[str, Callable[..., Encoding]]]

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
    def _gains(self, V: SignArray) -> FloatArray:
        """Return the gains of checked ±1 vectors, shape (k, d)."""

    @property
    def _columns(self) -> Columns:
        return Columns.plain(self.num_weights)

    @property
    def num_variables(self) -> int:
        """Number of weights d."""
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

    def encode(self, name: str | None = None, **options: Any) -> Encoding:
        """Return the named encoding, the exact default without a name.

        Raises
        ------
        ValueError, TypeError
            An unknown name or option; the nearest is offered.
        """
        encoding: Encoding = call_with_options(self.encodings, name or self._default, "encoding", self, options)
        return encoding

    @classmethod
    def check_encoding(cls, name: str, options: Mapping[str, Any]) -> None:
        """Refuse an unknown encoding or option of it, as :meth:`encode` does, without building anything."""
        check_named_options(cls.encodings, name, "encoding", options)

    @property
    def _default(self) -> str:
        return next(iter(self.encodings))

    def sampled_model(self, encoding: str, options: Mapping[str, Any]) -> SampledModel:
        """Return the scaled BQM of the only encoding: `encoding` chooses among those of sign projections."""
        return SampledModel.of_encoding(self.encode())

    def linear_task(self, start: NDArray[Any] | None, row_bits: int) -> LinearTask:
        """Return the linearised model of the only encoding, which has no variables but the weights."""
        from qproj.encodings.linear_task import QuadraticForm, task_of_form

        form = QuadraticForm.of_encoding(self.encode(), constant=self.constant, terms=self._terms)
        return task_of_form(form, start)

    def decode(self, sample: SampleLike) -> SignArray:
        """Return the ±1 weights of a sample of ``bqm`` or ``cqm``, (d,), or of a sample set, (k, d).

        A bare array is in the order of ``bqm.variables``. Weight variables alone are read.
        """
        return decode(self._columns, sample, lambda: self.bqm.variables)
