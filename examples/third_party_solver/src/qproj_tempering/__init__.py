"""Parallel tempering on the margin surrogate or any BQM: several temperatures at once, neighbours swap."""

from __future__ import annotations

import time

import dimod
import numpy as np

from qproj.encodings import SampledModel
from qproj.solvers import Reads, Request, SamplingAdapter, Termination, check_positive


class Tempering(SamplingAdapter):
    """min objective(v) by reads of parallel tempering (Swendsen and Wang 1986).

    Parameters
    ----------
    sweeps, rungs : int
        Sweeps per read, and temperatures on the ladder.
    encoding : str
        Of sign projections.
    """

    name = "tempering"

    def __init__(self, *, sweeps: int = 60, rungs: int = 6, encoding: str = "margin") -> None:
        check_positive(sweeps=sweeps, rungs=rungs)
        super().__init__(encoding=encoding)
        self.sweeps, self.rungs = sweeps, rungs

    def call(self, model: SampledModel, request: Request) -> Reads:
        """Return reads of the scaled model, whose coefficients are at most 1 and whose variables are 0…N−1."""
        spin = model.bqm.change_vartype("SPIN", inplace=False)
        N, rng, reads = spin.num_variables, request.rng(), []
        vectors = spin.to_numpy_vectors(variable_order=range(N))
        J = np.zeros((N, N))
        J[vectors.quadratic.row_indices, vectors.quadratic.col_indices] = vectors.quadratic.biases
        J, h = J + J.T, vectors.linear_biases
        beta = np.geomspace(0.2, 2.0 * max(N, 1), self.rungs)
        late = False
        while len(reads) < (request.num_reads or 20) and not (late and reads):
            s = rng.choice([-1.0, 1.0], (self.rungs, N))
            for _ in range(self.sweeps):
                for i in rng.permutation(N):
                    change = -2.0 * s[:, i] * (s @ J[i] + h[i])
                    s[rng.random(self.rungs) < np.exp(np.clip(-beta * change, -700.0, 0.0)), i] *= -1.0
                energy = 0.5 * np.einsum("ri,ij,rj->r", s, J, s) + s @ h
                for r in range(self.rungs - 1):
                    if rng.random() < np.exp(min(0.0, (beta[r + 1] - beta[r]) * (energy[r + 1] - energy[r]))):
                        s[[r, r + 1]], energy[[r, r + 1]] = s[[r + 1, r]], energy[[r + 1, r]]
                late = request.deadline is not None and time.perf_counter() >= request.deadline
                if late:
                    break
            reads.append(s[-1].astype(np.int8))
        found = dimod.SampleSet.from_samples_bqm((np.reshape(reads, (len(reads), N)), list(range(N))), spin)
        return Reads(model, found, Termination.CLOCK if late else Termination.BUDGET)
