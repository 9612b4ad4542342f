"""``qproj datasets``: what there is and where it is, fetching, and paths."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Data sets: list them, fetch them, find their files.")
    group.command("list")(list_sets)
    group.command("fetch")(fetch)
    group.command("path")(path)
    app.add_typer(group, name="datasets")


def list_sets(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every data set and where it would be read from: package, cache, folder (QPROJ_DATA_DIR) or download.

    Example: qproj datasets list
    """
    from dataclasses import asdict

    from qproj.cli.output import print_json, print_table
    from qproj.lab.datasets import catalogue

    entries = catalogue()
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    print_table(
        ("name", "where", "what", "note"), [(entry.name, entry.where, entry.about, entry.note) for entry in entries]
    )


def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names, see `qproj datasets list`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Download data sets, or take their files from QPROJ_DATA_DIR, check the numbers and convert them into the cache.

    Example: qproj datasets fetch a1a cora
    """
    from qproj.cli.output import print_json
    from qproj.lab.datasets.catalogue import find_entry
    from qproj.lab.datasets.published import PUBLISHED
    from qproj.lab.datasets.retrieve import load_arrays

    entries = [find_entry(name) for name in names]  # every name is checked before the first download
    done = []
    for entry in entries:
        if entry.name in PUBLISHED:
            load_arrays(entry.name)
            entry = find_entry(entry.name)
        elif entry.where == "missing":
            raise ValueError(f"{entry.name} cannot be fetched: {entry.note}")
        done.append({"name": entry.name, "where": entry.where, "paths": [str(p) for p in entry.paths]})
        if not as_json:
            typer.echo(f"{entry.name}: {', '.join(map(str, entry.paths)) or entry.note}")
    if as_json:
        print_json(done)


def path(
    name: Annotated[str | None, typer.Argument(help="A data set; without it, the cache folder is printed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the files of a data set, or the folder where converted sets are kept (QPROJ_CACHE_DIR changes it).

    Example: qproj datasets path a1a
    """
    from qproj.cli.output import print_json
    from qproj.lab.datasets.cache import cache_dir
    from qproj.lab.datasets.catalogue import find_entry

    paths = [cache_dir()]
    if name is not None:
        entry = find_entry(name)
        if not entry.paths:
            raise ValueError(f"{name} has no files here: {entry.note}")
        paths = list(entry.paths)
    if as_json:
        print_json({"name": name, "paths": [str(p) for p in paths]})
        return
    for each in paths:
        typer.echo(str(each))
