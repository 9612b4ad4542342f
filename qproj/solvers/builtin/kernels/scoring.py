"""Row sums and gains of count vectors: the same numbers for a vector, whatever is scored beside it.

A matrix product by BLAS may round one column differently when the product has another width. For rows of ±1 it is
exact in floats and nothing can differ. For real rows, sums are added in one fixed order, and the sign of a sum that
BLAS finds too near to 0 is taken from the sum in numpy's order, which is the definition of the gain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.kernels.sharing import ENTRIES

CountArray = NDArray[np.int64]

_BLOCK = 256  # vectors that are scored at once


def check_shapes(A: NDArray[Any], M: CountArray, Tau: FloatArray, counts: CountArray | None = None) -> None:
    """Raise ValueError unless A is (G, C), M (C,), Tau (G, dout) and counts, where given, (dout, C)."""
    G, C = A.shape
    fits = M.shape == (C,) and Tau.ndim == 2 and len(Tau) == G
    if not fits or (counts is not None and counts.shape != (Tau.shape[1], C)):
        more = ("", "") if counts is None else (f", counts {counts.shape}", ", counts (dout, C)")
        raise ValueError(
            f"A {A.shape}, M {M.shape}, Tau {Tau.shape}{more[0]}: pass A (G, C), M (C,), Tau (G, dout){more[1]}"
        )


def row_sums(A: NDArray[Any], M: CountArray, counts: CountArray) -> FloatArray:
    """Return Σ_j A[g,j] (2c_j − M_j) of each row c of `counts`, (k, G): exact for integers, else added in order."""
    u = (2 * counts - M).astype(np.float64)
    if A.dtype.kind == "i":
        exact: FloatArray = u @ A.T.astype(np.float64)
        return exact
    sums = np.zeros((len(counts), len(A)))
    for j, column in enumerate(np.ascontiguousarray(A.T)):
        sums += u[:, j, None] * column
    return sums


def score(A: NDArray[Any], M: CountArray, taus: FloatArray, counts: CountArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the true gains (k,) of counts (k, C) and whether every sign with τ ≠ 0 is met.

    Parameters
    ----------
    taus : (G,) or (k, G) float64
        One neuron for all counts, or one for each.
    """
    gains, met = np.empty(len(counts)), np.empty(len(counts), np.bool_)
    # float32 holds sums of ±1 up to 2^24, and takes half the memory
    rows = A.T.astype(np.float32 if A.dtype.kind == "i" and int(M.sum()) < 2**24 else np.float64)
    block = max(1, min(_BLOCK, ENTRIES // max(1, *A.shape)))
    for low in range(0, len(counts), block):
        part = slice(low, low + block)
        tau = taus if taus.ndim == 1 else np.ascontiguousarray(taus[part])
        u = (2 * counts[part] - M).astype(rows.dtype)
        sums = u @ rows
        up = sums >= 0
        if A.dtype.kind == "f":
            _settle(up, sums, A, M, u)
        # contiguous rows: numpy adds each in the same order, however many there are
        gains[part] = np.where(up, tau, -tau).sum(axis=1)
        met[part] = ((up == (tau > 0)) | (tau == 0)).all(axis=1)
    return gains, met


def _settle(up: NDArray[np.bool_], sums: FloatArray, A: NDArray[Any], M: CountArray, u: FloatArray) -> None:
    """Decide, in place, the signs of sums that two orders of summation may disagree about, by numpy's own sum."""
    # twice as far as two orders can lie apart: a sign that is not looked at again has the sign of the exact sum
    near = 4.0 * A.shape[1] * np.finfo(np.float64).eps * (np.abs(A) @ M.astype(np.float64))
    vector, row = np.nonzero(np.abs(sums) <= near)
    step = max(1, ENTRIES // max(1, A.shape[1]))
    for low in range(0, len(vector), step):
        i, g = vector[low : low + step], row[low : low + step]
        up[i, g] = (np.ascontiguousarray(A[g]) * u[i]).sum(axis=1) >= 0
