"""Squares of linear forms as quadratic models: the one place where penalties become coefficients."""

from __future__ import annotations

import numpy as np

from qproj._arrays import FloatArray


def squares(L: FloatArray, a: FloatArray, weights: FloatArray) -> tuple[FloatArray, float]:
    """Return (coefficients, offset) of Σ_g weights_g (L_g·x + a_g)² over x ∈ {0,1}^B.

    Parameters
    ----------
    L : (G, B) float64
    a, weights : (G,) float64

    Returns
    -------
    coefficients : (B, B) float64
        Upper triangular; since x² = x, the diagonal holds the linear terms.
    offset : float
    """
    weighted = weights[:, None] * L
    gram = L.T @ weighted
    coefficients = np.triu(2.0 * gram, 1)
    np.fill_diagonal(coefficients, np.diagonal(gram) + 2.0 * (a @ weighted))
    return coefficients, float(weights @ (a * a))
