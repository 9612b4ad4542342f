"""One QAOA expectation: the diagonal simulator of ``qaoa-fast`` beside qiskit-aer's state vector, same angles."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import qproj
from benchmarks.measure import range_of, seconds, spread, table, timed

TITLE = "QAOA: the diagonal simulator and Aer"
SIZES = (8, 12, 16, 20)
TARGET_RATIO, TARGET_SIZE, TARGET_DIFFERENCE = 50.0, 16, 1e-9


def run(quick: bool) -> dict[str, Any]:
    from qproj.solvers.state_vector.states import energies
    from qproj_qiskit.diagonal import Diagonal
    from qproj_qiskit.qaoa import ansatz

    repeats, reps = (5, 2) if quick else (15, 2)
    rows = []
    rng = np.random.default_rng()
    for N in SIZES:
        bqm, theta = _model(N, rng), np.full(N, np.pi / 2)
        circuit = ansatz(bqm, reps, theta).remove_final_measurements(inplace=False)
        energy = energies(bqm)
        diagonal, peers = Diagonal(energy, theta), _peers(bqm, energy)
        took: dict[str, list[float]] = {name: [] for name in ("value", "gradient", *peers)}
        processor, worst = [], 0.0
        for index in range(repeats + 1):
            angles = rng.uniform(-1.0, 1.0, 2 * reps)
            values = {x: angles[(0 if x.name.startswith("γ") else reps) + x.index] for x in circuit.parameters}
            bound = circuit.assign_parameters(values)
            calls: dict[str, Callable[[], Any]] = {
                "value": lambda d=diagonal, a=angles: d.value(a),
                "gradient": lambda d=diagonal, a=angles: d.value_and_gradient(a)[0],
                **{name: lambda p=peer, b=bound: p(b) for name, peer in peers.items()},
            }
            found = {name: _in_a_row(call) for name, call in calls.items()}
            worst = max(worst, *(abs(found["value"][2] - other) for _, _, other in found.values()))
            if index:  # the first call of each compiles
                for name, (cost, _, _) in found.items():
                    took[name].append(cost)
                processor.append(found["aer_one_thread"][1] / found["value"][1])
        faster = np.minimum(took["aer"], took["aer_one_thread"])
        rows.append({
            "N": N, "reps": reps, **{name: spread(times) for name, times in took.items()},
            "ratio": spread((faster / took["value"]).tolist()), "processor_ratio": spread(processor),
            "difference": worst / max(1.0, float(np.abs(energy).max())),
        })  # fmt: skip
    return {"rows": rows, "repeats": repeats}


def _in_a_row(call: Callable[[], float]) -> tuple[float, float, float]:
    """Return mean (seconds, processor seconds) and the value of calls in a row, for a tenth of a second or once."""
    begin, total, count = time.process_time(), 0.0, 0
    while total < 0.1:
        took, value = timed(call)
        total, count = total + took, count + 1
    return total / count, (time.process_time() - begin) / count, value


def _model(N: int, rng: np.random.Generator) -> Any:
    X, t = rng.choice([-1, 1], (2 * N, N)), rng.normal(size=2 * N)
    bqm, _ = qproj.SignProjection(X, t).encode("margin").bqm.relabel_variables_as_integers(inplace=False)
    bqm.scale(1.0 / max(abs(b) for b in [*bqm.linear.values(), *bqm.quadratic.values()]))
    return bqm


def _peers(bqm: Any, energy: Any) -> dict[str, Callable[[Any], float]]:
    """Return Aer's ways from a bound circuit to the expectation, each with the threads it takes."""
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_aer import AerSimulator
    from qiskit_aer.primitives import EstimatorV2

    from qproj_qiskit.qaoa import operator_of

    constant = float(bqm.change_vartype("SPIN", inplace=False).offset)
    operator = operator_of(bqm) + SparsePauliOp.from_list([("I" * bqm.num_variables, constant)])

    def estimate(threads: int) -> Callable[[Any], float]:
        backend = {"method": "statevector", "max_parallel_threads": threads}
        estimator = EstimatorV2(options={"default_precision": 0.0, "backend_options": backend})
        return lambda bound: float(estimator.run([(bound, operator)]).result()[0].data.evs)

    simulator = AerSimulator(method="statevector", max_parallel_threads=1)

    def state_alone(bound: Any) -> float:
        circuit = bound.copy()
        circuit.save_statevector()
        amplitudes = np.asarray(simulator.run(circuit, shots=1).result().get_statevector())
        return float(np.sum(np.abs(amplitudes) ** 2 * energy))

    return {"aer": estimate(0), "aer_one_thread": estimate(1), "aer_state": state_alone}


def section(result: dict[str, Any]) -> str:
    rows = [
        [
            str(row["N"]), range_of(row["value"]), seconds(row["gradient"]["median"]), range_of(row["aer"]),
            range_of(row["aer_one_thread"]), seconds(row["aer_state"]["median"]),
            _times(row["ratio"]), _times(row["processor_ratio"]), f"{row['difference']:.0e}",
        ]
        for row in result["rows"]
    ]  # fmt: skip
    header = [
        "qubits", "`qaoa-fast`", "with its gradient", "Aer, all cores", "Aer, one thread", "Aer's state", "ratio",
        "in processor seconds", "largest difference",
    ]  # fmt: skip
    return f"""
The expectation of the margin encoding's energy after {result["rows"][0]["reps"]} layers, at {result["repeats"]} random
angles. Aer's exact `EstimatorV2` gets a circuit whose angles are bound, and once all cores, once one thread (which is
faster on a busy machine); the ratio is to the faster of the two at each draw. *Aer's state* is its state vector alone,
one thread, with our table of energies averaged over it, as `qaoa-fast` does: no Pauli terms. `qaoa-fast` takes one
thread below 18 qubits. The gradient is analytic, of all angles; Aer would need two expectations an angle. Differences
are relative to the largest energy, to any of the others. Seconds are means of calls in a row, for a tenth of a second
or once, as a search makes them; processor seconds, beside Aer's with one thread, depend less on what else runs.
{_verdict(result)}
""" + table(header, rows)


def _times(cell: dict[str, float]) -> str:
    return f"{cell['median']:.0f}× ({cell['least']:.0f} to {cell['most']:.0f})"


def _verdict(result: dict[str, Any]) -> str:
    row = next(row for row in result["rows"] if row["N"] == TARGET_SIZE)
    ratio, difference = row["ratio"]["median"], row["difference"]
    met = ratio >= TARGET_RATIO and difference <= TARGET_DIFFERENCE
    return (
        f"The target, {TARGET_RATIO:g}× at {TARGET_SIZE} qubits with the same expectation to {TARGET_DIFFERENCE:g}, is "
        f"{'met' if met else 'missed'}: {ratio:.0f}×, {difference:.0e}."
    )
