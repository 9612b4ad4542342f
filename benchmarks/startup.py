"""What a fresh process pays: imports, `qproj --help`, the first call compiled or loaded; and limits, once compiled."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

import qproj
from benchmarks.measure import range_of, seconds, spread, table, timed

TITLE = "Starting, and stopping in time"
IMPORT_TARGET, HELP_TARGET, OVERRUN_TARGET = 0.1, 0.5, 0.3
PROJECT_TARGET, KERNELS_TARGET = 1.5, 10.0  # of CPU, nothing compiled before
#: First layers: which of the searches they reach decides what is compiled.
FIRST_LAYERS = {"few weights": (20, 8), "fewer rows than weights": (16, 64), "as many rows as weights": (20, 20)}
LIMITS = (0.01, 0.1, 1.0)
#: A layer each of whose searches is reached: learning, message passing, annealing, branch and bound.
_FIRST = """
import time, numpy as np, qproj
rng = np.random.default_rng(0)
start = time.perf_counter()
for n, d in ((16, 64), (64, 26)): qproj.project(rng.choice([-1, 1], (n, d)), rng.standard_normal((n, 4)))
print(time.perf_counter() - start)
"""
#: CPU of a whole process: one layer of (rows, weights), or every kernel.
_PROJECT = """
import time, numpy as np, qproj
rng = np.random.default_rng(0)
qproj.project(rng.choice([-1, 1], ({0}, {1})), rng.standard_normal(({0}, 4)))
print(time.process_time())
"""
#: CPU of a process that runs every kernel, and the part of it in which numba compiles.
_KERNELS = """
import time
from numba.core import event
from qproj.solvers.builtin.warm import warm

class Compiling(event.Listener):
    depth, spent = 0, 0.0
    def on_start(self, event):
        self.spent -= time.process_time() if self.depth == 0 else 0.0
        self.depth += 1
    def on_end(self, event):
        self.depth -= 1
        self.spent += time.process_time() if self.depth == 0 else 0.0

event.register("numba:compile", listener := Compiling())
list(warm())
print(listener.spent, time.process_time())
"""


def _python(code: str, **environment: str) -> float:
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, env={**os.environ, **environment}, timeout=600
    )
    return time.perf_counter() - begin


def _inside(code: str, **environment: str) -> float:
    return _numbers(code, **environment)[0]


def _numbers(code: str, **environment: str) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={**os.environ, **environment},
        timeout=600,
    )  # fmt: skip
    return [float(number) for number in done.stdout.split()]


def _without_cache(code: str) -> list[float]:
    with tempfile.TemporaryDirectory() as empty:
        return _numbers(code, NUMBA_CACHE_DIR=empty)


def run(quick: bool) -> dict[str, Any]:
    repeats = 7 if quick else 25
    clock = "import time; a = time.perf_counter(); import qproj; print(time.perf_counter() - a)"
    helping = [sys.executable, "-m", "qproj", "--help"]
    (compiled,) = _without_cache(_FIRST)
    result: dict[str, Any] = {
        "import": spread([_inside(clock) for _ in range(repeats)]),
        "python": spread([_python("pass") for _ in range(repeats)]),
        "help": spread([
            timed(lambda: subprocess.run(helping, check=True, capture_output=True))[0] for _ in range(repeats)
        ]),
        "compiled": compiled,
        "layers": {name: _without_cache(_PROJECT.format(*shape))[0] for name, shape in FIRST_LAYERS.items()},
        "kernels": _without_cache(_KERNELS),
        "loaded": spread([_inside(_FIRST) for _ in range(3)]),
    }  # fmt: skip
    return {**result, "limits": _overruns(5 if quick else 20), "repeats": repeats}


def _overruns(count: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng()
    rows = []
    for name, n, d, dout in (("a neuron", 64, 48, None), ("a layer of 64", 64, 48, 64), ("784→128", 1000, 784, 128)):
        for limit in LIMITS:
            over = []
            for _ in range(count):
                X = rng.choice([-1, 1], (n, d))
                if dout is None:
                    p = qproj.SignProjection(X, rng.standard_normal(n))
                    took, _found = timed(
                        lambda p=p, limit=limit: qproj.get_solver("auto").solve(p, seed=0, time_limit_s=limit)
                    )
                else:
                    T = rng.standard_normal((n, dout))
                    took, _found = timed(lambda X=X, T=T, limit=limit: qproj.project(X, T, time_limit_s=limit))
                over.append(max(took - limit, 0.0))
            rows.append({"case": name, "limit": limit, "over": spread(over)})
    return rows


def section(result: dict[str, Any]) -> str:
    starts = [
        ["`import qproj`", f"≤ {seconds(IMPORT_TARGET)}", range_of(result["import"])],
        ["`qproj --help`, whole process", f"≤ {seconds(HELP_TARGET)}", range_of(result["help"])],
        ["python itself, whole process", "", range_of(result["python"])],
        ["first call ever: numba compiles", "", seconds(result["compiled"])],
        ["first call of a process: numba loads", "", range_of(result["loaded"])],
        *(
            [
                "first `project` ever, CPU of its process: "
                + "{} rows, {} weights".format(*FIRST_LAYERS[name])
                + f" ({name})",
                f"≤ {seconds(PROJECT_TARGET)}",
                seconds(took),
            ]
            for name, took in result.get("layers", {}).items()
        ),
        *(
            [
                ["all kernels: numba compiles, CPU", f"≤ {seconds(KERNELS_TARGET)}", seconds(result["kernels"][0])],
                ["all kernels: CPU of the process, imports and searches included", "", seconds(result["kernels"][1])],
            ]
            if "kernels" in result
            else []
        ),
    ]
    limits = [
        [row["case"], seconds(row["limit"]), f"≤ {seconds(OVERRUN_TARGET)}", range_of(row["over"])]
        for row in result["limits"]
    ]
    return f"""
{result["repeats"]} fresh processes each. `qproj doctor --warm` pays the first row of numba's in advance.
""" + table(["what", "target", "time"], starts) + """
How much later than its limit `auto` returns, on neurons that no limit here proves.
""" + table(["case", "limit", "target", "over"], limits)  # fmt: skip
