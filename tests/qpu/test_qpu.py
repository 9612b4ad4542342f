"""On a real quantum annealer, where a token is configured and QPROJ_TEST_QPU=1 says that time may be spent."""

import os

import numpy as np
import pytest

import qproj
from qproj_dwave.qpu import token_configured

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(
        not (token_configured() and os.environ.get("QPROJ_TEST_QPU") == "1"),
        reason="needs a D-Wave token and QPROJ_TEST_QPU=1: it spends about 50 ms of QPU access time",
    ),
]


def test_a_small_layer_within_a_budget():
    rng = np.random.default_rng(0)
    X, T = rng.choice([-1, 1], (20, 5)), rng.normal(size=(20, 8))
    solver = qproj.get_solver("dwave", budget=100_000.0)
    found = qproj.project(X, T, solver=solver, num_reads=100)
    assert (found.gain <= qproj.project(X, T).gain + 1e-9).all()
    assert 0 < solver.budget.spent_us <= 100_000.0
