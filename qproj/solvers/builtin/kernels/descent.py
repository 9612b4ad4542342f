"""Best-improvement descent on the true gain, for many candidates at once.

A move changes one count c_j by ±1 (one weight flip). The steepest move of the true gain is taken; among
moves that leave the gain as it is, the one that raises the softened gain Σ τ clip(z/K) most, so that
plateaus are crossed in the direction in which signs are nearly met.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.kernels.scoring import CountArray, row_sums, score

_TOLERANCE = 1e-13  # of Σ|τ|: what summing in another order may change; smaller differences are ties
_BLOCK = 256  # candidates scored at once: bounds the memory of z


@dataclass(frozen=True, eq=False)
class Descended:
    """Local optima of the gain: counts (k, C) int64, gains (k,), met (k,) bool, and the moves made in all."""

    counts: CountArray
    gains: FloatArray
    met: NDArray[np.bool_]
    moves: int


def descend(
    A: NDArray[Any],
    M: CountArray,
    taus: FloatArray,
    counts: CountArray,
    *,
    max_moves: int | None = None,
) -> Descended:
    """Return, for each row of `counts`, the local argmax of Σ_g tau_g σ(Σ_j A[g,j] (2c_j − M_j)) that
    steepest descent reaches.

    Parameters
    ----------
    A : (G, C)
        ±1 of an integer dtype, or real (float64 sums).
    M : (C,) int64
        Class sizes; ones for plain columns.
    taus : (G,) or (k, G) float64
        One neuron for all candidates, or one for each.
    counts : (k, C) int64
        Where to begin; not modified.
    max_moves : int, optional
        Moves a candidate may make; default 4 Σ M + 64.

    Returns
    -------
    Descended
        Gains are never below those of the beginning.
    """
    G, C = A.shape
    k = len(counts)
    if counts.shape != (k, C) or M.shape != (C,) or taus.shape not in ((G,), (k, G)):
        raise ValueError(
            f"A {A.shape}, M {M.shape}, taus {taus.shape}, counts {counts.shape}: "
            f"pass A (G, C), M (C,), taus (G,) or (k, G), counts (k, C)"
        )
    real = A.dtype.kind == "f"
    columns: NDArray[Any] = np.ascontiguousarray(A.T, np.float64 if real else np.int8)
    shift = 0 if real else 1 - int(M.sum()) % 2
    limit = 4 * int(M.sum()) + 64 if max_moves is None else max_moves
    scale = float(np.sqrt(np.square(A, dtype=np.float64).mean() * M.sum())) or 1.0  # 0 for inputs that are all 0
    found = np.array(counts, np.int64)
    rows = np.array(np.broadcast_to(taus, (k, G)), np.float64, order="C")
    moves = 0
    for low in range(0, k, _BLOCK):
        part = found[low : low + _BLOCK]
        z = row_sums(A, M, part) + shift
        moves += int(_descend(columns, M.astype(np.int64), rows[low : low + _BLOCK], part, z, scale, limit))
    gains, met = score(A, M, taus, found)
    return Descended(found, gains, met, moves)


@nb.njit(cache=True, nogil=True)
def _descend(columns, M, taus, counts, z, scale, limit):
    total = 0
    for i in range(counts.shape[0]):
        total += _descend_one(columns, M, taus[i], counts[i], z[i], scale, limit)
    return total


@nb.njit(cache=True, nogil=True)
def _descend_one(columns, M, tau, c, z, scale, limit):
    tolerance = _TOLERANCE * np.abs(tau).sum()
    for made in range(limit):
        best_gain, best_soft, best_j, best_step = tolerance, tolerance, -1, 0
        for j in range(M.size):
            for step in (-1, 1):
                if c[j] + step < 0 or c[j] + step > M[j]:
                    continue
                gain, soft = _changes(z, columns[j], 2.0 * step, tau, scale)
                # More gain wins; a tie in gain (also with staying) is broken by the softened gain.
                if gain > best_gain + tolerance or (gain > best_gain - 2 * tolerance and soft > best_soft):
                    best_gain, best_soft, best_j, best_step = max(gain, tolerance), soft, j, step
        if best_j < 0:
            return made
        c[best_j] += best_step
        for g in range(z.size):
            z[g] += 2.0 * best_step * columns[best_j, g]
    return limit


@nb.njit(cache=True, nogil=True, fastmath={"nnan", "ninf", "nsz", "reassoc", "contract"})
def _changes(z, column, move, tau, scale):
    """Return what a move adds to the gain and to the softened gain."""
    gain, soft = 0.0, 0.0
    for g in range(z.size):
        after = z[g] + move * column[g]
        flipped = (after >= 0) != (z[g] >= 0)
        gain += (2.0 * tau[g] if after >= 0 else -2.0 * tau[g]) if flipped else 0.0
        soft += tau[g] * (min(max(after, -scale), scale) - min(max(z[g], -scale), scale)) / scale
    return gain, soft
