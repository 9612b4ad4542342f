"""The projection of a training step beside forward and backward of the same network, in one run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import range_of, ratio_of, spread, table

TITLE = "A training step, and the projection's share of it"


class Case(NamedTuple):
    """A network, its rows, what is projected, and the most that the projection may take of forward + backward."""

    name: str
    make: Callable[[], Any]
    batch: Callable[[Any], tuple[Any, Any]]
    options: dict[str, Any]
    most: float


def linear(*widths: int) -> Callable[[], Any]:
    """Return a maker of binary layers with signs between them."""

    def make() -> Any:
        import torch

        from qproj.nn import BinaryLinear, SignActivation

        parts: list[torch.nn.Module] = []
        for a, b in pairwise(widths[:-1]):
            parts += [BinaryLinear(a, b), SignActivation()]
        return torch.nn.Sequential(*parts, BinaryLinear(widths[-2], widths[-1]))

    return make


def convolution() -> Any:
    """Return one binary 3×3 convolution, 32 → 32 channels."""
    from qproj.nn import BinaryConv2d

    return BinaryConv2d(32, 32, 3, padding=1)


def noise(*shape: int) -> Callable[[Any], tuple[Any, Any]]:
    """Return a maker of batches: random signs, and no labels."""

    def batch(torch: Any) -> tuple[Any, Any]:
        return torch.randn(shape).sign(), None

    return batch


def digits(rows: int) -> Callable[[Any], tuple[Any, Any]]:
    """Return a maker of batches of MNIST's training images, as signs, and their labels."""

    def batch(torch: Any) -> tuple[Any, Any]:
        data = _mnist()
        picked = torch.randint(len(data.X_train), (rows,)).numpy()
        signs = torch.from_numpy((data.X_train[picked] > data.threshold).astype("float32"))
        return 2 * signs - 1, torch.from_numpy(data.y_train[picked])

    return batch


@cache
def _mnist() -> Any:
    from qproj.lab.datasets import load_mnist

    return load_mnist()


MNIST = linear(784, 256, 256, 10)
MARGIN: dict[str, Any] = {"projection": "margin"}
SHARED = MARGIN | {"targets": "outputs"}
CASES = (
    Case("784-256-256-10, n = 512", MNIST, digits(512), {}, 1.0),
    Case("784-256-256-10, n = 64", MNIST, digits(64), {}, 1.0),
    Case("conv 32→32, 3×3 on 32×32, n = 128", convolution, noise(128, 32, 32, 32), {}, 0.5),
    Case("adult-2layer, 3-5-1, n = 20", linear(3, 5, 1), noise(20, 3), {}, 1.0),
    Case("adult-2layer-wide, 123-5-1, n = 20", linear(123, 5, 1), noise(20, 123), {}, 1.0),
    Case("10 layers of 128, n = 16", linear(123, *(128,) * 9, 1), noise(16, 123), {}, 1.0),
    Case("784-256-256-10, n = 512, margin", MNIST, digits(512), MARGIN, 3.0),
    Case("784-256-256-10, n = 64, margin", MNIST, digits(64), MARGIN, 3.0),
    Case("784-256-1, n = 512, margin of outputs", linear(784, 256, 1), noise(512, 784), SHARED, 3.0),
    Case("10 layers of 128, n = 16, sign", linear(123, *(128,) * 9, 1), noise(16, 123), {"projection": "sign"}, 0.0),
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
    import torch

    from qproj.nn import binary_layers
    from qproj.optim import Projector

    torch.manual_seed(0)
    name, make, batch, options, most = CASES[index]
    model = make()
    before = _peak()
    projector = Projector(model, **(options or {"tau": 4.0}))
    optimizer = torch.optim.SGD(model.parameters(), 0.02)
    noisy = torch.randn(model(batch(torch)[0]).shape)
    passes, projecting, ratios = [], [], []
    for step in range(steps + 5):
        x, y = batch(torch)
        optimizer.zero_grad()
        begun = time.perf_counter()
        z = model(x)
        loss = (z * noisy).mean() if y is None else torch.nn.functional.cross_entropy(z / 16, y)
        loss.backward()
        passed = time.perf_counter()
        projector.project_grad_()
        done = time.perf_counter()
        optimizer.step()
        if step >= 5:  # compiled by then
            passes.append(passed - begun)
            projecting.append(done - passed)
            ratios.append((done - passed) / (passed - begun))
    after = _peak()
    return {
        "case": name, "passes": spread(passes), "projection": spread(projecting), "ratio": spread(ratios),
        "most": most, "threads": torch.get_num_threads(),
        "weights": sum(layer.weight.numel() for layer in binary_layers(model).values()),
        "peak_mib": after / 1024, "added_mib": (after - before) / 1024,
    }  # fmt: skip


def _peak() -> int:
    """Return this process's own peak in KiB; ru_maxrss begins at that of the process which started it."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def section(result: dict[str, Any]) -> str:
    rows = []
    for row in result["rows"]:
        ratio, most = row["ratio"], row["most"]
        met = "" if not most else "yes" if ratio["median"] <= most else "no"
        rows.append(
            [
                row["case"], range_of(row["passes"]), range_of(row["projection"]),
                f"{ratio_of(ratio['median'])} ({ratio_of(ratio['least'])} to {ratio_of(ratio['most'])})",
                f"≤ {most:g}×" if most else "", met, f"{row['peak_mib']:.0f} MiB (+{row['added_mib']:.0f})",
            ]
        )  # fmt: skip
    threads = max(row["threads"] for row in result["rows"])
    return (
        f"""
Forward and backward of a network, and the projection of its gradients: the curvature projection with τ = 4 unless
another one is named. Networks of 784 inputs train on MNIST with SGD and η = 0.02, the others see random ±1 rows, new
ones each step. {threads} threads, {result["steps"]} steps after 5 that
compile; ratios are those of single steps. The second moment of the inputs is taken every eighth step, so the largest
ratio is that of a step which takes it. Memory: the peak of the process, and how much of it came after the model was
made, the libraries that the first projection loads included.
"""
        + table(["network", "forward + backward", "projection", "ratio", "aim", "met", "peak memory"], rows)
        + """
Without a sweep that meets a flip, the curvature projection reads its matrices once; each flip adds one row of A. The
sign projection solves an NP-hard problem per neuron, within a work budget; it stands here for comparison.

At batch 64 some 54,000 flips per step decide: with the gradients of so few rows a sixth of all weights changes sign.
In one thread they take 4.4 ms, more than forward and backward together. Margins share one quadratic form where
|T_ij| = a_i b_j, as with one output; elsewhere each sweep of a neuron costs n·d, and fewer sweeps end higher.
"""
    )


if __name__ == "__main__":
    print(json.dumps(case(int(sys.argv[1]), int(sys.argv[2]))))
