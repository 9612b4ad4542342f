"""``qproj solve``: the models in a file, by any solver."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qproj.cli.command import Command
from qproj.cli.options import Json, Seed, SolverName


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("solve", cls=Command, short_help="Solve the models in a file.")(solve)


def solve(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A model file: QUBO text, COO, LP, MPS, qbsolv, qs, bqp, Max-Cut, dimod, OMMX."
        ),
    ],
    solver: SolverName = "auto",
    time_limit: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Seconds for each model; by default no limit.")
    ] = None,
    reads: Annotated[
        int | None,
        typer.Option(metavar="N", help="Reads per model, where the solver samples; by default the solver's own."),
    ] = None,
    seed: Seed = 0,
    sense: Annotated[
        str | None,
        typer.Option(metavar="min|max", help="The sense of a format that does not state it; by default as published."),
    ] = None,
    vartype: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="BINARY or SPIN, of a COO file without a header; by default as stated."),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="The format: qubo, coo, lp, mps, qbsolv, qs, bqp, maxcut, dimod, ommx; by default by suffix, content.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Solve the models in a file; each is minimised, a maximised one with its sign turned.

    \b
    Examples:
      qproj solve bqp100_1.qubo --sense max --solver cpsat --time-limit 30
      qproj solve G1.txt --format maxcut --time-limit 10
    """
    from qproj.cli.output import print_json, print_table
    from qproj.formats.text import read_models
    from qproj.solvers.found import solved
    from qproj.solvers.specs import parse_solver

    problems = read_models(file, vartype=vartype, sense=sense, format=format)
    chosen = parse_solver(solver).make()
    found = [solved(chosen, p, time_limit_s=time_limit, num_reads=reads, seed=seed) for p in problems]
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
