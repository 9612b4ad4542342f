"""Plain dimod models as problems: every solver also solves published QUBOs and models from elsewhere."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import dimod
import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray
from qproj.encodings import SampledModel
from qproj.projections.base import Problem
from qproj.projections.foreign import bqm_of

if TYPE_CHECKING:
    from qproj.encodings.linear_task import LinearTask

Model = dimod.BinaryQuadraticModel | dimod.ConstrainedQuadraticModel
#: Products held at once while many assignments are scored.
_BLOCK = 1 << 18


class PlainModel(Problem):
    """min energy of a dimod model; gain = −objective, arrays in the order of ``variables`` and its own vartype."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def variables(self) -> Sequence[Hashable]:
        return list(self.model.variables)

    @property
    def num_variables(self) -> int:
        return len(self.model.variables)

    @property
    def gain_bound(self) -> float | None:
        return None

    def objective(self, v: ArrayLike) -> Any:
        """Return the energy, offset included: a float for (d,), float64 (k,) for (k, d); +inf where infeasible."""
        array = np.asarray(v)
        energies = self._energies(np.atleast_2d(array))
        return energies if array.ndim == 2 else float(energies[0])

    def _energies(self, V: NDArray[Any]) -> FloatArray:
        raise NotImplementedError

    def gain(self, v: ArrayLike) -> Any:
        """Return −objective."""
        return -self.objective(v)

    def objective_of_gain(self, gain: Any) -> Any:
        return -gain

    def bound_of_gain(self, gain_bound: float) -> float:
        return float(np.nextafter(-gain_bound, -np.inf))

    def gap_scale(self, objective: float) -> float:
        return max(1.0, abs(objective))

    def meets_bound(self, v: ArrayLike) -> bool:
        return False


class BQMProblem(PlainModel):
    """min energy of a BQM over its own vartype."""

    kind = "bqm"
    model: dimod.BinaryQuadraticModel

    @property
    def bqm(self) -> dimod.BinaryQuadraticModel:
        return self.model

    @cached_property
    def cqm(self) -> dimod.ConstrainedQuadraticModel:
        return dimod.ConstrainedQuadraticModel.from_bqm(self.model)

    @cached_property
    def arrays(self) -> tuple[FloatArray, NDArray[np.intp], NDArray[np.intp], FloatArray, float]:
        """(linear, row, column, quadratic, offset) in the order of ``variables``, float64."""
        vectors = self.model.to_numpy_vectors(variable_order=list(self.model.variables))
        row, column, values = vectors.quadratic
        return (
            np.asarray(vectors.linear_biases, np.float64), np.asarray(row, np.intp), np.asarray(column, np.intp),
            np.asarray(values, np.float64), float(vectors.offset),
        )  # fmt: skip

    def _energies(self, V: NDArray[Any]) -> FloatArray:
        low = -1 if self.model.vartype is dimod.SPIN else 0
        if V.shape[1] != self.num_variables:
            raise ValueError(f"assignments have shape {V.shape}; (k, {self.num_variables}) is needed")
        if not ((V == 1) | (low == V)).all():
            raise ValueError(
                f"an assignment holds values other than {low} and 1; the model is {self.model.vartype.name}"
            )
        linear, row, column, values, offset = self.arrays
        energies = np.empty(len(V))
        step = max(1, _BLOCK // max(1, len(values)))
        for low in range(0, len(V), step):
            x = V[low : low + step].astype(np.float64)
            energies[low : low + step] = x @ linear + (x[:, row] * x[:, column]) @ values + offset
        return energies

    @cached_property
    def gain_bound(self) -> float:
        """−(offset + Σ of each term at its lowest): an upper bound on −energy."""
        linear, _, _, values, offset = self.arrays
        if self.model.vartype is dimod.SPIN:
            lowest = offset - float(np.abs(linear).sum() + np.abs(values).sum())
        else:
            lowest = offset + float(np.minimum(linear, 0).sum() + np.minimum(values, 0).sum())
        size = abs(offset) + float(np.abs(linear).sum() + np.abs(values).sum())
        return -lowest + 4.0 * np.finfo(np.float64).eps * (len(linear) + len(values)) * size

    @cached_property
    def canonical(self) -> CanonicalModel:
        """The coefficients with the variables sorted by type and text: the caller's order of variables drops out."""
        return CanonicalModel.of(list(self.model.variables), *self.arrays)

    def sampled_model(self, encoding: str, options: Mapping[str, Any]) -> SampledModel:
        """Return the model itself, scaled, in the canonical order of its variables: there is no encoding to choose."""
        canonical = self.canonical
        scale = float(max(np.abs(canonical.linear).max(initial=0.0), np.abs(canonical.quadratic).max(initial=0.0)))
        scale = scale or 1.0
        bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
            canonical.linear / scale,
            (canonical.row, canonical.column, canonical.quadratic / scale),
            0.0,
            self.model.vartype,
        )
        return SampledModel(bqm, scale, canonical.offset, canonical.labels, order=canonical.place)

    def linear_task(self, start: NDArray[Any] | None, row_bits: int) -> LinearTask:
        """Return the model with its products linearised."""
        from qproj.encodings.linear_task import QuadraticForm, task_of_form

        linear, first, second, products, offset = self.arrays
        if self.model.vartype is dimod.SPIN:
            return task_of_form(QuadraticForm.of_spins(linear, first, second, products, offset), start)
        return task_of_form(QuadraticForm(linear, first, second, products, offset, spin=False), start)

    @cached_property
    def key(self) -> str:
        """SHA-256 of vartype, sorted labels and coefficients."""
        canonical = self.canonical
        digest = hashlib.sha256(repr((self.model.vartype.name, canonical.labels, canonical.offset + 0.0)).encode())
        for array in (canonical.linear, canonical.row, canonical.column, canonical.quadratic):
            plain = array + 0.0 if array.dtype.kind == "f" else array  # −0 and +0 are one number
            digest.update(np.ascontiguousarray(plain, plain.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class CanonicalModel:
    """A BQM's coefficients in an order that follows from its labels alone; terms that are 0 are left out.

    Attributes
    ----------
    labels : list of n labels
    place : (n,) intp
        The position of each variable of the model.
    linear : (n,) float64
    row, column : (m,) intp
        row < column, sorted.
    quadratic : (m,) float64
    offset : float
    """

    labels: list[Hashable]
    place: NDArray[np.intp]
    linear: FloatArray
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    quadratic: FloatArray
    offset: float

    @classmethod
    def of(
        cls,
        labels: list[Hashable],
        linear: FloatArray,
        row: NDArray[np.intp],
        column: NDArray[np.intp],
        quadratic: FloatArray,
        offset: float,
    ) -> CanonicalModel:
        """Return the coefficients, given in the order of `labels`, in canonical order."""
        order = sorted(range(len(labels)), key=lambda i: (type(labels[i]).__name__, repr(labels[i])))
        place = np.empty(len(labels), np.intp)
        place[order] = np.arange(len(labels))
        kept = np.flatnonzero(quadratic)
        ends = np.sort(np.stack([place[row[kept]], place[column[kept]]]), axis=0)
        by_ends = np.lexsort((ends[1], ends[0]))
        return cls(
            labels=[labels[i] for i in order],
            place=place,
            linear=linear[order],
            row=ends[0][by_ends],
            column=ends[1][by_ends],
            quadratic=quadratic[kept][by_ends],
            offset=offset,
        )


class CQMProblem(PlainModel):
    """min objective of a CQM subject to its constraints; infeasible assignments score +inf."""

    kind = "cqm"
    model: dimod.ConstrainedQuadraticModel

    @property
    def cqm(self) -> dimod.ConstrainedQuadraticModel:
        return self.model

    @property
    def bqm(self) -> dimod.BinaryQuadraticModel:
        raise TypeError(
            "a constrained model has no BQM without chosen penalties; use 'cpsat', 'highs', 'gurobi' or 'scip'"
        )

    #: Slack of a constraint that still counts as met, relative to its coefficients.
    TOLERANCE = 1e-6

    def _energies(self, V: NDArray[Any]) -> FloatArray:
        if V.shape[1] != self.num_variables:
            raise ValueError(f"assignments have shape {V.shape}; (k, {self.num_variables}) is needed")
        labels = self.variables
        energies = np.asarray(self.model.objective.energies((V, labels)), np.float64).copy()
        for i, row in enumerate(V):
            sample = dict(zip(labels, row.tolist(), strict=True))
            if not self.model.check_feasible(sample, rtol=1e-9, atol=self.TOLERANCE) or not self._in_domain(sample):
                energies[i] = np.inf
        return energies

    def _in_domain(self, sample: dict[Hashable, float]) -> bool:
        for label, value in sample.items():
            kind = self.model.vartype(label)
            if kind is dimod.SPIN and value not in (-1, 1):
                return False
            if kind is dimod.BINARY and value not in (0, 1):
                return False
            if not self.model.lower_bound(label) <= value <= self.model.upper_bound(label):
                return False
            if kind is dimod.INTEGER and value != round(value):
                return False
        return True

    def linear_task(self, start: NDArray[Any] | None, row_bits: int) -> LinearTask:
        """Return the model with its products linearised; without a start, none is known."""
        from qproj.encodings.linear_task import task_of_constrained

        return task_of_constrained(self.model, start, atol=self.TOLERANCE, rtol=1e-9)

    @cached_property
    def key(self) -> str:
        """SHA-256 of the model's LP-like text."""
        return hashlib.sha256(str(self.model).encode()).hexdigest()


def hook(problem: Any, name: str) -> Callable[..., Any]:
    """Return a method that solvers ask of a problem; for an object that has only the protocol, what its BQM gives."""
    found: Callable[..., Any] | None = getattr(problem, name, None)
    if found is not None:
        return found
    if name in ("sampled_model", "linear_task"):
        method: Callable[..., Any] = getattr(BQMProblem(problem.bqm), name)
        return method
    return partial(getattr(Problem, name), problem)


def as_problem(problem: Any) -> Problem:
    """Return a problem: projections as they are, dimod models wrapped, plain data through :func:`foreign.bqm_of`.

    Raises
    ------
    TypeError
        Anything else.
    ValueError
        A model with coefficients that are not finite.
    """
    if isinstance(problem, Problem):
        return problem
    if isinstance(problem, dimod.BinaryQuadraticModel):
        wrapped = BQMProblem(problem)
        linear, _, _, values, offset = wrapped.arrays
        if not (np.isfinite(linear).all() and np.isfinite(values).all() and np.isfinite(offset)):
            raise ValueError("the BQM has a coefficient that is NaN or infinite; every bias has to be finite")
        return wrapped
    if isinstance(problem, dimod.ConstrainedQuadraticModel):
        biases = [
            *problem.objective.linear.values(),
            *problem.objective.quadratic.values(),
            problem.objective.offset,
        ]
        if not np.isfinite(biases).all():
            raise ValueError("the CQM has a coefficient that is NaN or infinite; every bias has to be finite")
        return CQMProblem(problem)
    if all(_has(problem, name) for name in ("kind", "variables", "gain", "objective", "bqm")):
        return problem  # type: ignore[no-any-return]
    foreign = bqm_of(problem)
    if foreign is not None:
        return as_problem(foreign)
    raise TypeError(
        f"{type(problem).__name__} is not a problem; pass a projection, or a dimod BQM or CQM, a Q dict, "
        "(h, J), a matrix Q or a networkx graph; layers go to qproj.project"
    )


def _has(problem: object, name: str) -> bool:
    """Tell whether there is such an attribute, of the object or its class, without computing it."""
    return inspect.getattr_static(problem, name, None) is not None


def sampleset_of(problem: Problem, candidates: NDArray[Any], gains: FloatArray) -> dimod.SampleSet:
    """Return the candidates as a sample set over the problem's own variables, energies being objectives."""
    objectives = problem.objective_of_gain(gains)
    labels = list(problem.variables)
    samples: NDArray[Any] = candidates
    vartype: Any = "INTEGER"
    if problem.kind == "projection":
        samples, vartype = ((candidates + 1) // 2).astype(np.int8), dimod.BINARY
    elif problem.kind == "bqm":
        vartype = problem.bqm.vartype
    sampleset: dimod.SampleSet = dimod.SampleSet.from_samples(
        (samples, labels), energy=objectives, vartype=vartype, sort_labels=False
    )
    return sampleset
