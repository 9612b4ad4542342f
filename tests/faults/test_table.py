"""The table on the page: every fault of the harness is listed, and nothing was lost or doubled."""

import os
import re
from pathlib import Path

import pytest
from table import PAGE, Row, rows_of, with_rows


@pytest.mark.skipif("QPROJ_FAULT_TABLE" in os.environ, reason="the page is being written")
def test_the_page_shows_every_fault_and_none_lost_or_doubled():
    rows = rows_of(PAGE.read_text())
    named = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        if file.name != Path(__file__).name:
            named |= set(re.findall(r'tally\(\s*f?"([^"{]+)', file.read_text()))
    assert len(named) >= 15
    missing = {name for name in named if not any(fault.startswith(name) for fault in rows)}
    assert not missing, "run `make faults`"
    assert all(row.tried > 0 and row.lost == row.doubled == 0 for row in rows.values())


def test_rows_survive_being_written_and_read():
    page = "before\n<!-- fault table: written by `make faults` -->\n\n<!-- end of the fault table -->\nafter\n"
    rows = {"b": Row("b", 1200, "goes on", 0, 0), "a": Row("a", 1, "refused", 0, 0)}
    once = with_rows(page, rows)
    assert rows_of(once) == rows
    assert with_rows(once, {}) == once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
