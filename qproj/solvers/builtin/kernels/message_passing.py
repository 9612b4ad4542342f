"""Reinforced message passing for a layer of binary perceptrons: two matrix products per iteration for all neurons.

Each neuron seeks v ∈ {±1}^d that meets every sign, σ(x_i·v) = sign t_i. With m_k the mean of v_k under the
current beliefs, x_i·v is nearly normal with mean ω_i and variance V = Σ_k (1 − m_k²); g_i = ∂ log Φ(y_i
ω_i/√V)/∂ω_i is the pull of row i. Reinforcement (Braunstein and Zecchina 2006) feeds the beliefs back until
they are certain. Random rows with n below about 0.6 d are all met in some 100 iterations.

BLAS rounds the sums of one neuron differently when the product holds another number of neurons, and the iteration
amplifies the last bit. Means and pulls are therefore rounded to multiples of a power of two of which float32 holds
every sum of n or d exactly: then no order of summation rounds, and a neuron's result does not depend on the neurons
beside it. Everything else is computed neuron by neuron or entry by entry.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj._compiled import FAST, compiled, inlined
from qproj.solvers.builtin.kernels.sharing import NO_LIMITS, Limits, SeedArray, check_seeds, derived_seeds, random_reals

DAMPING = 0.4  # share of the new message; 0.6 already fails a few neurons at n = d/2
MEMORY = 0.97  # .99 needs 1.5 times the iterations and meets no more up to n = 0.6 d
FIELD = 0.017  # largest size of the random fields at the beginning
_STREAM = 4  # among the searches that draw from one neuron's seed
_DIGITS = 24  # binary digits of a float32

FieldArray = NDArray[np.float32]


def message_passing(
    X: NDArray[Any],
    T: FloatArray,
    *,
    seeds: SeedArray,
    iterations: int = 200,
    memory: float = MEMORY,
    limits: Limits = NO_LIMITS,
) -> tuple[SignArray, NDArray[np.bool_]]:
    """Seek, for each neuron i, v with σ(X v) = sign T[:, i] in every row with T ≠ 0.

    Parameters
    ----------
    X : (n, d)
        Rows of ±1.
    T : (n, dout) float64
        Targets; the sizes do not matter here.
    seeds : (dout,) uint64
        One per neuron, of the small random fields that break ties between equal columns. A neuron's result depends on
        its own target, seed and the work budget alone.
    iterations
        A neuron stops at the first iteration whose rounded beliefs meet its signs, checked on integer sums.
    memory
        Reinforcement is 1 − memory^iteration: the nearer to 1, the slower, and the more is met near capacity.
    limits : Limits
        A deadline, after which no iteration begins.

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
    dout = len(check_seeds(seeds, T.shape[1]))
    rows = np.ascontiguousarray(X, np.float32)
    y = np.ascontiguousarray(np.sign(T).T, np.float32)
    V = np.empty((dout, d), np.int8)
    met = np.zeros(dout, np.bool_)
    left = np.arange(dout)
    H = (FIELD * random_reals(derived_seeds(seeds, _STREAM), d)).astype(np.float32)
    G = np.zeros((dout, n), np.float32)
    for iteration in range(iterations):
        if limits.over or not len(left):
            break
        H = _passed(rows, y, H, G, 1 - memory**iteration, DAMPING if iteration else 1.0)
        signs = np.where(H >= 0, np.float32(1), np.float32(-1))
        up = signs @ rows.T >= 0  # exact: float32 holds sums of ±1 up to 2^24
        done = ((up == (y > 0)) | (y == 0)).all(axis=1)
        if done.any():
            V[left[done]] = signs[done]
            met[left[done]] = True
            keep = ~done
            left, H, G, y = left[keep], H[keep], G[keep], y[keep]
    V[left] = np.where(H >= 0, 1, -1)
    return V, met


def _passed(
    rows: FieldArray, y: FieldArray, H: FieldArray, G: FieldArray, reinforcement: float, share: float
) -> FieldArray:  # fmt: skip
    """Return the fields (k, d) after one iteration, of which `share` is new; the pulls G (k, n) change in place."""
    d = rows.shape[1]
    shift = np.float32(1 - d % 2)  # σ(0) = +1: for even d the threshold lies between −2 and 0
    step = np.float32(2.0 ** (math.ceil(math.log2(d)) - _DIGITS))  # d of them, each at most 1, have an exact sum
    m = np.rint(np.tanh(H) / step) * step
    curvature = np.empty((len(H), 1), np.float32)
    _pull(y, m @ rows.T, m, G, np.float32(share), shift, curvature)
    new: FieldArray = G @ rows
    new += m * curvature
    new += np.float32(reinforcement) * H
    return new if share == 1.0 else np.float32(share) * new + np.float32(1 - share) * H


@compiled(fastmath=FAST)
def _pull(y, sums, m, G, share, shift, curvature):
    """Damp each neuron's pulls G towards y R(u)/√V, in place, rounded; write Σ_i −∂g_i/∂ω_i to `curvature`.

    u = yω/√V and R = φ/Φ, with ω the sums less g V.
    """
    k, n = y.shape
    digits = _DIGITS - math.ceil(math.log2(n))  # n multiples of a step, each below 2^digits steps, have an exact sum
    for j in range(k):
        square = np.float32(0)
        for i in range(m.shape[1]):
            square += m[j, i] * m[j, i]
        variance = np.float32(m.shape[1]) - square
        variance = np.float32(0.25) + (variance if variance > 0 else np.float32(0))
        deviation = np.sqrt(variance)
        total, largest = np.float32(0), np.float32(0)
        for i in range(n):
            u = y[j, i] * (sums[j, i] - G[j, i] * variance + shift) / deviation
            ratio = _mills(u) * abs(y[j, i])
            pull = G[j, i] + share * (y[j, i] * ratio / deviation - G[j, i])
            G[j, i] = pull
            largest = abs(pull) if abs(pull) > largest else largest
            total += ratio * (ratio + u) / variance
        curvature[j, 0] = total
        power = math.frexp(largest)[1]
        step = np.float32(math.ldexp(1.0, (power if power > -64 else -64) - digits))  # above 0 in single precision
        for i in range(n):
            G[j, i] = np.rint(G[j, i] / step) * step


@inlined
def _mills(u):
    """φ(u)/Φ(u) in float32: for u < −4 the continued fraction's start, −u − 1/u + 2/u³."""
    if u < np.float32(-4.0):
        r = np.float32(1.0) / u
        return -u - r + np.float32(2.0) * r * r * r
    if u > np.float32(9.0):
        return np.float32(0.0)
    density = np.float32(0.3989422804) * np.exp(np.float32(-0.5) * u * u)
    return np.float32(density / (np.float32(0.5) * np.float32(math.erfc(-u * np.float32(0.70710678)))))
