"""The margin surrogate by annealing in v: argmin over v ∈ {±1}^d of Σ_i |t_i| (x_i·v − κ√d·sign t_i)² for each neuron.

A flip of v_k moves the energy by 4 (Σ_i a_i x_ik² − v_k Σ_i x_ik r_i) with r_i = a_i (x_i·v − m_i), so a sweep over a
neuron costs n·d: what training needs. Where all neurons weigh their rows alike, they share one quadratic form, and a
sweep costs as much as its flips. κ → ∞ is the direction sign(Xᵀt), where every search begins.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj._compiled import FAST, compiled
from qproj.solvers.builtin.kernels.quadratic_flips import RISE, Quadratic, anneal_quadratic
from qproj.solvers.builtin.kernels.sharing import (
    SeedArray,
    check_seeds,
    copy_to,
    generator_states,
    in_threads,
    next_state,
    word_of,
)
from qproj.solvers.builtin.sign_direction import sign_direction

#: Temperature of the first and last sweep over the rms of the local fields; the last two sweeps only descend.
HOT, COLD = 0.5, 0.02
#: Neurons on one quadratic form descend first, and then anneal from far colder, in this share of the sweeps.
SHARED_HOT, SHARED_SWEEPS = 0.05, 0.6
#: Rows from which neurons that weigh them alike are searched on one quadratic form.
SHARED_ROWS = 32
_STREAM = 5  # among the searches that draw from one neuron's seed


def margin_search(
    X: NDArray[np.generic],
    T: FloatArray,
    *,
    kappa: float,
    seeds: SeedArray,
    sweeps: int = 20,
    init: SignArray | None = None,
    weights: FloatArray | None = None,
) -> SignArray:
    """Seek argmin over V ∈ {±1}^(dout×d) of Σ_ij |T_ij| ((X Vᵀ)_ij − κ√d·sign T_ij)²; a heuristic.

    Parameters
    ----------
    X : (n, d)
    T : (n, dout) float64
    kappa : float
        Margin in units of √d, ≥ 0.
    seeds : (dout,) uint64
        One per neuron. A neuron's result depends on its own target, seed, start and the work budget alone.
    sweeps : int
        The work budget per neuron; 0 returns the start. On one quadratic form three fifths of it are annealing.
    init : (dout, d) int8, optional
        Where to begin; sign(Tᵀ X) by default.
    weights : (n,) float64, optional
        a of :func:`shared_weights`: the neurons are searched on one quadratic form.

    Returns
    -------
    (dout, d) int8
        Best of the states met at the end of a sweep.
    """
    if not (math.isfinite(kappa) and kappa >= 0):
        raise ValueError(f"kappa is {kappa}; a finite number ≥ 0 is allowed: 1 to 3 is usual")
    if weights is not None and sweeps:
        problem, near = _shared_problem(X, T, weights, kappa)
        return anneal_quadratic(
            problem, near if init is None else init, seeds=check_seeds(seeds, T.shape[1]),
            sweeps=math.ceil(SHARED_SWEEPS * sweeps), starts=1, hot=SHARED_HOT,
        )  # fmt: skip
    V = np.ascontiguousarray(sign_direction(X, T) if init is None else init, np.int8).copy()
    x = np.ascontiguousarray(X.T, np.int8 if X.dtype == np.int8 else np.float32)  # signs fit the cache
    largest = np.abs(T).max(axis=0)
    scaled = np.ascontiguousarray((T / np.where(largest > 0, largest, 1.0)).T, np.float32)
    states = generator_states(check_seeds(seeds, T.shape[1]), _STREAM)
    warm = np.geomspace(HOT, COLD, sweeps - 2) if sweeps > 2 else np.empty(0)
    heat = np.concatenate([warm, np.zeros(min(sweeps, 2))]).astype(np.float32)
    margin = np.float32(kappa * math.sqrt(X.shape[1]))

    def run(low: int, high: int) -> int:
        _search(x, scaled[low:high], margin, heat, states[low:high], V[low:high])
        return 0

    in_threads(run, len(V), None, 1e-9 * sweeps * X.size)
    return V


def shared_weights(T: FloatArray) -> FloatArray | None:
    """Return a, (n,), with |T_ij| = a_i b_j for every i and j; None where there is none, and for few rows.

    So it is in the last hidden layer of a network with one output, |T_ij| = |δ_i| |w_j|, and with one neuron.
    """
    size = np.abs(T)
    total = float(size.sum())
    if not total > 0 or len(T) < SHARED_ROWS:
        return None
    a, b = size.sum(axis=1), size.sum(axis=0)
    product = np.outer(a / total, b)
    return a if bool((np.abs(product - size) <= 1e-9 * size.max()).all()) else None


def _shared_problem(
    X: NDArray[np.generic], T: FloatArray, weights: FloatArray, kappa: float
) -> tuple[Quadratic, SignArray]:
    """Return vᵀ(Xᵀ diag(a) X)v − 2κ√d (a∘sign t_j)ᵀX v for every neuron j, and where to begin, sign(Xᵀt).

    That is the objective over b_j without its constant, scaled so that the largest a_i is 1.
    """
    a = weights / weights.max()
    U = (a[:, None] * np.sign(T)).T @ X.astype(np.float64)
    rows = np.sqrt(a).astype(np.float32)[:, None] * X.astype(np.float32)
    A = rows.T @ rows  # BLAS computes half of such a product
    problem = Quadratic.of(A, 2.0 * kappa * math.sqrt(X.shape[1]) * U, np.full(T.shape[1], 2.0))
    # BLAS may round a sum of 0 differently beside another number of neurons
    rounding = 1e-12 * np.abs(U).max(axis=1, keepdims=True)
    return problem, np.where(U + rounding >= 0, np.int8(1), np.int8(-1))


def margin_energy(X: NDArray[np.generic], T: FloatArray, V: SignArray, kappa: float) -> FloatArray:
    """Return Σ_i |T_ij| ((X Vᵀ)_ij − κ√d·sign T_ij)² of every neuron, (dout,): the definition."""
    z = X.astype(np.float64) @ V.T.astype(np.float64)
    energy: FloatArray = (np.abs(T) * (z - kappa * math.sqrt(X.shape[1]) * np.sign(T)) ** 2).sum(axis=0)
    return energy


@compiled(fastmath=FAST)
def _search(x, T, margin, heat, states, V):  # type: ignore[no-untyped-def]
    d, n = x.shape
    power = np.empty(d, np.float32)
    r = np.empty(n, np.float32)
    for i in range(V.shape[0]):
        a = np.abs(T[i])
        v = V[i]
        for g in range(n):
            r[g] = np.float32(0)
        for k in range(d):  # in this order: a product by BLAS may depend on the number of neurons
            for g in range(n):
                r[g] += v[k] * np.float32(x[k, g])
        for g in range(n):
            r[g] = a[g] * r[g] - margin * T[i, g]
        square = np.float32(0)
        for k in range(d):
            p = np.float32(0)
            h = np.float32(0)
            for g in range(n):
                entry = np.float32(x[k, g])
                p += a[g] * entry * entry
                h += entry * r[g]
            power[k] = p
            square += h * h
        unit = math.sqrt(square / d)
        energy = np.float32(0)  # relative to the start, in units of 4
        best = np.float32(0)
        kept = v.copy()
        state = states[i]
        for s in range(heat.size):
            temperature = np.float32(heat[s] * unit)
            for k in range(d):
                h = np.float32(0)
                for g in range(n):
                    h += np.float32(x[k, g]) * r[g]
                change = power[k] - v[k] * h
                accept = change < 0
                if not accept and change < RISE * temperature:
                    state = next_state(state)
                    u = np.float32((word_of(state) >> np.uint64(40)) + 1) * np.float32(2.0**-24)
                    accept = change < -temperature * np.log(u)
                if accept:
                    step = np.float32(2 * v[k])
                    for g in range(n):
                        r[g] -= step * a[g] * np.float32(x[k, g])
                    v[k] = -v[k]
                    energy += change
            if energy < best:
                best = energy
                copy_to(kept, v)
        copy_to(v, kept)
