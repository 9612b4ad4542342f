"""Ising models in sparse rows, and two samplers of them: replica exchange, and simulated bifurcation.

Both keep every spin's field Σ_j J_ij s_j, so that a model of m couplings costs O(m) memory and time per sweep.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import NamedTuple

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, both_ways
from qproj._compiled import FAST, compiled, inlined
from qproj.solvers.builtin.kernels.sharing import next_state, word_of

#: 2⁻⁵³.
_UNIT = 2.0**-53


class Ising(NamedTuple):
    """Σ h_i s_i + Σ_{i<j} J_ij s_i s_j; row i holds the J of spin i, both ways.

    Attributes
    ----------
    start : (N + 1,) int64
    other : (2m,) int64
    J : (2m,) float64
    h : (N,) float64
    """

    start: NDArray[np.int64]
    other: NDArray[np.int64]
    J: FloatArray
    h: FloatArray

    @staticmethod
    def of(bqm: dimod.BinaryQuadraticModel) -> Ising:
        """Return the model of a BQM over 0…N−1, without its offset."""
        spins = bqm if bqm.vartype is dimod.SPIN else bqm.change_vartype(dimod.SPIN, inplace=False)
        N = spins.num_variables
        vectors = spins.to_numpy_vectors(variable_order=range(N))
        couplings = both_ways(N, *(np.asarray(part) for part in vectors.quadratic))
        return Ising(*couplings, np.asarray(vectors.linear_biases, np.float64))

    @property
    def rms(self) -> FloatArray:
        """√(h_i² + Σ_j J_ij²) of each spin: the size of its field when its neighbours are random."""
        rows = np.repeat(np.arange(len(self.h)), np.diff(self.start))
        sizes: FloatArray = np.sqrt(self.h**2 + np.bincount(rows, self.J**2, minlength=len(self.h)))
        return sizes

    def pulls(self, spins: FloatArray) -> FloatArray:
        """Return Σ_j J_ij s_j of one state, (N,), or of each of several, (R, N)."""
        from scipy.sparse import csr_array

        N = len(self.h)
        pulls: FloatArray = csr_array((self.J, self.other, self.start), (N, N)) @ spins.T
        return np.ascontiguousarray(pulls.T)


@inlined
def real_of(x):
    """A number in (0, 1] of a state of xorshift64*."""
    return np.float64((word_of(x) >> np.uint64(11)) + np.uint64(1)) * _UNIT


@compiled(fastmath={"contract"})
def temper(model, betas, sweeps, states, spins, fields, energies, best, swaps):
    """Do Metropolis sweeps of every replica, exchanging neighbours after each; return the lowest energy seen.

    Parameters
    ----------
    betas : (R,) float64
        Rising inverse temperatures.
    states : (1,) uint64
        Of the generator; changed in place, as all below.
    spins, fields : (R, N) float64
        fields = J·s of each replica.
    energies : (R,) float64
    best : (N + 1,) float64
        The best spins seen, and their energy.
    swaps : (2,) int64
        Exchanges accepted, and tried.
    """
    x = states[0]
    N = len(model.h)
    for sweep in range(sweeps):
        for r in range(len(betas)):
            s, f, beta = spins[r], fields[r], betas[r]
            for i in range(N):
                change = -2.0 * s[i] * (model.h[i] + f[i])
                if change > 0.0:
                    x = next_state(x)
                    if change * beta > -np.log(real_of(x)):
                        continue
                step = -2.0 * s[i]
                s[i] = -s[i]
                energies[r] += change
                for k in range(model.start[i], model.start[i + 1]):
                    f[model.other[k]] += step * model.J[k]
            if energies[r] < best[N]:
                best[N] = energies[r]
                for i in range(N):
                    best[i] = s[i]
        for r in range(sweep % 2, len(betas) - 1, 2):
            swaps[1] += 1
            x = next_state(x)
            if np.log(real_of(x)) < (betas[r + 1] - betas[r]) * (energies[r + 1] - energies[r]):
                swaps[0] += 1
                energies[r], energies[r + 1] = energies[r + 1], energies[r]
                for i in range(N):
                    spins[r, i], spins[r + 1, i] = spins[r + 1, i], spins[r, i]
                    fields[r, i], fields[r + 1, i] = fields[r + 1, i], fields[r, i]
    states[0] = x
    return best[N]


@compiled(fastmath=FAST)
def bifurcate(model, x, y, force, coupling, pressures, step, discrete):
    """Do one symplectic Euler step per pressure on every oscillator of every read, in place.

    y ← y + step·(−(1 − p)x − coupling·(h + J·u)), x ← x + step·y with u = x (ballistic) or sign x (discrete); a
    position beyond ±1 is set to ±1 and its momentum to 0. Reads stand side by side in rows of (N, reads) float64.
    """
    N, R = x.shape
    for p in pressures:
        for i in range(N):
            for r in range(R):
                force[i, r] = model.h[i]
            for k in range(model.start[i], model.start[i + 1]):
                j, J = model.other[k], model.J[k]
                if discrete:
                    for r in range(R):
                        force[i, r] += J if x[j, r] >= 0.0 else -J
                else:
                    for r in range(R):
                        force[i, r] += J * x[j, r]
        for i in range(N):
            for r in range(R):
                y[i, r] -= step * ((1.0 - p) * x[i, r] + coupling * force[i, r])
                x[i, r] += step * y[i, r]
                if x[i, r] > 1.0:
                    x[i, r], y[i, r] = 1.0, 0.0
                elif x[i, r] < -1.0:
                    x[i, r], y[i, r] = -1.0, 0.0
