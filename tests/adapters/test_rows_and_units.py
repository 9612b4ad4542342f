"""Constraints in every solver of CQMs: rows in any unit, of whole numbers, soft, with one feasible assignment."""

from fractions import Fraction

import dimod
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qproj import as_problem, get_solver, list_solvers

SOLVERS = [s.name for s in list_solvers() if s.ready and "cqm" in get_solver(s.name).capabilities.forms]


def model(objective, rows, integers=0):
    """min Σ objective_i x_i subject to rows (coefficients, sense, right-hand side)."""
    cqm = dimod.ConstrainedQuadraticModel()
    for i in range(len(objective)):
        if i < integers:
            cqm.add_variable("INTEGER", i, lower_bound=-2, upper_bound=3)
        else:
            cqm.add_variable("BINARY", i)
    cqm.set_objective([(i, float(a)) for i, a in enumerate(objective)])
    for k, (row, sense, right) in enumerate(rows):
        cqm.add_constraint([(i, float(a)) for i, a in enumerate(row)], sense=sense, rhs=float(right), label=f"r{k}")
    return cqm


@st.composite
def problems(draw):
    """Whole rows that some assignments meet exactly, with a power of ten for each."""
    n, integers = draw(st.integers(2, 4)), draw(st.integers(0, 2))
    whole = st.lists(st.integers(-5, 5), min_size=n, max_size=n)
    rows = [
        (draw(whole), draw(st.sampled_from(["<=", ">=", "=="])), draw(st.integers(-6, 6)))
        for _ in range(draw(st.integers(1, 3)))
    ]
    powers = [draw(st.integers(-12, 12)) for _ in rows]
    return draw(whole), rows, powers, min(integers, n)


def scaled(row, right, power):
    """A row in another unit, each number the float64 nearest to the exact one."""
    factor = Fraction(10) ** power
    return [float(a * factor) for a in row], float(right * factor)


@settings(max_examples=40)
@given(given_=problems())
@pytest.mark.parametrize("name", SOLVERS)
def test_multiplying_a_row_by_a_power_of_ten_changes_nothing(name, given_):
    objective, rows, powers, integers = given_
    plain = model(objective, rows, integers)
    units = [(*scaled(row, right, k), sense) for (row, sense, right), k in zip(rows, powers, strict=True)]
    other = model(objective, [(row, sense, right) for row, right, sense in units], integers)
    one, two = (get_solver(name).solve(each, seed=0, time_limit_s=20.0) for each in (plain, other))
    assert one.status is two.status
    assert one.status in ("optimal", "infeasible")
    assert one.objective == two.objective


@settings(max_examples=300)
@given(
    given_=problems(), vectors=st.lists(st.lists(st.integers(-2, 3), min_size=4, max_size=4), min_size=4, max_size=4)
)
def test_the_same_assignments_are_feasible_in_every_unit(given_, vectors):
    objective, rows, powers, integers = given_
    units = [(*scaled(row, right, k), sense) for (row, sense, right), k in zip(rows, powers, strict=True)]
    other = as_problem(model(objective, [(row, sense, right) for row, right, sense in units], integers))
    V = np.array(vectors, float)[:, : len(objective)]
    V[:, integers:] = np.clip(V[:, integers:], 0, 1)
    met = [
        all(
            {"<=": left <= right, ">=": left >= right, "==": left == right}[sense]
            for row, sense, right in rows
            for left in [int(np.dot(row, v))]
        )
        for v in V
    ]
    assert np.isfinite(other.objective(V)).tolist() == met


def tiny_unit():
    u = 5e-7
    return model([-1, -1], [([u, u], "<=", u)])


def billion():
    cqm = dimod.ConstrainedQuadraticModel()
    i, j = (dimod.Integer(v, lower_bound=0, upper_bound=10**9) for v in "ij")
    cqm.set_objective(-i - j)
    cqm.add_constraint(i + j <= 10**9)
    return cqm


def large_coefficients():
    """Feasible at (0, 1, 0, −3) only, in decimals of ten digits."""
    cqm = dimod.ConstrainedQuadraticModel()
    a, b, c = dimod.Binary("a"), dimod.Spin("b"), dimod.Binary("c")
    d = dimod.Integer("d", lower_bound=-3, upper_bound=-2)
    cqm.set_objective(-a + 0 * b + 0 * c + 0 * d)
    row = 9261310.506302767 * a + 885766.2691952947 * b - 4950841.444821476 * c - 4098892.61612945 * d
    cqm.add_constraint(row == 13182444.117583646)
    return cqm


def beyond_two_to_53():
    """10^18 (z − x) − 1024 y = 10^18 − 1024 needs y = 1, which no relative tolerance sees."""
    cqm = dimod.ConstrainedQuadraticModel()
    x, y, z = dimod.Binaries("xyz")
    cqm.set_objective(x + y - z)
    cqm.add_constraint(10**18 * z - 10**18 * x - 1024 * y == 10**18 - 1024)
    return cqm


def neighbours_of_one():
    """(−1, 1) meets the row exactly, whose coefficients differ from 1 in their last bits."""
    cqm = dimod.ConstrainedQuadraticModel()
    s, t = dimod.Spin("s"), dimod.Spin("t")
    cqm.set_objective(s + 2 * t)
    cqm.add_constraint((1 - 6 * 2**-53) * s + (1 + 3 * 2**-52) * t == 6 * 2**-52)
    return cqm


def soft():
    cqm = dimod.ConstrainedQuadraticModel()
    x, y = dimod.Binaries("xy")
    cqm.set_objective(-3 * x - 2 * y)
    cqm.add_constraint(x + y <= 1, weight=0.5)
    return cqm


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(
    ("make", "objective"),
    [(tiny_unit, -1.0), (billion, -1e9), (large_coefficients, 0.0), (beyond_two_to_53, 0.0), (soft, -4.5)],
)
def test_the_right_value_or_a_refusal(name, make, objective):
    solver = get_solver(name)
    try:
        found = solver.solve(make(), seed=0, time_limit_s=20.0)
    except ValueError:  # a refusal
        return
    assert found.status != "infeasible"
    if found.status == "optimal":
        assert found.objective == objective
    if found.best is not None:
        assert found.objective >= objective


@pytest.mark.parametrize("name", SOLVERS)
def test_neighbours_of_one_are_not_infeasible(name):
    found = get_solver(name).solve(neighbours_of_one(), seed=0, time_limit_s=20.0)
    assert (found.status, found.objective) == ("optimal", -1.0) or found.status in ("feasible", "no_solution")
