"""Runs the documentation: doctests of qproj and the adapters, Python blocks of README.md and docs/*.md."""

from doctest import ELLIPSIS, NORMALIZE_WHITESPACE

from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.integration import pytest as sybil_pytest
from sybil.parsers.markdown import SkipParser
from sybil.parsers.myst import DocTestDirectiveParser, PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser

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
            PythonCodeBlockParser(doctest_optionflags=_FLAGS),
            DocTestDirectiveParser(optionflags=_FLAGS),
            SkipParser(),
        ],
        path=folder,
        patterns=[pattern],
    )
    for folder, pattern in (("docs", "*.md"), (".", "README.md"))
]

pytest_collect_file = sybil_pytest.pytest_integration(*_DOCSTRINGS, *_PAGES)
