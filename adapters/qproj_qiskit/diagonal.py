"""QAOA states of a diagonal cost, exactly: angles → expectation (or CVaR), its gradient, samples.

A state is 2^N amplitudes; bit i of an index is variable i. One layer is ψ ← M(β) e^{−iγE} ψ with the mixer
M(β) = Π_i e^{−iβ(sin θ_i X_i + cos θ_i Z_i)}; θ_i = π/2 is the standard one (Farhi et al., arXiv 1411.4028), other θ_i
are warm starts (Egger et al., arXiv 2009.10095). Gradients are adjoint: one pass back costs about three passes forth.
"""

from __future__ import annotations

from dataclasses import dataclass

import dimod
import numba
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray

ComplexArray = NDArray[np.complex128]


def energies(bqm: dimod.BinaryQuadraticModel) -> FloatArray:
    """Return the model's 2^N energies over integer labels 0..N−1, offset included; bit i of an index is x_i.

    A SPIN variable is s = 2x − 1. Each variable doubles what is there: O(2^N·N) with no Python loop over states.
    """
    model = bqm if bqm.vartype is dimod.BINARY else bqm.change_vartype(dimod.BINARY, inplace=False)
    N = model.num_variables
    vectors = model.to_numpy_vectors(variable_order=range(N))
    linear, (row, column, values) = vectors.linear_biases, vectors.quadratic
    Q = np.zeros((N, N))
    Q[np.maximum(row, column), np.minimum(row, column)] = values
    total = np.full(1, float(vectors.offset))
    for i in range(N):
        step = np.full(1, float(linear[i]))  # what x_i = 1 adds, for every setting of the variables below
        for k in range(i):
            step = np.concatenate((step, step + Q[i, k]))
        total = np.concatenate((total, total + step))
    return total


@dataclass(frozen=True, eq=False)
class Diagonal:
    """A diagonal cost and a mixer.

    Attributes
    ----------
    energy : (2^N,) float64
    theta : (N,) float64
        Mixer axes; the initial state is Π cos(θ_i/2)|0⟩ + sin(θ_i/2)|1⟩.
    cvar : float
        Objective: mean energy of the lowest share `cvar` of the distribution; 1 is the expectation
        (Barkoutsos et al., arXiv 1907.04769).
    """

    energy: FloatArray
    theta: FloatArray
    cvar: float = 1.0

    def state(self, angles: FloatArray) -> ComplexArray:
        """Return ψ (2^N,) after p layers; angles (2p,): γ_1…γ_p, β_1…β_p."""
        psi = initial_state(self.theta)
        gammas, betas = np.split(np.asarray(angles, np.float64), 2)
        for gamma, beta in zip(gammas, betas, strict=True):
            _phase(psi, self.energy, gamma)
            _mix(psi, self.theta, beta)
        return psi

    def value(self, angles: FloatArray) -> float:
        """Return the objective at the angles."""
        return self._weights(np.abs(self.state(angles)) ** 2)[0]

    def value_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the objective and its gradient (2p,); with CVaR a subgradient, exact almost everywhere."""
        gammas, betas = np.split(np.asarray(angles, np.float64), 2)
        psi = self.state(angles)
        value, weights = self._weights(np.abs(psi) ** 2)
        phi = weights * psi
        slopes = np.empty((2, len(gammas)))
        for layer in range(len(gammas) - 1, -1, -1):
            slopes[1, layer] = 2.0 * _mixer_product(phi, psi, self.theta)
            _mix(psi, self.theta, -betas[layer])
            _mix(phi, self.theta, -betas[layer])
            slopes[0, layer] = 2.0 * _cost_product(phi, psi, self.energy)
            _phase(psi, self.energy, -gammas[layer])
            _phase(phi, self.energy, -gammas[layer])
        return value, slopes.ravel()

    def sample(self, angles: FloatArray, num_reads: int, rng: np.random.Generator) -> NDArray[np.int8]:
        """Return reads (num_reads, N) of 0/1, in the order drawn."""
        cumulative = np.cumsum(np.abs(self.state(angles)) ** 2)
        index = np.searchsorted(cumulative, rng.random(num_reads) * cumulative[-1], side="right")
        index = np.minimum(index, len(cumulative) - 1)
        bits: NDArray[np.int8] = ((index[:, None] >> np.arange(len(self.theta))) & 1).astype(np.int8)
        return bits

    def _weights(self, probability: FloatArray) -> tuple[float, FloatArray]:
        """Return the objective and the diagonal W with d objective = Σ W·dp."""
        if self.cvar == 1.0:
            return float(probability @ self.energy), self.energy
        order = np.argsort(self.energy, kind="stable")
        running = np.cumsum(probability[order])
        last = min(int(np.searchsorted(running, self.cvar)), len(order) - 1)
        edge = float(self.energy[order[last]])
        weights = np.minimum(self.energy - edge, 0.0) / self.cvar
        return float(probability @ weights) + edge, weights


def initial_state(theta: FloatArray) -> ComplexArray:
    """Return the product state (2^N,) that the mixer leaves in place."""
    psi = np.ones(1, np.complex128)
    for angle in theta:
        psi = np.concatenate((psi * np.cos(angle / 2), psi * np.sin(angle / 2)))
    return psi


@numba.njit(cache=True, nogil=True)
def _phase(psi, energy, gamma):  # type: ignore[no-untyped-def]
    for k in range(len(psi)):
        angle = -gamma * energy[k]
        psi[k] *= complex(np.cos(angle), np.sin(angle))


@numba.njit(cache=True, nogil=True)
def _mix(psi, theta, beta):  # type: ignore[no-untyped-def]
    cos, sin = np.cos(beta), np.sin(beta)
    size = len(psi)
    for i in range(len(theta)):
        x, z = np.sin(theta[i]) * sin, np.cos(theta[i]) * sin
        half = 1 << i
        for start in range(0, size, 2 * half):
            for k in range(start, start + half):
                a, b = psi[k], psi[k + half]
                # (cos − i·z)·a − i·x·b and (cos + i·z)·b − i·x·a, written out: no complex products
                psi[k] = complex(cos * a.real + z * a.imag + x * b.imag, cos * a.imag - z * a.real - x * b.real)
                psi[k + half] = complex(cos * b.real - z * b.imag + x * a.imag, cos * b.imag + z * b.real - x * a.real)


@numba.njit(cache=True, nogil=True)
def _mixer_product(phi, psi, theta):  # type: ignore[no-untyped-def]
    """Im ⟨φ|Σ_i sin θ_i X_i + cos θ_i Z_i|ψ⟩."""
    total = 0.0
    for i in range(len(theta)):
        x, z = np.sin(theta[i]), np.cos(theta[i])
        half = 1 << i
        for start in range(0, len(psi), 2 * half):
            for k in range(start, start + half):
                a, b, c, d = phi[k], phi[k + half], psi[k], psi[k + half]
                total += x * (a.real * d.imag - a.imag * d.real + b.real * c.imag - b.imag * c.real)
                total += z * (a.real * c.imag - a.imag * c.real - b.real * d.imag + b.imag * d.real)
    return total


@numba.njit(cache=True, nogil=True)
def _cost_product(phi, psi, energy):  # type: ignore[no-untyped-def]
    """Im ⟨φ|E|ψ⟩."""
    total = 0.0
    for k in range(len(psi)):
        total += energy[k] * (phi[k].real * psi[k].imag - phi[k].imag * psi[k].real)
    return total
