"""Writes the table of conformance checks from the checks themselves."""

from pathlib import Path

from sphinx.application import Sphinx


def table() -> str:
    """Return a Markdown table: every check and its requirement."""
    from qproj.testing import CHECKS

    lines = ["| check | requirement |", "|---|---|"]
    for name, check in CHECKS.items():
        demand = " ".join((check.__doc__ or "").split()).rstrip(".")
        lines.append(f"| `{name}` | {demand} |")
    return "\n".join(lines) + "\n"


def write_table(app: Sphinx) -> None:
    """Write the part that docs/reference/conformance.md includes."""
    target = Path(app.srcdir) / "reference" / "generated"
    target.mkdir(parents=True, exist_ok=True)
    file = target / "conformance-checks.inc"
    if not file.is_file() or file.read_text() != table():
        file.write_text(table())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_table)
    return {"parallel_read_safe": True}
