"""``qproj validate``: whether a solver keeps the contract, and how often it reaches published optima."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from qproj.cli.command import Command
from qproj.cli.options import Json, Wide, complete_solver


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("validate", cls=Command, short_help="Check a solver against the contract, with exact answers.")(
        validate
    )


def validate(
    solver: Annotated[
        str,
        typer.Argument(
            metavar="SOLVER",
            autocompletion=complete_solver,
            help="A registered name, or module:Class, importable from the working folder.",
        ),
    ],
    qubos: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Solve the published QUBOs in this folder instead of running the checks."),
    ] = None,
    largest: Annotated[
        int, typer.Option(metavar="N", help="With --qubos: leave out those with more than N variables.")
    ] = 250,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="With --qubos: seconds per instance.")] = 10.0,
    expect_failure: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help="Expect this check to fail; may be repeated."),
    ] = None,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Check that a solver keeps the contract, with enumeration and CP-SAT as ground truth.

    Exit code 1: at least one check failed.

    \b
    Examples:
      qproj validate tabu
      qproj validate my_package.solver:MySolver
      qproj validate tabu --qubos DIR --time-limit 10
    """
    made = make(solver)
    if qubos is not None:
        _published(made, solver, qubos, largest, time_limit, wide=wide, as_json=as_json)
        return
    from qproj.cli.output import print_json, print_table, print_text
    from qproj.testing import CHECKS, run_checks

    results = run_checks(made, expected_failures=expect_failure or ())
    failed = [r for r in results if r.is_failure]
    if as_json:
        rows = [
            {"check": r.name, "says": _says(CHECKS[r.name]), "outcome": r.outcome, "message": r.message,
             "seconds": r.seconds}
            for r in results
        ]  # fmt: skip
        print_json({"solver": solver, "passed": not failed, "checks": rows})
    else:
        print_table(("check", "outcome", "seconds"), [_row(r) for r in results], wide=wide)
        for r in results:
            if r.message:
                print_text(f"{_title(r)}: {r.outcome}, {r.message}", indent="  ")
            if r.is_failure:
                print_text(f"promised: {_says(CHECKS[r.name])}", indent="    ")
        typer.echo(f"{solver}: {len(failed)} of {len(results)} checks failed")
    if failed:
        raise typer.Exit(1)


def _title(result: Any) -> str:
    return str(result.name).replace("_", " ")


def _says(check: Any) -> str:
    """Return what a check demands of solvers, in a sentence."""
    return str(check.__doc__).strip().splitlines()[0]


def _row(result: Any) -> tuple[str, str, str]:
    return _title(result), result.outcome, f"{result.seconds:.2f}"


def make(text: str) -> Any:
    """Return the solver of a registered name, or of ``module:Class`` made without arguments.

    Raises
    ------
    ValueError
        The module or the class cannot be found.
    """
    from qproj.solvers import get_solver

    return get_solver(text)


def _published(
    made: Any, name: str, folder: Path, largest: int, time_limit: float, *, wide: bool, as_json: bool
) -> None:
    import math

    from qproj.cli.output import print_json, print_table
    from qproj.lab.datasets.qubo import load_qubo, qubo_names

    rows = []
    for instance in qubo_names(folder):
        qubo = load_qubo(instance, folder)
        if qubo.bqm.num_variables > largest or qubo.best_known is None:
            continue
        solution = made.solve(qubo.bqm, time_limit_s=time_limit, seed=0)
        energy = None if solution.objective is None else float(solution.objective)
        reached = energy is not None and (
            energy <= qubo.best_known or math.isclose(energy, qubo.best_known, rel_tol=1e-9)
        )
        rows.append((instance, qubo.bqm.num_variables, qubo.best_known, energy, str(solution.status), reached))
    if not rows:
        raise ValueError(f"{folder} holds no QUBO with a best known value and at most {largest} variables")
    share = sum(row[-1] for row in rows) / len(rows)
    if as_json:
        keys = ("instance", "variables", "best_known", "energy", "status", "reached")
        print_json({"solver": name, "share": share, "instances": [dict(zip(keys, row, strict=True)) for row in rows]})
        return
    print_table(
        ("instance", "variables", "best known", "energy", "status", "reached"),
        [(*map(str, row[:-1]), "yes" if row[-1] else "no") for row in rows],
        spare=("status", "best known"),
        wide=wide,
    )
    typer.echo(f"{name} reaches the best known on {share:.1%} of {len(rows)} instances, {time_limit:g} s each")
