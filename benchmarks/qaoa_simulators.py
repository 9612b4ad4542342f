"""One QAOA expectation: the diagonal simulator of ``qaoa-fast`` beside qiskit-aer's state vector, same angles."""

from __future__ import annotations

from typing import Any

import numpy as np

import qproj
from benchmarks.measure import range_of, seconds, spread, table, timed

TITLE = "QAOA: the diagonal simulator and Aer"
SIZES = (8, 12, 16, 20)
TARGET_RATIO, TARGET_SIZE = 50.0, 16


def run(quick: bool) -> dict[str, Any]:
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_aer.primitives import EstimatorV2

    from qproj_qiskit.diagonal import Diagonal, energies
    from qproj_qiskit.qaoa import ansatz, operator_of

    repeats, reps = (5, 2) if quick else (15, 2)
    rows = []
    rng = np.random.default_rng()
    for N in SIZES:
        X, t = rng.choice([-1, 1], (2 * N, N)), rng.normal(size=2 * N)
        bqm = qproj.SignProjection(X, t).encode("margin").bqm
        bqm, _ = bqm.relabel_variables_as_integers(inplace=False)
        bqm.scale(1.0 / max(abs(b) for b in [*bqm.linear.values(), *bqm.quadratic.values()]))
        theta = np.full(N, np.pi / 2)
        circuit = ansatz(bqm, reps, theta).remove_final_measurements(inplace=False)
        spin = bqm.change_vartype("SPIN", inplace=False)
        operator = operator_of(bqm) + SparsePauliOp.from_list([("I" * N, float(spin.offset))])
        estimator = EstimatorV2(options={"default_precision": 0.0})
        build, energy = timed(lambda bqm=bqm: energies(bqm))
        diagonal = Diagonal(energy, theta)
        ours, gradients, peers, worst = [], [], [], 0.0
        for index in range(repeats + 1):
            angles = rng.uniform(-1.0, 1.0, 2 * reps)
            values = {x: angles[(0 if x.name.startswith("γ") else reps) + x.index] for x in circuit.parameters}
            bound = circuit.assign_parameters(values)
            fast, value = timed(lambda d=diagonal, a=angles: d.value(a))
            slope, _ = timed(lambda d=diagonal, a=angles: d.value_and_gradient(a))
            slow, found = timed(lambda e=estimator, b=bound, o=operator: float(e.run([(b, o)]).result()[0].data.evs))
            worst = max(worst, abs(value - found) / max(1.0, float(np.abs(energy).max())))
            if index:  # the first call of each compiles
                ours.append(fast)
                gradients.append(slope)
                peers.append(slow)
        rows.append({
            "N": N, "reps": reps, "build": build, "value": spread(ours), "gradient": spread(gradients),
            "aer": spread(peers), "ratio": spread([b / a for a, b in zip(ours, peers, strict=True)]),
            "difference": worst,
        })  # fmt: skip
    return {"rows": rows, "repeats": repeats}


def section(result: dict[str, Any]) -> str:
    rows = [
        [
            str(row["N"]), range_of(row["value"]), seconds(row["gradient"]["median"]), range_of(row["aer"]),
            f"{row['ratio']['median']:.0f}× ({row['ratio']['least']:.0f} to {row['ratio']['most']:.0f})",
            f"{row['difference']:.0e}",
        ]
        for row in result["rows"]
    ]  # fmt: skip
    header = ["qubits", "`qaoa-fast`", "with its gradient", "Aer", "ratio", "largest difference"]
    return f"""
The expectation of the margin encoding's energy after {result["rows"][0]["reps"]} layers, at {result["repeats"]} random
angles; Aer's exact `EstimatorV2` gets a circuit whose angles are bound. The gradient is analytic, of all angles;
Aer would need two expectations an angle. Differences are relative to the largest energy.
The target is {TARGET_RATIO:g}× at {TARGET_SIZE} qubits.
""" + table(header, rows)
