"""QAOA states of a diagonal cost, exactly: angles → expectation (or CVaR), its gradient, samples.

A state is 2^N amplitudes; bit i of an index is variable i. One layer is ψ ← M(β) e^{−iγE} ψ with the mixer
M(β) = Π_i e^{−iβ(sin θ_i X_i + cos θ_i Z_i)}; θ_i = π/2 is the standard one (Farhi et al., arXiv 1411.4028), other θ_i
are warm starts (Egger et al., arXiv 2009.10095). Gradients are adjoint: one pass back costs about three passes forth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.state_vector.passes import reflect, strips, transpose, turn
from qproj.solvers.state_vector.states import in_order, product_state, reads_of, spin_sum

ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Diagonal:
    """A diagonal cost and a mixer; for one thread at a time, since it keeps its scratch.

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
        real, imag = self._evolve(angles)
        return in_order(real) + 1j * in_order(imag)

    def value(self, angles: FloatArray) -> float:
        """Return the objective at the angles."""
        return self._weights(self._probability(angles))[0]

    def value_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the objective and its gradient (2p,); with CVaR a subgradient, exact almost everywhere."""
        gammas, betas = np.split(np.asarray(angles, np.float64), 2)
        value, weights = self._weights(self._probability(angles))
        high, low = self._mirrors
        states, turned = self._scratch
        np.multiply(states[:2], weights, out=states[2:])
        reflect(states, high)
        transpose(states, turned)
        slopes = np.empty((2, len(gammas)))
        for layer in range(len(gammas) - 1, -1, -1):
            slopes[1, layer] = 2.0 * turn(turned, states, self._spin_sum, -betas[layer], low)
            slopes[0, layer] = 2.0 * turn(states, turned, self._cost, -gammas[layer], high)
        return value, slopes.ravel()

    def sample(self, angles: FloatArray, num_reads: int, rng: np.random.Generator) -> NDArray[np.int8]:
        """Return reads (num_reads, N) of 0/1, in the order drawn."""
        return reads_of(in_order(self._probability(angles)), num_reads, rng)

    def _evolve(self, angles: FloatArray) -> FloatArray:
        """Return the scratch's first two planes, which hold ψ's real and imaginary part in strips."""
        gammas, betas = np.split(np.asarray(angles, np.float64), 2)
        high, low = self._mirrors
        states, turned = (planes[:2] for planes in self._scratch)
        states.fill(0.0)  # ψ with its rows' variables reflected: initially they are |0…0⟩
        states[0, :, 0] = product_state(low).reshape(states.shape[1], -1)
        for gamma, beta in zip(gammas, betas, strict=True):
            turn(states, turned, self._cost, gamma, high)
            turn(turned, states, self._spin_sum, beta, low)
        reflect(states, high)
        return states

    def _probability(self, angles: FloatArray) -> FloatArray:
        """Return the distribution in strips (in the scratch's other half), and leave ψ in the scratch."""
        squares = self._scratch[1][:2].reshape(2, *self._cost.shape)
        np.square(self._evolve(angles), out=squares)
        probability: FloatArray = np.add(squares[0], squares[1], out=squares[0])
        return probability

    @cached_property
    def _mirrors(self) -> tuple[FloatArray, FloatArray]:
        """cos and sin of θ/2 of the variables in the matrix's rows (2, h) and columns (2, N − h)."""
        half = len(self.theta) // 2
        both = np.stack((np.cos(self.theta / 2), np.sin(self.theta / 2)))
        return both[:, half:].copy(), both[:, :half].copy()

    @cached_property
    def _cost(self) -> FloatArray:
        """The energies in strips."""
        high, low = self._mirrors
        return strips(self.energy.reshape(1 << high.shape[1], 1 << low.shape[1]))

    @cached_property
    def _spin_sum(self) -> FloatArray:
        """Σ_i Z_i, what the mixer is between reflections, in strips of the transposed matrix."""
        high, low = (half.shape[1] for half in self._mirrors)
        return spin_sum(high, low)

    @cached_property
    def _scratch(self) -> tuple[FloatArray, FloatArray]:
        """ψ and its adjoint state, two planes each, and their transposes: new memory would cost as much as the work."""
        return np.zeros((4, *self._cost.shape)), np.zeros((4, *self._spin_sum.shape))

    def _weights(self, probability: FloatArray) -> tuple[float, FloatArray]:
        """Return the objective and the diagonal W with d objective = Σ W·dp, all in strips."""
        if self.cvar == 1.0:
            return _dot(probability, self._cost), self._cost
        energy = self._cost.ravel()
        order = np.argsort(energy, kind="stable")
        running = np.cumsum(probability.ravel()[order])
        last = min(int(np.searchsorted(running, self.cvar)), len(order) - 1)
        edge = float(energy[order[last]])
        weights = np.minimum(self._cost - edge, 0.0) / self.cvar
        return _dot(probability, weights) + edge, weights


def _dot(a: FloatArray, b: FloatArray) -> float:
    return float(np.einsum("i,i", a.ravel(), b.ravel()))  # BLAS would wait for threads of its own
