"""``qproj bundle``: a study as one archive that `qproj compare` runs again and compares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from qproj.cli.command import Command
from qproj.cli.options import Json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bundle", cls=Command, short_help="Pack a study into one archive that others can run again.")(bundle)


def bundle(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The study's folder.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The archive to write; by default DIR.tar.xz beside the folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Pack a study into one archive: instances, rows, environment, commands and a README.

    \b
    Examples:
      qproj bundle study
      qproj bundle study --out shared/study.tar.xz
    """
    from qproj.cli.output import print_json, print_text
    from qproj.lab.studies.study_bundle import write_bundle

    target = out or folder.resolve().with_name(folder.resolve().name + ".tar.xz")
    made = write_bundle(folder, target)
    if as_json:
        print_json({"out": str(target), "study_files": [str(file) for file in made.files], "left_out": made.left_out})
        return
    print_text(f"The study was packed into {target}; qproj compare {target} --out again runs it again and compares.")
    if made.left_out:
        print_text(f"Not run again, because no text names them: {', '.join(made.left_out)}.")


def rerun(archive: Path, out: Path, **options: Any) -> Any:
    """Run a bundle's study files again in `out` and return the table of differences to the original rows."""
    from qproj.cli.progress_bars import run_with_progress
    from qproj.lab import Study
    from qproj.lab.studies.difference import difference_table
    from qproj.lab.studies.results import Results
    from qproj.lab.studies.study_bundle import unpack_bundle
    from qproj.lab.studies.study_file import read_study_file

    made = unpack_bundle(archive, out / "bundle")
    for file in made.files:
        run_with_progress(Study(out, **read_study_file(file).study()), **options)
    return difference_table(Results.read(made.original), Results.read(out))
