"""Why the curvature projection trains better: its parts taken away, one at a time, and the spectrum that it sees.

python -m benchmarks.why_curvature      ten digits, one epoch; writes benchmarks/results/why_curvature.json

Everything here is written out again from the formulas of docs/explanation/curvature.md, independent of qproj.optim, so
that parts can be exchanged which no option exchanges.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numba
import torch
from torch import Tensor

from benchmarks.measure import commit, machine, table
from qproj.lab.training import networks
from qproj.lab.training.data import Data, load
from qproj.lab.training.experiments import get_experiment
from qproj.lab.training.loop import batch_rows, epoch_steps
from qproj.nn import SignActivation, binary_layers

FILE = Path(__file__).parent / "results" / "why_curvature.json"
EXPERIMENT = get_experiment("mnist-10", epochs=1)
SEEDS = range(2)
#: Steps after which the spectrum is taken, as parts of the run.
MARKS = (0.1, 0.5, 1.0)


@dataclass(frozen=True)
class Variant:
    """The method with a part exchanged.

    Attributes
    ----------
    solve : str
        "search": single flips; "box": V in [−1, 1]^d by the same descent; "ridge": the sign of (A + λI)⁻¹h.
    averaged : str
        What momentum averages: the "gradient" before the projection, "V" after it, or "nothing".
    layers : tuple of int
        Layers that are projected; the others take sign(h).
    window : float
        Factor of the straight-through window √fan_in.
    """

    solve: str = "search"
    averaged: str = "gradient"
    layers: tuple[int, ...] = (0, 1, 2)
    window: float = 1.0
    tau: float = 4.0
    momentum: float = 0.8
    sweeps: int = 5
    ridge: float = 0.1
    lr: float = 0.02


WHOLE = Variant()
VARIANTS: dict[str, Variant] = {
    "as it is: τ = 4, β = 0.8, five sweeps": WHOLE,
    "τ = 0: signSGD with momentum": replace(WHOLE, tau=0.0),
    "V in the box [−1, 1]^d": replace(WHOLE, solve="box"),
    "sign of the ridge solution, λ = 0.1 tr(A)/d": replace(WHOLE, solve="ridge"),
    "sign of the ridge solution, λ = tr(A)/d": replace(WHOLE, solve="ridge", ridge=1.0),
    "momentum on V, not on the gradient": replace(WHOLE, averaged="V"),
    "no momentum": replace(WHOLE, averaged="nothing"),
    "first layer alone": replace(WHOLE, layers=(0,)),
    "second layer alone": replace(WHOLE, layers=(1,)),
    "last layer alone": replace(WHOLE, layers=(2,)),
    "window ½ √fan_in": replace(WHOLE, window=0.5),
    "window 2 √fan_in": replace(WHOLE, window=2.0),
    "one sweep": replace(WHOLE, sweeps=1),
    "η = 0.04": replace(WHOLE, lr=0.04),
    "η = 0.01": replace(WHOLE, lr=0.01),
}


def descend(A: Tensor, h: Tensor, rho: Tensor, V: Tensor, sweeps: int, *, box: bool = False) -> Tensor:
    """Return V after sweeps over the coordinates of every neuron: flips, or steps in the box."""
    V, F = V.clone(), V @ A
    _descend(A.numpy(), h.numpy(), rho.numpy(), V.numpy(), F.numpy(), sweeps, box)
    return V


@numba.njit(cache=True)
def _descend(A: Any, h: Any, rho: Any, V: Any, F: Any, sweeps: int, box: bool) -> None:
    neurons, d = V.shape
    for j in range(neurons):
        for _ in range(sweeps):
            changed = False
            for k in range(d):
                slope = h[j, k] - rho[j] * F[j, k]
                diagonal = max(A[k, k], 1e-12)
                if box:
                    step = min(max(V[j, k] + slope / (rho[j] * diagonal), -1.0), 1.0) - V[j, k]
                else:
                    step = -2 * V[j, k] if V[j, k] * slope + rho[j] * diagonal < 0 else 0.0
                if step != 0.0:
                    V[j, k] += step
                    for i in range(d):
                        F[j, i] += step * A[k, i]
                    changed = True
            if not changed:
                break


@dataclass
class Layer:
    """What one layer keeps between steps, and what was seen of it."""

    weight: torch.nn.Parameter
    mean: Tensor
    V: Tensor | None = None
    agreements: list[float] = field(default_factory=list)
    flips: list[float] = field(default_factory=list)


def direction(layer: Layer, A: Tensor, variant: Variant, projected: bool, step: int) -> tuple[Tensor, Tensor]:
    """Return (V, h) of a layer."""
    beta = variant.momentum if variant.averaged == "gradient" else 0.0
    grad = layer.weight.grad
    assert grad is not None
    layer.mean.lerp_(grad, 1 - beta)
    h = -layer.mean / (1 - beta ** (step + 1))
    v0 = torch.where(h >= 0, 1.0, -1.0)
    if not projected or variant.tau == 0:
        V = v0
    elif variant.solve == "ridge":
        d = A.shape[0]
        factor = torch.linalg.cholesky(A + variant.ridge * A.trace() / d * torch.eye(d))
        V = torch.where(torch.cholesky_solve(h.T, factor).T >= 0, 1.0, -1.0)
    else:
        unit = h / h.abs().sum(1, keepdim=True).clamp(min=1e-30)  # so that rho does not depend on the gradient's scale
        rho = variant.tau / ((v0 @ A) * v0).sum(1).clamp(min=1e-12)
        start = v0 if layer.V is None or variant.averaged == "V" else layer.V
        V = descend(A, unit, rho, start, variant.sweeps, box=variant.solve == "box")
    layer.agreements.append(float((torch.where(V >= 0, 1.0, -1.0) == v0).float().mean()))
    if variant.averaged == "V":
        previous = torch.zeros_like(V) if layer.V is None else layer.V
        layer.V = variant.momentum * previous + (1 - variant.momentum) * V
        return layer.V / (1 - variant.momentum ** (step + 1)), h
    layer.V = V
    return V, h


def train(variant: Variant, seed: int, data: Data, watch: Callable[..., None] | None = None) -> dict[str, Any]:
    """Train for one epoch, and return accuracy on validation rows and what was seen on the way."""
    torch.manual_seed(seed)
    model = networks.build(EXPERIMENT, data)
    modules = list(binary_layers(model).values())
    signs = [part for part in model.modules() if isinstance(part, SignActivation)]
    for sign, module in zip(signs, modules):  # one behind each layer but the last
        sign.clip = variant.window * module.fan_in**0.5
    inputs: list[Tensor] = [torch.empty(0)] * len(modules)
    for index, module in enumerate(modules):
        module.register_forward_pre_hook(lambda _, given, i=index: inputs.__setitem__(i, given[0].detach()))
    layers = [Layer(module.weight, torch.zeros_like(module.weight)) for module in modules]
    steps = epoch_steps(EXPERIMENT, data)
    for step in range(steps):
        rows = batch_rows(EXPERIMENT, data, seed, step)
        model.zero_grad()
        networks.loss(networks.scores(model, EXPERIMENT, data, rows), data.y[rows]).backward()  # type: ignore[no-untyped-call]
        rate = variant.lr * (1 - 0.99 * step / max(steps - 1, 1))
        with torch.no_grad():
            for index, layer in enumerate(layers):
                X = inputs[index]
                A = X.T @ X / len(X)
                V, h = direction(layer, A, variant, index in variant.layers, step)
                if watch is not None:
                    watch(step, steps, index, A, h, V)
                before = layer.weight >= 0
                layer.weight.add_(V, alpha=rate)
                layer.flips.append(float(((layer.weight >= 0) != before).float().mean()))
    return {
        "accuracy": networks.accuracy(model, EXPERIMENT, data, data.val),
        "agreement": [statistics.fmean(layer.agreements) for layer in layers],
        "flips": [statistics.fmean(layer.flips) for layer in layers],
    }


def spectrum(seed: int, data: Data) -> list[dict[str, Any]]:
    """Return, per layer and mark, how A's trace and the norms of h, sign(h) and V spread over A's eigenvectors."""
    rows: list[dict[str, Any]] = []

    def watch(step: int, steps: int, index: int, A: Tensor, h: Tensor, V: Tensor) -> None:
        if step + 1 not in {round(mark * steps) for mark in MARKS}:
            return
        values, vectors = torch.linalg.eigh(A.double())
        order = torch.flip(torch.arange(len(values)), (0,))
        values, vectors = values[order].clamp(min=0), vectors[:, order]
        row: dict[str, Any] = {"layer": index, "step": step + 1, "d": len(values)}
        trace = float(values.sum())
        for top in (1, 10, 100):
            row[f"trace {top}"] = float(values[:top].sum()) / trace
        signs = torch.where(h >= 0, 1.0, -1.0)
        for name, given in (("h", h), ("sign(h)", signs), ("V", V)):
            along = (given.double() @ vectors).square()
            row[f"{name} 10"] = float((along[:, :10].sum(1) / along.sum(1).clamp(min=1e-300)).mean())
            row[f"{name} power"] = float(((along * values).sum(1) / trace).mean())
        row["agreement"] = float((signs == V).float().mean())
        rows.append(row)

    train(WHOLE, seed, data, watch)
    return rows


def run() -> None:
    """Run what is not stored, and write the file after every run."""
    data = load(EXPERIMENT)
    found = json.loads(FILE.read_text()) if FILE.exists() else {"variants": {}, "spectrum": []}
    for heading, variant in VARIANTS.items():
        kept = found["variants"].setdefault(heading, [])
        for seed in list(SEEDS)[len(kept) :]:
            kept.append(train(variant, seed, data))
            _write(found)
            print(heading, seed, round(kept[-1]["accuracy"], 4), flush=True)
    if not found["spectrum"]:
        found["spectrum"] = spectrum(0, data)
    _write(found)


def _write(found: dict[str, Any]) -> None:
    at = {name: value for name, value in machine().items() if name != "load"}
    FILE.write_text(json.dumps({**found, "machine": at, "commit": commit()}, indent=1) + "\n")


def section() -> str:
    """Return the section of docs/results.md; empty where nothing is stored."""
    if not FILE.exists():
        return ""
    found = json.loads(FILE.read_text())
    rows = []
    for heading, runs in found["variants"].items():
        if not runs:
            continue
        values = [run["accuracy"] for run in runs]
        layers = range(len(runs[0]["flips"]))
        rows.append(
            [
                heading, f"{statistics.fmean(values):.4f} ± {statistics.stdev(values) if len(values) > 1 else 0:.4f}",
                " / ".join(f"{statistics.fmean(run['agreement'][i] for run in runs):.2f}" for i in layers),
                " / ".join(f"{100 * statistics.fmean(run['flips'][i] for run in runs):.2f} %" for i in layers),
            ]
        )  # fmt: skip
    spectra = [
        [
            f"{row['layer'] + 1} (d = {row['d']})", str(row["step"]),
            *(f"{row[f'trace {top}']:.2f}" for top in (1, 10, 100)),
            *(f"{row[f'{name} 10']:.2f}" for name in ("h", "sign(h)", "V")),
            *(f"{row[f'{name} power']:.2f}" for name in ("sign(h)", "V")), f"{row['agreement']:.2f}",
        ]
        for row in sorted(found["spectrum"], key=lambda row: (row["layer"], row["step"]))
    ]  # fmt: skip
    return WORDS.format(
        seeds=len(SEEDS),
        variants=table(
            ("variant", "validation accuracy", "agreement with sign(h)", "signs that change per step"), rows
        ),
        spectrum=table(
            (
                "layer", "step", "trace in 1", "in 10", "in 100", "h in 10", "sign(h) in 10", "V in 10",
                "power of sign(h)", "power of V", "agreement",
            ),
            spectra,
        ),
    )  # fmt: skip


WORDS = """## Why it works

`mnist-10` for one epoch, {seeds} seeds, accuracy on validation rows, written out from the formulas apart from
`qproj.optim` (`python -m benchmarks.why_curvature`). One part of the method is exchanged per row; agreement and changes
are means over steps, for the three layers.

{variants}

The inputs of a layer are correlated: a few eigenvectors of A carry most of its trace. The table gives, for the first
seed, the share of A's trace in its first 1, 10 and 100 eigenvectors; the share of the squared norm of h, sign(h) and V
that lies in the first 10; and the power vᵀAv/tr(A), which is 1 for a v that ignores the spectrum.

{spectrum}
"""


if __name__ == "__main__":
    run()
