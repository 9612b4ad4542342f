"""Sparse stays sparse: memory in proportion to the model, in a process of its own, and a table of what was measured."""

import json

import memory
import pytest
from solver_tables import PAGE, REMOTE, is_refusal, names

#: Labels, reads and sample sets of 20,000 variables, in Python's objects.
_LABELS = 16_000_000
SPARSE = ["sa", "tabu", "greedy", "sqa", "svmc", "pt", "sb", "random"]


def stored():
    return json.loads(memory.STORED.read_text())


def test_the_page_shows_what_was_measured():
    text = PAGE.read_text()
    assert memory.with_table(text, stored()) == text, "run `python tests/faults/memory.py --text`"


def test_what_was_measured_names_models_and_solvers_that_exist():
    for case, row in stored().items():
        assert case in memory.CASES
        assert set(row) <= set(names()) | REMOTE


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SPARSE, "auto", "tree"])
def test_a_chain_of_twenty_thousand_spins_takes_megabytes(name):
    found = memory.measure(name, "chain of 20,000")
    assert found["status"] == ("optimal" if name in ("auto", "tree") else "feasible"), found
    assert found["bytes"] <= memory.MOST_TIMES * found["own"] + _LABELS, found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sa", "tabu", "auto"])
def test_a_hundred_thousand_variables_are_solved(name):
    found = memory.measure(name, "100,000 variables, 300,000 interactions")
    assert found["status"] == "feasible", found
    assert found["bytes"] <= memory.MOST_TIMES * found["own"] + _LABELS, found


@pytest.mark.slow
def test_what_a_simulator_of_states_cannot_hold_is_refused_by_name():
    found = memory.measure("qaoa-fast", "chain of 20,000")
    assert is_refusal(found["status"]), found
    assert "qaoa-fast" in found["status"]
