"""Runs the documentation: doctests of qproj and the adapters, Python blocks of README.md and docs/*.md.

What a block prints must stand on the page: in the ``text`` block right below it, or as a comment behind each ``print``.
``QPROJ_UPDATE_PAGES=1 python -m pytest docs README.md`` rewrites the ``text`` blocks.
"""

import io
import os
import re
from contextlib import redirect_stdout
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE
from pathlib import Path

from sybil import Example, Sybil
from sybil.document import PythonDocStringDocument
from sybil.integration import pytest as sybil_pytest
from sybil.parsers.markdown import SkipParser
from sybil.parsers.myst import DocTestDirectiveParser, PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser

_BELOW = re.compile(r"\n\n```text\n(.*?)```", re.DOTALL)
_COMMENT = re.compile(r"^print\(.*\)  # (.+)$", re.MULTILINE)


class _PrintedBlock(PythonCodeBlockParser):
    """Runs a Python block, and compares what it prints with what the page shows."""

    def __call__(self, document):
        for region in super().__call__(document):
            run = region.evaluator
            region.evaluator = lambda example, run=run: self.check(example, run)
            yield region

    def check(self, example: Example, run) -> str | None:
        printed = io.StringIO()
        with redirect_stdout(printed):
            failed = run(example)
        region, text, out = example.region, example.document.text, printed.getvalue()
        if (
            failed or not out or text.startswith("```{code-cell}", region.start)
        ):  # a page that is built shows its output
            return failed
        below = _BELOW.match(text, region.end)
        comments = "".join(f"{line}\n" for line in _COMMENT.findall(str(example.parsed)))
        shown = below[1] if below else comments
        if shown == out:
            return None
        if os.environ.get("QPROJ_UPDATE_PAGES"):
            block, page = text[region.start : region.end], Path(example.path)
            new = f"{block}\n\n```text\n{out}```"
            page.write_text(page.read_text().replace(block + (below[0] if below else ""), new, 1))
            return None
        return f"printed:\n{out}\nshown:\n{shown}"


_FLAGS = ELLIPSIS | NORMALIZE_WHITESPACE

# Patterns match from the right, so the folder is the Sybil's path.
_DOCSTRINGS = [
    Sybil(
        parsers=[DocTestParser(optionflags=_FLAGS)],
        path=folder,
        patterns=["*.py"],
        document_types={".py": PythonDocStringDocument},
    )
    for folder in ("qproj", "adapters")
]

# A page's blocks share one namespace, from top to bottom (so xdist needs --dist loadfile).
# `<!--- skip: next, "reason" -->` stands before what needs a token, a QPU or another machine.
_PAGES = [
    Sybil(
        parsers=[
            _PrintedBlock(doctest_optionflags=_FLAGS),
            DocTestDirectiveParser(optionflags=_FLAGS),
            SkipParser(),
        ],
        path=folder,
        patterns=[pattern],
    )
    for folder, pattern in (("docs", "*.md"), (".", "README.md"))
]

pytest_collect_file = sybil_pytest.pytest_integration(*_DOCSTRINGS, *_PAGES)
