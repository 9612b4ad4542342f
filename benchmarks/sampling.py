"""What samplers find through the margin encoding, its refinement and descent, beside as many random starts.

Success: the best of the reads has the proved optimum's gain. Refinement and descent move in v; every figure has its
null model next to it, with as many reads, and a 95 % Wilson interval.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import qproj
from benchmarks.findings import wilson
from benchmarks.measure import seconds, table, timed
from qproj.solvers.polished import Polished
from qproj.solvers.refined import Refined

TITLE = "Sampling, beside chance"
ROWS, READS = 20, 100
SIZES = (9, 15, 24, 32)
TARGETS = {9: 0.9, 15: 0.85}
REAL_ROWS, REAL_READS, REAL_TARGET = 64, 1000, 0.98


def contenders() -> dict[str, Any]:
    get = qproj.get_solver
    found = {
        "random": get("random"),
        "random + descent": Polished(get("random")),
        "sa": get("sa"),
        "sa, refined + descent": Refined(get("sa")),
        "sqa, refined + descent": Refined(get("sqa")),
        "local-search": get("local-search"),
    }
    try:
        from qproj_dwave import DWaveEmulated
    except ImportError:
        return found
    return {**found, "emulated annealer + descent": Polished(DWaveEmulated(embedding_folder=None))}


def run(quick: bool) -> dict[str, Any]:
    count, real = (40, 12) if quick else (400, 60)
    rng = np.random.default_rng()
    rows = []
    for d in SIZES:
        problems = [
            qproj.SignProjection(rng.choice([-1, 1], (ROWS, d)), rng.standard_normal(ROWS)) for _ in range(count)
        ]
        best = [qproj.get_solver("auto").solve(p, seed=0).require() for p in problems]
        known = [s.gain for s in best]
        row: dict[str, Any] = {"d": d, "proved": sum(s.gap == 0 for s in best), "solvers": {}}
        for name, solver in contenders().items():
            limits = {"num_reads": READS} if solver.capabilities.num_reads else {}
            solver.solve(problems[0], seed=0, **limits)  # compiles, embeds
            took, gains = timed(
                lambda s=solver, limits=limits, problems=problems: [
                    s.solve(p, seed=i, **limits).gain for i, p in enumerate(problems)
                ]
            )
            hits = sum(g >= k - 1e-9 * abs(k) for g, k in zip(gains, known, strict=True))
            row["solvers"][name] = {"hits": hits, "interval": wilson(hits, count), "seconds": took / count}
        rows.append(row)
    return {"rows": rows, "count": count, "real": _real(rng, real)}


def _real(rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Neurons on batches of 64 digits: share of the best gain that any of the solvers, or a second of auto, found."""
    from qproj.datasets import load_digits

    signs = np.where(np.asarray(load_digits().X_train) > 0, 1, -1)
    problems = []
    for _ in range(count):
        X = signs[rng.choice(len(signs), REAL_ROWS, replace=False)]
        problems.append(qproj.SignProjection(X, rng.standard_normal(REAL_ROWS)))
    gains = {"auto, 1 s": [qproj.get_solver("auto").solve(p, seed=0, time_limit_s=1.0).gain for p in problems]}
    spent = {"auto, 1 s": 1.0}
    for name, solver in contenders().items():
        if name.startswith("emulated"):  # larger than a clique that fits without long chains, minutes to emulate
            continue
        limits = {"num_reads": REAL_READS} if solver.capabilities.num_reads else {}
        took, gains[name] = timed(
            lambda s=solver, limits=limits: [s.solve(p, seed=i, **limits).gain for i, p in enumerate(problems)]
        )
        spent[name] = took / count
    best = np.max(list(gains.values()), axis=0)
    share = {name: np.array(values) / best for name, values in gains.items()}
    return {
        "count": count,
        "solvers": {
            name: {"mean": float(s.mean()), "least": float(s.min()), "seconds": spent[name]}
            for name, s in share.items()
        },
    }


def section(result: dict[str, Any]) -> str:
    names = list(result["rows"][0]["solvers"])
    rows = []
    for name in names:
        cells = [name]
        for row in result["rows"]:
            cell = row["solvers"][name]
            low, high = cell["interval"]
            cells.append(f"{cell['hits'] / result['count']:.2f} ({low:.2f}–{high:.2f}), {seconds(cell['seconds'])}")
        rows.append(cells)
    header = ["solver", *(f"d = {row['d']}" for row in result["rows"])]
    real = result["real"]
    goals = ", ".join(f"≥ {share:g} at d = {d}" for d, share in TARGETS.items())
    return f"""
n = {ROWS} rows uniform ±1, T standard normal, {result["count"]} new neurons a size, {READS} reads; share solved,
its interval, and the time of a neuron. Targets for the refined samplers and the emulated annealer: {goals}; and ahead
of `random + descent`. `local-search` moves in v and is no sampler: its own budget.
""" + table(header, rows) + f"""
{real["count"]} neurons on batches of {REAL_ROWS} binarised digits (64 pixels), {REAL_READS} reads: gain as a share of
the best that any of these found (target ≥ {REAL_TARGET:g}).
""" + table(
        ["solver", "mean share", "least", "a neuron"],
        [[n, f"{c['mean']:.4f}", f"{c['least']:.4f}", seconds(c["seconds"])] for n, c in real["solvers"].items()],
    )  # fmt: skip
