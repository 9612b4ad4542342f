"""The rows of one neuron as encodings take them: integer (or real) rows over column classes, and their weights τ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj.encodings.columns import Columns


@dataclass(frozen=True, eq=False)
class Rows:
    """G weighted rows: gain(v) = Σ_g τ_g σ(Σ_j A_gj (2c_j − M_j)), and objective(v) = constant − 2·gain(v).

    Attributes
    ----------
    A : (G, C) int8 (±1 rows) or float64 (real rows)
        Each row over column classes.
    tau : (G,) float64
    columns : Columns
        C classes of d weight columns.
    constant : float
        Σ_i (1 + t_i²).
    gain : callable
        The true gain of ±1 vectors, shape (d,) or (k, d), by the projection's definition.
    """

    A: NDArray[Any]
    tau: FloatArray
    columns: Columns
    constant: float
    gain: Callable[[SignArray], FloatArray]

    @property
    def is_binary(self) -> bool:
        return self.A.dtype == np.int8

    @cached_property
    def forms(self) -> tuple[FloatArray, FloatArray]:
        """(L, a) with pre-activations z = L·bits + a: L (G, B) float64, a (G,)."""
        owners, coefficients = self.columns.bits
        A = self.A.astype(np.float64)
        return 2.0 * A[:, owners] * coefficients, -(A @ self.columns.sizes)
