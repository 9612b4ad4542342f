"""Best-improvement descent on the true gain, for many candidates at once.

A move changes one count c_j by ±1 (one weight flip). The steepest move of the true gain is taken; among
moves that leave the gain as it is, the one that raises the softened gain Σ τ clip(z/K) most, so that
plateaus are crossed in the direction in which signs are nearly met.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj._compiled import FAST, compiled, inlined, linked
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
    columns = np.ascontiguousarray(A.T, np.float64)  # of one type, so that one function is compiled
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


@compiled(fastmath=FAST)
def _descend(columns, sizes, taus, counts, sums, scale, limit):
    """Descend from each row of `counts`, in place, by at most `limit` moves; return the moves made in all."""
    total = 0
    for i in range(counts.shape[0]):
        tau, c, z = taus[i], counts[i], sums[i]
        tolerance = 0.0
        for g in range(tau.size):
            tolerance += _TOLERANCE * abs(tau[g])
        made = 0
        while made < limit:
            best_gain, best_soft, best_j, best_move = tolerance, tolerance, -1, 0
            for j in range(sizes.size):
                for move in (-2, 2):
                    if 2 * c[j] + move < 0 or 2 * c[j] + move > 2 * sizes[j]:
                        continue
                    gain, soft = _changes(z, columns, j, move, tau, scale)
                    # More gain wins; a tie in gain (also with staying) is broken by the softened gain.
                    if gain > best_gain + tolerance or (gain > best_gain - 2 * tolerance and soft > best_soft):
                        best_gain = gain if gain > tolerance else tolerance
                        best_soft, best_j, best_move = soft, j, move
            if best_j < 0:
                break
            made += 1
            c[best_j] += best_move // 2
            for g in range(z.size):
                z[g] += best_move * columns[best_j, g]
        total += made
    return total


@linked()
def _clipped(z, scale):
    z = z if z > -scale else -scale
    return z if z < scale else scale


@inlined
def _changes(z, columns, j, move, tau, scale):
    """Return what a move adds to the gain and to the softened gain."""
    gain, soft = 0.0, 0.0
    for g in range(z.size):
        after = z[g] + move * columns[j, g]
        flipped = (after >= 0) != (z[g] >= 0)
        gain += (2.0 * tau[g] if after >= 0 else -2.0 * tau[g]) if flipped else 0.0
        soft += tau[g] * (_clipped(after, scale) - _clipped(z[g], scale)) / scale
    return gain, soft
