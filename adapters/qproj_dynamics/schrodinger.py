"""``schrodinger``: transverse-field annealing of an encoding, integrated exactly; simulated, no machine's result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dimod
import numpy as np

from qproj._arrays import FloatArray
from qproj.encodings import SampledModel
from qproj.solvers import Capabilities, Found, Reads, Request, SamplingAdapter, Termination
from qproj.solvers.annealing import AnnealPath, AnnealSchedule, programmed
from qproj.solvers.contract import check_positive
from qproj.solvers.sampling import DEFAULT_READS
from qproj.solvers.state_vector.memory import require_memory, sampleset_of_bits

#: Bytes per amplitude: energies in order and in strips, Σσˣ, two states of two planes, two distributions, one complex.
BYTES_PER_STATE = 8 + 8 + 8 + 2 * 16 + 2 * 8 + 16
#: Weight bits up to which every weight vector is scored for ``probability_of_optimum``.
MOST_SCORED = 20
#: Qubits up to which the gap is computed without being asked for: a second or so.
GAP_QUBITS = 10
_BLOCK = 1 << 14


@dataclass(frozen=True, eq=False)
class Measured(Reads):
    """Reads, and the distribution (2^N,) that they were drawn from."""

    probability: FloatArray | None = None


class Schrodinger(SamplingAdapter):
    """min objective(v) by reads of a quantum anneal that is integrated on this machine (``schrodinger``).

    H(s) = −A(s)/2 Σσˣ + B(s)/2 (Σ h σᶻ + Σ J σᶻσᶻ), from the ground state of Σσˣ; h and J are scaled into a machine's
    ranges as ``dwave`` does. Integration is by second-order splitting, its steps doubled until the estimated error of
    the distribution (total variation) is within `tolerance`.

    Parameters
    ----------
    annealing_time : float
        Nanoseconds.
    schedule : str, (points, 3) array_like or path
        "linear", "quadratic", numbers (s, A, B) with A and B in GHz, or a CSV file of these columns.
    anneal_schedule : str or sequence of (ns, s), optional
        Pauses, ramps, or a reverse anneal, which begins at s = 1 in the state that `hint` gives; as text 0:0+5:0.4+9:1.
    dephasing : float
        Decay of each qubit's coherence per nanosecond, simulated by quantum trajectories; 0: a closed system.
    trajectories : int
        With dephasing.
    tolerance : float
        Of the distribution, in total variation.
    gap : bool, optional
        Compute ``minimum_gap`` (at most 14 qubits); None: up to 10 qubits.
    encoding, encoding_options
        As in ``SignProjection.encode``.
    max_bytes : int, optional
        Memory that the state may take; None: half of the machine's.
    """

    name = "schrodinger"
    capabilities = Capabilities(
        forms=frozenset({"projection", "bqm"}), num_reads=True, hint=True, thread_safe=True, stops=False,
        note="simulated: Schrödinger's equation",
    )  # fmt: skip

    def __init__(
        self, *, annealing_time: float = 20.0, schedule: Any = "linear",
        anneal_schedule: str | Sequence[tuple[float, float]] | None = None, dephasing: float = 0.0,
        trajectories: int = 20, tolerance: float = 1e-3, gap: bool | None = None, encoding: str = "margin",
        encoding_options: Mapping[str, Any] | None = None, max_bytes: int | None = None,
    ) -> None:  # fmt: skip
        _check_number("annealing_time", annealing_time, 0.0, "nanoseconds")
        _check_number("tolerance", tolerance, 0.0, "a total variation")
        _check_number("dephasing", dephasing, -1e-300, "a rate per nanosecond")
        check_positive(trajectories=trajectories)
        self.path = AnnealPath.of(float(annealing_time), anneal_schedule)
        self.schedule = AnnealSchedule.of(schedule)
        self.dephasing, self.trajectories, self.tolerance = float(dephasing), int(trajectories), float(tolerance)
        self.gap, self.max_bytes = gap, max_bytes
        super().__init__(encoding=encoding, encoding_options=encoding_options)

    def check(self, problem: Any, request: Request) -> None:
        """Refuse a reverse anneal without the state that it begins in."""
        if self.path.is_reverse and request.hint is None:
            raise ValueError("anneal_schedule begins at s = 1, a reverse anneal: pass hint, the state to begin in")

    def build(self, problem: Any, request: Request) -> SampledModel:
        model = super().build(problem, request)
        require_memory(self.name, model.bqm.num_variables, BYTES_PER_STATE, self.max_bytes)
        return model

    def call(self, model: SampledModel, request: Request) -> Measured:
        from qproj.solvers.state_vector.states import energies, reads_of  # and numba
        from qproj_dynamics.evolution import Anneal, TimeUpError, dephased, integrate

        num_reads = request.num_reads or DEFAULT_READS
        if not model.bqm.num_variables:
            return Measured(model, dimod.SampleSet.from_samples_bqm([{}] * num_reads, model.bqm))
        rng = request.rng()
        spins = programmed(model.bqm)
        anneal = Anneal(energies(spins), self.schedule, self.path, _largest_field(spins))
        start = self._start(model, request, rng)
        try:
            found = integrate(anneal, start=start, tolerance=self.tolerance, deadline=request.deadline)
            probability, stats = found.probability, {"steps": found.steps, "splitting_error": found.error}
            stats |= {"norm_error": found.norm_error}
            late = found.late
            if self.dephasing and not late:
                probability, done = dephased(
                    anneal, self.dephasing, self.trajectories, rng, steps=found.steps, start=start,
                    deadline=request.deadline,
                )  # fmt: skip
                stats["trajectories"], late = done, done < self.trajectories
        except TimeUpError:
            none = dimod.SampleSet.from_samples_bqm((np.empty((0, model.bqm.num_variables)), range(0)), model.bqm)
            return Measured(model, none, Termination.CLOCK)
        ground = anneal.energy <= anneal.energy.min() + 1e-9 * max(1.0, float(np.abs(anneal.energy).max()))
        stats |= {"simulated": True, "ground_state_probability": float(probability[ground].sum())}
        stats |= self._gap_stats(anneal.energy, request.deadline)
        bits = reads_of(probability, num_reads, rng)
        termination = Termination.CLOCK if late else Termination.BUDGET
        return Measured(model, sampleset_of_bits(model, bits), termination, stats, probability=probability)

    def decode(self, raw: Reads, problem: Any) -> Found:
        """Return the reads as candidates, with the probability of all states that decode to the best gain of any."""
        found = super().decode(raw, problem)
        probability = getattr(raw, "probability", None)
        bits = len(raw.model.labels if raw.model.columns is None else raw.model.columns.labels)
        if probability is None or bits > MOST_SCORED:
            return found
        share = probability.reshape(-1, 1 << bits).sum(axis=0)
        stats = {**found.stats, "probability_of_optimum": _probability_of_optimum(raw.model, problem, share, bits)}
        return replace(found, stats=stats)

    def _start(self, model: SampledModel, request: Request, rng: np.random.Generator) -> int | None:
        """Return the index of the state in which a reverse anneal begins; what the hint leaves open is drawn."""
        if not self.path.is_reverse or request.hint is None:
            return None
        bits = model.bits(request.hint)
        open_bits = rng.integers(0, 2, model.bqm.num_variables - len(bits))
        return int(np.concatenate([bits, open_bits]).astype(np.int64) @ (1 << np.arange(model.bqm.num_variables)))

    def _gap_stats(self, energy: FloatArray, deadline: float | None) -> dict[str, float]:
        from qproj_dynamics.spectrum import MOST_QUBITS, minimum_gap

        qubits = len(energy).bit_length() - 1
        if self.gap is False or qubits > (GAP_QUBITS if self.gap is None else MOST_QUBITS):
            return {}
        found = minimum_gap(energy, self.schedule, deadline=deadline)
        return {} if found is None else {"minimum_gap": found.gap_ghz, "minimum_gap_at": found.s}


def _probability_of_optimum(model: SampledModel, problem: Any, share: FloatArray, bits: int) -> float:
    """Return Σ of `share`, (2^bits,), over the weight patterns of the best gain that any pattern has."""
    best, total = -np.inf, 0.0
    scale = abs(float(problem.gain_bound or 0.0))
    for first in range(0, len(share), _BLOCK):
        index = np.arange(first, min(first + _BLOCK, len(share)))
        patterns = ((index[:, None] >> np.arange(bits)) & 1).astype(np.int8)
        if model.columns is None and model.bqm.vartype is dimod.SPIN:
            patterns = (2 * patterns - 1).astype(np.int8)
        gains = np.asarray(problem.gain(model.assignments(patterns)), np.float64)
        top = float(gains.max())
        if top > best + 1e-9 * scale:
            best, total = top, 0.0
        total += float(share[index][gains >= best - 1e-9 * scale].sum())
    return total


def _largest_field(spins: dimod.BinaryQuadraticModel) -> float:
    """Return max_i |h_i| + Σ_j |J_ij|."""
    field = {v: abs(bias) for v, bias in spins.linear.items()}
    for (u, v), bias in spins.quadratic.items():
        field[u] += abs(bias)
        field[v] += abs(bias)
    return float(max(field.values(), default=0.0))


def _check_number(name: str, value: object, above: float, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} is {value!r}; a number is needed, {what}")
    if not above < float(value) < np.inf:
        raise ValueError(f"{name} is {value}; {what}, a finite number {'> 0' if above >= 0 else '≥ 0'}, is needed")
