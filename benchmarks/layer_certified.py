"""Whole layers below capacity: one call of `project` beside a loop over neurons with each peer, all certified.

Each repetition draws new inputs; peers solve the first neurons of the first layer, and their time for the layer is that
of a neuron times the neurons. A peer that is stopped by its limit makes the ratio a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import qproj
from benchmarks.measure import range_of, seconds, spread, table, timed
from benchmarks.peers import available

TITLE = "Layers below capacity, certified"


@dataclass(frozen=True)
class Case:
    name: str
    n: int
    d: int
    dout: int
    share: float = 0.5  # of +1 in X
    layers: int = 1
    target: float = 0.0  # seconds


CASES = (
    Case("128→128, n = 16", 16, 128, 128, target=0.008),
    Case("10 layers 128→128, n = 16", 16, 128, 128, layers=10, target=0.1),
    Case("128→128, n = 64", 64, 128, 128, target=0.1),
    Case("784→128, n = 256", 256, 784, 128, target=1.0),
    Case("1433→64, n = 140, sparse like Cora", 140, 1433, 64, share=0.0127, target=0.2),
)


def draw(case: Case, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    layers = []
    for _ in range(case.layers):
        X = np.where(rng.random((case.n, case.d)) < case.share, 1.0, -1.0)
        layers.append((X, rng.standard_normal((case.n, case.dout))))
    return layers


def run(quick: bool) -> dict[str, Any]:
    repeats, calls, limit = (7, 2, 5.0) if quick else (25, 8, 30.0)
    seed = np.random.SeedSequence().entropy
    assert isinstance(seed, int)
    peers = available()
    rows = []
    for case in CASES:
        for X, T in draw(case, seed):
            qproj.project(X, T)  # compiles
        times, certified = [], []
        for index in range(1, repeats + 1):
            layers = draw(case, seed + index)
            took, found = timed(lambda layers=layers: [qproj.project(X, T) for X, T in layers])
            times.append(took)
            certified.append(float(np.mean([layer.proved.mean() for layer in found])))
        row: dict[str, Any] = {
            "case": case.name, "target": case.target, "qproj": spread(times), "certified": float(np.mean(certified)),
        }  # fmt: skip
        if case.layers == 1:
            X, T = draw(case, seed + 1)[0]
            row["peers"] = {
                name: _loop(call, X, T, calls, limit, spread(times)["median"]) for name, call in peers.items()
            }
        rows.append(row)
    return {"rows": rows, "repeats": repeats, "calls": calls, "limit": limit, "peers": list(peers)}


def _loop(call: Any, X: np.ndarray, T: np.ndarray, calls: int, limit: float, ours: float) -> dict[str, Any]:
    times, proved = [], 0
    for neuron in range(calls):
        took, (gain, done) = timed(lambda neuron=neuron: call(X, np.ascontiguousarray(T[:, neuron]), limit))
        times.append(took)
        proved += done
        bound = np.abs(T[:, neuron]).sum()
        if done and abs(gain - bound) > 1e-6 * bound:
            raise AssertionError(f"a peer proves {gain}, and {bound} can be reached")
    whole = spread([took * T.shape[1] for took in times])
    return {"layer": whole, "proved": proved, "calls": calls, "ratio": whole["median"] / ours}


def section(result: dict[str, Any]) -> str:
    rows = []
    for row in result["rows"]:
        cells = [row["case"], f"≤ {seconds(row['target'])}", range_of(row["qproj"]), f"{row['certified']:.3f}"]
        for name in result["peers"]:
            peer = row.get("peers", {}).get(name)
            if peer is None:
                cells.append("")
                continue
            stopped = "≥ " if peer["proved"] < peer["calls"] else ""
            cells.append(
                f"{stopped}{peer['ratio']:.0f}× ({seconds(peer['layer']['median'])}, {peer['proved']}/{peer['calls']})"
            )
        rows.append(cells)
    return f"""
X uniform ±1 (one case: sparse), T standard normal, new inputs in each of {result["repeats"]} rounds. "Certified" is
the share of neurons proved optimal. Peers are called neuron by neuron with one thread, start from signSGD's direction
and stop after {result["limit"]:g} s; in brackets the layer's time from {result["calls"]} neurons, and how many of them
were proved.
""" + table(["layer", "target", "`project`", "certified", *result["peers"]], rows)
