"""What an annealer is asked for in training: embedding searches and calls, on an emulated machine.

Training steps of one shape: the first searches an embedding, the others relabel it. A layer of 64 neurons with three
weights each: how many calls hold all of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import qproj
from benchmarks.measure import range_of, seconds, spread, table, timed

TITLE = "Annealer: embeddings and calls"
STEPS, NEURONS, CALLS_TARGET = 4, 64, 2
CASES = ((3, "majority"), (3, "margin"), (15, "margin"))
ROWS, READS = 20, 20


def run(quick: bool) -> dict[str, Any]:
    from qproj_dwave import DWaveEmulated

    rng = np.random.default_rng()
    rows = []
    for topology in ("pegasus", "zephyr"):
        for d, encoding in CASES:
            # an empty folder: nothing is known from earlier runs
            solver = DWaveEmulated(topology=topology, encoding=encoding, embedding_folder=None, num_sweeps=20)
            times, searches, calls = [], [], []
            for _ in range(STEPS):
                X, T = rng.choice([-1, 1], (ROWS, d)), rng.standard_normal((ROWS, NEURONS))
                X[: min(ROWS, 2**d)] = _patterns(d)[: min(ROWS, 2**d)]  # the same groups at every step: one shape
                before = solver.embedder.searches
                took, layer = timed(lambda X=X, T=T, solver=solver: qproj.project(X, T, solver, num_reads=READS))
                times.append(took)
                searches.append(solver.embedder.searches - before)
                calls.append(round(sum(layer[i].stats["calls"] for i in range(NEURONS)), 6))
            rows.append({
                "topology": topology, "d": d, "encoding": encoding, "searches": searches, "calls": max(calls),
                "first": times[0], "later": spread(times[1:]), "qubits": int(layer[0].stats["qubits"]),
            })  # fmt: skip
    return {"rows": rows}


def _patterns(d: int) -> np.ndarray:
    """Return the first rows of ±1 patterns over d weights, all different (and none opposite, d odd)."""
    bits = np.arange(min(2**d, ROWS))[:, None] >> np.arange(d) & 1
    return 2 * bits - 1


def section(result: dict[str, Any]) -> str:
    rows = [
        [
            row["topology"], str(row["d"]), row["encoding"], str(row["searches"][0]), str(sum(row["searches"][1:])),
            f"{row['calls']:g}", str(row["qubits"]), seconds(row["first"]), range_of(row["later"]),
        ]
        for row in result["rows"]
    ]  # fmt: skip
    header = ["topology", "d", "encoding", "searches, first step", "searches, later", "calls per step",
              "qubits per call", "first step", "later steps"]  # fmt: skip
    return f"""
{STEPS} steps of a layer of {NEURONS} neurons, n = {ROWS} rows, {READS} reads, on the emulated machines
(`dwave-emulated`,
no stored embedding). Targets: no search after the first step, and at most {CALLS_TARGET} calls for the layer at d = 3.
Times are the emulation's: a real annealer needs milliseconds for the same calls.
""" + table(header, rows)
