"""auto under a time limit: proofs are right, incumbents never below where they began, walks end with the search."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

import qproj
from qproj.solvers.builtin import backends, timed_search
from qproj.solvers.builtin.kernels.branch_bound import branch_bound
from qproj.solvers.builtin.timed_search import TimedSearch, expected_nodes


@pytest.fixture
def no_enumeration(monkeypatch):
    """Small neurons go the way of large ones."""
    monkeypatch.setattr(TimedSearch, "_few_patterns", lambda self: False)


@pytest.fixture
def short_walks(monkeypatch):
    """Neurons are proved beside walks, after some milliseconds of walking alone."""
    monkeypatch.setattr(TimedSearch, "_prove_narrow", lambda self: None)
    monkeypatch.setattr(timed_search, "WALK_SHARE", 1e-4)
    monkeypatch.setattr(timed_search, "ALONE_SHARE", 1e-4)


def draw(rng):
    """One of several kinds of small neurons: plain, with equal columns, with repeated rows, with whole targets."""
    n, d = int(rng.integers(1, 40)), int(rng.integers(1, 12))
    X = rng.choice(np.array([-1, 1]), (n, d))
    if rng.random() < 0.3:
        X = X[:, rng.integers(0, d, d)]
    if rng.random() < 0.3:
        X = X[rng.integers(0, n, n)]
    t = rng.integers(-3, 4, n).astype(float) if rng.random() < 0.3 else rng.standard_normal(n)
    return qproj.SignProjection(X, t)


def best_gain(problem):
    return max(problem.gain(np.array(list(itertools.product((-1, 1), repeat=problem.num_variables)), np.int8)))


def check(seed, count, **options):
    rng = np.random.default_rng(seed)
    for number in range(count):
        problem = draw(rng)
        solution = qproj.get_solver("auto", **options).solve(problem, time_limit_s=60, seed=number)
        best = best_gain(problem)
        assert solution.status == "optimal"
        assert solution.gain == pytest.approx(best, rel=1e-12, abs=1e-12)


@pytest.mark.usefixtures("no_enumeration", "short_walks")
@pytest.mark.parametrize("threads", [1, 2])
def test_proofs_beside_walks_agree_with_all_weights(threads):
    check(threads, 20, threads=threads)


@pytest.mark.slow
@pytest.mark.usefixtures("no_enumeration")
@pytest.mark.parametrize("block", range(10))
def test_five_hundred_narrow_proofs_agree_with_all_weights(block):
    check([block, 7], 50)


@pytest.mark.usefixtures("no_enumeration")
def test_bounds_of_stopped_searches_hold():
    rng = np.random.default_rng(11)
    for number in range(10):
        problem = draw(rng)
        solution = qproj.get_solver("auto").solve(problem, time_limit_s=1e-3, seed=number)
        assert solution.gain <= best_gain(problem) + 1e-12 <= solution.gain_bound + 1e-9


def test_walks_start_from_the_hint_and_real_rows_are_annealed():
    rng = np.random.default_rng(1)
    hint = rng.choice([-1, 1], 45)
    for X in (rng.choice([-1, 1], (90, 45)), rng.standard_normal((90, 45))):
        problem = qproj.SignProjection(X, rng.standard_normal(90))
        solution = qproj.get_solver("auto").solve(problem, time_limit_s=0.1, seed=0, hint=hint)
        assert solution.gain >= problem.gain(hint)
        assert solution.termination == "clock"


def test_every_neuron_of_a_layer_gets_a_share():
    rng = np.random.default_rng(2)
    X, T = rng.choice([-1, 1], (100, 50)), rng.standard_normal((100, 4))
    layer = qproj.project(X, T, time_limit_s=0.4, seed=0)
    sign = qproj.project(X, T, "sign")
    assert (layer.gain > sign.gain).all()


@pytest.mark.parametrize(("groups", "weights"), [(32, 24), (64, 24), (128, 20)])
def test_trees_have_about_as_many_nodes_as_expected(groups, weights):
    counts = []
    for seed in range(3):
        rng = np.random.default_rng([groups, weights, seed])
        X, t = rng.choice(np.array([-1, 1], np.int8), (groups, weights)), rng.standard_normal(groups)
        counts.append(branch_bound(X, np.ones(weights, np.int64), t, deadline=time.perf_counter() + 3600).nodes)
    assert 0.1 < np.median(counts) / expected_nodes(groups, float(weights)) < 10


def test_a_tree_that_ends_in_time_is_searched_without_walks_before_it():
    rng = np.random.default_rng(7)
    problem = qproj.SignProjection(rng.choice(np.array([-1, 1]), (64, 24)), rng.standard_normal(64))
    solution = qproj.get_solver("auto").solve(problem, time_limit_s=60, seed=0)
    assert solution.status == "optimal"
    assert solution.message.startswith("perceptron learning, branch and bound; ")  # neither messages nor walks


@pytest.mark.parametrize("groups", [20, 60])
def test_where_gurobi_refuses_cpsat_is_asked(monkeypatch, groups):
    asked = []

    def named(name, **options):
        asked.append(name)
        if name == "gurobi" and asked.count(name) > 1:  # it is there, but its licence has ended
            raise qproj.solvers.contract.MissingLicenceError("ended")
        return qproj.get_solver("cpsat", **options)

    monkeypatch.setattr(backends, "get_solver", named)
    monkeypatch.setattr(TimedSearch, "_walk", lambda *_: None)
    rng = np.random.default_rng(5)
    X, t = rng.choice(np.array([-1, 1]), (groups, 30)), rng.standard_normal(groups)
    problem = qproj.SignProjection(X, t * 0.1 ** np.arange(groups))
    search = qproj.get_solver("auto", threads=1)
    monkeypatch.setattr(timed_search, "HOPELESS", 0.0)
    for step in ("_learn", "_repeat_messages", "_prove_narrow"):
        monkeypatch.setattr(TimedSearch, step, lambda _: None)
    solution = search.solve(problem, time_limit_s=20, seed=0)
    assert "cpsat" in asked
    assert "cpsat" in solution.message
    assert solution.status == "optimal"


def test_branch_and_bound_hears_the_end_of_a_race():
    rng = np.random.default_rng(6)
    X, t, ones = rng.choice(np.array([-1, 1], np.int8), (96, 60)), rng.standard_normal(96), np.ones(60, np.int64)
    begin = time.perf_counter()
    for A in (X, X.astype(float)):
        found = branch_bound(A, ones, t, incumbent=ones, deadline=begin + 3600, stop=lambda: True)
        assert not found.proved
        assert found.upper_bound >= found.gain


@pytest.mark.slow
def test_an_interrupt_does_not_wait_for_walks(monkeypatch):
    walked = TimedSearch._pairs

    def first_ends(self, left, walk, end, stop=None):
        return walked(self, left, walk, time.perf_counter() if walk == 0 else end, stop)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(TimedSearch, "_pairs", first_ends)
    monkeypatch.setattr(TimedSearch, "_better", interrupted)
    rng = np.random.default_rng(3)
    problem = qproj.SignProjection(rng.choice([-1, 1], (128, 64)), rng.standard_normal(128))
    with pytest.raises(KeyboardInterrupt):
        qproj.get_solver("auto", threads=2).solve(problem, time_limit_s=3600, seed=0)
