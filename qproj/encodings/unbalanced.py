"""Slack-free penalties for the one-sided inequalities, after Montañez-Barrera et al. (arXiv 2211.13914, eq. 5)."""

from __future__ import annotations

import numpy as np

from qproj.encodings.columns import Label
from qproj.encodings.encoding import Encoding, require_positive, require_precision, require_size
from qproj.encodings.majority import agreement
from qproj.encodings.quadratic import squares
from qproj.encodings.rows import Rows, quantise


def unbalanced(
    rows: Rows, *, linear: float = 0.96, quadratic: float = 0.0371, factor: float = 4.5, bits: int = 6
) -> Encoding:
    """Encode each inequality h_g ≥ 0 by factor·|τ_g|·(−linear·h_g + quadratic·h_g²): one bit a row, inexact.

    h_g = p_g − ⌈d/2⌉·y_g where τ_g > 0, and ⌈d/2⌉ − 1 + (d − ⌈d/2⌉ + 1)·y_g − p_g where τ_g < 0. The parabola
    approximates the exponential e^(−h); its constants are those of the paper's tuned examples.

    Raises
    ------
    ValueError
        A coefficient that is not finite and > 0.
    """
    for name, value in (("linear", linear), ("quadratic", quadratic), ("factor", factor)):
        require_positive(name, value, "a coefficient is finite and > 0: use 0.96, 0.0371 and 4.5")
    q, error = quantise(rows.A, bits)
    K, low, half, _ = agreement(rows, q)
    total = np.abs(q) @ rows.columns.sizes
    up = rows.tau > 0
    G, B = K.shape
    require_size(B + G, "unbalanced")
    sign = np.where(up, 1.0, -1.0)
    h = np.zeros((G, B + G))
    h[:, :B] = sign[:, None] * K
    h[np.arange(G), B + np.arange(G)] = np.where(up, -half, total - half + 1)
    h0 = np.where(up, low, half - 1 - low)
    lam = factor * np.abs(rows.tau)
    field, pairs, offset = squares(h, h0, quadratic * lam)
    field -= linear * (lam @ h)
    field[B:] -= 4.0 * rows.tau
    require_precision(field, pairs, 0.0, "unbalanced")
    labels: list[Label] = rows.columns.labels + [("y", g) for g in range(G)]
    return Encoding(
        name="unbalanced",
        columns=rows.columns,
        labels=labels,
        linear=field,
        quadratic=pairs,
        offset=offset - linear * float(lam @ h0) + rows.constant + 2.0 * float(rows.tau.sum()),
        exact=False,
        why="a parabola stands for each inequality: satisfied rows are not free, violated ones not forbidden",
        gain=rows.gain,
        structure="rows",
        error=float(error.max(initial=0.0)),
        options={"linear": linear, "quadratic": quadratic, "factor": factor, "bits": bits},
    )
