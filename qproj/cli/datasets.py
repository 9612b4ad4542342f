"""``qproj datasets``: the data sets and their places, fetching, and paths."""

from __future__ import annotations

from typing import Annotated

import typer

from qproj.cli.command import Command
from qproj.cli.options import Json, Wide


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help="List data sets, fetch them, and find their files."
    )
    group.command("list", cls=Command, short_help="List every data set, and where it is read from.")(list_sets)
    group.command("fetch", cls=Command, short_help="Download data sets, or convert those you have.")(fetch)
    group.command("path", cls=Command, short_help="Print the files of a data set, or the cache folder.")(path)
    app.add_typer(group, name="datasets")


def list_sets(wide: Wide = False, as_json: Json = False) -> None:
    """List every data set and where it is read from: a package, the cache, QPROJ_DATA_DIR, or a download.

    \b
    Examples:
      qproj datasets list
      qproj datasets list --json
    """
    from dataclasses import asdict

    from qproj.cli.output import print_json, print_table, print_text
    from qproj.lab.datasets import catalogue

    entries = catalogue()
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    print_table(("name", "where", "what"), [(entry.name, entry.where, entry.about) for entry in entries], wide=wide)
    for entry in entries:
        if entry.where in ("missing", "download"):
            print_text(f"{entry.name}: {entry.note}", indent="  ")


def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names that `qproj datasets list` shows.")],
    as_json: Json = False,
) -> None:
    """Download data sets, or take their files from QPROJ_DATA_DIR, check them and convert them into the cache.

    \b
    Examples:
      qproj datasets fetch a1a cora
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
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A data set; without one, the cache folder is printed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the files of a data set, or the folder of converted sets, which QPROJ_CACHE_DIR changes.

    \b
    Examples:
      qproj datasets path a1a
      qproj datasets path
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
