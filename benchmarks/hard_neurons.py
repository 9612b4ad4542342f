"""Sixty real and random neurons at equal time: `auto` beside every other solver of the toolkit, and the best known.

Each solver gets the same seconds for a neuron, of the wall clock, and its gain is taken by the definition. Gurobi and
CP-SAT run on every neuron; the others where `auto` has no proof, for a proved optimum is not beaten. Quick runs take
every fifth recipe.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from typing import Any

import numpy as np

import qproj
from benchmarks.measure import table
from benchmarks.neuron_set import SEEDS, Recipe, neurons
from qproj.solvers import TooLargeError

TITLE = "Hard neurons at equal time"
LIMITS = (0.01, 0.1, 1.0)
ALWAYS = ("gurobi", "cpsat")
OTHERS = ("local-search", "sa", "sqa", "tabu", "greedy", "random", "sign", "highs", "scip", "exact", "rc2", "pt", "sb")
TIE = 1e-9  # of Σ|τ|
NONE, REFUSED = -1.0, -2.0  # in the place of a gain / Σ|τ|: no incumbent, and a refusal by size
NEAR = 0.005  # of the best known gain
PROVED = 0.8  # of the neurons, at the longest limit: the target


def run(quick: bool) -> dict[str, Any]:
    step = 5 if quick else 1
    solvers = [name for name in (*ALWAYS, *OTHERS) if _usable(name)]
    sets = {name: neurons(seed, step) for name, seed in SEEDS.items()}
    return {
        "solvers": solvers, "sets": {name: measure(found, solvers) for name, (found, _) in sets.items()},
        "unknown": {name: unknown for name, (_, unknown) in sets.items()},
    }  # fmt: skip


def measure(found: list[tuple[Recipe, np.ndarray, np.ndarray, float]], solvers: list[str]) -> list[dict[str, Any]]:
    """Return, for each neuron, what each solver reached at each limit: [gain / Σ|τ|, proved, seconds]."""
    warm(solvers)
    rows = []
    for recipe, X, t, best in found:
        row: dict[str, Any] = {"recipe": recipe.name, "family": recipe.family, "best": best, "reached": {}}
        for limit in LIMITS:
            reached = {"auto": solve("auto", X, t, limit)}
            for name in solvers:
                if name in ALWAYS or not reached["auto"][1]:
                    reached[name] = solve(name, X, t, limit)
            row["reached"][str(limit)] = reached
        rows.append(row)
    return rows


def solve(name: str, X: np.ndarray, t: np.ndarray, limit: float) -> tuple[float, bool, float]:
    problem = qproj.SignProjection(X, t)  # a new object: nothing is remembered
    begin = time.perf_counter()
    try:
        solution = qproj.get_solver(name).solve(problem, time_limit_s=limit, seed=0)
    except TooLargeError:  # counts as no incumbent
        return REFUSED, False, time.perf_counter() - begin
    took = time.perf_counter() - begin
    gain = NONE if solution.best is None else float(problem.gain(solution.best)) / problem.gain_bound
    return gain, solution.status == "optimal", took


def warm(solvers: list[str]) -> None:
    """Compile and import what is measured."""
    for recipe in (
        Recipe("random", 64, 0, 9, d=20),
        Recipe("random", 64, 0, 9, d=70),
        Recipe("random", 64, 0, 9, d=30),
    ):
        for name in ("auto", *solvers):
            solve(name, *recipe.draw(0), 0.5)


def _usable(name: str) -> bool:
    try:
        return bool(qproj.get_solver(name).solve(qproj.SignProjection([[1, -1]], [1.0])).status)
    except (ImportError, qproj.MissingPackageError):
        return False


def summary(rows: list[dict[str, Any]], limit: float) -> dict[str, dict[str, Any]]:
    """Return for each solver how many neurons it ran on, proved, came within 0.5 % of the best known, beat auto on."""
    found: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"ran": 0, "proved": 0, "near": 0, "none": 0, "beats": 0, "late": 0.0}
    )
    for row in rows:
        reached = row["reached"][str(limit)]
        best = max([row["best"], *(gain for gain, _, _ in reached.values())])
        for name, (gain, proved, took) in reached.items():
            cell = found[name]
            cell["ran"] += 1
            cell["proved"] += proved
            cell["near"] += gain >= best - NEAR * abs(best)
            cell["none"] += gain <= NONE
            cell["beats"] += gain > reached["auto"][0] + TIE
            cell["late"] = max(cell["late"], took - limit)
    for cell in found.values():
        cell["of"] = len(rows)
    return found


def behind(rows: list[dict[str, Any]], limit: float) -> list[str]:
    """Return the recipes where any solver gained more than auto."""
    return [
        row["recipe"]
        for row in rows
        if max(gain for gain, _, _ in row["reached"][str(limit)].values()) > row["reached"][str(limit)]["auto"][0] + TIE
    ]


def share(count: int, of: int) -> str:
    return f"{count} of {of} ({100 * count / of:.0f} %)"


def section(result: dict[str, Any]) -> str:
    both = [row for found in result["sets"].values() for row in found]
    parts = [
        """
Neurons of real layers, captured from training (digits, MNIST, a1a: their inputs and hidden layers; Cora's two layers),
and random ones around and above capacity, made from recipes; best known gains come from long runs of several solvers.
*Development* is the set that `auto` was tuned on, *held out* the same recipes with another seed, for networks, batches
and random numbers. Every solver gets the same time on the clock, `auto` uses both cores. Targets: `auto` is at least
as good as every other solver on 95 % of the neurons; at 1 s it is within 0.5 % of the best known gain on 95 % and
proves 80 %.
""",
        _by_time(result["sets"]),
    ]
    left = sum(len(names) for names in result["unknown"].values())
    if left:
        parts.append(f"""
{left} neurons more are made otherwise on this processor, where sums are rounded in another order, and were left out:
nothing is known of them (`python -m benchmarks.neuron_set 1 2` finds it).
""")
    parts.append(f"""
The others at {LIMITS[-1]:g} s, both sets together; all but {" and ".join(ALWAYS)} ran only where `auto` has no proof.
""")
    parts += [
        _by_solver(both, result["solvers"]),
        """
Samplers search a surrogate, the margin encoding, whose minimum is not the neuron's optimum. `exact` and `rc2` end late
where one call of their backends outlasts the limit. `auto` alone has two threads, so other work on the machine (the
load average below) costs it most.
""",
        "\nBy family, at 1 s, both sets together:\n",
        _by_family(both),
    ]
    missed = sorted({f"{name}: {one}" for name, found in result["sets"].items() for one in behind(found, LIMITS[-1])})
    parts.append(f"\nAt 1 s another solver gained more than `auto` on: {'; '.join(missed) or 'none'}.\n")
    proved = sum(row["reached"][str(LIMITS[-1])]["auto"][1] for row in both)
    if proved < PROVED * len(both):
        parts.append(f"""
Proved at {LIMITS[-1]:g} s: {share(proved, len(both))}, short of {100 * PROVED:.0f} %. What is left has forty weights or
more that stay apart when equal columns are merged, and signs that cannot all be met: a tree grows 1.7 times per weight.
Where a linear relaxation is tight, as on sparse inputs, Gurobi's cuts may prove more than `auto` does (table above).
""")
    parts.append(
        "\nWhere the target is missed at 10 ms: merging rows, one pass of perceptron learning and a first proof take"
        "\nmost of that time, which `local-search` spends on annealing alone; samplers return several times later.\n"
    )
    return "".join(parts)


def _by_time(sets: dict[str, list[dict[str, Any]]]) -> str:
    rows = []
    for name, found in sets.items():
        for limit in LIMITS:
            auto = summary(found, limit)["auto"]
            ahead = len(found) - len(behind(found, limit))
            rows.append([
                name, f"{1000 * limit:g} ms", share(ahead, len(found)), share(auto["near"], len(found)),
                share(auto["proved"], len(found)), f"{1000 * auto['late']:.0f} ms",
            ])  # fmt: skip
    header = [
        "set",
        "time",
        "`auto` ≥ every other",
        "within 0.5 % of the best known",
        "proved",
        "most beyond the limit",
    ]
    return table(header, rows)


def _by_solver(rows: list[dict[str, Any]], solvers: list[str]) -> str:
    cells = summary(rows, LIMITS[-1])
    header = [
        "solver",
        "neurons",
        "proved",
        "within 0.5 %",
        "no incumbent",
        "gains more than `auto`",
        "most beyond limit",
    ]
    return table(
        header,
        [
            [f"`{name}`", str(cells[name]["ran"]), share(cells[name]["proved"], cells[name]["ran"]),
             share(cells[name]["near"], cells[name]["ran"]), str(cells[name]["none"]), str(cells[name]["beats"]),
             f"{max(0.0, cells[name]['late']):.2g} s"]
            for name in ("auto", *solvers) if name in cells
        ],
    )  # fmt: skip


def _by_family(rows: list[dict[str, Any]]) -> str:
    families: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        families[row["family"]].append(row)
    lines = []
    for family, some in families.items():
        cells = summary(some, LIMITS[-1])
        lines.append([
            family, str(len(some)), share(cells["auto"]["near"], len(some)), share(cells["auto"]["proved"], len(some)),
            *(share(cells[name]["proved"], len(some)) for name in ALWAYS if name in cells),
        ])  # fmt: skip
    header = ["family", "neurons", "`auto` within 0.5 %", "`auto` proved", *(f"`{n}` proved" for n in ALWAYS)]
    return table(header, lines)


def main() -> None:
    """Print one set's summary: for those who change the solver."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--set", choices=list(SEEDS), default="development")
    options.add_argument("--step", type=int, default=1)
    options.add_argument("--solvers", nargs="*", default=[])
    arguments = options.parse_args()
    rows = measure(neurons(SEEDS[arguments.set], arguments.step)[0], arguments.solvers)
    for limit in LIMITS:
        print(limit, json.dumps(summary(rows, limit)), behind(rows, limit))


if __name__ == "__main__":
    main()
