"""Is a model with real variables infeasible? Certificates of linear relaxations, checked in rational numbers.

A backend in floating point cannot prove that nothing is feasible. Here its claim is proved again by branching on the
whole variables. Each node's relaxation is solved in floating point for how much its rows are missed at least; the
multipliers y of the rows then are a certificate if Σ y_i·(row i) contradicts the bounds of the variables, which
fractions decide exactly (Farkas; Neumaier and Shcherbina 2004 for the bounds).
"""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, identity, vstack

from qproj._arrays import FloatArray
from qproj.encodings.constrained_model import TOLERANCE
from qproj.encodings.linear_model import REAL, LinearModel

#: Relaxations that are solved at most.
MOST_NODES = 500


def is_infeasible(model: LinearModel, deadline: float | None) -> bool:
    """Return True where certificates prove that no assignment meets all rows; False proves nothing."""
    matrix, limits = _one_sided(model)
    open_nodes = [(model.lower.copy(), model.upper.copy())]
    for _ in range(MOST_NODES):
        if not open_nodes:
            return True
        if deadline is not None and time.perf_counter() >= deadline:
            return False
        lower, upper = open_nodes.pop()
        if (lower > upper).any():
            continue
        found = _relaxed(matrix, limits, lower, upper)
        if found is None:
            return False
        values, multipliers = found
        if _contradicts(matrix, limits, multipliers, lower, upper):
            continue
        branch = _branching(model, values, lower, upper)
        if branch is None:  # feasible, or too near to it to tell
            return False
        at, below = branch
        left, right = upper.copy(), lower.copy()
        left[at], right[at] = below, below + 1.0
        open_nodes += [(lower, left), (right, upper)]
    return not open_nodes


def _one_sided(model: LinearModel) -> tuple[csr_array, FloatArray]:
    """Return all rows as A x ≤ b, those with real variables widened by what counts as met."""
    sizes = np.maximum(np.maximum(np.abs(model.lower), np.abs(model.upper)), 1.0)
    rows = abs(model.rows)
    reach = rows @ sizes
    real = rows @ (model.kinds == REAL).astype(np.float64) > 0
    parts, limits = [], []
    for limit, sign in ((model.row_upper, 1.0), (model.row_lower, -1.0)):
        kept = np.flatnonzero(np.isfinite(limit))
        slack = np.where(real[kept], 4.0 * TOLERANCE * (np.abs(limit[kept]) + reach[kept]), 0.0)
        parts.append(sign * model.rows[kept])
        limits.append(sign * limit[kept] + slack)
    return csr_array(vstack(parts, format="csr")), np.concatenate(limits)


def _relaxed(
    matrix: csr_array, limits: FloatArray, lower: FloatArray, upper: FloatArray
) -> tuple[FloatArray, FloatArray] | None:
    """Return (x, y): where the rows are missed least in sum, and the multipliers that prove it; None on failure."""
    from scipy.optimize import linprog

    if not len(limits):
        return np.clip(0.0, lower, upper), np.empty(0)
    scale = np.exp2(-np.ceil(np.log2(np.maximum(abs(matrix).max(axis=1).toarray().ravel(), 1e-300))))
    scaled = csr_array(matrix.multiply(scale[:, None]))
    R, N = matrix.shape
    found = linprog(
        np.concatenate([np.zeros(N), np.ones(R)]),
        A_ub=hstack([scaled, -identity(R)], format="csr"),
        b_ub=limits * scale,
        bounds=np.stack([np.append(lower, np.zeros(R)), np.append(upper, np.full(R, np.inf))], axis=1),
        method="highs",
    )
    if found.status != 0:
        return None
    return found.x[:N], np.maximum(-found.ineqlin.marginals, 0.0) * scale


def _contradicts(
    matrix: csr_array, limits: FloatArray, multipliers: FloatArray, lower: FloatArray, upper: FloatArray
) -> bool:
    """Return whether y·A x ≤ y·b holds nowhere between the bounds, y ≥ 0, decided exactly."""
    combined: dict[int, Fraction] = {}
    right = Fraction(0)
    for i in np.flatnonzero(multipliers).tolist():
        y = Fraction(float(multipliers[i]))
        right += y * Fraction(float(limits[i]))
        for k in range(matrix.indptr[i], matrix.indptr[i + 1]):
            j = int(matrix.indices[k])
            combined[j] = combined.get(j, Fraction(0)) + y * Fraction(float(matrix.data[k]))
    least = Fraction(0)
    for j, a in combined.items():
        bound = float(lower[j] if a > 0 else upper[j])
        if a and not abs(bound) < 1e20:  # backends call 1e20 infinite
            return False
        least += a * Fraction(bound) if a else 0
    return least > right


def _branching(
    model: LinearModel, values: FloatArray, lower: FloatArray, upper: FloatArray
) -> tuple[int, float] | None:
    """Return (variable, value) to branch below and above: the most fractional whole one, else the widest; or None."""
    whole: NDArray[np.bool_] = (model.kinds != REAL) & (lower < upper)
    if not whole.any():
        return None
    distance = np.where(whole, np.abs(values - np.rint(values)), -1.0)
    at = int(distance.argmax())
    if distance[at] <= 1e-6:
        at = int(np.where(whole, upper - lower, -1.0).argmax())
        middle = float(np.clip(np.rint(values[at]), lower[at], upper[at] - 1.0))
        return at, middle
    return at, float(np.clip(np.floor(values[at]), lower[at], upper[at] - 1.0))


__all__ = ["is_infeasible"]
