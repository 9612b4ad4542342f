"""``qproj project``: one layer from npy files, its weights to an npz file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("project")(project)


def project(
    inputs: Annotated[Path, typer.Argument(metavar="X.npy", help="Inputs X, (n, d), ±1 or real.")],
    targets: Annotated[Path, typer.Argument(metavar="T.npy", help="Targets T = −∂L/∂Y, (n, dout) or (n,).")],
    solver: Annotated[
        str, typer.Option(help="NAME, NAME:option=value,… or polished(NAME); `qproj solvers` lists the names.")
    ] = "auto",
    time_limit: Annotated[float | None, typer.Option(help="Seconds for the whole layer.")] = None,
    reads: Annotated[int | None, typer.Option(help="Samples per neuron, where the solver samples.")] = None,
    seed: Annotated[int, typer.Option(help="One seed gives one result, where no clock cut the search.")] = 0,
    out: Annotated[Path | None, typer.Option(help="An npz file for weights, gain, bound, gap and status.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Project a layer: argmin over V ∈ {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F.

    Example: qproj project X.npy T.npy --solver auto --time-limit 5 --out V.npz
    """
    from qproj.cli.output import print_json, print_table
    from qproj.lab.datasets.npz import read_npy
    from qproj.solvers import project as project_layer
    from qproj.solvers.specs import parse_solver

    if out is not None and out.suffix != ".npz":
        raise ValueError(f"--out is {str(out)!r}; a name ending in .npz is needed")
    X, T = read_npy(inputs), read_npy(targets)
    chosen = parse_solver(solver).make()
    layer = project_layer(
        X, T[:, None] if T.ndim == 1 else T, chosen, seed=seed, time_limit_s=time_limit, num_reads=reads
    )
    if out is not None:
        _write(out, layer)
    status = [str(s) for s in layer.status]
    if as_json:
        timing = {part: getattr(layer.timing, part) for part in ("build", "embed", "queue", "solve", "decode")}
        neurons = [
            {"neuron": i, "status": status[i], "gain": layer.gain[i], "objective": layer.objective[i],
             "bound": layer.bound[i], "gap": layer.gap[i], "termination": str(layer.terminations[i])}
            for i in range(len(layer))
        ]  # fmt: skip
        print_json({
            "solver": layer.solver, "proved": int(layer.proved.sum()), "timing_s": timing, "neurons": neurons,
            "out": None if out is None else str(out),
        })  # fmt: skip
        return
    rows = [
        (i, status[i], f"{layer.gain[i]:.6g}", f"{layer.bound[i]:.6g}", f"{layer.gap[i]:.3g}", layer.terminations[i])
        for i in range(min(len(layer), 40))
    ]
    print_table(("neuron", "status", "gain", "bound on objective", "gap", "ended by"), rows)
    more = f" (the first 40 of {len(layer)} are shown)" if len(layer) > 40 else ""
    typer.echo(
        f"{int(layer.proved.sum())} of {len(layer)} neurons proved optimal by {layer.solver} "
        f"in {layer.timing.total:.3g} s{more}"
    )
    if out is not None:
        typer.echo(f"weights are in {out}")


def _write(path: Path, layer: Any) -> None:
    import numpy as np

    np.savez_compressed(
        path, weights=layer.weights, gain=layer.gain, objective=layer.objective, bound=layer.bound, gap=layer.gap,
        status=np.array([str(s) for s in layer.status]),
    )  # fmt: skip
