"""How much memory every solver takes on large sparse models, as a multiple of the model's own; each in its own process.

    python tests/faults/memory.py [--solvers NAME ...] [--cases NUMBER ...] [--text]

measures and rewrites ``memory.json`` and the table of docs/reliability.md. The peak of the resident set is compared
before and after the call; what is imported and compiled is there before. A process that asks for more than 4 GB of
address space beyond its start is refused it, and counts as one that ran out of memory.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dimod
import numpy as np
from solver_tables import Stored, between, is_refusal, main, rows

import qproj

STORED = Path(__file__).with_name("memory.json")
BEGIN, END = "<!-- memory: written by `make faults` -->", "<!-- end of the memory table -->"
LIMIT_S, READS = 4.0, 2
#: Times the model's own memory that a solver of qproj may take, and bytes that any process may add.
MOST_TIMES, MOST_BYTES = 10.0, 4 << 30
PATIENCE_S = 120.0
LEGEND = """
The peak of the process's memory during a call with a time limit of {limit:g} s and, where a solver samples, {reads}
reads: in MB beyond what was there when everything was imported, and as a multiple of the BQM's own `nbytes`. *Refused*
says that the solver does not take the model, and said so. More than 10 times is bold. Labels and reads are objects of
Python and weigh more than the numbers of a chain, which has one interaction per variable; solvers that linearise
products (`cpsat`, `exact`, `highs`, `rc2`, `scip`) hold a variable per interaction, and
`auto` asks none of them beyond 60,000 interactions.
"""


def chain(n: int) -> dimod.BinaryQuadraticModel:
    rng = np.random.default_rng(n)
    ends = np.arange(n - 1)
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        rng.normal(size=n), (ends, ends + 1, rng.normal(size=n - 1)), 0.0, "SPIN"
    )


def random_graph(n: int, interactions: int) -> dimod.BinaryQuadraticModel:
    rng = np.random.default_rng([n, interactions])
    pairs = np.zeros(0, np.int64)
    while len(pairs) < interactions:
        first, second = np.sort(rng.integers(0, n, (2, interactions)), axis=0)
        pairs = np.unique(np.concatenate([pairs, (first * n + second)[first < second]]))
    pairs = rng.permutation(pairs)[:interactions]
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        rng.normal(size=n), (pairs // n, pairs % n, rng.normal(size=interactions)), 0.0, "SPIN"
    )


CASES: dict[str, Callable[[], dimod.BinaryQuadraticModel]] = {
    "chain of 20,000": lambda: chain(20_000),
    "100,000 variables, 300,000 interactions": lambda: random_graph(100_000, 300_000),
}


def peak() -> int:
    """Return the largest resident set that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def warm_up(solver: Any, limits: dict[str, Any]) -> None:
    """Import and compile what large models need."""
    from qproj.solvers.builtin.large_models import annealed, tabu_searched

    small, rng = chain(200), np.random.default_rng(0)
    annealed(small, 1, np.array([1.0, 2.0]), rng, lambda: False, None)
    tabu_searched(small, 1, 300, rng, lambda: False)
    try:
        solver.solve(chain(24), time_limit_s=1.0, seed=0, **limits)
    except (TypeError, ValueError):
        return


def measure_here(name: str, case: str) -> None:
    """Print one line of JSON."""
    solver = qproj.get_solver(name)
    limits = {"num_reads": READS} if solver.capabilities.num_reads else {}
    warm_up(solver, limits)
    bqm = CASES[case]()
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MOST_BYTES,) * 2)
    begin, at = peak(), time.perf_counter()
    try:
        status = str(solver.solve(bqm, time_limit_s=LIMIT_S, seed=0, **limits).status)
    except Exception as error:  # a refusal, most of them
        status = f"{type(error).__name__}: {str(error)[:200]}"
    took = time.perf_counter() - at
    print(json.dumps({"status": status, "bytes": peak() - begin, "own": int(bqm.nbytes()), "took_s": round(took, 1)}))


def measure(name: str, case: str) -> dict[str, Any]:
    """Return the outcome of one call in a process of its own."""
    command = [sys.executable, __file__, "--here", name, case]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return {"status": "did not come back", "bytes": None, "own": None, "took_s": None}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        return {"status": "ran out of memory", "bytes": None, "own": None, "took_s": None}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def shown(outcome: dict[str, Any] | None) -> str:
    if outcome is None:
        return "not measured"
    if is_refusal(outcome["status"]):
        return "refused"
    if outcome["bytes"] is None or "Error" in outcome["status"]:
        return f"**{outcome['status'].partition(':')[0]}**"
    times = outcome["bytes"] / outcome["own"]
    text = f"{outcome['bytes'] / 1e6:,.0f} MB, {times:.1f} ×"
    return text if times <= MOST_TIMES else f"**{text}**"


def with_table(text: str, stored: Stored) -> str:
    """Return the page with the table of what is stored."""
    legend = LEGEND.format(limit=LIMIT_S, reads=READS)
    return between(text, BEGIN, END, legend + "\n" + rows(stored, CASES, shown, lambda name: ""))


if __name__ == "__main__":
    main(sys.modules[__name__])
