"""The smallest gap between the two lowest levels of H(s) along an anneal, by sparse eigenvalues."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import ArpackError, eigsh

from qproj._arrays import FloatArray
from qproj.solvers.annealing import AnnealSchedule

#: Qubits up to which the gap is computed.
MOST_QUBITS = 14
#: Points of s between which the smallest gap is then refined.
POINTS = 24
#: Below this many states a dense matrix is faster.
_DENSE = 128


@dataclass(frozen=True)
class MinimumGap:
    """The smallest E1 − E0 for 0 ≤ s ≤ 1 in GHz (×h: an energy), and where it is."""

    gap_ghz: float
    s: float


def minimum_gap(
    energy: FloatArray, schedule: AnnealSchedule, *, points: int = POINTS, deadline: float | None = None
) -> MinimumGap | None:
    """Return min over s of E1(s) − E0(s) of −A/2 Σσˣ + B/2·E, E a diagonal (2^N,); None where a deadline came first.

    Degenerate ground states at s = 1 make it 0 there: then the gap of interest is that to the next level, and so levels
    are counted without those that meet the ground state at s = 1 (one for each further optimum).
    """
    N = len(energy).bit_length() - 1
    if N > MOST_QUBITS:
        raise ValueError(f"{N} qubits; the gap is computed for at most {MOST_QUBITS}")
    lowest = energy.min()
    level = int((energy <= lowest + 1e-9 * max(1.0, float(np.abs(energy).max()))).sum())
    if level >= len(energy) - 1:
        return MinimumGap(0.0, 1.0)  # every state is optimal
    driver = _driver(N)
    start = np.full(len(energy), len(energy) ** -0.5)

    def gap(s: float) -> float:
        A, B = (float(x) for x in schedule.at(s))
        low = _lowest(-0.5 * A * driver + diags_array(0.5 * B * energy), level + 1, start)
        return float(low[-1] - low[0])

    grid = np.linspace(0.0, 1.0, points + 1)
    gaps = []
    for s in grid.tolist():
        if deadline is not None and time.perf_counter() >= deadline:
            return None
        gaps.append(gap(s))
    best = int(np.argmin(gaps))
    around = (float(grid[max(best - 1, 0)]), float(grid[min(best + 1, points)]))
    found = minimize_scalar(gap, bounds=around, method="bounded", options={"xatol": 1e-4})
    if found.fun < gaps[best]:
        return MinimumGap(float(found.fun), float(found.x))
    return MinimumGap(gaps[best], float(grid[best]))


def _driver(N: int) -> csr_array:
    """Σ σˣ over 2^N states."""
    states = np.arange(1 << N)
    rows = np.repeat(states, N)
    columns = (states[:, None] ^ (1 << np.arange(N))).ravel()
    return csr_array((np.ones(len(rows)), (rows, columns)), (1 << N, 1 << N))


def _lowest(matrix: csr_array, count: int, start: FloatArray) -> FloatArray:
    """Return the lowest eigenvalues, rising."""
    if matrix.shape[0] <= _DENSE:
        dense: FloatArray = np.linalg.eigvalsh(matrix.toarray())[:count]
        return dense
    try:
        values = eigsh(matrix, k=count, which="SA", v0=start, ncv=max(4 * count, 24), return_eigenvectors=False)
    except ArpackError:  # close levels: more vectors
        values = eigsh(matrix, k=count, which="SA", ncv=max(12 * count, 80), return_eigenvectors=False)
    rising: FloatArray = np.sort(values)
    return rising
