"""Encodings of projections that are quadratic in the weights already: no slack, no penalty, exact."""

from __future__ import annotations

from collections.abc import Callable

from qproj._arrays import FloatArray, SignArray
from qproj.encodings.columns import Columns
from qproj.encodings.encoding import Encoding, require_precision, require_size


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
