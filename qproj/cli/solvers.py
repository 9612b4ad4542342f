"""``qproj solvers``: what there is, whether it can be used here, and what to do where it cannot."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("solvers")(solvers)


def solvers(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every solver: exact or heuristic, installed, licensed, signed in, and why not.

    Example: qproj solvers
    """
    from dataclasses import asdict

    from qproj.cli.output import print_json, print_table
    from qproj.solvers.registry import list_solvers

    found = list_solvers()
    if as_json:
        print_json([{**asdict(info), "ready": info.ready} for info in found])
        return
    rows = []
    for info in found:
        kind = "?" if info.capabilities is None else "exact" if info.capabilities.exact else "heuristic"
        forms = "" if info.capabilities is None else " ".join(sorted(info.capabilities.forms))
        why = "; ".join(part for part in (info.reason, info.remedy) if part)
        note = why or (info.capabilities.note if info.capabilities else "")
        rows.append((info.name, kind, forms, *map(_mark, (info.installed, info.licensed, info.token)), note))
    print_table(("solver", "kind", "takes", "installed", "licence", "token", "note"), rows)


def _mark(state: bool | None) -> str:
    return {True: "yes", False: "no", None: "–"}[state]
