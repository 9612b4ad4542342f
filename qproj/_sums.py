"""Sums that decide: numbers are cut into parts whose signed sums are exact in float64, in any order and by BLAS too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray

#: Bits of a float64, and the exponent of its smallest number.
_BITS, _LOWEST = 53, -1074


def split(values: FloatArray, multiplier: float = 1.0) -> FloatArray:
    """Return parts, (L, …, m), that add up to the values, (…, m), exactly.

    All sums Σ_j x_j·part_j over the last axis with whole |x_j| ≤ `multiplier` are exact in float64, whatever their
    order: each part is a multiple of a power of two so large that such a sum has at most 53 bits. One part is enough
    for whole numbers of moderate size; two or three hold most others.

    Raises
    ------
    ValueError
        m·multiplier exceeds 2^48: no part would keep a useful number of bits.
    """
    spare = int(np.ceil(np.log2(max(values.shape[-1], 1) * max(multiplier, 1.0)))) + 1
    if spare > _BITS - 4:
        raise ValueError(f"{values.shape[-1]} terms times {multiplier:g} exceed 2^48, up to which sums are exact")
    rest, parts = values, list[FloatArray]()
    while not parts or rest.any():
        largest = np.maximum(
            rest.max(axis=-1, keepdims=True, initial=0.0), -rest.min(axis=-1, keepdims=True, initial=0.0)
        )
        unit = np.maximum(np.frexp(largest)[1] + spare - _BITS, _LOWEST)
        # beside 3/2 of this power of two a float64 has room for multiples of 2^unit only
        shift = np.ldexp(1.5, unit + _BITS - 1)
        part = (rest + shift) - shift
        parts.append(part)
        rest = rest - part  # exact: both are multiples of the last bit of `rest`, and the difference is smaller
    return np.stack(parts)


def total(sums: FloatArray) -> FloatArray:
    """Return the sum over the first axis, rounded once but for cancellation among its last terms."""
    high, low = sums[0], np.zeros(sums.shape[1:])
    for term in sums[1:]:
        together = high + term
        virtual = together - high
        low = low + ((high - (together - virtual)) + (term - virtual))  # Knuth's error of the addition
        high = together
    result: FloatArray = high + low
    return result


def signed_sums(signs: NDArray[np.generic], values: FloatArray) -> FloatArray:
    """Return Σ_j signs[i, j]·values[j], (k,), rounded once; entries of `signs` are −1, 0 or 1."""
    return total(split(values) @ signs.T.astype(np.float64))
