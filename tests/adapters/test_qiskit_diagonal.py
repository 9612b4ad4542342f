"""The diagonal simulator against its definition: plain numpy, a 2×2 matrix a variable, tangents forward."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj.solvers.state_vector import passes
from qproj_qiskit.diagonal import Diagonal

X, Z = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])


def on_variable(psi, i, matrix):
    """Apply a 2×2 matrix to variable i, which is bit i of an index."""
    return np.einsum("ab,hbl->hal", matrix, psi.reshape(-1, 2, 1 << i)).ravel()


def definition(energy, theta, angles):
    """Return ψ (2^N,) and dψ/dangles (2p, 2^N), from Π_i e^{−iβσ_i} e^{−iγE}."""
    sigmas = [np.sin(a) * X + np.cos(a) * Z for a in theta]
    psi = np.ones(1, complex)
    for a in theta:
        psi = np.kron([np.cos(a / 2), np.sin(a / 2)], psi)
    p = len(angles) // 2
    tangents = np.zeros((2 * p, len(psi)), complex)
    for layer in range(p):
        gamma, beta = angles[layer], angles[p + layer]
        psi, tangents = psi * np.exp(-1j * gamma * energy), tangents * np.exp(-1j * gamma * energy)
        tangents[layer] = -1j * energy * psi
        for i, sigma in enumerate(sigmas):
            mixer = np.cos(beta) * np.eye(2) - 1j * np.sin(beta) * sigma
            psi = on_variable(psi, i, mixer)
            tangents = np.array([on_variable(row, i, mixer) for row in tangents])
        tangents[p + layer] = -1j * sum((on_variable(psi, i, sigma) for i, sigma in enumerate(sigmas)), 0 * psi)
    return psi, tangents


def check(N, p, seed, warm, cvar=1.0):
    rng = np.random.default_rng(seed)
    energy, angles = rng.normal(scale=3.0, size=1 << N), rng.uniform(-2.0, 2.0, 2 * p)
    theta = rng.uniform(0.0, np.pi, N) if warm else np.full(N, np.pi / 2)
    simulator = Diagonal(energy, theta, cvar)
    psi, tangents = definition(energy, theta, angles)
    probability = np.abs(psi) ** 2
    if cvar == 1.0:
        value, weights = probability @ energy, energy
    else:
        order = np.argsort(energy)
        edge = energy[order][np.searchsorted(np.cumsum(probability[order]), cvar)]
        weights = np.minimum(energy - edge, 0.0) / cvar
        value = probability @ weights + edge
    slopes = 2.0 * (tangents @ (weights * psi.conj())).real
    np.testing.assert_allclose(simulator.state(angles), psi, rtol=0, atol=1e-12)
    for _ in range(2):  # what is left in the scratch does not matter
        found, gradient = simulator.value_and_gradient(angles)
        assert found == simulator.value(angles) == pytest.approx(value, abs=1e-12)
        np.testing.assert_allclose(gradient, slopes, rtol=0, atol=1e-11)


@given(st.integers(0, 11), st.integers(1, 3), st.integers(0, 10**6), st.booleans(), st.sampled_from([1.0, 0.3]))
@settings(deadline=None, max_examples=40)
def test_states_values_and_gradients_are_those_of_the_definition(N, p, seed, warm, cvar):
    check(N, p, seed, warm, cvar)


@pytest.mark.parametrize("N", [3, 10])
def test_so_are_those_of_threads(N, monkeypatch):
    monkeypatch.setattr(passes, "LARGE", 1)
    check(N, 2, 0, True)


@pytest.mark.parametrize("N", [16, 17])
def test_so_are_large_ones(N):
    check(N, 1, 0, N == 17)


@pytest.mark.parametrize("angle", [0.0, 1e-9, np.pi, -40.0, 1e4])
def test_phases_are_cosines_and_sines(angle):
    energy = np.linspace(-3.0, 3.0, 64)
    real, imag = np.empty((2, 64))
    passes._phases(real, imag, energy, angle / (2 * np.pi))
    expected = np.exp(1j * angle * energy)
    np.testing.assert_allclose(real + 1j * imag, expected, rtol=0, atol=4e-15 + 1e-15 * abs(angle))


def test_an_axis_along_z_keeps_a_bit():
    theta = np.array([np.pi, 0.0, np.pi, 0.0, 0.0, np.pi])
    state = Diagonal(np.arange(64.0), theta).state(np.array([0.3, 0.7]))
    assert np.abs(state[0b100101]) == pytest.approx(1.0, abs=1e-12)
