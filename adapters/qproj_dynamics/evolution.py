"""ψ after an anneal of −A/2 Σσˣ + B/2·E, E diagonal: second-order splitting, with the error measured by doubling steps.

One step of length τ at its midpoint is e^{−iγE/2} e^{iβΣσˣ} e^{−iγE/2} with γ = 2πBτ/2 and β = 2πAτ/2. Neighbouring
factors of E are one, so a step is two passes over the state. Its error falls as 1/steps², so a third of the change
that doubling makes estimates the remaining error.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.annealing import AnnealPath, AnnealSchedule
from qproj.solvers.state_vector.passes import reflect, strips, turn
from qproj.solvers.state_vector.states import in_order, spin_sum

ComplexArray = NDArray[np.complex128]
#: Largest phase of one spin in a step at which the doubling begins.
FIRST_PHASE = 2.0
#: Doublings at most.
MOST_DOUBLINGS = 12


class TimeUpError(Exception):
    """The deadline passed before an anneal was integrated once."""


@dataclass(frozen=True, eq=False)
class Anneal:
    """One anneal; for one thread at a time, since it keeps its scratch.

    Attributes
    ----------
    energy : (2^N,) float64
        Σ h s + Σ J ss of the programmed model; bit i of an index is (s_i + 1)/2.
    schedule : AnnealSchedule
    path : AnnealPath
    field : float
        max_i |h_i| + Σ_j |J_ij|: a spin's largest energy over 2, which decides the first step.
    """

    energy: FloatArray
    schedule: AnnealSchedule
    path: AnnealPath
    field: float

    @property
    def num_qubits(self) -> int:
        return len(self.energy).bit_length() - 1

    @property
    def first_steps(self) -> int:
        """Steps in which no spin turns by more than :data:`FIRST_PHASE`."""
        fastest = np.pi * float((self.schedule.A + self.field * self.schedule.B).max())
        return max(4, int(np.ceil(self.path.duration * fastest / FIRST_PHASE)))

    def state(
        self, steps: int, start: int | None = None, kicks: Iterable[tuple[float, int]] = (),
        deadline: float | None = None,
    ) -> ComplexArray:  # fmt: skip
        """Return ψ (2^N,) after `steps` equal steps.

        Parameters
        ----------
        start : int, optional
            Index of a classical initial state; None: all spins along −x's ground state, (1, …, 1)/√2^N.
        kicks : iterable of (fraction, qubit)
            σᶻ acts on a qubit after this fraction of the steps; sorted.
        deadline : float, optional
            On time.perf_counter's clock.

        Raises
        ------
        TimeUpError
            The deadline passed before.
        """
        tau = self.path.duration / steps
        A, B = self.schedule.at(self.path.at((np.arange(steps) + 0.5) * tau))
        gamma, beta = np.pi * B * tau, -np.pi * A * tau
        cost = np.concatenate([gamma[:1] / 2, (gamma[1:] + gamma[:-1]) / 2, gamma[-1:] / 2])
        due = sorted((round(fraction * steps), qubit) for fraction, qubit in kicks)[::-1]
        states, turned = self._scratch
        self._begin(start)
        for k in range(steps):
            while due and due[-1][0] <= k:
                self._kick(due.pop()[1])
            turn(states, turned, self._cost, float(cost[k]), self._mirrors[0])
            turn(turned, states, self._spin_sum, float(beta[k]), self._mirrors[1])
            if deadline is not None and time.perf_counter() >= deadline:
                raise TimeUpError
        turn(states, turned, self._cost, float(cost[steps]), self._mirrors[0])
        turn(turned, states, self._spin_sum, 0.0, self._mirrors[1])
        reflect(states, self._mirrors[0])
        return in_order(states[0]) + 1j * in_order(states[1])

    def _begin(self, start: int | None) -> None:
        """Write the initial state, its rows' variables reflected, into the scratch."""
        states, _ = self._scratch
        states.fill(0.0)
        plane = np.zeros(self._shape)
        if start is None:
            plane[:] = len(self.energy) ** -0.5
        else:
            plane.ravel()[start] = 1.0
        states[0] = strips(plane)
        reflect(states, self._mirrors[0])

    def _kick(self, qubit: int) -> None:
        """Apply σᶻ of one qubit."""
        states, _ = self._scratch
        reflect(states, self._mirrors[0])
        sign: FloatArray = 1.0 - 2.0 * ((np.arange(len(self.energy)) >> qubit) & 1).astype(np.float64)
        states *= strips(sign.reshape(self._shape))
        reflect(states, self._mirrors[0])

    @cached_property
    def _shape(self) -> tuple[int, int]:
        low = self.num_qubits // 2
        return 1 << (self.num_qubits - low), 1 << low

    @cached_property
    def _mirrors(self) -> tuple[FloatArray, FloatArray]:
        """Hadamard's reflections of the variables in the matrix's rows and columns."""
        low = self.num_qubits // 2
        both = np.full((2, self.num_qubits), np.sqrt(0.5))
        return both[:, low:].copy(), both[:, :low].copy()

    @cached_property
    def _cost(self) -> FloatArray:
        return strips(self.energy.reshape(self._shape))

    @cached_property
    def _spin_sum(self) -> FloatArray:
        low = self.num_qubits // 2
        return spin_sum(self.num_qubits - low, low)

    @cached_property
    def _scratch(self) -> tuple[FloatArray, FloatArray]:
        return np.zeros((2, *self._cost.shape)), np.zeros((2, *self._spin_sum.shape))


@dataclass(frozen=True, eq=False)
class Integrated:
    """A distribution over the 2^N states, and how well it is known.

    Attributes
    ----------
    probability : (2^N,) float64
    steps : int
    error : float
        Estimated total variation from the exact distribution; inf where a deadline left one integration only.
    norm_error : float
        |1 − Σ|ψ|²|.
    late : bool
        The deadline ended the doubling.
    """

    probability: FloatArray
    steps: int
    error: float
    norm_error: float
    late: bool


def integrate(
    anneal: Anneal, *, start: int | None = None, tolerance: float = 1e-3, deadline: float | None = None
) -> Integrated:
    """Return the distribution after an anneal, steps being doubled until its estimated error is within `tolerance`.

    The estimate is a third of the total variation ½Σ|p − p'| between the last two. Twelve doublings are made at most.

    Raises
    ------
    TimeUpError
        The deadline passed before the first integration was done.
    """
    steps, error = anneal.first_steps, np.inf
    probability = _distribution(anneal.state(steps, start, deadline=deadline))
    for _ in range(MOST_DOUBLINGS):
        try:
            finer = _distribution(anneal.state(2 * steps, start, deadline=deadline))
        except TimeUpError:
            break
        error = 0.5 * float(np.abs(finer - probability).sum()) / 3.0
        probability, steps = finer, 2 * steps
        if error <= tolerance:
            break
    late = error > tolerance and deadline is not None and time.perf_counter() >= deadline
    total = float(probability.sum())
    return Integrated(probability / total, steps, error, abs(1.0 - total), late)


def dephased(
    anneal: Anneal, rate: float, trajectories: int, rng: np.random.Generator, *, steps: int, start: int | None = None,
    deadline: float | None = None,
) -> tuple[FloatArray, int]:  # fmt: skip
    """Return the mean distribution of quantum trajectories with dephasing, and how many were done.

    σᶻ acts on each qubit at random times, `rate`/2 times per nanosecond: averaged, that is the Lindblad equation with
    L = √(rate/2)·σᶻ, in which a qubit's coherence decays as e^{−rate·t} (Dalibard, Castin, Mølmer 1992).
    """
    total, done = np.zeros(len(anneal.energy)), 0
    for _ in range(trajectories):
        count = rng.poisson(0.5 * rate * anneal.path.duration * anneal.num_qubits)
        kicks = sorted(zip(rng.random(count).tolist(), rng.integers(0, anneal.num_qubits, count).tolist()))
        try:
            total += _distribution(anneal.state(steps, start, kicks, deadline))
        except TimeUpError:
            break
        done += 1
    if not done:
        raise TimeUpError
    return total / total.sum(), done


def _distribution(psi: ComplexArray) -> FloatArray:
    return np.asarray(psi.real**2 + psi.imag**2, np.float64)
