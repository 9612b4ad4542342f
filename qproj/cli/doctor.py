"""``qproj doctor``: everything that is installed, licensed and configured, and the remedy for the rest."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from qproj._extras import install_hint
from qproj.cli.command import Command
from qproj.cli.options import Json, Wide

#: Extras and a module that shows each is installed.
EXTRAS = {
    "torch": "torch", "dwave": "dwave.system", "qiskit": "qiskit", "gurobi": "gurobipy", "highs": "highspy",
    "scip": "pyscipopt", "report": "plotly", "data": "sklearn", "dask": "distributed",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", cls=Command, short_help="Check the installation, and name a remedy for each gap.")(doctor)


def doctor(
    warm: Annotated[
        bool, typer.Option("--warm", help="Compile the built-in searches now, for all later processes.")
    ] = False,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Check this installation: versions, extras, solvers and data folder, with the remedy for what is missing.

    Exit code 1: a solver that needs no extra does not work.

    \b
    Examples:
      qproj doctor
      qproj doctor --warm
    """
    from qproj.cli.output import print_json, print_table, print_text

    checks = [*_installation(), *_extras(), *(_warm(show=not as_json) if warm else ()), *_solvers(), *_data()]
    broken = [check for check in checks if check["state"] == "broken"]
    if as_json:
        print_json({"ok": not broken, "checks": checks})
    else:
        rows = [(check["what"], check["state"], check["found"]) for check in checks]
        print_table(("checked", "state", "found"), rows, wide=wide)
        remedies: dict[str, list[str]] = {}
        for check in checks:
            if check["todo"]:
                remedies.setdefault(check["todo"], []).append(check["what"])
        for todo, names in remedies.items():
            print_text(f"{', '.join(names)}: {todo}", indent="  ")
        typer.echo("Everything that needs no extra works." if not broken else f"{len(broken)} broken: see above.")
    if broken:
        raise typer.Exit(1)


def _check(what: str, state: str, found: str = "", todo: str = "") -> dict[str, str]:
    return {"what": what, "state": state, "found": found, "todo": todo}


def _installation() -> list[dict[str, str]]:
    from qproj.lab.studies.environment import environment

    here = environment()
    return [
        _check("qproj", "ok", here["versions"].get("qproj", "not installed as a distribution")),
        _check("python", "ok", f"{here['python']} on {here['system']} {here['machine']}"),
        _check("processor", "ok", f"{here['processor']}, {here['cores']} cores"),
    ]


def _extras() -> list[dict[str, str]]:
    import importlib.util

    found = []
    for extra, module in EXTRAS.items():
        try:
            there = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            there = False
        todo = "" if there else install_hint(extra)
        found.append(_check(f"extra {extra}", "ok" if there else "missing", module if there else "", todo))
    return found


def _warm(*, show: bool) -> list[dict[str, str]]:
    """Compile every search, saying which; later processes load them from numba's cache."""
    from qproj.solvers.builtin.warm import warm

    total = 0.0
    for what, seconds in warm():
        total += seconds
        if show:
            typer.echo(f"compiled: {what} ({seconds:.1f} s)")
    return [_check("compiled searches", "ok", f"{total:.1f} s")]


def _solvers() -> list[dict[str, str]]:
    """Solve one small problem with every solver that needs neither extra nor token; others: whether they could."""
    from qproj.solvers.registry import list_solvers

    return [_solver(info) for info in list_solvers()]


def _solver(info: Any) -> dict[str, str]:
    what = f"solver {info.name}"
    if not info.ready:
        state = "missing" if not info.installed else "no licence" if info.licensed is False else "no token"
        return _check(what, state, info.reason, info.remedy)
    if info.token is not None:
        return _check(what, "ok", "signed in; not called, since a call may cost money")
    try:
        found = _solve(info)
    except Exception as error:  # the point of a doctor: say it
        ours = info.distribution == "qproj" and info.licensed is None
        text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return _check(
            what, "broken" if ours else "failed", text, "see the message; reinstall qproj if it names no cause"
        )
    return _check(what, "ok", found)


def _solve(info: Any) -> str:
    import time

    import numpy as np

    from qproj import SignProjection, get_solver

    problem = SignProjection([[1, 1, -1], [1, -1, 1], [-1, 1, 1]], [0.5, -0.25, 1.0])
    solver = get_solver(info.name)
    limits: dict[str, Any] = {"seed": 0, "time_limit_s": 1.0}
    if solver.capabilities.num_reads:
        limits["num_reads"] = 10
    start = time.perf_counter()
    solution = solver.solve(problem, **limits).require()
    if not np.isclose(problem.gain(solution.best), solution.gain):
        raise RuntimeError(f"claims gain {solution.gain}, its weights have {problem.gain(solution.best)}")
    if solver.capabilities.exact and not np.isclose(solution.gain, problem.gain_bound):
        raise RuntimeError(f"exact, but found gain {solution.gain} of {problem.gain_bound}")
    return f"{solution.status} in {time.perf_counter() - start:.2g} s"


def _data() -> list[dict[str, str]]:
    import os
    from pathlib import Path

    folder = os.environ.get("QPROJ_DATA_DIR")
    if not folder:
        return [_check("QPROJ_DATA_DIR", "not set", "", "set it to a folder of data sets; digits needs none")]
    if not Path(folder).is_dir():
        return [_check("QPROJ_DATA_DIR", "missing", folder, "it names no folder: make it, or unset the variable")]
    return [_check("QPROJ_DATA_DIR", "ok", folder)]
