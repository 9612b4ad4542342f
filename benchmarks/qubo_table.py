"""Published QUBOs: which best known values each solver reaches, and proves, within its time limit.

    QPROJ_DATA_DIR=… python benchmarks/qubo_table.py run cpsat --max-n 50 --time-limit 60
    python benchmarks/qubo_table.py table

`run` appends to benchmarks/results/qubo_table.jsonl, one line per instance; a later run of the same solver and limit
replaces the earlier one. `table` writes docs/solvers/qubo-table.md from that file.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import qproj
from qproj.lab.datasets import Qubo, load_qubo, qubo_names

RESULTS = Path(__file__).parent / "results" / "qubo_table.jsonl"
PAGE = Path(__file__).parents[1] / "docs" / "solvers" / "qubo-table.md"
#: Instances are grouped by size in the table.
SIZES = ((0, 50), (51, 100), (101, 250))

INTRODUCTION = """# Published QUBOs

Instances of the Biq Mac library (Wiegele 2007) with n variables, every best value proved there. A solver is given the
plain model, one run an instance with seed 0: "reached" counts best values found, "proved" those that ended with a
proof of optimality, "slowest" is the longest time to either end, in seconds of a machine with two cores that was not
otherwise idle. Heuristics stop at the first of 1 s and the limit that reaches the best value; they prove nothing.
A row that lists fewer instances than another was stopped short of the rest, or refused them.

"""

COMMANDS = """
Made by

```console
$ python benchmarks/qubo_table.py run cpsat --max-n 50 --time-limit 60
$ python benchmarks/qubo_table.py table
```
"""


def instances(min_n: int, max_n: int) -> list[Qubo]:
    """Return the instances of QPROJ_DATA_DIR within a range of sizes, smallest first."""
    found = [qubo for qubo in map(load_qubo, qubo_names()) if min_n <= qubo.bqm.num_variables <= max_n]
    if not found:
        raise SystemExit(f"no instance of {min_n} to {max_n} variables; there is one of 20 and one of 250")
    return sorted(found, key=lambda qubo: (qubo.bqm.num_variables, qubo.name))


def run(solver: str, min_n: int, max_n: int, time_limit_s: float) -> None:
    chosen = qproj.get_solver(solver)
    limits = [time_limit_s] if chosen.capabilities.exact else [min(1.0, time_limit_s), time_limit_s]
    for qubo in instances(min_n, max_n):
        if qubo.best_known is None:
            continue
        start = time.perf_counter()
        try:
            for limit in limits:
                solution = chosen.solve(qubo.bqm, time_limit_s=limit, seed=0)
                if solution.objective is not None and solution.objective <= qubo.best_known:
                    break
        except ValueError as refusal:
            print(f"{qubo.name}: {refusal}")
            continue
        record = {
            "solver": solver, "instance": qubo.name, "n": qubo.bqm.num_variables, "limit": time_limit_s,
            "best": qubo.best_known,
            "objective": solution.objective, "bound": solution.bound, "proved": solution.status == "optimal",
            "seconds": round(time.perf_counter() - start, 3),
        }  # fmt: skip
        print(json.dumps(record), flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a") as file:
            file.write(json.dumps(record) + "\n")


def table() -> str:
    """Return the page; later lines of one solver, limit and instance replace earlier ones."""
    latest: dict[tuple[str, float, str], dict[str, object]] = {}
    for line in RESULTS.read_text().splitlines():
        record = json.loads(line)
        latest[record["solver"], record["limit"], record["instance"]] = record
    rows = ["| solver | limit, s | n | instances | reached | proved | slowest, s |", "|---|---|---|---|---|---|---|"]
    for solver, limit in sorted({(solver, limit) for solver, limit, _ in latest}):
        for low, high in SIZES:
            group = [
                r for (s, t, _), r in latest.items() if (s, t) == (solver, limit) and low <= int(str(r["n"])) <= high
            ]
            if not group:
                continue
            reached = sum(
                r["objective"] is not None and float(str(r["objective"])) <= float(str(r["best"])) for r in group
            )
            proved = sum(bool(r["proved"]) for r in group)
            slowest = max(float(str(r["seconds"])) for r in group)
            size = f"≤ {high}" if low == 0 else f"{low} to {high}"
            rows.append(f"| `{solver}` | {limit:g} | {size} | {len(group)} | {reached} | {proved} | {slowest:.1f} |")
    missed = sorted(
        f"`{r['solver']}` on {r['instance']}: {r['objective']} (best {r['best']})"
        for r in latest.values()
        if r["objective"] is None or float(str(r["objective"])) > float(str(r["best"]))
    )
    listing = "\nMissed:\n\n" + "\n".join(f"- {line}" for line in missed) + "\n" if missed else ""
    return INTRODUCTION + "\n".join(rows) + "\n" + listing + COMMANDS


def main() -> None:
    parser = argparse.ArgumentParser(description="Published QUBOs, solver by solver.")
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="solve the instances, and append the results")
    runs.add_argument("solver")
    runs.add_argument("--min-n", type=int, default=1)
    runs.add_argument("--max-n", type=int, default=250)
    runs.add_argument("--time-limit", type=float, default=10.0)
    commands.add_parser("table", help="write the page of the docs")
    arguments = parser.parse_args()
    if arguments.command == "run":
        run(arguments.solver, arguments.min_n, arguments.max_n, arguments.time_limit)
    else:
        PAGE.write_text(table())
        print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
