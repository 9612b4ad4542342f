"""The command ``qproj``: every command is a module of this package with a function ``register(app)``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Annotated

import typer

from qproj.cli.command import INTERRUPTED, Commands

#: In the order of ``qproj --help``.
COMMANDS = (
    "project", "solve", "compare", "report", "export", "bundle", "capture", "train", "validate", "solvers",
    "datasets", "doctor",
)  # fmt: skip

app = typer.Typer(
    cls=Commands,
    name="qproj",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: nothing is cut, whatever the terminal's width and encoding
    help="Project a layer's gradient onto ±1 weights with any solver, and know how far from optimal it is.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import qproj

        typer.echo(qproj.__version__)
        raise typer.Exit


@app.callback()
def _qproj(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Project a layer's gradient onto ±1 weights with any solver, and know how far from optimal it is.

    A first look, without any file: qproj compare --solvers auto,sa,random --out study
    """


def register_commands() -> None:
    """Register every command whose module is there."""
    for name in COMMANDS:
        if importlib.util.find_spec(f"qproj.cli.{name}") is not None:
            importlib.import_module(f"qproj.cli.{name}").register(app)


register_commands()


def main() -> None:
    """Run the command line; ``QPROJ_TRACEBACK=1`` shows where an error came from."""
    from qproj.cli.plain_text import show_everything

    show_everything()
    try:
        app(prog_name="qproj")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        from qproj.solvers.redact import scrub

        scrub(error)
        raise
