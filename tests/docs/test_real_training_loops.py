"""Each row of the table in docs/howto/real-training-loops.md names a test that exists."""

import ast
import re

from tests.docs._load import DOCS, ROOT

ROW = re.compile(r"^\| (?P<loop>.+) \| (?P<effect>.+) \| `(?P<file>[\w/]+\.py)::(?P<test>\w+)` \|$", re.MULTILINE)


def test_every_row_names_a_test_that_exists():
    text = (DOCS / "howto" / "real-training-loops.md").read_text()
    rows = ROW.findall(text)
    assert len(rows) >= 30
    assert len(rows) == sum(line.startswith("| ") for line in text.splitlines()) - 1  # the header
    for _, _, file, test in rows:
        functions = {
            node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)
        }
        assert test in functions, f"{file} has no {test}"
