"""Real a1a neurons on emulated annealers: qubits, chains, success with and without noise, beside chance.

`python -m benchmarks.emulated_annealer` rewrites docs/solvers/emulated-annealer-table.md from
benchmarks/results/emulated_annealer.json. Needs the a1a data set (QPROJ_DATA_DIR, or a download).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import qproj
from qproj.lab.datasets import load_adult
from qproj_dwave import DWaveEmulated

ROOT = Path(__file__).parents[1]
STORE = ROOT / "benchmarks" / "results" / "emulated_annealer.json"
PAGE = ROOT / "docs" / "solvers" / "emulated-annealer-table.md"
ROWS, READS = 20, 200


def neurons(d: int, count: int) -> list[qproj.SignProjection]:
    """Batches of 20 a1a rows over d features drawn at random, targets as a squared hinge gives at random weights."""
    data = load_adult()
    signs, y = np.where(data.X_train > 0, 1, -1), data.y_train
    varied = np.flatnonzero(signs.std(axis=0) > 0.6)
    problems = []
    for i in range(count):
        rng = np.random.default_rng([d, i])
        rows, features = rng.choice(len(signs), ROWS, replace=False), rng.choice(varied, d, replace=False)
        x = signs[np.ix_(rows, features)]
        outer = rng.choice([-1, 1], 5)
        hidden = np.where(x @ rng.choice([-1, 1], (d, 5)) >= 0, 1, -1)
        label = np.where(y[rows] > 0, 1.0, -1.0)
        error = np.maximum(0.0, 1.0 - label * (hidden @ outer) / 5**0.5)
        problems.append(qproj.SignProjection(x, 2.0 * error * label * outer[0] / ROWS))
    return problems


def run(quick: bool = False) -> dict:
    count = 4 if quick else 20
    table = []
    for d in (5, 15):
        problems = neurons(d, count)
        best = [qproj.get_solver("auto").solve(p, seed=0).require() for p in problems]
        chance = [qproj.get_solver("random").solve(p, seed=i, num_reads=READS) for i, p in enumerate(problems)]
        table.append({"d": d, "machine": "random", "encoding": "-", "noise": False, **summary(problems, best, chance)})
        for topology in ("pegasus", "zephyr"):
            for encoding in ("margin", "majority"):
                for noise in (False, True):
                    options = {} if noise else {"sigma_h": 0.0, "sigma_j": 0.0}
                    solver = DWaveEmulated(topology=topology, encoding=encoding, **options)
                    start = time.perf_counter()
                    found = [solver.solve(p, seed=i, num_reads=READS) for i, p in enumerate(problems)]
                    row = {"d": d, "machine": topology, "encoding": encoding, "noise": noise}
                    row |= summary(problems, best, found) | {"seconds": (time.perf_counter() - start) / count}
                    table.append(row)
    return {"table": table, "neurons": count, "reads": READS, "rows": ROWS}


def summary(problems: list, best: list, found: list) -> dict:
    hits = [f.gain >= b.gain - 1e-9 * abs(b.gain) for f, b in zip(found, best, strict=True)]
    a_read = [
        float(np.mean(p.gain(f.candidates) >= b.gain - 1e-9 * abs(b.gain)))
        for p, f, b in zip(problems, found, best, strict=True)
    ]
    row = {"solved": float(np.mean(hits)), "a_read": float(np.mean(a_read))}
    for name in ("qubits", "longest_chain", "chain_break_fraction", "below_noise"):
        values = [f.stats[name] for f in found if name in f.stats]
        row[name] = float(np.mean(values)) if values else None
    return row


def page(result: dict) -> str:
    def text(value: object, form: str) -> str:
        return "–" if value is None else format(value, form)

    lines = [
        "# Real neurons on emulated annealers",
        "",
        f"{result['neurons']} neurons per row of the table: batches of {result['rows']} rows of a1a over d features, "
        f"{result['reads']} reads each, column and row",
        "aggregation on, emulated Advantage (Pegasus 16) and Advantage2 (Zephyr 12), every qubit working. `solved`: "
        "the best read is the proved",
        "optimum; `a read`: share of distinct reads that are. `random` is the null model: as many uniform vectors. "
        "Written by `python -m benchmarks.emulated_annealer`.",
        "",
        "| d | machine | encoding | noise | qubits | longest chain | chain breaks | below noise | solved | a read |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["table"]:
        cells = [
            str(row["d"]), row["machine"], row["encoding"], "yes" if row["noise"] else "no", text(row["qubits"], ".0f"),
            text(row["longest_chain"], ".1f"), text(row["chain_break_fraction"], ".3f"),
            text(row["below_noise"], ".2f"), f"{row['solved']:.2f}", f"{row['a_read']:.3f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer neurons; prints JSON and writes nothing")
    arguments = parser.parse_args()
    result = run(arguments.quick)
    print(json.dumps(result, indent=1))
    if not arguments.quick:
        STORE.write_text(json.dumps(result, indent=1) + "\n")
        PAGE.write_text(page(result))


if __name__ == "__main__":
    main()
