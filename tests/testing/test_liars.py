"""Forty liars of other kinds, each caught by the check meant for it; none of the honest is accused under load."""

import multiprocessing
import os

import pytest

from qproj.testing import CHECKS, run_checks
from tests.testing._liars import LIARS
from tests.testing._mutants import caught
from tests.testing.test_correct_solvers import STYLES


def test_there_are_forty():
    assert len(LIARS) >= 40
    assert {liar.values[1] for liar in LIARS} <= set(CHECKS)


@pytest.mark.parametrize(("kind", "check"), LIARS)
def test_the_check_meant_for_it_catches_a_liar(kind, check):
    caught(kind, check)


def _busy(stop):
    while not stop.is_set():
        sum(range(10_000))


@pytest.fixture(scope="module")
def load():
    """Eight processes that compute without end."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    busy = [context.Process(target=_busy, args=(stop,), daemon=True) for _ in range(8)]
    for process in busy:
        process.start()
    yield
    stop.set()
    for process in busy:
        process.join(10)


@pytest.mark.nightly
@pytest.mark.parametrize("style", STYLES)
def test_a_busy_machine_accuses_nobody(style, load):
    assert len(STYLES) >= 10
    accused = [result for result in run_checks(STYLES[style]()) if result.is_failure]
    assert not accused, (accused, os.getloadavg())
