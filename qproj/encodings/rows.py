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
        """Whether the rows are ±1, kept as int8."""
        return self.A.dtype == np.int8

    @cached_property
    def forms(self) -> tuple[FloatArray, FloatArray]:
        """(L, a) with pre-activations z = L·bits + a: L (G, B) float64, a (G,)."""
        owners, coefficients = self.columns.bits
        A = self.A.astype(np.float64)
        L = A[:, owners]
        L *= 2.0 * coefficients  # in place: a large L is not copied
        return L, -(A @ self.columns.sizes)


def quantise(A: NDArray[Any], bits: int) -> tuple[NDArray[np.int64], FloatArray]:
    """Return integer rows round(A·(2^bits − 1)/max_k|A_gk|) and, per row, the largest error of a pre-activation.

    A row's sign does not change with its scale, so each row gets its own. The returned error bound is
    Σ_k |A_gk − scale·integer_gk|, in units of A: the model may misjudge the sign of row g only for v with |A_g·v| at
    most that. ±1 rows come back as they are, with error 0.
    """
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer):
        raise TypeError(f"bits is {bits!r}; an integer is needed: use 6")
    if not 1 <= bits <= 20:
        raise ValueError(f"bits is {bits}; fixed-point rows take 1 to 20 bits: use 6")
    if A.dtype == np.int8:
        return A.astype(np.int64), np.zeros(len(A))
    largest = np.abs(A).max(axis=1, initial=0.0)
    largest = np.where(largest > 0, largest, 1.0)
    scale = largest / (2**bits - 1)
    integers = np.rint(A / largest[:, None] * (2**bits - 1)).astype(np.int64)  # A/scale would overflow for denormals
    error = np.abs(A - integers * scale[:, None]).sum(axis=1)
    return integers, error
