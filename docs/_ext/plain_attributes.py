"""Attributes' and properties' docstrings are text, also with a colon in them.

napoleon reads the words before a colon as the attribute's type; here types come from annotations, so that "Relative: to
the largest" would be torn apart.
"""

from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring


def _as_it_is(self: GoogleDocstring) -> list[str]:
    lines = []
    while self._lines:
        lines.append(self._lines.next())
    return lines


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    GoogleDocstring._parse_attribute_docstring = _as_it_is  # type: ignore[method-assign]
    return {"parallel_read_safe": True}
