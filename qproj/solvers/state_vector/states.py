"""States of N qubits as vectors of 2^N numbers; bit i of an index is variable i."""

from __future__ import annotations

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.state_vector.passes import strips


def energies(bqm: dimod.BinaryQuadraticModel) -> FloatArray:
    """Return the model's 2^N energies over integer labels 0..N−1, offset included; bit i of an index is x_i.

    A SPIN variable is s = 2x − 1. Each variable doubles the vector: O(2^N·N) with no Python loop over states.
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


def product_state(mirrors: FloatArray) -> FloatArray:
    """Return Π cos(θ_i/2)|0⟩ + sin(θ_i/2)|1⟩ (2^N,), which the mixer leaves in place, of cosines and sines (2, N)."""
    state = np.ones(1)
    for cos, sin in mirrors.T:
        state = np.concatenate((state * cos, state * sin))
    return state


def spin_sum(high: int, low: int) -> FloatArray:
    """Return Σ_i Z_i over all `high` + `low` qubits, in strips of the transposed matrix (2^low, 2^high)."""
    rows, columns = (N - 2.0 * np.bitwise_count(np.arange(1 << N)) for N in (low, high))
    return strips(np.add.outer(rows, columns))


def in_order(plane: FloatArray) -> FloatArray:
    """Return the vector (2^N,) of a matrix in strips."""
    return plane.swapaxes(0, 1).ravel()


def reads_of(probability: FloatArray, num_reads: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Return reads (num_reads, N) of 0/1 from a distribution (2^N,), in the order drawn."""
    cumulative = np.cumsum(probability)
    index = np.searchsorted(cumulative, rng.random(num_reads) * cumulative[-1], side="right")
    index = np.minimum(index, len(cumulative) - 1)
    bits: NDArray[np.int8] = ((index[:, None] >> np.arange(len(cumulative).bit_length() - 1)) & 1).astype(np.int8)
    return bits
