"""Hostile problems, each answer judged in exact arithmetic: no false word.

`make hostile` puts 10,000 of them and rewrites the table of docs/reliability.md.
"""

import json
import os
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from exact_truth import false_words, of_bqm, polynomial
from hostile import BEGIN, KINDS, PAGE, RESULTS, SEED, instance, run, solvers, table

import qproj

CHUNK = 50
NIGHTLY = 10_000


@pytest.mark.parametrize("start", range(0, 500, CHUNK))
def test_no_false_word(start):
    kinds, outcomes, false = run(range(start, start + CHUNK))
    assert not false, "\n".join(false)
    assert kinds.total() == CHUNK
    assert outcomes["auto"].total() >= CHUNK * 0.9


@pytest.mark.nightly
@pytest.mark.parametrize("start", range(0, NIGHTLY, 1000))
def test_no_false_word_among_ten_thousand(start):
    seed = int(os.environ.get("QPROJ_FUZZ_SEED", SEED + 1))
    _, _, false = run(range(start, start + 1000), seed)
    assert not false, "\n".join(false)


def test_the_stored_run_is_whole_and_on_the_page():
    stored = json.loads(RESULTS.read_text())
    assert stored["instances"] >= NIGHTLY
    assert set(stored["kinds"]) == set(KINDS)
    assert stored["false words"] == []
    assert set(solvers()) <= set(stored["solvers"])
    page = PAGE.read_text()
    assert table(stored) in page[page.index(BEGIN) :], "run `make hostile`"


def test_instances_depend_on_their_number_only():
    for number in range(40):
        one, two = instance(number), instance(number)
        assert (one.values, one.best, one.scale) == (two.values, two.best, two.scale)


def test_polynomials_are_exact():
    states = np.array([[1, 1], [1, 0]], object)
    values, sizes = polynomial(states, [(0, 1e17), (1, -3.0)], [(0, 1, -1e17)], 0.1)
    assert values == [Fraction(0.1) - 3, Fraction(0.1) + 10**17]
    assert sizes == [10**17, 3, 10**17]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"objective": -2.5}, "objective is"),
        ({"bound": -2.9999999}, "above the optimum"),
        ({"best": np.array([1, 0], np.int8), "gain": 1.0, "objective": -1.0}, "optimal, and 2.0 above"),
        ({"best": np.array([2, 1], np.int8)}, "no assignment"),
        ({"bound": float("nan")}, "bound is nan"),
    ],
)
def test_false_words_are_seen(change, word):
    from dataclasses import replace

    import dimod

    truth = of_bqm("BQM", dimod.BinaryQuadraticModel({0: -1.0, 1: -2.0}, {}, 0.0, "BINARY"))
    honest = qproj.get_solver("exhaustive").solve(truth.problem)
    assert false_words(truth, honest) == []
    assert any(word in said for said in false_words(truth, replace(honest, **change)))
