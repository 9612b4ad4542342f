"""Quadratic forms as coefficients: objectives that are quadratic in the weights, and squared penalties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qproj._arrays import FloatArray, SignArray
from qproj.encodings.columns import Columns
from qproj.encodings.encoding import Encoding, require_precision, require_size

#: Rows that are multiplied at a time.
_ROWS = 1 << 15


def spin_quadratic(
    name: str, J: FloatArray, h: FloatArray, offset: float, gain: Callable[[SignArray], FloatArray]
) -> Encoding:
    """Encode argmin over v ∈ {±1}^d of Σ_{k<l} J_kl v_k v_l + Σ_k h_k v_k + offset, as a BQM in w = (v+1)/2.

    J is (d, d) upper triangular with zero diagonal, h is (d,).
    """
    d = len(h)
    require_size(d, name)
    pair = J + J.T
    linear, quadratic = 2.0 * h - 2.0 * pair.sum(axis=1), 4.0 * J
    require_precision(linear, quadratic, 0.0, name)
    columns = Columns.plain(d)
    return Encoding(
        name=name,
        columns=columns,
        labels=columns.labels,
        linear=linear,
        quadratic=quadratic,
        offset=offset + float(J.sum()) - float(h.sum()),
        exact=True,
        why="the objective is quadratic in the weights: the model is the objective",
        gain=gain,
        structure="clique",
    )


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
    gram, linear = np.zeros((L.shape[1],) * 2), np.zeros(L.shape[1])
    for low in range(0, len(L), _ROWS):  # a copy of all of many rows costs more than the products
        part = slice(low, low + _ROWS)
        weighted = weights[part, None] * L[part]
        gram += L[part].T @ weighted
        linear += 2.0 * (a[part] @ weighted)
    linear += np.diagonal(gram)
    place = np.arange(len(gram))
    return linear, np.where(place[:, None] < place, 2.0 * gram, 0.0), float(weights @ (a * a))
