"""A thousand neurons of the paper's sizes, proved optimal in one call of `project`, beside a Gurobi call a neuron.

Gurobi's licence that comes with pip takes models of these sizes; its environment is made once, outside the clock.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import qproj
from benchmarks.measure import range_of, ratio_of, spread, table, timed
from benchmarks.peers import available

TITLE = "A thousand small neurons"
ROWS, NEURONS = 20, 1000
TARGETS = {3: 1000, 5: 1000, 7: 1000, 9: 1000, 15: 200}
TOLERANCE = 1e-6  # of Σ|t|: the peers' own feasibility tolerances


def run(quick: bool) -> dict[str, Any]:
    repeats, calls, limit = (9, 30, 30.0) if quick else (50, 200, 60.0)
    rng = np.random.default_rng()
    peers = available()
    rows = []
    for d, target in TARGETS.items():
        draw = lambda d=d: (rng.choice([-1, 1], (ROWS, d)), rng.standard_normal((ROWS, NEURONS)))  # noqa: E731
        qproj.project(*draw())  # compiles
        times, layers = [], []
        for _ in range(repeats):
            X, T = draw()
            took, layer = timed(lambda X=X, T=T: qproj.project(X, T))
            if not layer.proved.all():
                raise AssertionError(f"d = {d}: {int((~layer.proved).sum())} of {NEURONS} neurons are not proved")
            times.append(took / NEURONS)
            layers.append((X, T, layer))
        row: dict[str, Any] = {"d": d, "target": target, "qproj": spread(times), "peers": {}}
        for name, call in peers.items():
            spent = []
            for i in range(calls if name == "gurobi" else max(calls // 5, 2)):
                X, T, layer = layers[i % repeats]
                t = np.ascontiguousarray(T[:, i])
                took, (gain, proved) = timed(lambda X=X, t=t, call=call: call(X, t, limit))
                spent.append(took)
                if proved and abs(gain - layer.gain[i]) > TOLERANCE * np.abs(t).sum():
                    raise AssertionError(f"d = {d}: project proves {layer.gain[i]}, {name} proves {gain}")
            cell = spread(spent)
            row["peers"][name] = {**cell, "calls": len(spent), "ratio": cell["median"] / row["qproj"]["median"]}
        rows.append(row)
    return {"rows": rows, "repeats": repeats, "peers": list(peers)}


def section(result: dict[str, Any]) -> str:
    rows = []
    for row in result["rows"]:
        cells = [str(row["d"]), f"≥ {row['target']}× Gurobi", range_of(row["qproj"])]
        for name in result["peers"]:
            peer = row["peers"][name]
            cells.append(f"{ratio_of(peer['ratio'])}: {range_of(peer)}")
        rows.append(cells)
    return f"""
n = {ROWS}, X uniform ±1, T standard normal, new in each of {result["repeats"]} rounds; every neuron is proved optimal
by enumeration of all weights, shared by the layer, and the peers' optima are compared with ours. Times are those of one
neuron: 1/{NEURONS} of the call for qproj, one call for the peers, with one thread each for them.
""" + table(["d", "target", "`project`", *result["peers"]], rows)
