"""Units of which numbers are whole multiples: whole numbers are compared exactly, without a tolerance."""

from __future__ import annotations

import math

import numpy as np

from qproj._arrays import FloatArray

_EPS = float(np.finfo(np.float64).eps)
#: Most multiples of a unit that float64 rounding still tells from other numbers.
_MOST = 2.0**40


def quantum(values: FloatArray) -> float:
    """Return a q > 0 of which all values are whole multiples (within float64 rounding), as large as found; 0 if none.

    Whole numbers below 2^53 always have one. Else the smallest value, powers of ten and of two, and the ratios of the
    values are tried; at most 2^40 multiples count.
    """
    nonzero = np.abs(values[values != 0])
    if not len(nonzero):
        return 0.0
    largest, smallest = float(nonzero.max()), float(nonzero.min())
    if largest < 2.0**53 and (nonzero == np.rint(nonzero)).all():
        return float(np.gcd.reduce(nonzero.astype(np.int64)))
    tens = int(np.floor(np.log10(largest)))
    units = [smallest, *(10.0**k for k in range(min(tens, 300), max(tens - 12, -300), -1)), dyadic_unit(nonzero)]
    best = max(_checked(nonzero, unit) for unit in units)
    return best or _checked(nonzero, _common_measure(nonzero, smallest))


def dyadic_unit(values: FloatArray) -> float:
    """Return the largest power of two of which all values are exact multiples."""
    mantissa, exponent = np.frexp(values[values != 0])
    if not len(mantissa):
        return 0.0
    whole = np.abs(mantissa * 2.0**53).astype(np.int64)
    lowest = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return float(2.0 ** float((exponent - 53 + lowest).min()))


def _checked(nonzero: FloatArray, unit: float) -> float:
    """Return the largest multiple of the unit that all values are multiples of; 0 where the unit is none of theirs."""
    if unit <= 0 or not float(nonzero.max()) / _MOST <= unit:
        return 0.0
    multiples = nonzero / unit
    whole = np.rint(multiples)
    if not ((whole >= 1).all() and (np.abs(multiples - whole) <= 4.0 * _EPS * multiples).all()):
        return 0.0
    return unit * float(np.gcd.reduce(whole.astype(np.int64)))


def _common_measure(nonzero: FloatArray, smallest: float) -> float:
    """Return what the ratios of the values suggest as a unit: it does not depend on the unit that they are given in."""
    if not float(nonzero.max()) / _MOST <= smallest:
        return 0.0
    denominator = 1
    for ratio in np.unique(nonzero / smallest).tolist():
        denominator = math.lcm(denominator, _denominator(ratio))
        if denominator > _MOST:
            return 0.0
    return smallest / denominator


def _denominator(ratio: float) -> int:
    """Return the least q such that ratio·q is whole within rounding; at least 2^40 where ratio and q are too large."""
    rest, before, q = ratio, 0, 1
    while q * ratio * q < _MOST:
        if abs(ratio * q - round(ratio * q)) <= 4.0 * _EPS * ratio * q:
            return q
        fraction = rest - math.floor(rest)
        if fraction <= 0.0:
            break
        rest = 1.0 / fraction
        before, q = q, math.floor(rest) * q + before
    return int(_MOST)
