"""``dwave-emulated``: topology, embedding and control errors of an annealer on this machine; not its physics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import dimod
import numpy as np

from qproj._options import nearest
from qproj.solvers import Capabilities
from qproj.solvers.annealing import AnnealPath, AnnealSchedule, autoscale, check_temperature, custom_fields
from qproj.solvers.contract import check_positive
from qproj.solvers.interrupt import polled
from qproj_dwave.annealer import Annealer, Machine

#: Sizes of the machines whose topology it is: Advantage (P16), Advantage2 (Z12), D-Wave 2000Q (C16).
TOPOLOGIES = {"pegasus": 16, "zephyr": 12, "chimera": 16}
#: Standard deviations of h and J in units of the full J range: the Gaussian model and the figures of King and McGeoch
#: (arXiv 1410.2628) for a D-Wave Two; later machines are better, so this is the cautious side.
SIGMA_H, SIGMA_J = 0.05, 0.035
#: Microseconds of a submission, and of a read beside its anneal: the order of magnitude of published QPU timings.
PROGRAMMING_US, READOUT_US = 15_000.0, 120.0
#: Microseconds of an anneal, and sweeps in their place: a convention, since no sweep is a time of a machine.
ANNEALING_US, SWEEPS_PER_US = 20.0, 10.0
#: Of the mixing chamber, in millikelvin.
TEMPERATURE_MK = 15.0
#: dwave-samplers' samplers of a machine's physics.
SAMPLERS = {
    "sa": "SimulatedAnnealingSampler", "sqa": "PathIntegralAnnealingSampler", "svmc": "RotorModelAnnealingSampler"
}  # fmt: skip


class DWaveEmulated(Annealer):
    """min objective(v) by reads of an emulated annealer (``dwave-emulated``).

    The encoding is minor-embedded in a real topology, scaled into the machine's ranges, perturbed by Gaussian control
    new random errors at each programming, annealed on the physical graph by dwave-samplers, and read with majority
    votes over chains. Results say "emulated".

    Parameters
    ----------
    topology : {"zephyr", "pegasus", "chimera"}
    size : int, optional
        Of the topology; None: that of the machine which has it.
    dead_qubits : iterable of int
        Left out of the graph.
    sigma_h, sigma_j : float
        Standard deviations of the errors of h and J after autoscale; 0: none.
    sampler : {"sa", "sqa", "svmc"}
        Simulated annealing, path-integral Monte Carlo, or spin-vector Monte Carlo.
    annealing_time : float
        Microseconds that are charged for the anneal of a read.
    num_sweeps : int, optional
        None: ten per microsecond of `annealing_time`, a convention.
    schedule : str, (points, 3) array_like or path, optional
        A(s), B(s) in GHz of "sqa" and "svmc": "linear", "quadratic", numbers, or a CSV file, such as D-Wave publishes.
    anneal_schedule : str or sequence of (time, s), optional
        Pauses, or a reverse anneal from s = 1 that begins in the state of `hint`; the sweeps are spread over its
        times.
    temperature_mk : float
        Millikelvin, with a schedule.
    encoding, encoding_options, chain_strength, chain_prefactor, spin_reversals, pack, embed_timeout_s, embedding_folder
        As for :class:`qproj_dwave.qpu.DWave`.
    """

    name = "dwave-emulated"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm"}), seed=True, num_reads=True, note="emulated")

    def __init__(
        self, *, topology: str = "zephyr", size: int | None = None, dead_qubits: Iterable[int] = (),
        sigma_h: float = SIGMA_H, sigma_j: float = SIGMA_J, sampler: str = "sa",
        annealing_time: float = ANNEALING_US, num_sweeps: int | None = None,
        schedule: Any = None, anneal_schedule: str | Sequence[tuple[float, float]] | None = None,
        temperature_mk: float = TEMPERATURE_MK,
        encoding: str = "margin", encoding_options: Mapping[str, Any] | None = None,
        chain_strength: Any = "uniform_torque_compensation", chain_prefactor: float | None = None,
        spin_reversals: int = 0, pack: bool = True, embed_timeout_s: float = 30.0,
        embedding_folder: str | Path | None = "",
    ) -> None:  # fmt: skip
        if topology not in TOPOLOGIES:
            raise ValueError(f"unknown topology {topology!r}; {nearest(topology, TOPOLOGIES)}")
        if sampler not in ("sa", "sqa", "svmc"):
            raise ValueError(f"unknown sampler {sampler!r}; 'sa', 'sqa' or 'svmc'")
        if sampler == "sa" and not (schedule is None and anneal_schedule is None):
            raise ValueError("sampler='sa' has no transverse field to schedule; use sampler='sqa' or 'svmc'")
        if not 0 < annealing_time < np.inf:
            raise ValueError(f"annealing_time is {annealing_time}; microseconds > 0 are needed")
        if num_sweeps is None:
            num_sweeps = max(1, round(SWEEPS_PER_US * annealing_time))
        check_positive(num_sweeps=num_sweeps, size=TOPOLOGIES[topology] if size is None else size)
        for label, sigma in (("sigma_h", sigma_h), ("sigma_j", sigma_j)):
            if not 0 <= sigma < np.inf:
                raise ValueError(f"{label} is {sigma}; a number ≥ 0 is needed")
        self.topology, self.size = topology, int(size or TOPOLOGIES[topology])
        self.dead_qubits = tuple(sorted(int(q) for q in dead_qubits))
        self.sigma_h, self.sigma_j, self.sampler, self.num_sweeps = float(sigma_h), float(sigma_j), sampler, num_sweeps
        self.annealing_time = float(annealing_time)
        self.fields = fields_of(schedule, anneal_schedule, num_sweeps, temperature_mk)
        reverse = AnnealPath.of(1.0, anneal_schedule).is_reverse
        super().__init__(
            encoding=encoding, encoding_options=encoding_options, chain_strength=chain_strength,
            chain_prefactor=chain_prefactor, spin_reversals=spin_reversals, pack=pack,
            embed_timeout_s=embed_timeout_s, embedding_folder=embedding_folder, reverse=reverse,
        )  # fmt: skip

    @cached_property
    def _machine(self) -> EmulatedMachine:
        return EmulatedMachine(
            self.topology, self.size, self.dead_qubits, (self.sigma_h, self.sigma_j), self.sampler, self.fields,
            READOUT_US + self.annealing_time,
        )  # fmt: skip

    @property
    def machine(self) -> Machine:
        return self._machine

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k != "_machine"}


class EmulatedMachine:
    """Qubits, ranges and control errors, annealed by dwave-samplers."""

    h_range = (-4.0, 4.0)
    j_range = (-1.0, 1.0)

    def __init__(
        self, topology: str, size: int, dead_qubits: tuple[int, ...], noise: tuple[float, float], sampler: str,
        fields: Mapping[str, Any], read_us: float,
    ) -> None:  # fmt: skip
        self.read_us = read_us
        self.graph = topology_graph(topology, size)
        unknown = sorted(set(dead_qubits) - set(self.graph.nodes))
        if unknown:
            raise ValueError(f"dead_qubits {unknown[:5]} are not in a {topology} graph of size {size}")
        self.graph.remove_nodes_from(dead_qubits)
        self.noise, self.sampler, self.fields = noise, sampler, dict(fields)

    def estimate_us(self, num_qubits: int, num_reads: int) -> float:
        """Return what a machine would charge, roughly: programming, then anneal, readout and delay a read."""
        return PROGRAMMING_US + num_reads * self.read_us

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, num_reads: int, seed: int | None, deadline: float | None,
        state: Mapping[int, int] | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Return reads of the perturbed model, with the energies of the one that was asked for."""
        rng = np.random.default_rng(seed)
        programmed = bqm.copy()
        programmed.scale(autoscale(bqm, self.h_range, self.j_range))
        for q in programmed.variables:
            programmed.add_linear(q, rng.normal(0.0, self.noise[0]) if self.noise[0] else 0.0)
        for u, v in list(programmed.quadratic):
            programmed.add_quadratic(u, v, rng.normal(0.0, self.noise[1]) if self.noise[1] else 0.0)
        import dwave.samplers

        fields = dict(self.fields)
        if state is not None:
            fields |= {"initial_states": dict(state), "initial_states_generator": "tile"}
        draw = int(rng.integers(2**31))
        with polled(deadline) as stop:
            reads = getattr(dwave.samplers, SAMPLERS[self.sampler])().sample(
                programmed, num_reads=num_reads, interrupt_function=stop, seed=draw, **fields
            )
        honest: dimod.SampleSet = dimod.SampleSet.from_samples_bqm(
            (reads.record.sample, reads.variables), bqm, num_occurrences=reads.record.num_occurrences
        )
        honest.info["emulated"] = True
        return honest


def fields_of(schedule: Any, anneal_schedule: Any, num_sweeps: int, temperature_mk: float) -> dict[str, Any]:
    """Return what a sampler is passed: a number of sweeps, or the transverse and longitudinal field of each sweep."""
    temperature = check_temperature(temperature_mk)
    if schedule is None and anneal_schedule is None:
        return {"num_sweeps": num_sweeps}
    path = AnnealPath.of(1.0, anneal_schedule)
    return custom_fields(AnnealSchedule.of("linear" if schedule is None else schedule), path, num_sweeps, temperature)


def topology_graph(topology: str, size: int) -> Any:
    """Return dwave-graphs' graph of a topology, every qubit working."""
    import dwave.graphs

    return getattr(dwave.graphs, f"{topology}_graph")(size)
