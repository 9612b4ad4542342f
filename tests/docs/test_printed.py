"""What a page prints stands below its block: each `text` block that follows a `python` block is its output."""

import contextlib
import io
import re

import pytest

from tests.docs._load import DOCS

PAGES = [DOCS / "quickstart.md"]
PAIR = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_what_its_blocks_print(page):
    names, shown = {"__name__": page.stem}, 0
    for code, expected in PAIR.findall(page.read_text()):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(page), "exec"), names)
        if expected:
            assert printed.getvalue() == expected
            shown += 1
    assert shown
