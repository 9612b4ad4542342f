"""Constrained models made linear, against enumeration: random ones, with every kind of variable, product and sense."""

import dimod
import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

import qproj
from qproj.encodings.linear_constrained import _bit
from qproj.encodings.linear_model import IMPLIED, REAL, WHOLE
from tests.encodings.test_linear_model import assignments, cheapest, holds, linear_of

#: Of random_model; 6 is infeasible.
SEEDS = [0, 1, 2, 3, 4, 5, 7, 8]


def random_model(seed):
    """Two spins, one bit, and integers of ranges with and without 0; products of all, also within a constraint."""
    rng = np.random.default_rng(seed)
    s, z, b = dimod.Spin("s"), dimod.Spin("z"), dimod.Binary("b")
    i = dimod.Integer("i", lower_bound=-1, upper_bound=2)
    j = dimod.Integer("j", lower_bound=[1, -2, 0][seed % 3], upper_bound=[3, 0, 2][seed % 3])
    terms = [s, z, b, i, j, s * z, s * b, s * i, b * i, b * j, z * j, i * j, i * i, j * j]
    cqm = dimod.ConstrainedQuadraticModel()
    chosen = rng.permutation(len(terms))[:8]
    cqm.set_objective(sum(int(rng.integers(-3, 4)) * terms[k] for k in chosen) + s + 0 * (z + b + i + j) + 2.5)
    for number, sense in enumerate(("<=", ">=", "==")):
        lhs = sum(int(rng.integers(-2, 3)) * terms[k] for k in rng.permutation(len(terms))[:4]) + b + 1
        rhs = {"<=": 4, ">=": -5, "==": int(rng.integers(0, 3))}[sense]
        if sense == "==" and seed % 2:
            continue
        cqm.add_constraint(lhs, sense, rhs=rhs, label=f"c{number}")
    return cqm


@pytest.mark.parametrize("seed", SEEDS)
def test_every_assignment_costs_what_it_does_and_is_feasible_where_it_is(seed):
    cqm = random_model(seed)
    model, factor, shift = linear_of(cqm)
    assert model.num_own == len(cqm.variables) == 5
    feasible = 0
    for own in assignments(model):
        x = np.array(own, float)
        sample = dict(zip(cqm.variables, (x * factor + shift).tolist(), strict=True))
        whole = model.complete(x)
        assert model.cost @ whole + model.offset == pytest.approx(cqm.objective.energy(sample))
        expected = cqm.check_feasible(sample, rtol=1e-9, atol=1e-6)
        assert holds(model, whole) == expected
        feasible += expected
    assert feasible > 0
    # the auxiliary variables follow from the own ones also where only a solver chooses them
    rng = np.random.default_rng(seed)
    every = list(assignments(model))
    for k in rng.choice(len(every), 12, replace=False):
        x = np.array(every[k], float)
        sample = dict(zip(cqm.variables, (x * factor + shift).tolist(), strict=True))
        found = cheapest(model, x)
        if cqm.check_feasible(sample, rtol=1e-9, atol=1e-6):
            assert found == pytest.approx(cqm.objective.energy(sample))
        else:
            assert found is None


@pytest.mark.parametrize("seed", SEEDS)
def test_the_linear_minimum_is_the_models(seed):
    cqm = random_model(seed)
    model, factor, shift = linear_of(cqm)
    bounds = Bounds(model.lower, model.upper)
    rows = LinearConstraint(model.rows, model.row_lower, model.row_upper)
    found = milp(model.cost, integrality=model.kinds > 0, bounds=bounds, constraints=rows)
    best = np.inf
    for own in assignments(model):
        sample = dict(zip(cqm.variables, (np.array(own) * factor + shift).tolist(), strict=True))
        if cqm.check_feasible(sample, rtol=1e-9, atol=1e-6):
            best = min(best, cqm.objective.energy(sample))
    assert found.fun + model.offset == pytest.approx(best)


def test_products_are_tied_from_the_side_that_their_sign_needs_and_once():
    def rows(coefficient, constrained=False):
        cqm = dimod.ConstrainedQuadraticModel()
        b, c = dimod.Binary("b"), dimod.Binary("c")
        cqm.set_objective(coefficient * b * c)
        if constrained:
            cqm.add_constraint(b * c + c * b <= 1, label="one")
        model, *_ = linear_of(cqm)
        return model

    assert rows(-1.0).rows.shape == (2, 3)  # z ≤ b, z ≤ c
    assert rows(1.0).rows.shape == (1, 3)  # z ≥ b + c − 1
    assert rows(0.0).rows.shape[0] == 0
    assert rows(1.0, constrained=True).rows.shape == (4, 3)  # both sides, and the constraint
    assert rows(-1.0).kinds.tolist() == [WHOLE, WHOLE, IMPLIED]


def test_a_square_of_a_bit_is_the_bit_and_of_a_spin_is_one():
    cqm = dimod.ConstrainedQuadraticModel()
    b, s = dimod.Binary("b"), dimod.Spin("s")
    cqm.set_objective(3 * b * b + 2 * s * s + s)
    model, factor, shift = linear_of(cqm)
    assert len(model.cost) == 2
    for own in assignments(model):
        sample = dict(zip(cqm.variables, (np.array(own) * factor + shift).tolist(), strict=True))
        assert model.cost @ own + model.offset == cqm.objective.energy(sample)


def test_rows_are_counted_where_they_can_be_widened_where_not_and_left_alone_where_a_variable_is_real():
    cqm = dimod.ConstrainedQuadraticModel()
    x, b, c = dimod.Real("x", lower_bound=-1.5, upper_bound=2.5), dimod.Binary("b"), dimod.Binary("c")
    cqm.set_objective(x + 2 * b)
    cqm.add_constraint(x + b <= 2.0, label="real")
    cqm.add_constraint(0.5 * b <= 0.75, label="counted in halves")
    cqm.add_constraint(np.pi * b + np.e * c <= 3.0, label="not counted")
    model, *_ = linear_of(cqm)
    order = {label: i for i, label in enumerate(cqm.variables)}
    assert [model.kinds[order[v]] for v in "xbc"] == [REAL, WHOLE, WHOLE]
    assert model.quantum == 0.0
    assert model.row_upper.tolist() == [2.0, 1.0, pytest.approx(3.0 + 1e-9 * np.pi, rel=1e-15)]
    assert model.rows.toarray()[1].max() == 1.0
    assert model.lower[order["x"]] == -1.5
    assert model.upper[order["x"]] == 2.5


def test_fixed_variables_move_into_the_constants():
    cqm = dimod.ConstrainedQuadraticModel()
    i, b = dimod.Integer("i", lower_bound=3, upper_bound=3), dimod.Binary("b")
    cqm.set_objective(2 * i + b * i + b)
    cqm.add_constraint(i + b <= 3, label="c")
    model, *_ = linear_of(cqm)
    assert model.offset == 6.0
    assert cheapest(model, np.array([3.0, 0.0])) == 6.0
    assert cheapest(model, np.array([3.0, 1.0])) is None


def test_numbers_that_are_not_finite_are_refused_by_the_constraints_label():
    cqm = dimod.ConstrainedQuadraticModel()
    b = dimod.Binary("b")
    cqm.add_constraint(float("inf") * b <= 1, label="odd one")
    with pytest.raises(ValueError, match=r"'odd one'.*finite"):
        linear_of(cqm)


def test_wide_products_are_refused_by_the_variables_name():
    cqm = dimod.ConstrainedQuadraticModel()
    b, i = dimod.Binary("b"), dimod.Integer("i", lower_bound=-4e15, upper_bound=4e15)
    cqm.set_objective(b * i)
    with pytest.raises(ValueError, match=r"'i' ranges over -4e\+15\.\.4e\+15.*set lower_bound"):
        linear_of(cqm)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 11, 12, 100])
def test_bits_of_a_whole_number_add_up(size):
    values = [float(1 << b) for b in range(size.bit_length() - 1)]
    values.append(size - sum(values))
    for value in range(size + 1):
        assert sum(_bit(value, b, values) * v for b, v in enumerate(values)) == value


def test_rows_that_bound_their_variables_stay_sharp_whatever_dimods_default_bounds():
    """dimod.Integers end at 2^53 − 1; sums of 2^54 are rounded, but no assignment that meets x + y ≤ 7 has them."""
    cqm = dimod.ConstrainedQuadraticModel()
    x, y = dimod.Integers(["x", "y"])
    cqm.set_objective(-3 * x - 2 * y)
    cqm.add_constraint(x + y <= 7, label="cap")
    cqm.add_constraint(x + y >= 3, label="least")
    model, _, _ = linear_of(cqm)
    assert sorted(limit for limit in (*model.row_lower, *model.row_upper) if abs(limit) != np.inf)[-1] == 7


def test_a_row_of_whole_numbers_is_counted_in_a_unit_that_divides_them():
    """10.0**23 is not 1e23 in float64: in its multiples 3a ≤ 3a would not hold."""
    a = 1e23
    v, b = dimod.Integer("v", lower_bound=0, upper_bound=3), dimod.Binary("b")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(-v - b)
    cqm.add_constraint(a * v - a * b <= 2.9999999999999997e23)
    cqm.add_constraint(3 * v + 9 * b == 9)
    for name in ("cpsat", "auto"):
        solution = qproj.get_solver(name).solve(cqm, time_limit_s=20, seed=0)
        assert (solution.status, solution.objective) == ("optimal", -3.0)
