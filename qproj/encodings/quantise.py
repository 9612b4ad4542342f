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
    if A.dtype == np.int8:
        return A.astype(np.int64), np.zeros(len(A))
    largest = np.abs(A).max(axis=1, initial=0.0)
    scale = np.where(largest > 0, largest, 1.0) / (2**bits - 1)
    integers = np.rint(A / scale[:, None]).astype(np.int64)
    error = np.abs(A - integers * scale[:, None]).sum(axis=1)
    return integers, error
