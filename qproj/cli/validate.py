"""``qproj validate``: does a solver keep the contract, and does it reach the best known on published QUBOs?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("validate")(validate)


def validate(
    solver: Annotated[str, typer.Argument(help="A registered name, or module:Class of a solver.")],
    instances: Annotated[
        Path | None, typer.Option(help="A folder of published QUBOs to solve instead of the checks.")
    ] = None,
    largest: Annotated[int, typer.Option(help="With --instances: leave out those with more variables.")] = 250,
    time_limit: Annotated[float, typer.Option(help="With --instances: seconds an instance.")] = 10.0,
    expect_failure: Annotated[
        list[str] | None, typer.Option(help="A check that is known to fail; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a solver against the whole contract, with enumeration as ground truth; exit code 1 where a check fails.

    Example: qproj validate tabu

    Example: qproj validate my_package.solver:MySolver --json

    Example: qproj validate tabu --instances DIR --time-limit 10
    """
    made = make(solver)
    if instances is not None:
        _published(made, solver, instances, largest, time_limit, as_json)
        return
    from qproj.cli.output import print_json, print_table
    from qproj.testing import run_checks

    results = run_checks(made, expected_failures=expect_failure or ())
    failed = [r for r in results if r.is_failure]
    if as_json:
        rows = [{"check": r.name, "outcome": r.outcome, "message": r.message, "seconds": r.seconds} for r in results]
        print_json({"solver": solver, "passed": not failed, "checks": rows})
    else:
        print_table(("check", "outcome", "seconds", "why"), [_row(r) for r in results])
        typer.echo(f"{solver}: {len(failed)} of {len(results)} checks failed")
    if failed:
        raise typer.Exit(1)


def _row(result: Any) -> tuple[str, str, str, str]:
    return result.name.replace("_", " "), result.outcome, f"{result.seconds:.2f}", result.message


def make(text: str) -> Any:
    """Return the solver of a registered name, or of ``module:Class`` made without arguments.

    Raises
    ------
    ValueError
        The module or the class cannot be found.
    """
    from qproj.solvers import get_solver

    return get_solver(text)


def _published(made: Any, name: str, folder: Path, largest: int, time_limit: float, as_json: bool) -> None:
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
    )
    typer.echo(f"{name} reaches the best known on {share:.1%} of {len(rows)} instances, {time_limit:g} s each")
