"""Reinforced message passing for a layer of binary perceptrons: two matrix products an iteration for all.

Each neuron seeks v ∈ {±1}^d that meets every sign, σ(x_i·v) = sign t_i. With m_k the mean of v_k under the
current beliefs, x_i·v is nearly normal with mean ω_i and variance V = Σ_k (1 − m_k²); g_i = ∂ log Φ(y_i
ω_i/√V)/∂ω_i says how row i pulls. Reinforcement (Braunstein and Zecchina 2006) feeds the beliefs back until
they are certain. Random rows with n below about 0.6 d are all met in some 100 iterations.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math
import time
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray

DAMPING = 0.4  # share of the new message; 0.6 already fails a few neurons at n = d/2
MEMORY = 0.97  # .99 needs 1.5 times the iterations and meets no more up to n = 0.6 d


def message_passing(
    X: NDArray[Any],
    T: FloatArray,
    *,
    seed: int = 0,
    iterations: int = 200,
    memory: float = MEMORY,
    deadline: float | None = None,
) -> tuple[SignArray, NDArray[np.bool_]]:
    """Seek, for each neuron i, v with σ(X v) = sign T[:, i] in every row with T ≠ 0.

    Parameters
    ----------
    X : (n, d)
        Rows of ±1.
    T : (n, dout) float64
        Targets; the sizes do not matter here.
    seed
        Of the small random fields that break ties between equal columns.
    iterations
        A neuron stops at the first iteration whose rounded beliefs meet its signs, checked on integer sums.
    memory
        Reinforcement is 1 − memory^iteration: the nearer to 1, the slower, and the more is met near capacity.
    deadline : float, optional
        `time.perf_counter()` instant after which no iteration begins.

    Returns
    -------
    V : (dout, d) int8
        Weights; for neurons not met, the rounded beliefs of the last iteration.
    met : (dout,) bool
        Whether all signs are met: `V[i]` is then an optimum, whatever the sizes in T.
    """
    n, d = X.shape
    if T.ndim != 2 or T.shape[0] != n:
        raise ValueError(f"X {X.shape}, T {T.shape}: pass X (n, d) and T (n, dout)")
    dout = T.shape[1]
    rows = np.ascontiguousarray(X, np.float32)
    y = np.sign(T).astype(np.float32)
    shift = np.float32(1 - d % 2)  # σ(0) = +1: for even d the threshold lies between −2 and 0
    V = np.empty((dout, d), np.int8)
    met = np.zeros(dout, np.bool_)
    left = np.arange(dout)
    H = (0.01 * np.random.default_rng(seed).standard_normal((dout, d))).astype(np.float32).T
    H = np.ascontiguousarray(H)
    g = np.zeros((n, dout), np.float32)
    for iteration in range(iterations):
        if deadline is not None and time.perf_counter() >= deadline:
            break
        m = np.tanh(H)
        variance = np.maximum(d - np.einsum("kj,kj->j", m, m), 0.0) + np.float32(0.25)
        omega = rows @ m - g * variance + shift
        curvature = np.zeros(len(left), np.float32)
        _pull(y, omega, variance, g, np.float32(DAMPING if iteration else 1.0), curvature)
        new = rows.T @ g
        new += m * curvature
        new += np.float32(1 - memory**iteration) * H
        H = new if iteration == 0 else np.float32(DAMPING) * new + np.float32(1 - DAMPING) * H
        signs = np.where(H >= 0, np.float32(1), np.float32(-1))
        up = rows @ signs >= 0  # exact: float32 holds sums of ±1 up to 2^24
        done = ((up == (y > 0)) | (y == 0)).all(axis=0)
        if done.any():
            V[left[done]] = signs[:, done].T
            met[left[done]] = True
            keep = ~done
            left, H, g, y = left[keep], np.ascontiguousarray(H[:, keep]), g[:, keep].copy(), y[:, keep].copy()
            if not len(left):
                break
    if len(left):
        V[left] = np.where(H >= 0, 1, -1).T
    return V, met


@nb.njit(cache=True, nogil=True, fastmath=True)
def _pull(y, omega, variance, g, share, curvature):
    """Damp g towards y R(u)/√V, u = yω/√V, R = φ/Φ, in place; add Σ_i −∂g_i/∂ω_i to `curvature`."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            deviation = np.sqrt(variance[j])
            u = y[i, j] * omega[i, j] / deviation
            ratio = _mills(u) * abs(y[i, j])
            g[i, j] += share * (y[i, j] * ratio / deviation - g[i, j])
            curvature[j] += ratio * (ratio + u) / variance[j]


@nb.njit(cache=True, nogil=True, fastmath=True)
def _mills(u):
    """φ(u)/Φ(u) in float32: for u < −4 the continued fraction's start, −u − 1/u + 2/u³."""
    if u < np.float32(-4.0):
        r = np.float32(1.0) / u
        return -u - r + np.float32(2.0) * r * r * r
    if u > np.float32(9.0):
        return np.float32(0.0)
    density = np.float32(0.3989422804) * np.exp(np.float32(-0.5) * u * u)
    return np.float32(density / (np.float32(0.5) * np.float32(math.erfc(-u * np.float32(0.70710678)))))
