"""Peak memory of one `project` call against the size of X, T and V, each size in a process of its own.

The peak is the resident set's, counted from 0 (Linux: VmHWM, after a reset) once the process has done its imports, made
the inputs and warmed up; getrusage's would hold the parent's memory and the compiler's. X (n, d) int8 and T (n, dout)
float64 are the caller's, V (dout, d) int8 the result's, and their size is the unit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.measure import seconds, table

TITLE = "Memory"
TARGET = 3.0
#: (name, n, d, dout, dtype of X)
CASES = (
    ("layer 128→128", 16, 128, 128, "int8"),
    ("layer 784→128", 256, 784, 128, "int8"),
    ("layer 2048→2048", 512, 2048, 2048, "int8"),
    ("convolution, 100,000 patches of 3×3×4", 100_000, 36, 16, "int8"),
)
FULL = (("layer 4096→4096", 1024, 4096, 4096, "int8"),)

_CHILD = r"""
import json, re, sys, time
from pathlib import Path
import numpy as np, qproj
n, d, dout, dtype, solver, limit = json.loads(sys.argv[1])
def status(field): return 1024 * int(re.search(field + r":\s+(\d+)", Path("/proc/self/status").read_text())[1])
rng = np.random.default_rng()
qproj.project(rng.choice([-1, 1], (8, 40)), rng.standard_normal((8, 2)), solver)
qproj.project(rng.choice([-1, 1], (40, 20)), rng.standard_normal((40, 2)), solver, time_limit_s=0.2)
X = rng.integers(0, 2, (n, d), dtype=np.int8); X *= 2; X -= 1
T = rng.standard_normal((n, dout))
Path("/proc/self/clear_refs").write_text("5")
before = status("VmRSS")
start = time.perf_counter()
layer = qproj.project(X, T, solver, time_limit_s=limit)
took = time.perf_counter() - start
print(json.dumps({"before": before, "peak": status("VmHWM"), "seconds": took, "proved": float(layer.proved.mean()),
                  "inputs": X.nbytes + T.nbytes, "bytes": X.nbytes + T.nbytes + layer.weights.nbytes}))
"""


def child(n: int, d: int, dout: int, dtype: str, solver: str, limit: float | None) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, json.dumps([n, d, dout, dtype, solver, limit])],
        capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"n={n}, d={d}, dout={dout}, {solver}: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def run(quick: bool) -> dict[str, Any]:
    rows = []
    for name, n, d, dout, dtype in (*CASES, *(() if quick else FULL)):
        for solver in ("auto", "sign"):
            found = child(n, d, dout, dtype, solver, 20.0 if solver == "auto" else None)
            held = found["inputs"] + found["peak"] - found["before"]  # V is among what the call adds
            rows.append({"case": name, "n": n, "solver": solver, **found, "ratio": held / found["bytes"]})
    return {"rows": rows}


def section(result: dict[str, Any]) -> str:
    rows = [
        [
            row["case"], str(row["n"]), f"`{row['solver']}`", f"{row['bytes'] / 2**20:.1f} MiB",
            f"{(row['peak'] - row['before']) / 2**20:.1f} MiB", f"{row['ratio']:.2f}×", seconds(row["seconds"]),
            f"{row['proved']:.2f}",
        ]
        for row in result["rows"]
    ]  # fmt: skip
    missed = [f"{row['case']}, `{row['solver']}`" for row in result["rows"] if row["ratio"] > TARGET]
    verdict = "The target is met."
    if missed:
        verdict = f"""Missed by {len(missed)} of {len(rows)}: {"; ".join(missed)}. A call needs some 1 to 20 MiB
whatever the layer's size: buffers of BLAS, and blocks of neurons and their counts (8 bytes per weight of a block of
2^18 / max(n, d) neurons, 32 at least) that are large enough to be fast. Beside layers of a few MiB that is many times
their size. Annealing, walks and branch and bound, which the convolution's rows ask for, hold those rows in float64."""
    header = ["case", "n", "solver", "X, T and V", "more at the peak", "peak", "time", "proved"]
    return f"""
Peak memory of `project`, in units of the size of X (int8), T (float64) and V together (target ≤ {TARGET:g}×): X and T
themselves, and what the call adds at its highest, V included. `auto` has a limit of 20 s. Rows of a convolution's
patches are merged; nothing is sampled.
{verdict}
""" + table(header, rows)
