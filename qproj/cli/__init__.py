"""The command ``qproj``: every command is a module of this package with a function ``register(app)``."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

#: In the order of ``qproj --help``.
COMMANDS = (
    "project", "solve", "compare", "report", "export", "capture", "train", "validate", "solvers", "datasets", "doctor",
)  # fmt: skip

#: What bad input raises: one line and the remedy, never a traceback.
BAD_INPUT = (ValueError, TypeError, ImportError, OSError, MemoryError)
INTERRUPTED = 130


class Commands(TyperGroup):
    """Turns the errors of bad input into one line on stderr and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("stopped", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            raise  # the reader left: the framework's own ending
        except BAD_INPUT as error:
            code = 2
            text = str(error)
        except RuntimeError as error:
            from qproj.solvers.contract import MissingLicenceError, MissingTokenError, NoSolutionError

            if not isinstance(error, MissingLicenceError | MissingTokenError | NoSolutionError):
                raise
            code = 1 if isinstance(error, NoSolutionError) else 2
            text = str(error)
        from qproj.solvers.redact import redact

        if os.environ.get("QPROJ_TRACEBACK"):
            import traceback

            typer.echo(redact(traceback.format_exc()), err=True)
        typer.echo(f"qproj: {redact(' '.join(text.split())) or 'failed without a message'}", err=True)
        raise typer.Exit(code)


app = typer.Typer(
    cls=Commands,
    name="qproj",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
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
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Project a layer's gradient onto ±1 weights with any solver, and know how far from optimal it is."""


def register_commands() -> None:
    """Register every command whose module is there."""
    for name in COMMANDS:
        if importlib.util.find_spec(f"qproj.cli.{name}") is not None:
            importlib.import_module(f"qproj.cli.{name}").register(app)


register_commands()


def main() -> None:
    """Run the command line; ``QPROJ_TRACEBACK=1`` shows where an error came from."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        from qproj.solvers.redact import scrub

        scrub(error)
        raise
