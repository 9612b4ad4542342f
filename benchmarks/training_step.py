"""A training step beside its projection: seconds of both, and the memory of the process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.measure import range_of, ratio_of, seconds, spread, table

TITLE = "A training step, and the projection's share of it"

#: Name, widths, rows, most seconds of a step and of its projection; 0: the projection is to be the smaller part.
CASES = (
    ("adult-2layer, 3-5-1, n = 20", (3, 5, 1), 20, 0.0, 0.0),
    ("adult-2layer-wide, 123-5-1, n = 20", (123, 5, 1), 20, 0.0, 0.0),
    ("10 layers of 128, n = 16", (123, *(128,) * 9, 1), 16, 0.3, 0.1),
)


def run(quick: bool) -> dict[str, Any]:
    steps = 40 if quick else 200
    rows = []
    for index in range(len(CASES)):  # a process each, so that peak memory is the case's own
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.training_step", str(index), str(steps)], capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    return {"rows": rows, "steps": steps}


def case(index: int, steps: int) -> dict[str, Any]:
    import resource

    import torch

    from qproj.nn import BinaryLinear, SignActivation
    from qproj.optim import ProjectedQPSBGD

    torch.set_num_threads(1)
    torch.manual_seed(0)
    name, widths, rows, step_target, projection_target = CASES[index]
    layers: list[torch.nn.Module] = []
    for a, b in pairwise(widths[:-1]):
        layers += [BinaryLinear(a, b), SignActivation(a)]
    model = torch.nn.Sequential(*layers, BinaryLinear(widths[-2], widths[-1]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    optimizer = ProjectedQPSBGD(model, 0.01)
    whole, projecting, proved = [], [], []
    for step in range(steps + 5):
        x, y = torch.randn(rows, widths[0]).sign(), torch.randn(rows).sign()
        begun = time.perf_counter()
        optimizer.zero_grad()
        z = model(x)[:, 0] / widths[-2] ** 0.5
        torch.nn.functional.softplus(-y * z).mean().backward()
        optimizer.step()
        if step >= 5:  # compiled by then
            report = optimizer.last_report
            assert report is not None
            whole.append(time.perf_counter() - begun)
            projecting.append(report.seconds)
            proved.append(float(np.mean([layer.proved for layer in report.values()])))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "case": name, "step": spread(whole), "projection": spread(projecting),
        "rest": spread([w - p for w, p in zip(whole, projecting)]), "proved": float(np.mean(proved)),
        "targets": [step_target, projection_target], "peak_mib": after / 1024, "added_mib": (after - before) / 1024,
    }  # fmt: skip


def section(result: dict[str, Any]) -> str:
    rows = []
    for row in result["rows"]:
        step, projection = row["targets"]
        aim = f"≤ {seconds(step)}, projection ≤ {seconds(projection)}" if step else "projection < rest"
        took, other = row["projection"]["median"], row["rest"]["median"]
        # by how much the worse of the aims is missed
        excess = max(row["step"]["median"] / step, took / projection) if step else took / other
        rows.append(
            [
                row["case"], range_of(row["step"]), range_of(row["projection"]), range_of(row["rest"]), aim,
                "yes" if excess <= 1 else f"no, {ratio_of(excess)} as much", f"{row['proved']:.3f}",
                f"{row['peak_mib']:.0f} MiB (+{row['added_mib']:.0f})",
            ]
        )  # fmt: skip
    return (
        f"""
Steps of `ProjectedQPSBGD` with the sign projection and solver "auto" on random ±1 rows, new ones each step, one thread,
{result["steps"]} steps after 5 that compile; forward, backward, projection and update. "Rest" is the step without its
projection. Memory: the process's peak, and how much of it training added to the model and the libraries.
"""
        + table(["network", "step", "projection", "rest", "aim", "met", "proved", "peak memory"], rows)
        + """
A small layer's projection is some hundred calls of numpy (merging rows and columns, the search, scoring every neuron
anew by the definition), about a millisecond whatever the layer's size, where the rest of the step is a few dozen calls
of torch.
"""
    )


if __name__ == "__main__":
    print(json.dumps(case(int(sys.argv[1]), int(sys.argv[2]))))
