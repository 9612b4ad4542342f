"""``qaoa-fast``: QAOA on an exact diagonal simulator with analytic gradients; no Qiskit needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qproj._arrays import FloatArray
from qproj.encodings import SampledModel
from qproj.solvers import Capabilities, Reads, Request, SamplingAdapter, Termination
from qproj.solvers.contract import check_positive
from qproj.solvers.state_vector.memory import require_memory, sampleset_of_bits
from qproj_qiskit.angles import AngleSearch, check_optimizer, ramp, search

#: Bytes per amplitude: energies in order and in strips, Σ Z, scratch (ψ and its adjoint state, twice), reads.
BYTES_PER_STATE = 8 + 8 + 8 + 2 * (16 + 16) + 16


class QAOAFast(SamplingAdapter):
    """min objective(v) by reads of a QAOA state that is simulated exactly (``qaoa-fast``).

    Parameters
    ----------
    reps : int
        Layers p.
    optimizer : str
        "L-BFGS-B" uses the analytic gradient; others of :data:`qproj_qiskit.angles.OPTIMIZERS` do not.
    maxiter, restarts : int
        The work budget: iterations per start; starts from a linear ramp and then from random angles.
    cvar : float
        Share of lowest energies that the angles are tuned for, in (0, 1].
    warm_start : float
        ε in (0, ½]: a hint's bits become probabilities ε or 1−ε of the initial state; ½ ignores it.
    angles : (2p,) array_like, optional
        γ_1…γ_p, β_1…β_p to sample at, without a search.
    encoding, encoding_options
        As in ``SignProjection.encode``.
    max_bytes : int, optional
        Memory that the state may take; None: half of the machine's.
    """

    name = "qaoa-fast"
    default_reads = 1000
    capabilities = Capabilities(
        forms=frozenset({"projection", "bqm"}), seed=True, num_reads=True, hint=True, stops=False,
        note="simulated exactly",
    )  # fmt: skip

    def __init__(
        self, *, reps: int = 3, optimizer: str = "L-BFGS-B", maxiter: int = 60, restarts: int = 2, cvar: float = 1.0,
        warm_start: float = 0.25, angles: ArrayLike | None = None, encoding: str = "margin",
        encoding_options: Mapping[str, Any] | None = None, max_bytes: int | None = None,
    ) -> None:  # fmt: skip
        check_positive(reps=reps, maxiter=maxiter, restarts=restarts)
        check_optimizer(optimizer)
        self.reps, self.maxiter, self.restarts, self.optimizer = int(reps), int(maxiter), int(restarts), optimizer
        self.cvar, self.warm_start = check_share("cvar", cvar, 1.0), check_share("warm_start", warm_start, 0.5)
        self.angles = None if angles is None else check_angles(angles, self.reps)
        super().__init__(encoding=encoding, encoding_options=encoding_options)
        self.max_bytes = max_bytes

    def build(self, problem: Any, request: Request) -> SampledModel:
        model = super().build(problem, request)
        require_memory(self.name, model.bqm.num_variables, BYTES_PER_STATE, self.max_bytes)
        return model

    def call(self, model: SampledModel, request: Request) -> Reads:
        from qproj.solvers.state_vector.states import energies  # and numba, which lists of solvers can do without
        from qproj_qiskit.diagonal import Diagonal

        rng = request.rng()
        state = Diagonal(energies(model.bqm), warm_axes(model, request.hint, self.warm_start), self.cvar)
        progress = AngleSearch(request.deadline)
        angles = self.angles
        if angles is None:
            for start in range(self.restarts):
                first = ramp(self.reps) if start == 0 else rng.uniform(-1.0, 1.0, 2 * self.reps)
                search(
                    state.value_and_gradient if self.optimizer == "L-BFGS-B" else state.value, first,
                    optimizer=self.optimizer, maxiter=self.maxiter, progress=progress, rng=rng,
                    gradient=self.optimizer == "L-BFGS-B",
                )  # fmt: skip
                if progress.late:
                    break
            angles = progress.best_angles
        assert angles is not None
        samples = state.sample(angles, request.num_reads or self.default_reads, rng)
        expectation = state.value(angles) * model.scale + model.offset
        stats = {"evaluations": progress.evaluations, "angles": angles.tolist(), "expectation": expectation}
        termination = Termination.CLOCK if progress.late else Termination.BUDGET
        return Reads(model, sampleset_of_bits(model, samples), termination, stats)


def warm_axes(model: SampledModel, hint: Any, epsilon: float) -> FloatArray:
    """Return θ (N,): π/2 without a hint; with one, P(x_i = its bit) = 1 − ε on weight bits (Egger et al. 2021)."""
    theta = np.full(model.bqm.num_variables, np.pi / 2)
    if hint is not None:
        bits = model.bits(hint)
        theta[: len(bits)] = 2.0 * np.arcsin(np.sqrt(np.where(bits > 0, 1.0 - epsilon, epsilon)))
    return theta


def check_share(name: str, value: float, largest: float) -> float:
    """Return a number in (0, largest], or raise."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating)):
        raise TypeError(f"{name} is {value!r}; a number in (0, {largest:g}] is needed")
    if not 0 < value <= largest:
        raise ValueError(f"{name} is {value}; a number in (0, {largest:g}] is needed")
    return float(value)


def check_angles(angles: ArrayLike, reps: int) -> FloatArray:
    """Return finite angles (2p,), or raise."""
    array = np.asarray(angles, np.float64)
    if array.shape != (2 * reps,) or not np.isfinite(array).all():
        raise ValueError(f"angles have shape {array.shape}; {2 * reps} finite numbers γ_1…γ_p, β_1…β_p are needed")
    return array
