"""The classes of commands: help in plain text, and errors of bad input in one line."""

from __future__ import annotations

import os
import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

#: What bad input raises: one line and the remedy, never a traceback.
BAD_INPUT = (ValueError, TypeError, ImportError, OSError, MemoryError)
INTERRUPTED = 130


class Command(TyperCommand):
    """A command whose help names what each option takes (SECONDS, DIR), never a Python type."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [re.sub("[{}]", "", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                name, text = record
                kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
                sections[kind].append((re.sub(r" <.*>$", "", name), text))
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _stopped() -> typer.Exit:
    typer.echo("stopped", err=True)
    return typer.Exit(INTERRUPTED)


class Commands(TyperGroup):
    """Turns the errors of bad input into one line on stderr and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _stopped() from None
        except BrokenPipeError:
            raise  # the reader left: the framework's own ending
        except BAD_INPUT as error:
            if isinstance(error.__cause__, KeyboardInterrupt):  # it came while a compiled module was imported
                raise _stopped() from None
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
