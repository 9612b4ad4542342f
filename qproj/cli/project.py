"""``qproj project``: one layer from npy files, its weights to an npz file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from qproj.cli.command import Command
from qproj.cli.options import Json, Seed, SolverName, Wide

#: Neurons that are listed in the terminal.
_MOST_LISTED = 40


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("project", cls=Command, short_help="Project one layer, given as two npy files.")(project)


def project(
    inputs: Annotated[Path, typer.Argument(metavar="X.npy", help="Inputs X, an array (n, d), ±1 or real.")],
    targets: Annotated[Path, typer.Argument(metavar="T.npy", help="Targets T = −∂L/∂Y, an array (n, dout) or (n,).")],
    solver: SolverName = "auto",
    time_limit: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Seconds for the whole layer; by default no limit.")
    ] = None,
    reads: Annotated[
        int | None,
        typer.Option(metavar="N", help="Reads per neuron, where the solver samples; by default the solver's own."),
    ] = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write weights, gain, objective, bound, gap and status to this npz file; by default nothing.",
        ),
    ] = None,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Project a layer: argmin over V ∈ {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F.

    Prints status, gain, bound and gap of every neuron.

    \b
    Examples:
      qproj project X.npy T.npy --out V.npz
      qproj project X.npy T.npy --solver sa --reads 1000 --time-limit 5
    """
    from qproj.cli.output import print_json, print_table
    from qproj.cli.progress_bars import CompileRemark
    from qproj.lab.datasets.npz import read_npy
    from qproj.solvers import project as project_layer
    from qproj.solvers.builtin.warm import compile_ahead, needed
    from qproj.solvers.contract import check_limits
    from qproj.solvers.specs import parse_solver

    if out is not None and out.suffix != ".npz":
        raise ValueError(f"--out is {str(out)!r}; a name ending in .npz is needed")
    X, T = read_npy(inputs), read_npy(targets)
    spec = parse_solver(solver)
    chosen = spec.make()
    check_limits(time_limit, seed, reads)
    if time_limit is not None:  # which compilation would use up
        compile_ahead(needed([spec.base]), CompileRemark())
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
        for i in range(min(len(layer), _MOST_LISTED))
    ]
    columns = ("neuron", "status", "gain", "bound on objective", "gap", "ended by")
    print_table(columns, rows, spare=("bound on objective", "ended by"), wide=wide)
    more = f" (the first {_MOST_LISTED} of {len(layer)} are shown)" if len(layer) > _MOST_LISTED else ""
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
