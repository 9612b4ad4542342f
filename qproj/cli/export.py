"""``qproj export``: a study's rows as csv or parquet, its reads one by one, its instances as npz, COO, LP or MPS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qproj.cli.command import Command
from qproj.cli.options import Json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export", cls=Command, short_help="Export a study's rows, or the instances that it solved.")(export)


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The study's folder.")],
    out: Annotated[Path, typer.Option(metavar="PATH", help="The file to write; for coo, lp and mps, the folder.")],
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="csv or parquet for the rows; reads for every read with its gain, energy, occurrences and chain "
            "breaks, as parquet or csv; references for what is known of each neuron, as csv; npz for the layers; coo, "
            "lp or mps for one model file per neuron.",
        ),
    ] = "csv",
    encoding: Annotated[
        str, typer.Option(metavar="NAME", help="The encoding of the models in coo files.")
    ] = "majority",
    as_json: Json = False,
) -> None:
    """Export a study's rows, or the instances that it solved.

    \b
    Examples:
      qproj export study --out runs.csv
      qproj export study --format parquet --out runs.parquet
      qproj export study --format reads --out reads.parquet
      qproj export study --format lp --out models
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
