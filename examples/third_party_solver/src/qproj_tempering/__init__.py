"""Parallel tempering on the margin surrogate or any BQM: several temperatures at once, neighbours swap."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import dimod
import numpy as np

from qproj.solvers import Adapter, Capabilities, EndedBy, Found, Request
from qproj.solvers.sampling import Model, decode_reads, require_positive, sampled_model


class Tempering(Adapter):
    """min objective(v) by reads of parallel tempering (Swendsen and Wang 1986).

    Parameters
    ----------
    sweeps, rungs : int
        Sweeps a read, and temperatures on the ladder.
    encoding : str
        Of sign projections.
    """

    name: ClassVar[str] = "tempering"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm"}), seed=True, num_reads=True)

    def __init__(self, *, sweeps: int = 60, rungs: int = 6, encoding: str = "margin") -> None:
        require_positive(sweeps=sweeps, rungs=rungs)
        self.sweeps, self.rungs, self.encoding = sweeps, rungs, encoding

    def build(self, problem: Any, ask: Request) -> Model:
        return sampled_model(problem, self.encoding)  # coefficients of at most 1, variables 0…N−1

    def call(self, model: Model, ask: Request) -> tuple[Model, dimod.SampleSet, EndedBy]:
        spin = model.bqm.change_vartype("SPIN", inplace=False)
        N, rng, reads = spin.num_variables, ask.rng(), []
        vectors = spin.to_numpy_vectors(variable_order=range(N))
        J = np.zeros((N, N))
        J[vectors.quadratic.row_indices, vectors.quadratic.col_indices] = vectors.quadratic.biases
        J, h = J + J.T, vectors.linear_biases
        beta = np.geomspace(0.2, 2.0 * max(N, 1), self.rungs)
        late = False
        while len(reads) < (ask.num_reads or 20) and not (late and reads):
            s = rng.choice([-1.0, 1.0], (self.rungs, N))
            for _ in range(self.sweeps):
                for i in rng.permutation(N):
                    change = -2.0 * s[:, i] * (s @ J[i] + h[i])
                    s[rng.random(self.rungs) < np.exp(np.clip(-beta * change, -700.0, 0.0)), i] *= -1.0
                energy = 0.5 * np.einsum("ri,ij,rj->r", s, J, s) + s @ h
                for r in range(self.rungs - 1):
                    if rng.random() < np.exp(min(0.0, (beta[r + 1] - beta[r]) * (energy[r + 1] - energy[r]))):
                        s[[r, r + 1]], energy[[r, r + 1]] = s[[r + 1, r]], energy[[r + 1, r]]
                late = ask.deadline is not None and time.perf_counter() >= ask.deadline
                if late:
                    break
            reads.append(s[-1].astype(np.int8))
        found = dimod.SampleSet.from_samples_bqm((np.reshape(reads, (len(reads), N)), list(range(N))), spin)
        return model, found, EndedBy.CLOCK if late else EndedBy.BUDGET

    def decode(self, raw: tuple[Model, dimod.SampleSet, EndedBy], problem: Any) -> Found:
        model, reads, ended_by = raw
        return decode_reads(model, reads, problem, ended_by)
