"""Collects what the fault tests count; `make faults` writes it to docs/reliability.md."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the harness travels to other processes by its module name
from table import PAGE, Row, with_rows

_ROWS: dict[str, Row] = {}


@pytest.fixture
def tally():
    """Return tally(fault, tried, outcome, lost=0, doubled=0): adds to the fault's row, and insists on nothing lost."""

    def add(fault, tried, outcome, *, lost=0, doubled=0):
        assert tried > 0, f"{fault}: nothing was tried"
        assert (lost, doubled) == (0, 0), f"{fault}: {lost} lost, {doubled} doubled"
        known = _ROWS.get(fault)
        if known is not None:
            assert known.outcome == outcome
            tried += known.tried
        _ROWS[fault] = Row(fault, tried, outcome, lost, doubled)

    return add


def pytest_sessionfinish(session, exitstatus):
    if os.environ.get("QPROJ_FAULT_TABLE") and exitstatus == 0 and _ROWS:
        PAGE.write_text(with_rows(PAGE.read_text(), _ROWS))
