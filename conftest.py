"""Runs the documentation: doctests of qproj and the adapters, Python blocks of README.md and docs/*.md."""

from doctest import ELLIPSIS, NORMALIZE_WHITESPACE

from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import SkipParser
from sybil.parsers.myst import DocTestDirectiveParser, PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser

_FLAGS = ELLIPSIS | NORMALIZE_WHITESPACE

# fnmatch patterns: `*` crosses folders.
_DOCSTRINGS = Sybil(
    parsers=[DocTestParser(optionflags=_FLAGS)],
    patterns=["qproj/*.py", "adapters/*.py"],
    document_types={".py": PythonDocStringDocument},
)

# A page's blocks share one namespace, from top to bottom. `<!--- skip: next, "reason" -->`
# stands before what needs a token, a QPU or another machine.
_PAGES = Sybil(
    parsers=[
        PythonCodeBlockParser(doctest_optionflags=_FLAGS),
        DocTestDirectiveParser(optionflags=_FLAGS),
        SkipParser(),
    ],
    patterns=["README.md", "docs/*.md"],
    excludes=["docs/_build/*"],
)

pytest_collect_file = (_DOCSTRINGS + _PAGES).pytest()
