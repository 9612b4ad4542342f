"""``qproj solvers``: every registered solver, whether it can be used here, and the remedy where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from qproj.cli.command import Command
from qproj.cli.options import Json, Wide

if TYPE_CHECKING:
    from qproj.solvers.registry import SolverInfo


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("solvers", cls=Command, short_help="List the solvers, and what each one still needs.")(solvers)


def solvers(wide: Wide = False, as_json: Json = False) -> None:
    """List every solver: exact or heuristic, the problems that it takes, and whether it is ready to use here.

    Below the table, the reason and the remedy are given for each solver that is not ready.

    \b
    Examples:
      qproj solvers
      qproj solvers --json
    """
    from dataclasses import asdict

    from qproj.cli.output import print_json, print_table, print_text
    from qproj.solvers.registry import list_solvers

    found = list_solvers()
    if as_json:
        print_json([{**asdict(info), "ready": info.ready} for info in found])
        return
    rows: list[tuple[str, ...]] = []
    remarks: dict[str, list[str]] = {}
    for info in found:
        kind = "?" if info.capabilities is None else "exact" if info.capabilities.exact else "heuristic"
        forms = "" if info.capabilities is None else " ".join(sorted(info.capabilities.forms))
        rows.append((info.name, _state(info), kind, forms, info.distribution))
        why = "; ".join(part for part in (info.reason, info.remedy) if part)
        remark = why or (info.capabilities.note if info.capabilities is not None else "")
        if remark:
            remarks.setdefault(remark, []).append(info.name)
    print_table(("solver", "state", "kind", "takes", "from"), rows, spare=("from", "takes"), wide=wide)
    for remark, names in remarks.items():
        print_text(f"{', '.join(names)}: {remark}", indent="  ")


def _state(info: SolverInfo) -> str:
    if info.ready:
        return "ready"
    return "not installed" if not info.installed else "no licence" if info.licensed is False else "no token"
