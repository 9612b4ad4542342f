"""Elimination of variables: the minimum of every small model, wide tables, orders, and a stop between two variables."""

import itertools

import dimod
import numpy as np
import pytest

import qproj
from qproj.solvers.builtin import bucket_elimination
from qproj.solvers.builtin.bucket_elimination import MAX_WIDTH, SparseForm, least_degree_first, minimised


def form(rng, n, pairs, low):
    first, second = np.array(pairs, np.intp).reshape(-1, 2).T
    return SparseForm.of(rng.normal(size=n), first, second, rng.normal(size=len(first)), low)


def energies(one, X):
    total = X @ one.linear
    for i in range(len(one.linear)):
        own = slice(one.start[i], one.start[i + 1])
        total += 0.5 * X[:, i] * (X[:, one.other[own]] @ one.products[own])
    return total


@pytest.mark.parametrize("low", [-1, 0])
@pytest.mark.parametrize("seed", range(25))
def test_the_minimum_is_that_of_all_assignments(seed, low):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 11))
    pairs = [pair for pair in itertools.combinations(range(n), 2) if rng.random() < rng.random()]
    one = form(rng, n, pairs, low)
    found = least_degree_first(one)
    assert sorted(found.order) == list(range(n))
    X = np.array(list(itertools.product([low, 1], repeat=n)))
    x = minimised(one, found.order, lambda: False)
    assert energies(one, x[None])[0] == pytest.approx(energies(one, X).min(), abs=1e-12)
    assert minimised(one, rng.permutation(n).tolist(), lambda: False).tolist() == x.tolist()  # any order will do


def test_orders_have_the_width_of_their_graphs():
    rng = np.random.default_rng(0)
    grid = [(5 * i + j, 5 * i + j + step) for i in range(9) for j in range(5) for step in (1, 5)]
    grid = [(u, v) for u, v in grid if v < 45 and (v - u == 5 or v % 5)]
    for pairs, n, width in (
        ([(i, i + 1) for i in range(99)], 100, 1),
        ([(i, (i + 1) % 50) for i in range(50)], 50, 2),
        (list(itertools.combinations(range(8), 2)), 8, 7),
        ([(0, i) for i in range(1, 60)], 60, 1),
    ):
        assert least_degree_first(form(rng, n, pairs, -1)).width == width
    assert least_degree_first(form(rng, 45, grid, -1)).width <= 6
    wide = least_degree_first(form(rng, 60, list(itertools.combinations(range(60), 2)), -1))
    assert wide.width > MAX_WIDTH
    assert len(wide.order) < 60
    assert len(least_degree_first(form(rng, 100, [(i, i + 1) for i in range(99)], -1), 1e-3).order) < 100


def test_it_stops_between_two_variables():
    one = form(np.random.default_rng(0), 50, [(i, i + 1) for i in range(49)], -1)
    asked = []
    assert minimised(one, range(50), lambda: asked.append(1) or len(asked) > 7) is None
    assert len(asked) == 8


def test_tree_ends_at_its_time_limit_where_the_tables_take_longer_than_expected(monkeypatch):
    chain = dimod.BinaryQuadraticModel({}, {(i, i + 1): (-1.0) ** i for i in range(3000)}, 0.0, "SPIN")
    found = qproj.get_solver("tree").solve(chain)
    assert (found.status, found.objective, found.gap) == ("optimal", -3000.0, 0.0)
    monkeypatch.setattr(bucket_elimination, "VARIABLE_S", 0.0)
    late = qproj.get_solver("tree").solve(chain, time_limit_s=0.01)
    assert (late.status, late.termination) == ("no_solution", "clock")
