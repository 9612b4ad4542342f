"""Fixed-point rows: real inputs as small integers, so that a row's sign becomes a weighted majority."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray


def quantise(A: NDArray[Any], bits: int) -> tuple[NDArray[np.int64], FloatArray]:
    """Return integer rows round(A·(2^bits − 1)/max_k|A_gk|) and, a row, the largest error of a pre-activation.

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
