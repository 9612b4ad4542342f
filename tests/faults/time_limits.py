"""How late every solver returns: five problems that are large for it, at three time limits, each in its own process.

    python tests/faults/time_limits.py [--solvers NAME ...] [--cases NUMBER ...]

measures and rewrites ``time_limits.json`` and the table of docs/reliability.md. Everything is imported and compiled
before. A call that was late is repeated, for a machine may be busy once, and the least lateness counts: by the clock,
or by the time of the process's own threads where that is less. A solver that declares that nothing stops it runs in a
process of its own, `qproj.Isolated`, and is measured by the clock. BLAS has one thread: where others keep the cores
busy, its threads wait for one another, and a product that takes 10 ms takes a second.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dimod
import numpy as np
from solver_tables import Stored, between, is_refusal, main, rows

import qproj

STORED = Path(__file__).with_name("time_limits.json")
BEGIN, END = "<!-- time limits: written by `make faults` -->", "<!-- end of the time limits -->"
LIMITS = (0.01, 0.1, 1.0)
#: Seconds past its limit that a call may take.
LATE_S = 0.3
TRIES = 3
#: Seconds past its limit after which a process is ended, and that it may take for its start.
PATIENCE_S, START_S = 20.0, 240.0
LEGEND = """
Seconds past a time limit of 0.01, 0.1 and 1 s, at most {late:g} allowed: by the clock or, on a busy machine, by the
time of the process's own threads where that is less; the least of up to {tries} calls. *Refused* says that the solver
does not take the problem, and said so at once. An asterisk marks solvers that declare `stops=False`, since nothing
interrupts their backend: they are run by `Isolated`, which ends their process.
"""


def neuron(n: int, d: int) -> qproj.SignProjection:
    rng = np.random.default_rng([n, d])
    return qproj.SignProjection(rng.choice(np.array([-1, 1], np.int8), (n, d)), rng.normal(size=n))


def layer(n: int, d: int, dout: int) -> qproj.LayerProjection:
    rng = np.random.default_rng([n, d, dout])
    return qproj.LayerProjection(rng.choice(np.array([-1, 1], np.int8), (n, d)), rng.normal(size=(n, dout)))


def dense(n: int) -> dimod.BinaryQuadraticModel:
    Q = np.triu(np.random.default_rng(n).integers(-100, 101, (n, n)))
    return dimod.BinaryQuadraticModel(np.asarray(Q, float), "BINARY")


def sparse(n: int, degree: int = 6) -> dimod.BinaryQuadraticModel:
    rng = np.random.default_rng(n)
    pairs = {tuple(sorted(map(int, pair))) for pair in rng.integers(0, n, (n * degree // 2, 2)) if pair[0] != pair[1]}
    bqm = dimod.BinaryQuadraticModel("SPIN")
    bqm.add_linear_from({i: float(h) for i, h in enumerate(rng.integers(-3, 4, n))})
    bqm.add_quadratic_from((u, v, float(rng.choice([-1, 1]))) for u, v in sorted(pairs))
    return bqm


#: Name → (the problem, smaller ones of its kind on which everything is imported and compiled).
CASES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "neuron of 24 weights, 2,000 rows": (lambda: neuron(2000, 24), lambda: neuron(20, 6)),
    "dense BQM of 300": (lambda: dense(300), lambda: dense(12)),
    "sparse BQM of 5,000": (lambda: sparse(5000), lambda: sparse(16)),
    "layer 1024 × 4096, 1,024 rows": (lambda: layer(1024, 1024, 4096), lambda: layer(20, 6, 3)),
    "neuron of 36 weights, 100,000 rows": (lambda: neuron(100_000, 36), lambda: neuron(20, 6)),
}


def solve(solver: Any, problem: Any, limit: float) -> tuple[str, float]:
    """Return how the call ended, and its seconds."""
    begin, cpu = time.perf_counter(), time.process_time()
    try:
        if isinstance(problem, qproj.LayerProjection):
            found = qproj.project(problem, solver=solver, time_limit_s=limit, seed=0)
            status = "/".join(sorted(set(found.status.astype(str))))
        else:
            status = str(solver.solve(problem, time_limit_s=limit, seed=0).status)
    except Exception as error:  # a refusal, most of them
        status = f"{type(error).__name__}: {str(error)[:200]}"
    took, own = time.perf_counter() - begin, time.process_time() - cpu
    return status, took if isinstance(solver, qproj.Isolated) else min(took, own)


def measure_here(name: str, case: str) -> None:
    """Print one line of JSON per limit."""
    make, small = CASES[case]
    solver = qproj.get_solver(name)
    if name in ("auto", "local-search"):
        from qproj.solvers.builtin.warm import warm

        list(warm({"searches", "descent"}))
    if not solver.capabilities.stops:
        solver = qproj.Isolated(solver, grace_s=0.1)
    for limit in LIMITS:
        best: dict[str, Any] | None = None
        for _ in range(TRIES):
            solve(solver, small(), 1.0 if solver.capabilities.stops else 60.0)  # after an end, in a new process
            problem = make()
            print(json.dumps({"begin": limit}), flush=True)
            status, took = solve(solver, problem, limit)
            late = max(0.0, took - limit)
            if best is None or late < best["late_s"]:
                best = {"limit": limit, "status": status, "late_s": round(late, 3)}
            if late <= LATE_S or late > 10.0 or is_refusal(status):
                break
        print(json.dumps(best), flush=True)


def measure(name: str, case: str) -> dict[str, dict[str, Any]]:
    """Return the outcome at each limit, by a process that is ended where it does not come back."""
    command = [sys.executable, __file__, "--here", name, case]
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env, start_new_session=True
    )

    def kill() -> None:  # with the processes of its own, which would hold its output open
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    found: dict[str, dict[str, Any]] = {}
    timer = threading.Timer(START_S, kill)
    timer.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith("{"):
                continue
            timer.cancel()
            news = json.loads(line)
            patience = START_S if "late_s" in news else PATIENCE_S + float(news.get("begin", 0.0))
            if "late_s" in news:
                found[str(news.pop("limit"))] = news
            timer = threading.Timer(patience, kill)
            timer.start()
    finally:
        timer.cancel()
        kill()
        process.wait()
    for limit in LIMITS:
        found.setdefault(str(limit), {"status": "did not come back", "late_s": None})
    return found


def shown(outcome: dict[str, Any] | None) -> str:
    if outcome is None:
        return "not measured"
    if all(is_refusal(one["status"]) for one in outcome.values()):
        late = max(one["late_s"] for one in outcome.values())
        return "refused" if late <= LATE_S else f"refused, **{late:.2f}**"
    figures = []
    for limit in LIMITS:
        late = outcome[str(limit)]["late_s"]
        text = "no end" if late is None else f"{late:.2f}"
        figures.append(text if late is not None and late <= LATE_S else f"**{text}**")
    return " / ".join(figures)


def with_table(text: str, stored: Stored) -> str:
    """Return the page with the table of what is stored; an asterisk marks what nothing interrupts."""
    legend = LEGEND.format(late=LATE_S, tries=TRIES)
    return between(text, BEGIN, END, legend + "\n" + rows(stored, CASES, shown, _mark))


def _mark(name: str) -> str:
    return "" if qproj.get_solver(name).capabilities.stops else " \\*"


if __name__ == "__main__":
    main(sys.modules[__name__])
