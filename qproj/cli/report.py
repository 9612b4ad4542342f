"""``qproj report``: the page or the Markdown table of a stored study, or of several side by side."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from qproj.cli.command import Command
from qproj.cli.compare import KEPT, SPARE
from qproj.cli.options import Json, References, Wide


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report", cls=Command, short_help="Write a stored study's page again, or compare two studies.")(report)


def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR", help="The folder of a study or of training runs; two with --diff.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="The file to write, or the folder for --tables and --figures; by default DIR."
        ),
    ] = None,
    kind: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="html, md, or text for a table in the terminal.")
    ] = "html",
    tables: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Write every table to DIR/tables instead, as latex, md or csv; by default none.",
        ),
    ] = None,
    figures: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="Write every figure to DIR/figures instead, as pdf, svg or png; by default none."
        ),
    ] = None,
    references: References = None,
    diff: Annotated[bool, typer.Option("--diff", help="Print how the second study differs from the first.")] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Write the page of a stored study or of training runs, as HTML or Markdown, or compare two studies.

    With --tables or --figures, write those for a paper; with --json, print every table as plain numbers: shares
    from 0 to 1, times in seconds, null where a figure is missing or infinite; a row's list "infinite" names the latter.

    \b
    Examples:
      qproj report study --open
      qproj report study --format text
      qproj report study --tables latex --figures pdf
      qproj report study --references longer-study
      qproj report before after --diff
    """
    from qproj.cli.output import print_json, print_table
    from qproj.lab.studies.results import Results

    if kind not in ("html", "md", "text"):
        raise ValueError(f"--format is {kind!r}; html, md or text is needed")
    if len(folders) != (2 if diff else 1):
        raise ValueError(f"{len(folders)} folders are given; {'two with' if diff else 'one without'} --diff is needed")
    if (folders[0] / "runs").is_dir() and not (folders[0] / "study.sqlite").is_file():
        if tables or figures or references:
            raise ValueError(f"{folders[0]} holds training runs; --tables, --figures and --references are for studies")
        _training(folders[0], out, "json" if as_json else kind, show, diff=diff, wide=wide)
        return
    results = [Results.read(folder, references_from=references) for folder in folders]
    if diff:
        from qproj.lab.studies.difference import difference_table

        difference = difference_table(*results)
        if as_json:
            print_json(difference.records)
        else:
            print_table(difference.titles, difference.texts, wide=wide)
        return
    if tables or figures:
        _for_papers(results[0], out or folders[0], tables, figures, as_json=as_json)
        return
    if as_json:
        from qproj.lab.report.paper_tables import report_tables

        print_json({
            "runs": len(results[0].runs), "neurons": results[0].neurons, "proved_optima": results[0].optima,
            "solvers": [asdict(line) for line in results[0].lines],
            "tables": {one.name: one.records for one in report_tables(results[0])},
        })  # fmt: skip
        return
    if kind == "text":
        from qproj.cli.closing import print_failures
        from qproj.lab.studies.failures import failures
        from qproj.lab.studies.overview import overview

        print_table(*overview(results[0]), spare=SPARE, kept=KEPT, wide=wide)
        print_failures(failures(results[0]))
        return
    target = out or folders[0] / f"report.{kind}"
    if kind == "md":
        from qproj.lab.report import render_markdown

        target.write_text(render_markdown(results[0]), encoding="utf-8")
    else:
        from qproj.lab.report import write_report

        write_report(results[0], target)
    typer.echo(f"The report was written to {target}")
    if show:
        typer.launch(target.resolve().as_uri())


def _for_papers(results: Any, out: Path, tables: str | None, figures: str | None, *, as_json: bool) -> None:
    """Write tables and figures as files for papers, into two folders below `out`."""
    from qproj.cli.output import print_json
    from qproj.lab.report import write_figures, write_tables

    written: dict[str, list[Path]] = {}
    if tables:
        written["tables"] = write_tables(results, out / "tables", tables)
    if figures:
        written["figures"] = write_figures(results, out / "figures", figures)
    if as_json:
        print_json({what: [str(path) for path in paths] for what, paths in written.items()})
        return
    for what, paths in written.items():
        typer.echo(f"{len(paths)} {what} were written to {out / what}: {', '.join(path.name for path in paths)}")


def _training(folder: Path, out: Path | None, kind: str, show: bool, *, diff: bool, wide: bool) -> None:
    """The page, table or JSON of a folder that ``qproj train`` filled."""
    from qproj.cli.output import print_json
    from qproj.cli.training import sessions, tables
    from qproj.lab.training.run_folder import Store

    if diff or kind == "md":
        raise ValueError(f"{folder} holds training runs, for which there is html, text and --json, and no --diff")
    records = Store(folder).all()
    if kind == "json":
        print_json({"runs": records})
        return
    if kind == "text":
        tables(records, wide=wide)
        return
    from qproj.lab.report import write_training_report

    target = write_training_report(records, out or folder / "report.html", sessions(folder))
    typer.echo(f"The report was written to {target}")
    if show:
        typer.launch(target.resolve().as_uri())
