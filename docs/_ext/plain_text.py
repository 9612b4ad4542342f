"""Docstrings are written to be read in a terminal: |τ|, x_i, project_grad_ and **options mean themselves.

reStructuredText would take |τ| for a substitution, a trailing underscore for a link and ** for bold; they are escaped
here, outside literals and doctests, as is the star of a shape such as (batch, *size).
"""

import re

from sphinx.application import Sphinx

_LITERAL = re.compile(r"(``.*?``|:[a-z:]+:`[^`]*`|`[^`]*`_?)")
_LONE_STARS = re.compile(r"(?<![*\w])\*\*(?=\w)(?!.*\w\*\*)")
_SHAPE_STAR = re.compile(r"(?<=[\s(,\[])\*(?=\w+[,)\]])")
_TRAILING_UNDERSCORE = re.compile(r"(?<=\w)_(?!\w)")


def escape(line: str) -> str:
    """Return the line with |, lone ** and trailing underscores escaped outside literals."""
    parts = _LITERAL.split(line)
    for i in range(0, len(parts), 2):
        parts[i] = parts[i].replace("|", r"\|")
        parts[i] = _LONE_STARS.sub(r"\*\*", parts[i])
        parts[i] = _SHAPE_STAR.sub(r"\*", parts[i])
        parts[i] = _TRAILING_UNDERSCORE.sub(r"\_", parts[i])
    return "".join(parts)


def process(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Escape a docstring's lines in place; blocks after '::' and doctests stay as they are."""
    block: int | None = None  # indentation of the line that ended with '::'
    in_doctest = False
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if not line.strip():
            in_doctest = False
            continue
        if block is not None and indent > block:
            continue
        block = None
        in_doctest = in_doctest or line.lstrip().startswith(">>>")
        if in_doctest or line.lstrip().startswith(".. "):
            continue
        lines[i] = escape(line)
        if line.rstrip().endswith("::"):
            block = indent


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx, before napoleon rewrites sections."""
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True}
