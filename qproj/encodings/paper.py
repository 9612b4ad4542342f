"""The encoding of the QP-SBGD paper (arXiv 2310.15128, section 3.2), as published: for comparison, never a default."""

from __future__ import annotations

import numpy as np

from qproj.encodings.columns import Columns, Label
from qproj.encodings.encoding import Encoding, require_positive, require_precision, require_size
from qproj.encodings.rows import Rows

#: From 2^4 weights on, the published shift δ' has no case.
MAX_WEIGHTS = 15


def paper_shift(d: int) -> tuple[int, float]:
    """Return (m, δ'): m = ⌊log2 d⌋ + 1 bits, δ' = (2^m − d − d mod 2)/2 for 4 ≤ d < 8 and 0 elsewhere."""
    m = int(np.log2(d)) + 1
    return m, (2**m - d - d % 2) / 2 if 4 <= d < 8 else 0.0


def paper(rows: Rows, *, lam: float = 50.0) -> Encoding:
    """Encode Σ_i (g_i − y_i)², g = (1+t)/2, with product variables p_ik and one penalty λ for everything.

    Each p_ik is tied to w_k by λ(p + w − 2pw) where x_ik = +1 and λ(1 − p − w + 2pw) where x_ik = −1; each row adds
    λ(Σ_k p_ik + δ' − Σ_b 2^b s_b − 2^(m−1) y_i)². Rows and columns are not merged.

    Raises
    ------
    ValueError
        d ≥ 16, real-valued or merged rows, or λ not finite and > 0.
    """
    n, d = rows.A.shape
    if not rows.is_binary or not rows.columns.is_plain:
        raise ValueError("encode('paper') takes ±1 rows that are not merged; use encode('majority')")
    if d > MAX_WEIGHTS:
        raise ValueError(f"encode('paper') has no case for d = {d} (at most {MAX_WEIGHTS}); use encode('majority')")
    require_positive("lam", lam, "a penalty is finite and > 0: use 50")
    m, shift = paper_shift(d)
    block = d + m  # a row's own variables: p_1 … p_d, s_0 … s_{m−2}, y
    require_size(d + n * block, "paper")
    g = (1.0 + rows.tau) / 2.0

    linear, Q = np.zeros(d + n * block), np.zeros((d + n * block, d + n * block))
    form = np.concatenate((np.ones(d), -(2.0 ** np.arange(m))))
    own = lam * np.triu(2.0 * np.outer(form, form), 1)
    own_linear = lam * (form * form + 2.0 * shift * form)
    for i in range(n):
        x = rows.A[i].astype(np.float64)
        start = d + i * block
        Q[start : start + block, start : start + block] = own
        k = np.arange(d)
        Q[k, start + k] = -2.0 * lam * x
        linear[k] += lam * x
        linear[start : start + block] = own_linear
        linear[start + k] += lam * x
        linear[start + block - 1] += 1.0 - 2.0 * g[i]
    minus = int((rows.A == -1).sum())
    require_precision(linear, Q, 0.0, "paper")
    return Encoding(
        name="paper",
        columns=Columns.plain(d),
        labels=[("w", k) for k in range(d)] + [label for i in range(n) for label in _row_labels(i, d, m)],
        linear=linear,
        quadratic=Q,
        offset=lam * minus + n * lam * shift * shift + float(g @ g),
        exact=False,
        why="the published slack range and shift do not fit most d, and one λ serves weights of every size",
        gain=rows.gain,
        options={"lam": lam},
    )


def _row_labels(i: int, d: int, m: int) -> list[Label]:
    products: list[Label] = [("p", i, k) for k in range(d)]
    slacks: list[Label] = [("r", i, b) for b in range(m - 1)]
    return [*products, *slacks, ("y", i)]
