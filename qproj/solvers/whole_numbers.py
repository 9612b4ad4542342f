"""Linear models in whole numbers, for backends that compute in them: what scaling shifts is known and kept."""

from __future__ import annotations

import numpy as np

from qproj._arrays import FloatArray
from qproj.encodings.linear_model import LinearModel
from qproj.encodings.units import quantum

#: Σ|coefficient·value| of the scaled objective: whole numbers up to here are exact in float64 too.
OBJECTIVE_REACH = 2.0**52
#: The same for a row, beyond which 64-bit sums overflow.
ROW_REACH = 2.0**60


def scaled_row(a: FloatArray, largest: FloatArray, low: float, high: float) -> tuple[FloatArray, float, float]:
    """Return a row in whole numbers, widened by what rounding its coefficients can shift: it cuts off nothing."""
    a = np.where(largest > 0, a, 0.0)  # a variable fixed at 0 may have any coefficient
    unit = quantum(a)
    if unit == 0.0:
        unit = float((np.abs(a) * np.maximum(largest, 1.0)).sum()) / 2.0**50 or 1.0
    whole: FloatArray = np.rint(a / unit)
    if float((np.abs(whole) * largest).sum()) > ROW_REACH:
        raise ValueError(
            "a constraint's values exceed 2^60 in whole numbers; tighten the bounds of its variables, or use 'highs'"
        )
    lost = float((np.abs(a / unit - whole) * largest).sum()) * (1.0 + 1e-9) + 1e-9
    return whole, low / unit - lost, high / unit + lost


def scaled_objective(model: LinearModel) -> tuple[float, list[int], float]:
    """Return (unit, whole coefficients, error): cost·x = unit·whole·x within the error, for every x.

    The unit is the coefficients' own quantum where they have one, else Σ|cost·x|/2^52, float64's own resolution.
    """
    largest = np.maximum(np.abs(model.lower), np.abs(model.upper))
    cost = np.where(largest > 0, model.cost, 0.0)  # a variable fixed at 0 may have any coefficient
    unit = quantum(cost)
    if unit == 0.0 or model.reach / unit > ROW_REACH:
        unit = model.reach / OBJECTIVE_REACH or 1.0
    ratio = cost / unit
    whole = np.rint(ratio)
    lost = float((np.abs(ratio - whole) * largest).sum())
    return unit, [int(x) for x in whole.tolist()], lost * unit
