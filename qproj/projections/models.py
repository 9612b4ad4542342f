"""Plain dimod models as problems: every solver also solves published QUBOs and models from elsewhere."""

from __future__ import annotations

import hashlib
import inspect
import math
from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self

import dimod
import numpy as np
from dimod.higherorder.polynomial import BinaryPolynomial
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray
from qproj._labels import canonical_order, label_text, numbered
from qproj.encodings import SampledModel
from qproj.encodings.constrained_model import ConstrainedModel, require_range
from qproj.encodings.expression import Expression
from qproj.projections.base import Problem
from qproj.projections.foreign import bqm_of
from qproj.projections.ommx_instances import is_ommx, model_of_ommx
from qproj.projections.polynomials import bqm_of_polynomial

if TYPE_CHECKING:
    from qproj.encodings.linear_task import LinearTask

Model = dimod.BinaryQuadraticModel | dimod.ConstrainedQuadraticModel


class PlainModel(Problem):
    """min energy of a dimod model, over arrays in the order of ``variables`` and in the model's own vartype.

    gain = offset − objective, the energy without the model's offset, beside which it could round to nothing. Gains of
    whole values are exact sums, rounded once.
    """

    @property
    @abstractmethod
    def model(self) -> Any:
        """The dimod model."""

    @property
    @abstractmethod
    def offset(self) -> float:
        """The constant of the objective."""

    @property
    @abstractmethod
    def canonical(self) -> Self:
        """The same model with its variables sorted by type and text, so that the caller's order drops out."""

    #: Whether the variables are known to be sorted, so that nothing is sorted again where a solver calls another.
    _is_canonical = False

    @cached_property
    def place(self) -> NDArray[np.intp]:
        """(n,) the position in ``canonical.variables`` of each variable."""
        if self._is_canonical:
            return np.arange(self.num_variables)
        place = np.empty(self.num_variables, np.intp)
        place[canonical_order(self.variables)] = np.arange(self.num_variables)
        return place

    @property
    def num_variables(self) -> int:
        return len(self.variables)

    @property
    def gain_bound(self) -> float | None:
        return None

    def gain(self, v: ArrayLike) -> Any:
        """Return offset − objective: a float for (d,), float64 (k,) for (k, d); −inf where infeasible."""
        array = np.asarray(v)
        rows = np.atleast_2d(array)
        if rows.shape[1] != self.num_variables:
            raise ValueError(f"assignments have shape {rows.shape}; (k, {self.num_variables}) is needed")
        gains = 0.0 - self._bare(rows)
        return gains if array.ndim == 2 else float(gains[0])

    def objective(self, v: ArrayLike) -> Any:
        """Return the energy, offset included, of assignments as for :meth:`gain`; +inf where infeasible."""
        return self.objective_of_gain(self.gain(v))

    @abstractmethod
    def _bare(self, V: NDArray[Any]) -> FloatArray:
        """Return the energies (k,) without the offset."""

    def objective_of_gain(self, gain: Any) -> Any:
        return self.offset - gain

    def bound_of_gain(self, gain_bound: float) -> float:
        return float(np.nextafter(self.offset - np.nextafter(gain_bound, np.inf), -np.inf))

    def gap_scale(self, objective: float) -> float:
        return max(1.0, abs(objective))

    def meets_bound(self, v: ArrayLike) -> bool:
        return False


class BQMProblem(PlainModel):
    """min energy of a BQM over its own vartype."""

    kind = "bqm"

    def __init__(self, model: dimod.BinaryQuadraticModel) -> None:
        self._variables: Sequence[Hashable] = list(model.variables)
        vectors = model.to_numpy_vectors(variable_order=self._variables)
        row, column, values = vectors.quadratic
        self._model: dimod.BinaryQuadraticModel | None = model
        self.is_spin = model.vartype is dimod.SPIN
        self.form = Expression(
            np.arange(len(self._variables)),
            np.asarray(vectors.linear_biases, np.float64),
            np.asarray(row, np.intp),
            np.asarray(column, np.intp),
            np.asarray(values, np.float64),
            float(vectors.offset),
        )

    @property
    def model(self) -> dimod.BinaryQuadraticModel:
        if self._model is None:
            form = self.form
            self._model = dimod.BinaryQuadraticModel.from_numpy_vectors(
                form.dense_linear(self.num_variables), (form.first, form.second, form.products), form.offset,
                self.vartype, variable_order=self.variables,
            )  # fmt: skip
        return self._model

    @property
    def bqm(self) -> dimod.BinaryQuadraticModel:
        """The model itself."""
        return self.model

    @property
    def variables(self) -> Sequence[Hashable]:
        return self._variables

    @property
    def vartype(self) -> dimod.Vartype:
        """The model's own vartype, in which ``best`` is given."""
        return dimod.SPIN if self.is_spin else dimod.BINARY

    @cached_property
    def cqm(self) -> dimod.ConstrainedQuadraticModel:
        """The model as a constrained one without constraints."""
        return dimod.ConstrainedQuadraticModel.from_bqm(self.model)

    @property
    def offset(self) -> float:
        return self.form.offset

    @property
    def arrays(self) -> tuple[FloatArray, NDArray[np.intp], NDArray[np.intp], FloatArray, float]:
        """(linear, row, column, quadratic, offset) in the order of ``variables``."""
        form = self.form
        return form.dense_linear(self.num_variables), form.first, form.second, form.products, form.offset

    @cached_property
    def canonical(self) -> BQMProblem:
        """The model with sorted variables and sorted interactions, those that are 0 left out."""
        if self._is_canonical:
            return self
        order = np.argsort(self.place).tolist()
        other = BQMProblem.__new__(BQMProblem)
        other._model, other.is_spin, other._is_canonical = None, self.is_spin, True
        other._variables = [self.variables[i] for i in order]
        other.form = self.form.renumbered(self.place)
        return other

    @cached_property
    def unlabelled(self) -> BQMProblem:
        """The same model over 0, …, n − 1: dimod keeps no table of such labels, for which solvers would ask again."""
        other = BQMProblem.__new__(BQMProblem)
        other._model, other.is_spin, other._is_canonical = None, self.is_spin, True
        other._variables, other.form = range(self.num_variables), self.form
        return other

    def _bare(self, V: NDArray[Any]) -> FloatArray:
        low = -1 if self.is_spin else 0
        if not ((V == 1) | (low == V)).all():
            raise ValueError(f"an assignment holds values other than {low} and 1; the model is {self.vartype.name}")
        return self.form.values(V, offset=False)

    @cached_property
    def gain_bound(self) -> float:
        """−(Σ of each term at its lowest): an upper bound on the gain, rounded up."""
        numbers = self.form.coefficients
        highest = np.abs(numbers) if self.is_spin else np.maximum(-numbers, 0.0)
        return float(np.nextafter(math.fsum(highest.tolist()), np.inf))

    def sampled_model(self, encoding: str, options: Mapping[str, Any]) -> SampledModel:
        """Return the model itself, scaled: a plain model has one encoding only."""
        linear, row, column, quadratic, offset = self.arrays
        scale = float(np.abs(self.form.coefficients).max(initial=0.0)) or 1.0
        bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
            linear / scale, (row, column, quadratic / scale), 0.0, self.vartype
        )
        return SampledModel(bqm, scale, offset, self.variables)

    def num_products(self) -> int:
        return len(self.form.products)

    def linear_task(self, start: NDArray[Any] | None, row_bits: int) -> LinearTask:
        """Return the model with its products linearised."""
        from qproj.encodings.linear_task import QuadraticForm, task_of_form

        linear, first, second, products, _ = self.arrays
        if self.is_spin:
            return task_of_form(QuadraticForm.of_spins(linear, first, second, products, 0.0), start)
        return task_of_form(QuadraticForm(linear, first, second, products, 0.0, spin=False), start)

    @cached_property
    def key(self) -> str:
        """SHA-256 of vartype, sorted labels and coefficients."""
        digest = hashlib.sha256(b"bqm 1 SPIN" if self.is_spin else b"bqm 1 BINARY")
        for i in np.argsort(self.place).tolist():
            label = self.variables[i]
            digest.update(f"{type(label).__name__} {label_text(label)}\n".encode())
        self.form.feed(digest, self.place)
        return digest.hexdigest()


class CQMProblem(PlainModel):
    """min objective of a CQM, the cost of violated soft constraints included, subject to its hard constraints.

    Infeasible assignments have the objective +inf. What counts as feasible: see
    :mod:`qproj.encodings.constrained_model`.
    """

    kind = "cqm"

    def __init__(self, model: dimod.ConstrainedQuadraticModel) -> None:
        self.constrained = ConstrainedModel.of(model)
        self._given = model

    @property
    def variables(self) -> list[Hashable]:
        return self.constrained.labels

    @cached_property
    def model(self) -> dimod.ConstrainedQuadraticModel:
        given = self._given
        if list(given.variables) == self.variables:
            return given
        model = dimod.ConstrainedQuadraticModel()
        for label in self.variables:
            model.add_variable(
                given.vartype(label), label, lower_bound=given.lower_bound(label), upper_bound=given.upper_bound(label)
            )
        model.set_objective(_terms_of(given.objective))
        for label, constraint in given.constraints.items():
            lhs = constraint.lhs
            soft = {"weight": lhs.weight(), "penalty": lhs.penalty()} if lhs.is_soft() else {}
            model.add_constraint_from_iterable(_terms_of(lhs), constraint.sense, constraint.rhs, label, **soft)
        return model

    @property
    def cqm(self) -> dimod.ConstrainedQuadraticModel:
        """The model itself."""
        return self.model

    @property
    def bqm(self) -> dimod.BinaryQuadraticModel:
        """Refused: penalties are not chosen for the caller."""
        raise TypeError(
            "a constrained model has no BQM without chosen penalties; use 'cpsat', 'highs', 'gurobi' or 'scip'"
        )

    @property
    def offset(self) -> float:
        return self.constrained.objective.offset

    @cached_property
    def canonical(self) -> CQMProblem:
        """The model with sorted variables, and constraints sorted by content."""
        other = CQMProblem.__new__(CQMProblem)
        other._given = self._given
        other.constrained = self.constrained.renumbered(canonical_order(self.variables))
        return other

    def _bare(self, V: NDArray[Any]) -> FloatArray:
        return self.constrained.objectives(V, offset=False)

    def num_products(self) -> int:
        form = self.constrained
        return len(form.objective.products) + sum(len(row.expression.products) for row in form.rows)

    def linear_task(self, start: NDArray[Any] | None, row_bits: int) -> LinearTask:
        """Return the model with its products linearised; without a start, none is known."""
        from qproj.encodings.linear_task import task_of_constrained

        return task_of_constrained(self.constrained, start)

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that decides which assignment is best; names of constraints do not."""
        return self.canonical.constrained.digest()


def _terms_of(view: Any) -> list[tuple[Any, ...]]:
    quadratic = [(u, v, bias) for (u, v), bias in view.quadratic.items()]
    return [*view.linear.items(), *quadratic, (view.offset,)]


def hook(problem: Any, name: str) -> Callable[..., Any]:
    """Return a method that solvers ask of a problem; for an object that has only the protocol, what its BQM gives."""
    found: Callable[..., Any] | None = getattr(problem, name, None)
    if found is not None:
        return found
    if name in ("sampled_model", "linear_task", "num_products"):
        method: Callable[..., Any] = getattr(BQMProblem(problem.bqm), name)
        return method
    return partial(getattr(Problem, name), problem)


def as_problem(problem: Any) -> Problem:
    """Return a problem: projections as they are, dimod models wrapped, plain data through :func:`foreign.bqm_of`.

    A ``dimod.BinaryPolynomial`` is reduced to a BQM, and an ``ommx.v1.Instance`` becomes a BQM or a CQM.

    Raises
    ------
    TypeError
        Anything else.
    ValueError
        A model with coefficients that are not finite, or whose sums overflow float64.
    """
    if isinstance(problem, Problem):
        return problem
    if isinstance(problem, dimod.BinaryQuadraticModel):
        wrapped = BQMProblem(problem)
        require_range(wrapped.form, "the BQM")
        return wrapped
    if isinstance(problem, dimod.ConstrainedQuadraticModel):
        return CQMProblem(problem)
    if all(_has(problem, name) for name in ("kind", "variables", "gain", "objective", "bqm")):
        return problem  # type: ignore[no-any-return]
    if isinstance(problem, BinaryPolynomial):
        return as_problem(bqm_of_polynomial(problem))
    if is_ommx(problem):
        return as_problem(model_of_ommx(problem))
    foreign = bqm_of(problem)
    if foreign is not None:
        return as_problem(foreign)
    raise TypeError(
        f"{type(problem).__name__} is not a problem; pass a projection, or a dimod BQM or CQM, a Q dict, "
        "(h, J), a matrix Q, a networkx graph, a dimod polynomial or an OMMX instance; layers go to qproj.project"
    )


def is_spin(problem: Any) -> bool:
    """Return whether a plain model's variables are spins, without making a dimod model to see it."""
    known = getattr(problem, "is_spin", None)
    return bool(problem.bqm.vartype is dimod.SPIN if known is None else known)


def _has(problem: object, name: str) -> bool:
    """Tell whether there is such an attribute, of the object or its class, without computing it."""
    return inspect.getattr_static(problem, name, None) is not None


def labelled(samples: NDArray[Any], labels: Sequence[Hashable]) -> tuple[NDArray[Any], Sequence[Hashable]]:
    """Return samples (k, n) and the labels of their columns for a dimod sample set; labels that are 0…n−1 in order."""
    place = numbered(labels)
    return (samples, list(labels)) if place is None else (samples[:, place], range(len(labels)))


def sampleset_of(problem: Problem, candidates: NDArray[Any], gains: FloatArray) -> dimod.SampleSet:
    """Return the candidates as a sample set over the problem's own variables, energies being objectives."""
    objectives = problem.objective_of_gain(gains)
    samples, labels = labelled(candidates, problem.variables)
    vartype: Any = "INTEGER"
    if problem.kind == "projection":
        samples, vartype = ((candidates + 1) // 2).astype(np.int8), dimod.BINARY
    elif problem.kind == "bqm":
        vartype = dimod.SPIN if is_spin(problem) else dimod.BINARY
    sampleset: dimod.SampleSet = dimod.SampleSet.from_samples(
        (samples, labels), energy=objectives, vartype=vartype, sort_labels=False
    )
    return sampleset
