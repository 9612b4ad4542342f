"""Plain dimod models as problems: every solver also solves published QUBOs and models from elsewhere."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any

import dimod
import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray
from qproj.projections.base import Problem

Model = dimod.BinaryQuadraticModel | dimod.ConstrainedQuadraticModel
#: Products held at once while many assignments are scored.
_BLOCK = 1 << 18


class PlainModel:
    """min energy of a dimod model; gain = −objective, arrays in the order of ``variables`` and its own vartype."""

    kind: str
    gain_bound: float | None = None

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def variables(self) -> Sequence[Hashable]:
        return list(self.model.variables)

    @property
    def num_variables(self) -> int:
        return len(self.model.variables)

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

    @property
    def key(self) -> str:
        raise NotImplementedError


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
    def gain_bound(self) -> float | None:  # type: ignore[override]
        """−(offset + Σ of each term at its lowest): an upper bound on −energy."""
        linear, _, _, values, offset = self.arrays
        if self.model.vartype is dimod.SPIN:
            lowest = offset - float(np.abs(linear).sum() + np.abs(values).sum())
        else:
            lowest = offset + float(np.minimum(linear, 0).sum() + np.minimum(values, 0).sum())
        size = abs(offset) + float(np.abs(linear).sum() + np.abs(values).sum())
        return -lowest + 4.0 * np.finfo(np.float64).eps * (len(linear) + len(values)) * size

    @cached_property
    def canonical(self) -> tuple[FloatArray, list[Hashable]]:
        """(upper triangular coefficients over ±1 or 0/1, labels), variables sorted by type and text.

        Samplers get this order, so that one seed gives one result however the caller ordered the variables.
        """
        labels = list(self.model.variables)
        order = sorted(range(len(labels)), key=lambda i: (type(labels[i]).__name__, repr(labels[i])))
        place = np.empty(len(labels), np.intp)
        place[order] = np.arange(len(labels))
        linear, row, column, values, _ = self.arrays
        Q = np.zeros((len(labels), len(labels)))
        i, j = place[row], place[column]
        Q[np.minimum(i, j), np.maximum(i, j)] = values
        Q[np.arange(len(labels)), np.arange(len(labels))] = linear[order]
        return Q, [labels[i] for i in order]

    @cached_property
    def key(self) -> str:
        """SHA-256 of vartype, sorted labels and coefficients."""
        Q, labels = self.canonical
        digest = hashlib.sha256(repr((self.model.vartype.name, labels, self.model.offset + 0.0)).encode())
        digest.update((Q + 0.0).astype("<f8").tobytes())
        return digest.hexdigest()


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

    @cached_property
    def key(self) -> str:
        """SHA-256 of the model's LP-like text."""
        return hashlib.sha256(str(self.model).encode()).hexdigest()


def as_problem(problem: Any) -> Problem:
    """Return a problem: projections as they are, dimod models wrapped.

    Raises
    ------
    TypeError
        Anything else.
    ValueError
        A model with coefficients that are not finite.
    """
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
    # not isinstance(problem, Problem): before Python 3.12 that would build the problem's models
    if all(_has(problem, name) for name in ("kind", "variables", "gain", "objective", "bqm")):
        return problem  # type: ignore[no-any-return]
    raise TypeError(
        f"{type(problem).__name__} is no problem; pass a projection, a dimod BQM or CQM; layers go to qproj.project"
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
