"""Writes the command-line reference from the application itself, so that it cannot go stale."""

import importlib.util
import inspect
import re
from pathlib import Path

from sphinx.application import Sphinx


def _section(path: str, command: object, depth: int) -> list[str]:
    """Return the lines for one command and its subcommands, depth first."""
    params = [p for p in command.params if not getattr(p, "hidden", False)]  # type: ignore[attr-defined]
    lines = [f"{'#' * depth} `{path}`", ""]
    help_text = inspect.cleandoc(command.help or "")  # type: ignore[attr-defined]
    for paragraph in help_text.split("\n\n"):
        lines += _paragraph(paragraph)
    if params:
        lines += ["| parameter | default | meaning |", "|---|---|---|"]
        for p in params:
            if p.param_type_name == "argument":
                name = f"`{(p.metavar or p.name or '').upper()}`"
            else:
                name = ", ".join(f"`{o}`" for o in (*p.opts, *p.secondary_opts))
            shown = p.default if isinstance(p.default, (str, int, float)) and p.default is not False else None
            default = "required" if p.required else "" if shown is None else f"`{shown}`"
            meaning = " ".join((getattr(p, "help", None) or "").split()).replace("|", "\\|")
            lines.append(f"| {name} | {default} | {meaning} |")
        lines.append("")
    for name, sub in sorted(getattr(command, "commands", {}).items()):
        lines += _section(f"{path} {name}", sub, min(depth + 1, 5))
    return lines


def _paragraph(text: str) -> list[str]:
    """Return a paragraph of help as Markdown; one that begins with a backspace keeps its lines, as on a terminal."""
    if text.startswith("\b"):
        return ["```text", text.removeprefix("\b").strip("\n"), "```", ""]
    return [re.sub(r"([*_$<\[])", r"\\\1", " ".join(text.split())), ""]


def write_page(app: Sphinx) -> None:
    """Write docs/reference/generated/cli.md."""
    lines = ["# Command line", "", "Every command takes `--help`; those with results take `--json`.", ""]
    if importlib.util.find_spec("qproj.cli") is not None:
        import typer

        from qproj.cli import app as application

        lines += _section("qproj", typer.main.get_command(application), 2)
    file = Path(app.srcdir) / "reference" / "generated" / "cli.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines) + "\n"
    if not file.is_file() or file.read_text() != text:
        file.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_page)
    return {"parallel_read_safe": True}
