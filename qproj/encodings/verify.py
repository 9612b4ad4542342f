"""Brute force over small encodings, from the model's own coefficients: does its minimiser decode to the projection?"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from qproj._arrays import FloatArray
from qproj.encodings.encoding import Encoding, Verification

#: Weight patterns, and patterns of one row's own variables, that brute force goes through at most.
MAX_WEIGHT_BITS = 16
MAX_ROW_BITS = 13


def verify(encoding: Encoding) -> Verification:
    """Return the best decoded gain among the model's minimisers beside max_v gain(v), both by brute force.

    Rows' own variables (slacks, indicators, products) meet each other only within their row, so for every pattern of
    the weight bits they are minimised row by row.

    Raises
    ------
    ValueError
        More than 16 weight bits, or more than 13 variables in one row.
    """
    B = encoding.num_weight_bits
    if B > MAX_WEIGHT_BITS:
        raise ValueError(
            f"verify goes through 2^{B} weight patterns; at most 2^{MAX_WEIGHT_BITS}: verify a smaller case"
        )
    bits = ((np.arange(2**B)[:, None] >> np.arange(B)) & 1).astype(np.float64)
    # without the offset, beside which small weights would vanish in float64
    energies = minimum_energies(replace(encoding, offset=0.0), bits)
    v = encoding.columns.weights_from_counts(encoding.columns.counts_from_bits(bits.astype(np.int64)))
    gains = np.asarray(encoding.gain(v))
    # what summing a row of coefficients in float64 may add or lose, and no more: near ties are no ties
    tolerance = 4.0 * np.finfo(np.float64).eps * len(encoding.coefficients) * encoding.largest_coefficient
    lowest = energies <= energies.min() + tolerance
    model_gain, best = float(gains[lowest].min()), float(gains.max())
    spread = float(np.abs(gains).max(initial=0.0))
    return Verification(
        agrees=model_gain >= best - 1e-9 * spread,
        model_gain=model_gain,
        best_gain=best,
        minimum_energy=float(energies.min()) + encoding.offset,
        minimisers=int(lowest.sum()),
    )


def minimum_energies(encoding: Encoding, bits: FloatArray) -> FloatArray:
    """Return, for each 0/1 pattern of the weight bits, shape (k, B), the lowest energy over all other variables."""
    Q, B = encoding.coefficients, encoding.num_weight_bits
    energies: FloatArray = np.einsum("kb,bc,kc->k", bits, Q[:B, :B], bits, optimize=True) + encoding.offset
    rest = sorted(range(B, len(Q)), key=lambda i: encoding.labels[i][1])
    for _, members in itertools.groupby(rest, key=lambda i: encoding.labels[i][1]):
        own = list(members)
        if len(own) > MAX_ROW_BITS:
            raise ValueError(
                f"a row has {len(own)} variables of its own; at most {MAX_ROW_BITS}: verify a smaller case"
            )
        block = Q[np.ix_(own, own)]
        field = bits @ Q[:B, own]
        best = np.full(len(bits), np.inf)
        for pattern in itertools.product((0.0, 1.0), repeat=len(own)):
            s = np.array(pattern)
            best = np.minimum(best, field @ s + s @ block @ s)
        energies += best
    return energies
