"""Single flips on −h·v + ½ρ vᵀAv for many neurons that share A: descent, and annealing around it.

The fields F = A v are kept, so looking at a flip costs nothing and making one adds one row of A to F: a sweep does not
depend on the number of rows that A was made from.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj._compiled import FAST, compiled, inlined
from qproj.solvers.builtin.kernels.sharing import (
    NO_LIMITS,
    Limits,
    check_seeds,
    generator_states,
    in_threads,
    next_state,
    word_of,
)

#: First and last temperature of an anneal, in units of the rms of a flip's change at the start.
HOT, COLD = 0.5, 0.02
#: Sweeps of a descent at most; those of the first anneal under a time limit, whose duration the later ones follow.
DESCENT_SWEEPS, FIRST_SWEEPS = 1000, 4
#: −log u of the smallest u that is drawn: a rise by more temperatures than that is never accepted.
RISE = np.float32(16.64)
#: Seconds that looking at a flip and making it take, per weight of a neuron.
FLIP_S = 2e-10


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
    def of(A: NDArray[np.floating], H: FloatArray, rho: FloatArray) -> Quadratic:
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

    def part(self, low: int, high: int) -> Quadratic:
        """Return the problem of some of the neurons."""
        return self._replace(H=self.H[low:high], rho=self.rho[low:high])


def descend_quadratic(
    problem: Quadratic, V: NDArray[np.float32], F: NDArray[np.float32], sweeps: int, limits: Limits = NO_LIMITS
) -> None:
    """Flip v_k wherever that lowers the objective, sweep after sweep, until none does or `sweeps` are done.

    Parameters
    ----------
    V : (dout, d) float32
        ±1; changed in place.
    F : (dout, d) float32
        V A; changed in place.
    limits : Limits
        A deadline is looked at between two sweeps of the layer.
    """

    def run(low: int, high: int) -> int:
        return int(_descend(problem.part(low, high), V[low:high], F[low:high], at_once))

    at_once = sweeps if limits.deadline is None else 1
    for _ in range(0, sweeps, max(at_once, 1)):
        flips = in_threads(run, len(V), limits.threads, FLIP_S * at_once * V.shape[1] ** 2)
        if not flips or limits.over:
            return


def anneal_quadratic(
    problem: Quadratic,
    V: SignArray,
    *,
    seeds: NDArray[np.uint64],
    sweeps: int,
    starts: int,
    limits: Limits = NO_LIMITS,
    hot: float = HOT,
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
    limits : Limits
        With a deadline, anneals of at most `sweeps` sweeps fill the time.
    hot : float
        Temperature of an anneal's first sweep.
    """
    check_seeds(seeds, len(V))
    best = V.astype(np.float32)
    F = best @ problem.A
    descend_quadratic(problem, best, F, DESCENT_SWEEPS, limits)
    energy = _energies(problem, best, F)
    done, count, sweep_s = 0, sweeps if limits.deadline is None else min(sweeps, FIRST_SWEEPS), 0.0
    while done < starts if limits.deadline is None else not limits.over:
        begin = time.perf_counter()
        if limits.deadline is not None and sweep_s:
            count = min(sweeps, int(0.5 * (limits.deadline - begin) / sweep_s))
            if count < 1:
                break
        now, states = best.copy(), generator_states(seeds, done)
        if done % 2:
            _randomise(now, states)
        fields = now @ problem.A if done else F.copy()
        _anneal_all(problem, now, fields, states, np.geomspace(hot, COLD, max(count, 1)), limits)
        found = _energies(problem, now, fields)
        better = found < energy
        best[better], energy[better] = now[better], found[better]
        limits.report(best)
        sweep_s = (time.perf_counter() - begin) / max(count, 1)
        done += 1
    return best.astype(np.int8)


def _anneal_all(
    problem: Quadratic, V: NDArray[np.float32], F: NDArray[np.float32], states: NDArray[np.uint64],
    temperatures: FloatArray, limits: Limits,
) -> None:  # fmt: skip
    """Anneal every neuron once and let it descend, in place."""
    heat = temperatures.astype(np.float32)

    def run(low: int, high: int) -> int:
        return int(_anneal(problem.part(low, high), V[low:high], F[low:high], heat, states[low:high]))

    in_threads(run, len(V), limits.threads, FLIP_S * len(heat) * V.shape[1] ** 2)
    descend_quadratic(problem, V, F, DESCENT_SWEEPS, limits)


def _energies(problem: Quadratic, V: NDArray[np.float32], F: NDArray[np.float32]) -> FloatArray:
    linear = np.vecdot(problem.H.astype(np.float64), V.astype(np.float64))
    energies: FloatArray = 0.5 * problem.rho * np.vecdot(F.astype(np.float64), V.astype(np.float64)) - linear
    return energies


@compiled()
def _randomise(V, states):
    for j in range(V.shape[0]):
        x = states[j]
        for k in range(V.shape[1]):
            x = next_state(x)
            V[j, k] = np.float32(1) if word_of(x) >> np.uint64(63) else np.float32(-1)
        states[j] = x


@inlined
def _flip(A, v, f, k):
    step = np.float32(2) * v[k]
    for i in range(f.size):
        f[i] -= step * A[k, i]
    v[k] = -v[k]


@inlined
def descend_row(A, diagonal, h, rho, v, f, sweeps):
    """Descend from v, in place with f = A v, and return the number of flips."""
    flips = 0
    for _ in range(sweeps):
        before = flips
        for k in range(v.size):
            if v[k] * (h[k] - rho * f[k]) + rho * diagonal[k] < 0:
                _flip(A, v, f, k)
                flips += 1
        if flips == before:
            break
    return flips


@compiled(fastmath=FAST)
def _descend(problem, V, F, sweeps):
    """Descend from each row of V, in place, and return the number of flips."""
    flips = 0
    for j in range(V.shape[0]):
        flips += descend_row(problem.A, problem.diagonal, problem.H[j], problem.rho[j], V[j], F[j], sweeps)
    return flips


@compiled(fastmath=FAST)
def _anneal(problem, V, F, heat, states):
    """Anneal each row of V once; V, F and states change in place."""
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
                    x = next_state(x)
                    if change > RISE * temperature:
                        continue
                    u = np.float32((word_of(x) >> np.uint64(40)) + 1) * np.float32(2.0**-24)
                    if change > -temperature * np.log(u):
                        continue
                _flip(problem.A, v, f, k)
        states[j] = x
    return 0
