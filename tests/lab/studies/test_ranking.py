"""Ranking on common neurons, medians that are medians, and the counts shown where a mean leaves neurons out."""

import math

import numpy as np
import pytest

from qproj.lab.studies.metrics import bootstrap, middle
from qproj.lab.studies.solver_table import rank_gaps

NAN = math.nan


def ranks(**gaps):
    """The ranks of solvers whose gaps are given neuron by neuron."""
    label = np.array([name for name, own in gaps.items() for _ in own])
    problem = np.array([i for own in gaps.values() for i in range(len(own))])
    return rank_gaps(label, problem, np.array([x for own in gaps.values() for x in own]))


def test_a_solver_that_hangs_on_hard_neurons_is_not_first():
    found = ranks(hangs=[0.0, 0.0, 1.0, 1.0], steady=[0.1, 0.1, 0.2, 0.2])  # 1: a run without an answer
    assert found["steady"] < found["hangs"]


def test_refusals_neither_help_nor_shrink_the_comparison():
    found = ranks(few=[0.0, NAN, NAN, NAN], good=[0.0, 0.0, 0.1, 0.1], bad=[0.0, 0.3, 0.3, 0.3])
    assert found["good"] < found["bad"] < found["few"]


def test_solvers_are_compared_on_the_neurons_that_both_took():
    found = ranks(easy=[0.1, 0.1, NAN, NAN], all=[0.0, 0.05, 0.5, 0.5])
    assert found["all"] == (False, pytest.approx(0.025))
    assert found["all"] < found["easy"]


def test_a_median_is_the_mean_of_the_two_middle_values():
    assert middle(np.array([1.0, 2.0, 4.0, 9.0])) == 3.0
    assert middle(np.array([1.0, 2.0, 4.0])) == 2.0


def test_with_half_of_the_neurons_never_solved_the_median_time_is_infinite():
    assert middle(np.array([1.0, 2.0, np.inf, np.inf])) == np.inf
    assert bootstrap(np.array([1.0, 1.0, np.inf, np.inf]), "median")[1] == np.inf
