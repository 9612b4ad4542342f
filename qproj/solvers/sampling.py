"""Between problems and samplers: the scaled model that a sampler is given, and the way back from its reads.

Coefficients are at most 1 and variables 0..N−1 in a canonical order, so that one seed gives one result whatever the
labels; every read is decoded to weights, and nothing but weight bits is trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.encodings import Encoding
from qproj.projections import Projection, SignProjection
from qproj.projections.models import BQMProblem
from qproj.solvers.adapter import Found
from qproj.solvers.contract import EndedBy, Ending


@dataclass(frozen=True, eq=False)
class Model:
    """What a sampler is given: a scaled BQM over 0..N−1, and the way back.

    Attributes
    ----------
    bqm : dimod.BinaryQuadraticModel
        Coefficients divided by `scale`, offset 0.
    encoding : Encoding or None
        None for plain models, whose variables are `labels`.
    """

    bqm: dimod.BinaryQuadraticModel
    scale: float
    offset: float
    labels: list[Any]
    encoding: Encoding | None


def sampled_model(problem: Any, encoding: str, options: Mapping[str, Any] | None = None) -> Model:
    """Return the model of a projection under an encoding (of sign projections; others have one), or a plain BQM."""
    if isinstance(problem, SignProjection):
        return encoded_model(problem.encode(encoding, **dict(options or {})))
    if isinstance(problem, Projection):
        return encoded_model(problem.encode())
    return plain_model(problem)


def encoded_model(encoding: Encoding) -> Model:
    """Return an encoding's model, scaled, over integer labels in the encoding's own order."""
    return _scaled(encoding.quadratic, encoding.offset, dimod.BINARY, list(encoding.labels), encoding, encoding.linear)


def plain_model(problem: BQMProblem) -> Model:
    """Return a plain BQM, scaled, over integer labels in canonical order."""
    Q, labels = problem.canonical
    if problem.model.vartype is dimod.SPIN:
        return _scaled(np.triu(Q, 1), float(problem.model.offset), dimod.SPIN, labels, None, np.diagonal(Q))
    return _scaled(Q, float(problem.model.offset), dimod.BINARY, labels, None)


def _scaled(
    Q: FloatArray, offset: float, vartype: Any, labels: list[Any], encoding: Encoding | None,
    linear: FloatArray | None = None,
) -> Model:  # fmt: skip
    scale = max(float(np.abs(Q).max(initial=0.0)), 0.0 if linear is None else float(np.abs(linear).max(initial=0.0)))
    scale = scale if scale > 0 else 1.0
    bqm = dimod.BinaryQuadraticModel(Q / scale, vartype) if len(Q) else dimod.BinaryQuadraticModel(vartype)
    if linear is not None and len(Q):
        bqm.add_linear_from_array(linear / scale)  # type: ignore[arg-type]
    bqm.offset = 0.0
    return Model(bqm, scale, offset, labels, encoding)


def decode_reads(model: Model, sampleset: dimod.SampleSet, problem: Any, ended_by: EndedBy) -> Found:
    """Return the reads as candidates in the problem's terms, num_occurrences kept; `raw_best` needs no offset."""
    if set(sampleset.variables) != set(model.bqm.variables):
        return Found(np.empty((0, problem.num_variables)), Ending.FAILED, EndedBy.ERROR,
                     message="the sampler's answer lacks variables of the model")  # fmt: skip
    if not len(sampleset):
        return Found(
            np.empty((0, problem.num_variables)),
            Ending.STOPPED,
            ended_by,
            message="the sampler returned no reads",
        )
    order = [sampleset.variables.index(i) for i in range(len(model.labels))]
    record = sampleset.record
    samples: NDArray[Any] = np.asarray(record.sample)[:, order]
    if sampleset.vartype is not model.bqm.vartype:
        samples = 2 * samples - 1 if model.bqm.vartype is dimod.SPIN else (samples + 1) // 2
    # without the offset, beside which the energies of tiny or huge targets would all round to the same number
    bare = np.asarray(model.bqm.energies((samples, range(samples.shape[1]))), np.float64)
    energies = bare * model.scale + model.offset
    labelled = dimod.SampleSet.from_samples(
        (samples, model.labels), energy=energies, vartype=model.bqm.vartype,
        num_occurrences=record.num_occurrences,
        sort_labels=False, info=dict(sampleset.info),
    )  # fmt: skip
    if model.encoding is None:
        place = {label: i for i, label in enumerate(model.labels)}
        candidates = samples[:, [place[label] for label in problem.variables]]
    else:
        bits = samples[:, : model.encoding.num_weight_bits].astype(np.int64)
        columns = model.encoding.columns
        candidates = columns.weights_from_counts(columns.counts_from_bits(bits))
    return Found(
        candidates, Ending.STOPPED, ended_by, energies=bare, sampleset=labelled,
        stats={"reads": int(record.num_occurrences.sum()), **_size_of(model.bqm)},
    )  # fmt: skip


def _size_of(bqm: dimod.BinaryQuadraticModel) -> dict[str, int | float]:
    """Variables, interactions, and the largest over the smallest coefficient that is not 0."""
    linear, (_, _, quadratic), *_ = bqm.to_numpy_vectors()
    sizes = np.abs(np.concatenate([linear, quadratic]))
    sizes = sizes[sizes > 0]
    ratio = float(sizes.max() / sizes.min()) if len(sizes) else 1.0
    return {
        "variables": bqm.num_variables, "interactions": bqm.num_interactions, "coefficient_ratio": ratio,
    }  # fmt: skip


def require_positive(**values: int) -> None:
    """Raise TypeError or ValueError where a hyper-parameter is not a whole number ≥ 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"{name} is {value!r}; an integer ≥ 1 is needed")
        if value < 1:
            raise ValueError(f"{name} is {value}; an integer ≥ 1 is needed")
