"""``qproj export``: a study's rows as csv or parquet, its instances as npz, COO, LP or MPS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The study's folder.")],
    out: Annotated[Path, typer.Option(help="The file to write, or the folder for coo, lp and mps.")],
    kind: Annotated[
        str, typer.Option("--format", help="Rows: csv, parquet. Instances: npz (layers); coo, lp, mps (a file each).")
    ] = "csv",
    encoding: Annotated[str, typer.Option(help="Of the models that coo holds.")] = "majority",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Export a study's rows, or the instances that it solved.

    Example: qproj export DIR --format parquet --out runs.parquet
    """
    from qproj.cli.output import print_json
    from qproj.lab.studies.study_export import FORMATS, export_study

    if kind not in FORMATS:
        from qproj._options import nearest

        raise ValueError(f"unknown format {kind!r}; {nearest(kind, FORMATS)}")
    count, what = export_study(folder, out, kind, encoding=encoding)
    if as_json:
        print_json({"out": str(out), "format": kind, what: count})
    else:
        typer.echo(f"{count} {what} written to {out}")
