"""Single flips on −h·v + ½ρ vᵀAv for many neurons that share A: descent, and annealing around it.

The fields F = A v are kept, so looking at a flip costs nothing and making one adds a row of A to F: a sweep does not
depend on the number of rows that A was made from.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import time
from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj.solvers.builtin.kernels.sharing import FAST, in_threads

#: First and last temperature of an anneal, in units of the rms of a flip's change at the start.
HOT, COLD = 0.5, 0.02


class Quadratic(NamedTuple):
    """min over v of −h_j·v + ½ρ_j vᵀAv for every neuron j.

    Attributes
    ----------
    A : (d, d) float32, symmetric
    diagonal : (d,) float32
    H : (dout, d) float32
    rho : (dout,) float32
    """

    A: NDArray[np.float32]
    diagonal: NDArray[np.float32]
    H: NDArray[np.float32]
    rho: NDArray[np.float32]

    @staticmethod
    def of(A: FloatArray, H: FloatArray, rho: FloatArray) -> Quadratic:
        """Return the problem in float32, every neuron scaled so that its largest coefficient is about 1."""
        top = float(np.abs(A).max(initial=0.0)) or 1.0
        scale = np.maximum(np.abs(H).max(axis=1, initial=0.0), rho * top)
        scale = np.where(scale > 0, scale, 1.0)
        small = np.ascontiguousarray(A / top, np.float32)
        return Quadratic(
            small,
            np.ascontiguousarray(np.diagonal(small)),
            np.ascontiguousarray(H / scale[:, None], np.float32),
            np.ascontiguousarray(rho * top / scale, np.float32),
        )


def descend_quadratic(
    problem: Quadratic, V: NDArray[np.float32], F: NDArray[np.float32], sweeps: int, threads: int | None = None
) -> None:
    """Flip v_k wherever that lowers the objective, sweep after sweep, until none does or `sweeps` are done.

    Parameters
    ----------
    V : (dout, d) float32
        ±1; changed in place.
    F : (dout, d) float32
        V A; changed in place.
    """

    def run(low: int, high: int, first: int, last: int) -> int:
        part = slice(low, high)
        own = Quadratic(problem.A, problem.diagonal, problem.H[part], problem.rho[part])
        return int(_descend(own, V[part], F[part], last))

    in_threads(run, len(V), 0, sweeps, threads, 2e-9 * V.shape[1] ** 2)


def anneal_quadratic(
    problem: Quadratic,
    V: SignArray,
    *,
    seeds: NDArray[np.uint64],
    sweeps: int,
    starts: int,
    deadline: float | None = None,
    threads: int | None = None,
) -> SignArray:
    """Return the best vector found for every neuron: descent from V, then anneals that begin at the incumbent.

    Parameters
    ----------
    V : (dout, d) int8
        Where every neuron starts.
    seeds : (dout,) uint64
        A neuron's result depends on its own seed, start and coefficients alone, while no deadline ends the search.
    sweeps, starts : int
        The work budget per neuron: `starts` anneals of `sweeps` sweeps; every second one begins at random.
    deadline : float, optional
        On the clock of ``time.perf_counter``; with it, anneals fill the time.
    """
    best = V.astype(np.float32)
    F = best @ problem.A
    descend_quadratic(problem, best, F, 1000, threads)
    energy = _energies(problem, best, F)
    states = seeds.copy() | np.uint64(1)
    heat = np.geomspace(HOT, COLD, max(sweeps, 1)).astype(np.float32)
    done = 0
    while done < starts if deadline is None else time.perf_counter() < deadline:
        now = best.copy()
        if done % 2:
            _randomise(now, states)
        F = now @ problem.A

        def run(low: int, high: int, first: int, last: int, *, now=now, F=F) -> int:
            part = slice(low, high)
            own = Quadratic(problem.A, problem.diagonal, problem.H[part], problem.rho[part])
            return int(_anneal(own, now[part], F[part], heat, states[part]))

        in_threads(run, len(now), 0, 1, threads, 2e-9 * sweeps * now.shape[1] ** 2)
        found = _energies(problem, now, F)
        better = found < energy
        best[better], energy[better] = now[better], found[better]
        done += 1
    return best.astype(np.int8)


def _energies(problem: Quadratic, V: NDArray[np.float32], F: NDArray[np.float32]) -> FloatArray:
    linear = np.vecdot(problem.H.astype(np.float64), V.astype(np.float64))
    energies: FloatArray = 0.5 * problem.rho * np.vecdot(F.astype(np.float64), V.astype(np.float64)) - linear
    return energies


@nb.njit(cache=True, nogil=True)
def _randomise(V, states):
    for j in range(V.shape[0]):
        x = states[j]
        for k in range(V.shape[1]):
            x ^= x >> np.uint64(12)  # xorshift64*, Marsaglia 2003 / Vigna 2016
            x ^= x << np.uint64(25)
            x ^= x >> np.uint64(27)
            V[j, k] = np.float32(1) if (x * np.uint64(2685821657736338717)) >> np.uint64(63) else np.float32(-1)
        states[j] = x


@nb.njit(cache=True, nogil=True, fastmath=FAST)
def _flip(A, v, f, k):
    step = np.float32(2) * v[k]
    for i in range(f.size):
        f[i] -= step * A[k, i]
    v[k] = -v[k]


@nb.njit(cache=True, nogil=True, fastmath=FAST)
def _descend(problem, V, F, sweeps):
    flips = 0
    for j in range(V.shape[0]):
        h, rho, v, f = problem.H[j], problem.rho[j], V[j], F[j]
        for _ in range(sweeps):
            before = flips
            for k in range(v.size):
                if v[k] * (h[k] - rho * f[k]) + rho * problem.diagonal[k] < 0:
                    _flip(problem.A, v, f, k)
                    flips += 1
            if flips == before:
                break
    return flips


@nb.njit(cache=True, nogil=True, fastmath=FAST)
def _anneal(problem, V, F, heat, states):
    """Anneal every neuron once, then descend; V, F and states change in place."""
    for j in range(V.shape[0]):
        h, rho, v, f = problem.H[j], problem.rho[j], V[j], F[j]
        square = np.float32(0)
        for k in range(v.size):
            square += (h[k] - rho * (f[k] - problem.diagonal[k] * v[k])) ** 2
        unit = np.sqrt(square / v.size) * np.float32(2)
        x = states[j]
        for sweep in range(heat.size):
            temperature = heat[sweep] * unit
            for k in range(v.size):
                change = np.float32(2) * (v[k] * (h[k] - rho * f[k]) + rho * problem.diagonal[k])
                if change > 0:
                    x ^= x >> np.uint64(12)
                    x ^= x << np.uint64(25)
                    x ^= x >> np.uint64(27)
                    u = np.float32(((x * np.uint64(2685821657736338717)) >> np.uint64(40)) + 1) * np.float32(2.0**-24)
                    if change > -temperature * np.log(u):
                        continue
                _flip(problem.A, v, f, k)
        states[j] = x
    return _descend(problem, V, F, 1000)
