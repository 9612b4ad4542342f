"""``qproj solve``: the models in a file, by any solver."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("solve")(solve)


def solve(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="QUBO text, COO, LP, qbsolv, bqp, Max-Cut or dimod file.")
    ],
    solver: Annotated[
        str, typer.Option(help="NAME, NAME:option=value,… or polished(NAME); `qproj solvers` lists the names.")
    ] = "auto",
    time_limit: Annotated[float | None, typer.Option(help="Seconds for each model.")] = None,
    reads: Annotated[int | None, typer.Option(help="Samples, where the solver samples.")] = None,
    seed: Annotated[int, typer.Option(help="One seed gives one result, where no clock cut the search.")] = 0,
    sense: Annotated[str | None, typer.Option(help="min or max, of formats that do not state it.")] = None,
    vartype: Annotated[str | None, typer.Option(help="BINARY or SPIN, of a COO file without a header.")] = None,
    format: Annotated[str | None, typer.Option(help="qubo, coo, lp, qbsolv, bqp, maxcut or dimod.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the assignments.")] = False,
) -> None:
    """Solve the models in a file; each is minimised, a maximised one with its sign turned.

    Example: qproj solve bqp100_1.qubo --sense max --solver cpsat --time-limit 30
    """
    from qproj.cli.output import print_json, print_table
    from qproj.formats.text import read_models
    from qproj.solvers.specs import parse_solver

    problems = read_models(file, vartype=vartype, sense=sense, format=format)
    chosen = parse_solver(solver).make()
    found = [chosen.solve(p, time_limit_s=time_limit, num_reads=reads, seed=seed) for p in problems]
    if as_json:
        print_json([
            {"model": i, "variables": p.num_variables, "status": str(s.status), "objective": s.objective,
             "bound": s.bound, "gap": s.gap, "termination": str(s.termination),
             "best": None if s.best is None else dict(zip(map(str, p.variables), s.best.tolist(), strict=True))}
            for i, (p, s) in enumerate(zip(problems, found, strict=True), start=1)
        ])  # fmt: skip
        return
    shown = [
        (i, p.num_variables, s.status, s.objective, s.bound, f"{s.timing.total:.3g}")
        for i, (p, s) in enumerate(zip(problems, found, strict=True), start=1)
    ]
    head = ("model", "variables", "status", "objective (minimised)", "bound", "seconds")
    print_table(head, [tuple("–" if value is None else str(value) for value in row) for row in shown])
