"""``qaoa``: Ising operator → ansatz → sampler primitive, for simulators, noise models and IBM's hardware alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import dimod
import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray
from qproj.encodings import SampledModel
from qproj.solvers import (
    Adapter,
    Capabilities,
    Found,
    Reads,
    Request,
    Termination,
    TooLargeError,
    decode_reads,
    sampled_model,
)
from qproj.solvers.contract import check_positive
from qproj.solvers.sampling import check_encoding
from qproj.solvers.state_vector.memory import require_memory, sampleset_of_bits
from qproj_qiskit.angles import AngleSearch, check_optimizer, ramp, search
from qproj_qiskit.fast import check_angles, check_share, warm_axes

DEFAULT_READS = 1024


class QAOA(Adapter[tuple[SampledModel, Any], Reads]):
    """min objective(v) by reads of a QAOA circuit run on a Qiskit ``SamplerV2`` primitive (``qaoa``).

    Parameters
    ----------
    sampler : BaseSamplerV2, optional
        Any primitive: qiskit-aer's, one with a fake backend's noise, qiskit-ibm-runtime's. None: Aer, seeded for
        every evaluation, since a primitive with a fixed seed repeats its shots.
    reps : int
        Layers p.
    optimizer : str
        One of :data:`qproj_qiskit.angles.OPTIMIZERS` without gradients.
    maxiter : int
        The work budget of the search for angles: evaluations, or steps of two for SPSA.
    shots : int
        Per evaluation of the objective.
    cvar : float
        Share of lowest energies that the angles are tuned for, in (0, 1].
    warm_start : float
        ε in (0, ½]: a hint's bits become probabilities ε or 1−ε of the initial state.
    angles : (2p,) array_like, optional
        γ_1…γ_p, β_1…β_p to sample at, without a search; those of ``qaoa-fast`` fit.
    pass_manager : PassManager, optional
        Compiles the circuit; None: Qiskit's preset for the primitive's backend, if it names one.
    encoding, encoding_options
        As in ``SignProjection.encode``.
    """

    name = "qaoa"
    extra: ClassVar[str] = "qiskit"
    requires: ClassVar[tuple[str, ...]] = ("qiskit", "qiskit_aer")
    capabilities = Capabilities(
        forms=frozenset({"projection", "bqm"}), seed=True, num_reads=True, hint=True, stops=False
    )  # a circuit is simulated to its end

    def __init__(
        self, *, sampler: Any = None, reps: int = 1, optimizer: str = "COBYLA", maxiter: int = 30, shots: int = 512,
        cvar: float = 1.0, warm_start: float = 0.25, angles: ArrayLike | None = None, pass_manager: Any = None,
        encoding: str = "margin", encoding_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        check_positive(reps=reps, maxiter=maxiter, shots=shots)
        check_optimizer(optimizer)
        if optimizer == "L-BFGS-B":
            raise ValueError("a sampler gives no gradient; use 'COBYLA' or 'SPSA', or qaoa-fast for L-BFGS-B")
        if sampler is not None and not callable(getattr(sampler, "run", None)):
            raise TypeError(f"{type(sampler).__name__} is not a sampler primitive: it needs run(pubs, shots=…)")
        self.sampler, self.pass_manager, self.optimizer = sampler, pass_manager, optimizer
        self.reps, self.maxiter, self.shots = int(reps), int(maxiter), int(shots)
        self.cvar, self.warm_start = check_share("cvar", cvar, 1.0), check_share("warm_start", warm_start, 0.5)
        self.angles = None if angles is None else check_angles(angles, self.reps)
        self.encoding, self.encoding_options = encoding, check_encoding(encoding, encoding_options)
        if sampler is not None:
            # The shots of a primitive that was handed over follow its own random state.
            self.capabilities = replace(
                self.capabilities, seed=False, thread_safe=False, picklable=False, note=f"on {type(sampler).__name__}"
            )

    def build(self, problem: Any, request: Request) -> tuple[SampledModel, Any]:
        model = sampled_model(problem, self.encoding, self.encoding_options)
        qubits = model.bqm.num_variables
        backend = self._backend()
        room = getattr(backend, "num_qubits", None)
        if self.sampler is None:
            require_memory(self.name, qubits, 16, None)
        elif room is not None and qubits > room:
            raise TooLargeError(
                f"{qubits} qubits exceed the {room} of {backend}; use encoding='margin', 'sa' or 'auto'"
            )
        if not model.bqm.linear or not operator_of(model.bqm).coeffs.any():
            return model, None  # nothing to evolve: every state is optimal
        circuit = ansatz(model.bqm, self.reps, warm_axes(model, request.hint, self.warm_start))
        compiler = self.pass_manager
        if compiler is None and backend is not None:
            from qiskit.transpiler import generate_preset_pass_manager

            compiler = generate_preset_pass_manager(optimization_level=1, backend=backend, seed_transpiler=0)
        return model, circuit if compiler is None else compiler.run(circuit)

    def call(self, model: tuple[SampledModel, Any], request: Request) -> Reads:
        scaled, circuit = model
        rng = request.rng()
        reads = request.num_reads or DEFAULT_READS
        if circuit is None:
            bits = rng.integers(0, 2, (reads, scaled.bqm.num_variables), dtype=np.int8)
            return Reads(scaled, sampleset_of_bits(scaled, bits), stats={"evaluations": 0})

        def value(angles: FloatArray) -> float:
            bits = self._shots(circuit, angles, self.shots, rng)
            order = np.sort(scaled.bqm.energies(sampleset_of_bits(scaled, bits)))
            return float(order[: max(1, round(self.cvar * len(order)))].mean())

        progress = AngleSearch(request.deadline)
        angles = self.angles
        if angles is None:
            search(value, ramp(self.reps), optimizer=self.optimizer, maxiter=self.maxiter, progress=progress, rng=rng)
            angles = progress.best_angles
        assert angles is not None
        bits = self._shots(circuit, angles, reads, rng)
        stats: dict[str, Any] = {
            "evaluations": progress.evaluations, "angles": angles.tolist(), "depth": circuit.depth(),
            "two_qubit_gates": circuit.num_nonlocal_gates(), "shots": progress.evaluations * self.shots + reads,
        }  # fmt: skip
        termination = Termination.CLOCK if progress.late else Termination.BUDGET
        return Reads(scaled, sampleset_of_bits(scaled, bits), termination, stats)

    def decode(self, raw: Reads, problem: Any) -> Found:
        return decode_reads(raw, problem)

    def _backend(self) -> Any:
        """The device behind the primitive, if it names one: a method in qiskit-ibm-runtime, an attribute elsewhere."""
        named = getattr(self.sampler, "backend", None)
        return named() if callable(named) else named

    def _shots(self, circuit: Any, angles: FloatArray, shots: int, rng: np.random.Generator) -> NDArray[np.int8]:
        """Return measured bits (shots, N), variable i in column i."""
        sampler = self.sampler
        if sampler is None:
            from qiskit_aer.primitives import SamplerV2

            sampler = SamplerV2(seed=int(rng.integers(2**31)))
        p = self.reps
        values = {x: angles[(0 if x.name.startswith("γ") else p) + x.index] for x in circuit.parameters}
        # bound here: qiskit 2.6 cannot hash some negative multiples of a parameter, which Aer does when it binds
        measured = sampler.run([circuit.assign_parameters(values)], shots=shots).result()[0].data.meas
        bits: NDArray[np.int8] = np.asarray(measured.to_bool_array(order="little"), np.int8)
        return bits.reshape(shots, -1)


def operator_of(bqm: dimod.BinaryQuadraticModel) -> Any:
    """Return the Ising operator (qiskit SparsePauliOp) of a BQM over 0..N−1, without its constant; Z = 1 − 2x."""
    from qiskit.quantum_info import SparsePauliOp

    spin = bqm.change_vartype(dimod.SPIN, inplace=False)  # s = 2x − 1 = −Z
    terms: list[tuple[str, list[int], float]] = [("Z", [i], -float(h)) for i, h in spin.linear.items() if h]
    terms += [("ZZ", [i, j], float(J)) for (i, j), J in spin.quadratic.items() if J]
    return SparsePauliOp.from_sparse_list(terms or [("", [], 0.0)], num_qubits=max(1, bqm.num_variables))


def ansatz(bqm: dimod.BinaryQuadraticModel, reps: int, theta: FloatArray) -> Any:
    """Return the measured QAOA circuit with parameters γ and β.

    Initial state and mixer follow `theta` as in :class:`qproj_qiskit.diagonal.Diagonal`, so that angles carry over.
    Qiskit's own ``qaoa_ansatz`` takes a mixer as an operator only, whose terms would have to commute.
    """
    from qiskit.circuit import ParameterVector, QuantumCircuit

    axes = theta.tolist()
    circuit = QuantumCircuit(len(axes))
    gammas, betas = ParameterVector("γ", reps), ParameterVector("β", reps)
    terms = [(where, float(weight.real)) for _, where, weight in operator_of(bqm).to_sparse_list() if weight]
    for i, angle in enumerate(axes):
        circuit.ry(angle, i)
    for gamma, beta in zip(gammas, betas, strict=True):
        for where, weight in terms:
            if len(where) == 2:
                circuit.rzz(2 * weight * gamma, *where)
            else:
                circuit.rz(2 * weight * gamma, where[0])
        for i, angle in enumerate(axes):
            if angle == np.pi / 2:
                circuit.rx(2 * beta, i)
            else:  # e^{−iβ(sin θ X + cos θ Z)} = Ry(θ) Rz(2β) Ry(−θ)
                circuit.ry(-angle, i)
                circuit.rz(2 * beta, i)
                circuit.ry(angle, i)
    circuit.measure_all()
    return circuit
