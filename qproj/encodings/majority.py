"""The exact encoding: each row's sign is the top bit of a shifted popcount, held by a certified penalty.

For ±1 rows, with agreements p_g = Σ_k a_gk ∈ [0, d]: y_g = 1 ⇔ p_g ≥ ⌈d/2⌉, written as one equality

    p_g + δ = r_g + 2^(m−1)·y_g,   r_g ∈ [0, 2^(m−1) − 1],   m = ⌈log2(⌊d/2⌋ + 1)⌉ + 1,   δ = 2^(m−1) − ⌈d/2⌉.

Given the weights, each y_g and r_g is determined. A wrong y_g leaves a whole-number residual of at least 1, which costs
λ_g or more, and gains at most 4|τ_g| in the objective −4τ_g y_g: so every λ_g > 4|τ_g| makes the minimiser exact.
Real rows are first rounded to integers (``quantise``): |q_gk| takes the place of 1, R_g = Σ_k |q_gk| that of d.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, frozen
from qproj.encodings.columns import Label
from qproj.encodings.encoding import Encoding, require_positive, require_precision, require_size
from qproj.encodings.quadratic import squares
from qproj.encodings.rows import Rows, quantise


def majority(rows: Rows, *, factor: float = 4.5, bits: int = 6) -> Encoding:
    """Encode argmax_v Σ_g τ_g σ(z_g(v)) as a BQM with m bits per row; exact for ±1 rows where factor > 4.

    Parameters
    ----------
    factor : float
        λ_g = factor·|τ_g|.
    bits : int
        Fixed-point bits of real rows; ±1 rows need none.

    Raises
    ------
    ValueError
        Not a finite factor > 0, bits outside 1..20, or coefficients that overflow or lose the smallest |τ|.
    """
    return majority_of(MajorityShape.of(rows, bits), rows, factor)


@dataclass(frozen=True, eq=False)
class MajorityShape:
    """What the majority encodings of neurons on the same rows share: everything but the weights τ.

    Attributes
    ----------
    K : (G, B) float64
        p_g = K_g·bits + low_g.
    constant : (G,) float64
        p_g + δ_g at all bits 0.
    slack : (G, m) float64
        Coefficients of (r bits, y) in the residual.
    keep : (G·m,) bool or None
        Which of them exist; None: all.
    own : (G, m) float64
        slack_i² + 2·constant·slack_i: what is linear in a row's own variables, over λ.
    pairs : (G, m, m) float64
        2·slack_i·slack_j above the diagonal: their products, over λ.
    """

    K: FloatArray
    constant: FloatArray
    slack: FloatArray
    keep: NDArray[np.bool_] | None
    own: FloatArray
    pairs: FloatArray
    labels: list[Label]
    error: float
    bits: int

    @classmethod
    def of(cls, rows: Rows, bits: int) -> MajorityShape:
        """Return the shape of rows; refuses bits outside 1..20 and models too large to build."""
        q, error = quantise(rows.A, bits)
        K, low, half, width = agreement(rows, q)
        slack, keep, pairs, labels = row_variables(tuple(width.tolist()))
        require_size(K.shape[1] + len(labels), "majority")
        constant = low + 2.0 ** (width - 1) - half  # δ + the value at all bits 0
        own = slack * (slack + 2.0 * constant[:, None])
        return cls(
            K, constant, slack, keep, own, pairs, [*rows.columns.labels, *labels], float(error.max(initial=0.0)), bits
        )


def majority_of(shape: MajorityShape, rows: Rows, factor: float = 4.5) -> Encoding:
    """Return the majority encoding of one neuron's weights on a shape that others share."""
    require_positive("factor", factor, "a penalty factor is finite and > 0, and exact beyond 4: use 4.5")
    K, slack = shape.K, shape.slack
    (G, B), m = K.shape, slack.shape[1]
    size = np.abs(rows.tau)
    lam = factor * size
    N = B + G * m
    linear, quadratic = np.empty(N), np.zeros((N, N))
    linear[:B], quadratic[:B, :B], offset = squares(K, shape.constant, lam)
    np.multiply((2.0 * lam * K.T)[:, :, None], slack, out=quadratic[:B, B:].reshape(B, G, m))
    own = linear[B:].reshape(G, m)
    np.multiply(lam[:, None], shape.own, out=own)
    own[:, m - 1] -= 4.0 * rows.tau
    blocks = np.einsum("gigj->gij", quadratic[B:, B:].reshape(G, m, G, m))  # a view of each row's own block
    np.multiply(lam[:, None, None], shape.pairs, out=blocks)
    if shape.keep is not None:
        kept = np.concatenate((np.ones(B, bool), shape.keep))
        linear, quadratic = linear[kept], quadratic[np.ix_(kept, kept)]
    smallest = float(size.min(initial=np.inf, where=size > 0))
    smallest = smallest if smallest < np.inf else 0.0
    require_precision(linear, quadratic, smallest, "majority")

    exact = rows.is_binary and factor > 4.0
    return Encoding(
        name="majority",
        columns=rows.columns,
        labels=shape.labels,
        linear=linear,
        quadratic=quadratic,
        offset=offset + rows.constant + 2.0 * float(rows.tau.sum()),
        exact=exact,
        why=_reason(exact, rows.is_binary, factor, shape.bits),
        gain=rows.gain,
        structure="rows",
        smallest_gap=(factor - 4.0) * smallest,
        error=shape.error,
        options={"factor": factor, "bits": shape.bits},
    )


def agreement(rows: Rows, q: NDArray[np.int64]) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int64]]:
    """Return (K, low, half, width): p = K·bits + low ∈ [0, R], σ(z) = +1 ⇔ p ≥ half = ⌈R/2⌉, width = m bits per row."""
    columns = rows.columns
    owners, coefficients = columns.bits
    # Σ_k |q_gk| is d for ±1 rows
    total = np.full(len(q), columns.num_columns) if rows.is_binary else np.abs(q) @ columns.sizes
    low = (total - q @ columns.sizes) / 2.0
    K = (q if columns.is_plain else q[:, owners] * coefficients).astype(np.float64, order="F")
    width = np.frexp(total // 2)[1].astype(np.int64) + 1  # frexp's exponent of k is ⌈log2(k+1)⌉
    return K, low, ((total + 1) // 2).astype(np.float64), width


@lru_cache(maxsize=16)
def row_variables(width: tuple[int, ...]) -> tuple[FloatArray, NDArray[np.bool_] | None, FloatArray, list[Label]]:
    """Return what rows of `width` variables each bring along, whatever their weights: (slack, keep, pairs, labels).

    slack (G, m) holds the coefficients of (r bits, y) in the residual, and pairs (G, m, m) twice their products, above
    the diagonal. Rows narrower than the widest leave r bits unused, which `keep` tells; y is always the last.
    Labels are ('r', g, 0), …, ('y', g) for every row.
    """
    m, bits = max(width, default=1), np.array(width, np.int64)
    place = np.arange(m)
    keep = place < bits[:, None] - 1
    keep[:, m - 1] = True
    slack = np.where(keep, -(2.0**place), 0.0)
    slack[:, m - 1] = -(2.0 ** (bits - 1))
    pairs = np.triu(2.0 * slack[:, :, None] * slack[:, None, :], 1)
    labels: list[Label] = []
    for g, count in enumerate(width):
        labels += [("r", g, b) for b in range(count - 1)]
        labels.append(("y", g))
    return frozen(slack), None if keep.all() else frozen(keep.ravel()), frozen(pairs), labels


def _reason(exact: bool, binary: bool, factor: float, bits: int) -> str:
    if exact:
        return f"a wrong indicator costs λ = {factor:g}·|τ| > 4·|τ| and gains at most 4·|τ|, in every row"
    if binary:
        return f"λ = {factor:g}·|τ| does not exceed 4·|τ|: a wrong indicator can pay"
    return f"rows are rounded to {bits}-bit fixed point: signs of pre-activations within `error` of 0 may be misjudged"
