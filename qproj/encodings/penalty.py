"""Squares of linear forms as quadratic models: the one place where penalties become coefficients."""

from __future__ import annotations

import numpy as np

from qproj._arrays import FloatArray


def squares(L: FloatArray, a: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Return (linear, quadratic, offset) of Σ_g weights_g (L_g·x + a_g)² over x ∈ {0,1}^B.

    Parameters
    ----------
    L : (G, B) float64
    a, weights : (G,) float64

    Returns
    -------
    linear : (B,) float64
        Squares too, since x² = x.
    quadratic : (B, B) float64
        Above the diagonal, 0 elsewhere.
    offset : float
    """
    weighted = weights[:, None] * L
    gram = L.T @ weighted
    linear = np.diagonal(gram) + 2.0 * (a @ weighted)
    place = np.arange(len(gram))
    return linear, np.where(place[:, None] < place, 2.0 * gram, 0.0), float(weights @ (a * a))
