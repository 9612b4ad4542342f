"""What a sampler is given: a scaled BQM over the variables 0…N−1, and the way back to assignments.

Coefficients are at most 1 in size.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dimod
import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj.encodings.columns import Columns
from qproj.encodings.encoding import Encoding


@dataclass(frozen=True, eq=False)
class SampledModel:
    """A scaled BQM over 0…N−1, and how its samples become assignments of the problem.

    Attributes
    ----------
    bqm : dimod.BinaryQuadraticModel
        Coefficients divided by `scale`, without an offset.
    scale, offset : float
        The problem's own energy of a sample is scale·energy + offset.
    labels : sequence of N labels
        The problem's label of each variable.
    columns : Columns or None
        How the first variables encode ±1 weights; None where the variables are the problem's own.
    exact : bool
        Whether a minimiser of the model is a minimiser of the problem.
    structure : str
        As in :class:`Encoding`.
    scoring_s : float
        Seconds that scoring one read takes, as measured where a time limit has to hold; else 0.
    """

    bqm: dimod.BinaryQuadraticModel
    scale: float
    offset: float
    labels: Sequence[Hashable]
    columns: Columns | None = None
    exact: bool = True
    structure: str = "sparse"
    scoring_s: float = 0.0

    @classmethod
    def of_encoding(cls, encoding: Encoding) -> SampledModel:
        """Return the model of an encoding, in the order of the encoding's own labels."""
        scale = encoding.largest_coefficient or 1.0
        bqm = dimod.BinaryQuadraticModel(dimod.BINARY)
        if encoding.labels:
            bqm = dimod.BinaryQuadraticModel(encoding.quadratic / scale, dimod.BINARY)
            bqm.add_linear_from_array(encoding.linear / scale)  # type: ignore[arg-type]
        return cls(
            bqm, scale, encoding.offset, encoding.labels, encoding.columns,
            exact=encoding.exact, structure=encoding.structure,
        )  # fmt: skip

    def assignments(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Return the assignments of the problem, (k, d), that samples of shape (k, N) encode; slacks are not read."""
        if self.columns is None:
            return samples
        bits = samples[:, : len(self.columns.labels)].astype(np.int64)
        return self.columns.weights_from_counts(self.columns.counts_from_bits(bits))

    def bits(self, assignment: ArrayLike) -> NDArray[np.int8]:
        """Return the 0/1 values, (B,), of the leading variables that an assignment of the problem, (d,), decides.

        These are all N variables of a plain model, and the weight bits of an encoding, whose slacks stay open.
        """
        v = np.asarray(assignment)
        if self.columns is None:
            plain: NDArray[np.int8] = (v > 0).astype(np.int8)
            return plain
        bits: NDArray[np.int8] = self.columns.bits_from_counts(
            self.columns.counts_from_weights(v.astype(np.int8)[None, :])
        )[0]
        return bits

    @cached_property
    def size(self) -> dict[str, int | float]:
        """Variables, interactions, and the ratio of the largest to the smallest coefficient that is not 0."""
        linear, (_, _, quadratic), *_ = self.bqm.to_numpy_vectors()
        sizes = np.abs(np.concatenate([linear, quadratic]))
        sizes = sizes[sizes > 0]
        return {
            "variables": self.bqm.num_variables,
            "interactions": self.bqm.num_interactions,
            "coefficient_ratio": float(sizes.max() / sizes.min()) if len(sizes) else 1.0,
        }
