"""Backends in floating point are believed as far as their tolerances go, and where their ending has a bound."""

import numpy as np
import pytest

from qproj import SignProjection
from qproj.solvers import EndedBy, Ending
from qproj.solvers.floating import BackendStatus, floating_answer
from qproj.solvers.linear_task import linear_task


def model(upper=1.0):
    found = linear_task(SignProjection([[1]], [3.0]), None, 12).model
    found.upper[:] = upper
    return found


def answer(status, bound, upper=1.0):
    m = model(upper)
    return floating_answer(m, status, np.ones(len(m.cost)), bound, "", {}), m


@pytest.mark.parametrize("status", [BackendStatus.PROVED, BackendStatus.CLOCK, BackendStatus.BUDGET])
def test_a_bound_is_lowered_by_the_tolerances(status):
    found, m = answer(status, -0.5)
    exact = -0.5 * m.scale + m.offset
    assert exact - 1e-5 * m.scale < found.bound < exact
    assert (found.ending, found.ended_by) == status.value


@pytest.mark.parametrize("bound", [np.inf, -np.inf, np.nan, 1e20, -1e100])
def test_what_backends_call_infinite_is_no_bound(bound):
    assert answer(BackendStatus.BUDGET, bound)[0].bound == -np.inf


@pytest.mark.parametrize("status", [BackendStatus.BROKEN, BackendStatus.REFUTED])
def test_an_ending_without_a_bound_has_none(status):
    assert answer(status, 0.0)[0].bound == -np.inf


def test_infeasible_or_unbounded_is_infeasible_where_nothing_can_run_away():
    status = BackendStatus.INFEASIBLE_OR_UNBOUNDED
    assert answer(status, 0.0)[0].ending is Ending.REFUTED
    free = answer(status, 0.0, upper=np.inf)[0]
    assert (free.ending, free.ended_by) == (Ending.FAILED, EndedBy.ERROR)
