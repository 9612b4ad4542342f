"""Exact search for one neuron beside Gurobi, HiGHS and CP-SAT: seconds to a proved optimum, on the same neurons.

n = 64 rows uniform ±1, normal targets, new ones in every run; all get the machine's cores. qproj's time is that of a
short annealing and of branch and bound after it. A peer that its limit stops counts with the limit: its ratio is a
lower bound then, and so is a median that holds such a time.
"""

from __future__ import annotations

import os
import time
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measure import range_of, seconds, spread, table, timed
from benchmarks.peers import available
from qproj._seeds import neuron_seeds
from qproj.solvers.builtin.kernels.branch_bound import branch_bound
from qproj.solvers.builtin.kernels.sharing import Limits
from qproj.solvers.builtin.kernels.soft_annealing import soft_anneal_layer

TITLE = "Exact search for one neuron"
ROWS = 64
LIMIT = 300.0  # seconds that qproj gets; none of these sizes needs them
TOLERANCE = 1e-6  # of Σ|t|: MIP solvers' own feasibility tolerances
TARGETS = {32: 1.5, 36: 10.0}
RATIO = 10.0


def run(quick: bool) -> dict[str, Any]:
    count, limit, beside, alone = (2, 12.0, (32,), (24, 28, 36, 40)) if quick else (5, 60.0, (24, 28, 32), (36, 40))
    threads = os.cpu_count() or 1
    peers = available(threads)
    seed = np.random.SeedSequence().entropy
    rows = [_measure(d, peers if d in beside else {}, count, limit, threads, seed) for d in sorted((*beside, *alone))]
    return {"rows": rows, "peers": list(peers), "count": count, "limit": limit, "threads": threads}


def _measure(d: int, peers: dict[str, Any], count: int, limit: float, threads: int, seed: Any) -> dict[str, Any]:
    ours: list[float] = []
    proved = 0
    theirs: dict[str, list[tuple[float, bool]]] = {name: [] for name in peers}
    for index in range(count):
        rng = np.random.default_rng([seed, d, index])
        X, t = rng.choice(np.array([-1, 1], np.int8), (ROWS, d)), rng.standard_normal(ROWS)
        took, found = timed(lambda X=X, t=t: _search(X, t, threads))
        ours.append(took)
        proved += found.proved
        for name, call in peers.items():
            took, (gain, done) = timed(lambda call=call, X=X, t=t: call(X, t, limit, threads))
            theirs[name].append((took, done))
            if found.proved and done and abs(gain - found.gain) > TOLERANCE * np.abs(t).sum():
                raise AssertionError(f"d = {d}: qproj proves {found.gain}, {name} {gain}")
    return {
        "d": d, "qproj": spread(ours), "proved": proved,
        "peers": {
            name: {
                "median": median(took for took, _ in cells), "proved": sum(done for _, done in cells),
                "ratio": median(took / own for (took, _), own in zip(cells, ours, strict=True)),
            }
            for name, cells in theirs.items()
        },
    }  # fmt: skip


def _search(X: np.ndarray, t: np.ndarray, threads: int) -> Any:
    ones = np.ones(X.shape[1], np.int64)
    seeds, one = neuron_seeds(0, 1), Limits(threads=1)
    start = soft_anneal_layer(X, ones, t[:, None], seeds=seeds, sweeps=400, starts=2, limits=one).counts[0]
    return branch_bound(X, ones, t, incumbent=start, deadline=time.perf_counter() + LIMIT, threads=threads)


def section(result: dict[str, Any]) -> str:
    rows, missed = [], []
    for row in result["rows"]:
        target = TARGETS.get(row["d"])
        cells = [str(row["d"]), "" if target is None else f"≤ {seconds(target)}", range_of(row["qproj"])]
        cells.append(f"{row['proved']}/{result['count']}")
        if target is not None and (row["qproj"]["median"] > target or row["proved"] < result["count"]):
            missed.append(f"d = {row['d']} by {row['qproj']['median'] / target:.1f}×")
        for name in result["peers"]:
            peer = row["peers"].get(name)
            if peer is None:
                cells.append("")
                continue
            stopped = "≥ " if peer["proved"] < result["count"] else ""
            told = f"{stopped}{peer['ratio']:.0f}× ({seconds(peer['median'])}, {peer['proved']}/{result['count']})"
            cells.append(told)
            if row["d"] == 32 and peer["ratio"] < RATIO:
                missed.append(f"{RATIO:g}× {name} at d = 32")
        rows.append(cells)
    return f"""
n = {ROWS} rows uniform ±1, T standard normal, {result["count"]} new neurons per size, {result["threads"]} threads for
all. qproj: a short annealing, then branch and bound until the proof. Peers start from signSGD's direction and stop
after {result["limit"]:g} s; in brackets their median, and how many they proved. Target at d = 32: at least {RATIO:g}×
each.
{"Missed: " + ", ".join(missed) + "." if missed else "All targets met."}
""" + table(["d", "target", "qproj", "proved", *result["peers"]], rows)
