"""The table of time limits shows what was measured, and a measurement ends by itself."""

import json
import sys

import pytest
import time_limits as limits
from solver_tables import PAGE, REMOTE, is_refusal, names

import qproj


def stored():
    return json.loads(limits.STORED.read_text())


def test_the_page_shows_what_was_measured():
    text = PAGE.read_text()
    assert limits.with_table(text, stored()) == text, "run `python tests/faults/time_limits.py --text`"


def test_what_was_measured_names_problems_and_solvers_that_exist():
    for case, row in stored().items():
        assert case in limits.CASES
        assert set(row) <= set(names()) | REMOTE
        assert all(set(outcome) == {"0.01", "0.1", "1.0"} for outcome in row.values())


def test_every_solver_was_measured_on_every_problem_and_none_was_late():
    assert set(stored()) == set(limits.CASES)
    for case, row in stored().items():
        assert set(names()) - set(row) <= REMOTE, case
        for name, outcome in row.items():
            late = [one["late_s"] for one in outcome.values() if not is_refusal(one["status"])]
            assert all(seconds is not None and seconds <= limits.LATE_S for seconds in late), (case, name, outcome)


def test_what_cannot_be_stopped_is_ended_with_its_process():
    assert not qproj.get_solver("qaoa-fast").capabilities.stops
    assert qproj.get_solver("auto").capabilities.stops


@pytest.mark.slow
def test_a_measurement_ends_by_itself():
    found = limits.measure("sign", "neuron of 24 weights, 2,000 rows")
    assert set(found) == {"0.01", "0.1", "1.0"}
    assert all(one["late_s"] is not None for one in found.values()), (found, sys.executable)
