"""The margin surrogate: a QUBO in the weights alone, without slacks, whose low states are good projections."""

from __future__ import annotations

import numpy as np

from qproj._arrays import FloatArray
from qproj.encodings.encoding import Encoding, require_positive, require_precision, require_size
from qproj.encodings.quadratic import squares
from qproj.encodings.rows import Rows


def margin(
    rows: Rows, *, kappa: float = 1.5, targets: FloatArray | None = None, weights: FloatArray | None = None
) -> Encoding:
    """Encode argmin_v Σ_g |τ_g| (z_g − κ√d·sign τ_g)², z = X·v: d weight bits at most, no penalty, inexact.

    Parameters
    ----------
    kappa : float
        The margin asked of every row, in units of √d; 1 to 2 is best, κ → ∞ is signSGD's direction.
    targets, weights : (G,) float64, optional
        Other targets than κ√d·sign τ and other weights than |τ| (rounds of refinement).

    Raises
    ------
    ValueError
        κ not finite and > 0, or targets or weights of a wrong shape.
    """
    require_positive("kappa", kappa, "a margin is finite and > 0: use 1.5")
    L, a = rows.forms
    if targets is None:
        targets = kappa * np.sqrt(rows.columns.num_columns) * _row_scale(rows) * np.sign(rows.tau)
    if weights is None:
        weights = np.abs(rows.tau)
    if targets.shape != rows.tau.shape or weights.shape != rows.tau.shape:
        raise ValueError(f"targets and weights need shape {rows.tau.shape}, one entry per merged row")
    require_size(L.shape[1], "margin")
    linear, quadratic, offset = squares(L, a - targets, weights)
    require_precision(linear, quadratic, 0.0, "margin")
    return Encoding(
        name="margin",
        columns=rows.columns,
        labels=rows.columns.labels,
        linear=linear,
        quadratic=quadratic,
        offset=offset,
        exact=False,
        why="a convex surrogate of the step: its minimiser need not be the projection's; reads are ranked by true gain",
        gain=rows.gain,
        structure="clique",
        options={"kappa": kappa},
    )


def _row_scale(rows: Rows) -> FloatArray | float:
    """Root mean square of each row's entries: 1 for ±1 rows; with it κ means the same for real ones."""
    if rows.is_binary:
        return 1.0
    rms: FloatArray = np.sqrt(np.square(rows.A).mean(axis=1))
    return rms
