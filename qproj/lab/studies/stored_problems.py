"""Published QUBOs and layers of neurons, side by side in one study: as a store keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj.formats.text import read_models
from qproj.lab.datasets.instances import LayerInstance
from qproj.lab.datasets.qubo import load_qubo
from qproj.projections.curvature import CurvatureProjection
from qproj.projections.models import BQMProblem, CQMProblem

Arrays = Mapping[str, NDArray[Any]]
Meta = Mapping[str, str | int | float]


@dataclass(frozen=True, eq=False)
class ModelInstance:
    """One BQM of a study: min energy over its own vartype, variables 0…N−1; it stands for a layer of one neuron.

    Attributes
    ----------
    name, source : str
    arrays : mapping
        ``linear`` (N,), ``row``, ``column``, ``quadratic`` (terms,), ``offset`` () float64, ``spin`` () bool.
    meta : mapping
        ``best_known``, ``proved`` ("y" or "n") where they are published.
    """

    name: str
    source: str
    arrays: Arrays
    meta: Meta = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, bqm: dimod.BinaryQuadraticModel, source: str, meta: Meta | None = None) -> ModelInstance:
        """Return the instance of a BQM; its labels become 0…N−1 in their canonical order."""
        linear, row, column, quadratic, offset = BQMProblem(bqm).canonical.arrays
        return cls(
            name, source,
            {
                "linear": linear, "row": row.astype(np.int32), "column": column.astype(np.int32),
                "quadratic": quadratic, "offset": np.array(offset),
                "spin": np.array(bqm.vartype is dimod.SPIN),
            },
            dict(meta or {}),
        )  # fmt: skip

    @property
    def num_neurons(self) -> int:
        return 1

    @property
    def shape(self) -> tuple[int, int]:
        """(0, N): no rows, N variables."""
        return 0, len(self.arrays["linear"])

    @property
    def problems(self) -> Sequence[BQMProblem]:
        """The one problem of the model."""
        return [bqm_problem(self.arrays)]

    @cached_property
    def key(self) -> str:
        """SHA-256 of the coefficients."""
        digest = hashlib.sha256(b"qproj model 1")
        for name in sorted(self.arrays):
            digest.update(name.encode() + np.ascontiguousarray(self.arrays[name]).tobytes())
        return digest.hexdigest()

    @property
    def ceiling(self) -> float:
        """An upper bound on the gain, offset − energy: of the proved published optimum, or what the signs allow."""
        if self.meta.get("proved") == "y":
            return float(self.arrays["offset"]) - float(self.meta["best_known"])
        bound = self.problems[0].gain_bound
        assert bound is not None
        return bound


Instance = LayerInstance | ModelInstance


def bqm_problem(arrays: Arrays) -> BQMProblem:
    """Return the problem that a model's arrays hold."""
    vartype = dimod.SPIN if bool(arrays["spin"]) else dimod.BINARY
    pairs = (arrays["row"].astype(np.intp), arrays["column"].astype(np.intp), arrays["quadratic"])
    return BQMProblem(
        dimod.BinaryQuadraticModel.from_numpy_vectors(arrays["linear"], pairs, float(arrays["offset"]), vartype)
    )


def instance_of(name: str, source: str, meta: Meta, arrays: Arrays) -> Instance:
    """Return the instance that a store holds."""
    if "X" in arrays:
        return LayerInstance(name, arrays["X"], arrays["T"], source, meta)
    return ModelInstance(name, source, dict(arrays), meta)


def curvature_models(seed: int, n: int, d: int, neurons: int, tau: float = 4.0) -> list[ModelInstance]:
    """Return curvature projections as BQMs: second moments of n rows from six noisy patterns, h standard normal."""
    rng = np.random.default_rng([seed, 5, n, d])
    patterns, which = rng.choice([-1.0, 1.0], (6, d)), rng.integers(6, size=n)
    X = patterns[which] * np.where(rng.random((n, d)) < 0.15, -1.0, 1.0)
    A = X.T @ X / n
    models = []
    for number in range(1, neurons + 1):
        h = rng.normal(size=d)
        direction = np.where(h >= 0, 1.0, -1.0)
        problem = CurvatureProjection(A, h, tau * np.abs(h).sum() / (direction @ A @ direction))
        models.append(ModelInstance.of(f"curvature/n{n}-d{d}/seed{seed}-{number}", problem.bqm, "curvature"))
    return models


def published(name: str) -> ModelInstance:
    """Return an instance of $QPROJ_DATA_DIR/qubo with its published optimum."""
    found = load_qubo(name)
    meta: Meta = {}
    if found.best_known is not None:
        meta = {"best_known": found.best_known, "proved": "y" if found.proved else "n"}
    return ModelInstance.of(f"qubo/{name}", found.bqm, "qubo", meta)


def from_file(path: Path, **options: str) -> list[ModelInstance]:
    """Return the BQMs in a file of one of the formats of :func:`qproj.formats.text.read_models`, with its options.

    A constrained model without constraints, whose variables are all 0 or 1, is the BQM of its objective.

    Raises
    ------
    ValueError
        Damaged, or a constrained model.
    """
    problems = [_bqm_problem(path, problem) for problem in read_models(path, **options)]
    names = [path.stem] if len(problems) == 1 else [f"{path.stem}-{i}" for i in range(1, len(problems) + 1)]
    return [ModelInstance.of(name, problem.model, path.name) for name, problem in zip(names, problems, strict=True)]


def _bqm_problem(path: Path, problem: BQMProblem | CQMProblem) -> BQMProblem:
    if isinstance(problem, BQMProblem):
        return problem
    cqm = problem.cqm
    binary = all(
        cqm.vartype(v) in (dimod.BINARY, dimod.INTEGER) and (cqm.lower_bound(v), cqm.upper_bound(v)) == (0, 1)
        for v in cqm.variables
    )
    if cqm.constraints or not binary:
        raise ValueError(
            f"{path} holds constraints, or variables that are not binary; studies take unconstrained binary models, "
            "`qproj solve` takes this one"
        )
    bqm = dimod.BinaryQuadraticModel(cqm.objective.linear, {}, cqm.objective.offset, dimod.BINARY)
    for (u, v), value in cqm.objective.quadratic.items():
        bqm.add_linear(u, value) if u == v else bqm.add_quadratic(u, v, value)
    return BQMProblem(bqm)
