"""The one-sided constrained model: what exact solvers take, with an integer a column class and one bit a row.

For τ_g > 0 maximising pushes y_g up, so only p_g ≥ ⌈d/2⌉·y_g has to be stated; for τ_g < 0 only
p_g ≤ ⌈d/2⌉ − 1 + (d − ⌈d/2⌉ + 1)·y_g. Both are tight on their side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.encodings.columns import Label
from qproj.encodings.rows import Rows, quantise


@dataclass(frozen=True, eq=False)
class OneSided:
    """argmax Σ_g τ_g(2y_g − 1) subject to lower ≤ K·c + slope·y for τ > 0, and ≤ for τ < 0, in arrays.

    Attributes
    ----------
    K : (G, C) int64
        p_g = K_g·c + low_g, the weighted agreements of row g.
    low, half, total : (G,) int64
        p_g ∈ [0, total_g]; σ(z_g) = +1 ⇔ p_g ≥ half_g = ⌈total_g/2⌉.
    sizes : (C,) int64
        c_j ∈ [0, sizes_j].
    tau : (G,) float64
    error : float
        Largest pre-activation error of fixed-point rows; 0 for ±1 rows, whose model is exact.
    """

    K: NDArray[np.int64]
    low: NDArray[np.int64]
    half: NDArray[np.int64]
    total: NDArray[np.int64]
    sizes: NDArray[np.int64]
    tau: FloatArray
    labels: list[Label]
    error: float

    def rows(self) -> Iterator[tuple[NDArray[np.int64], int, int, str]]:
        """Yield (K_g, slope of y_g, right-hand side, ">=" or "<=") of K_g·c + slope·y_g ⋛ rhs."""
        for g in range(len(self.tau)):
            half, low, total = int(self.half[g]), int(self.low[g]), int(self.total[g])
            if self.tau[g] > 0:
                yield self.K[g], -half, -low, ">="
            else:
                yield self.K[g], -(total - half + 1), half - 1 - low, "<="


def one_sided(rows: Rows, *, bits: int) -> OneSided:
    """Return the one-sided model of argmax_v Σ_g τ_g σ(z_g(v)); real rows in fixed point, within ``error``."""
    q, error = quantise(rows.A, bits)
    sizes = rows.columns.sizes
    total = np.abs(q) @ sizes
    labels: list[Label] = [
        ("w", k) if size == 1 else ("c", j)
        for j, (k, size) in enumerate(zip(rows.columns.first.tolist(), sizes.tolist(), strict=True))
    ]
    low = np.maximum(-q, 0) @ sizes
    return OneSided(q, low, (total + 1) // 2, total, sizes, rows.tau, labels, float(error.max(initial=0.0)))


def constrained(rows: Rows, *, bits: int = 6) -> dimod.ConstrainedQuadraticModel:
    """Return the one-sided model as a dimod CQM: weights BINARY ('w', k) or INTEGER ('c', j), indicators ('y', g)."""
    model = one_sided(rows, bits=bits)
    cqm = dimod.ConstrainedQuadraticModel()
    for label, size in zip(model.labels, model.sizes.tolist(), strict=True):
        if label[0] == "w":
            cqm.add_variable("BINARY", label)
        else:
            cqm.add_variable("INTEGER", label, lower_bound=0, upper_bound=size)
    objective = dimod.QuadraticModel()
    for g, tau in enumerate(rows.tau.tolist()):
        cqm.add_variable("BINARY", ("y", g))
        objective.add_linear_from([(("y", g), -4.0 * tau)], default_vartype="BINARY")
    objective.offset = rows.constant + 2.0 * float(rows.tau.sum())
    cqm.set_objective(objective)
    for g, (form, slope, rhs, sense) in enumerate(model.rows()):
        terms = [(model.labels[j], int(form[j])) for j in np.flatnonzero(form)]
        cqm.add_constraint_from_iterable([*terms, (("y", g), slope)], sense, rhs=rhs, label=f"row {g}")
    return cqm
