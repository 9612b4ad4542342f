"""Linear models against enumeration: completions are feasible and cost −gain; cuts cut what they say."""

import itertools
from dataclasses import replace

import dimod
import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from qproj import SignProjection
from qproj.encodings.constrained_model import ConstrainedModel
from qproj.encodings.linear_constrained import linear_of_constrained
from qproj.encodings.linear_model import better_row, integer_rows, linear_of_quadratic, linear_of_rows
from qproj.encodings.units import quantum


def linear_of(cqm):
    """The linear model of a CQM, with the offset of its objective."""
    model, factor, shift = linear_of_constrained(ConstrainedModel.of(cqm))
    return replace(model, offset=model.offset + cqm.objective.offset), factor, shift


def holds(model, x, slack=1e-9):
    activity = model.rows @ x
    inside = (model.lower - slack <= x).all() and (x <= model.upper + slack).all()
    return bool(inside and (model.row_lower - slack <= activity).all() and (activity <= model.row_upper + slack).all())


def cheapest(model, own):
    """min cost·x over the auxiliary variables, own ones fixed; None where infeasible."""
    lower, upper = model.lower.copy(), model.upper.copy()
    lower[: model.num_own] = upper[: model.num_own] = own
    rows = LinearConstraint(model.rows, model.row_lower, model.row_upper) if len(model.row_lower) else ()
    result = milp(model.cost, integrality=model.kinds > 0, bounds=Bounds(lower, upper), constraints=rows)
    return result.fun + model.offset if result.success else None


def assignments(model):
    own = slice(model.num_own)
    return itertools.product(
        *(range(int(a), int(b) + 1) for a, b in zip(model.lower[own], model.upper[own], strict=True))
    )


@pytest.mark.parametrize("seed", range(8))
def test_sign_rows_cost_minus_the_gain_at_every_count(seed):
    rng = np.random.default_rng(seed)
    d, n = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    X = rng.choice([-1, 1], (n, d))
    if seed % 2:
        X = np.repeat(X, 2, axis=1)
    p = SignProjection(X, rng.normal(size=n))
    model = linear_of_rows(p.rows)
    for counts in assignments(model):
        counts = np.array(counts, float)
        v = p.rows.columns.weights_from_counts(counts[None].astype(int))[0]
        x = model.complete(counts)
        assert holds(model, x)
        assert model.cost @ x + model.offset == pytest.approx(-p.gain(v))
        assert cheapest(model, counts) == pytest.approx(-p.gain(v))


@pytest.mark.parametrize("seed", range(6))
def test_real_rows_are_relaxed_never_cut(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(5, 4)) if seed < 4 else rng.integers(-2, 3, (5, 4)).astype(float)
    p = SignProjection(X, rng.normal(size=5))
    for bits in (3, 20):
        model = linear_of_rows(p.rows, bits=bits)
        for counts in assignments(model):
            counts = np.array(counts, float)
            assert holds(model, model.complete(counts))
            gain = p.gain(2 * counts - 1)
            assert cheapest(model, counts) <= -gain + 1e-9
            if bits == 20:
                assert cheapest(model, counts) == pytest.approx(-gain)


def test_a_row_that_every_better_assignment_meets():
    rng = np.random.default_rng(3)
    p = SignProjection(rng.choice([-1, 1], (7, 5)), rng.normal(size=7))
    model = linear_of_rows(p.rows)
    gain_of = {c: p.gain(p.rows.columns.weights_from_counts(np.array([c]))[0]) for c in assignments(model)}
    for counts in list(gain_of)[::5]:
        cut = better_row(p.rows, model, np.array(counts, float))
        assert not holds(cut, model.complete(np.array(counts, float)))
        better = [c for c, gain in gain_of.items() if gain > gain_of[counts] + 1e-12]
        assert all(holds(cut, model.complete(np.array(c, float))) for c in better)


@pytest.mark.parametrize("seed", range(6))
def test_what_costs_more_than_an_assignment_is_left_out_and_nothing_else_is(seed):
    rng = np.random.default_rng(seed)
    X = rng.choice([-1, 1], (9, 5)) if seed < 4 else rng.normal(size=(9, 5))
    p = SignProjection(np.repeat(X, 2, axis=1) if seed % 2 else X, rng.normal(size=9) ** 3)
    model = linear_of_rows(p.rows)
    cost_of = {c: float(model.cost @ model.complete(np.array(c, float))) for c in assignments(model)}
    for counts in sorted(cost_of, key=cost_of.get)[:40:8]:
        narrow = model.no_worse_than(model.complete(np.array(counts, float)))
        for other, cost in cost_of.items():
            assert cost > cost_of[counts] or holds(narrow, model.complete(np.array(other, float)))
        if counts == min(cost_of, key=cost_of.get):
            assert (narrow.lower == narrow.upper).sum() > (model.lower == model.upper).sum()


def test_whole_variables_are_narrowed_from_their_cheaper_end_real_ones_and_unbounded_models_not():
    cqm = dimod.ConstrainedQuadraticModel()
    i, j = (dimod.Integer(v, lower_bound=-3, upper_bound=9) for v in "ij")
    cqm.set_objective(2 * i - 3 * j + 0.5 * dimod.Real("r", upper_bound=9))
    model, _, _ = linear_of(cqm)
    values = np.array([{"i": -2, "j": 8, "r": 1}[str(v)] for v in cqm.variables], float)
    narrow = model.no_worse_than(values)
    place = {str(v): k for k, v in enumerate(cqm.variables)}
    # 5.5 is lost beside i = −3, j = 9, r = 0
    assert (narrow.lower[place["i"]], narrow.upper[place["i"]]) == (-3, -1)
    assert (narrow.lower[place["j"]], narrow.upper[place["j"]]) == (8, 9)
    assert narrow.upper[place["r"]] == 9
    unbounded = replace(model, upper=np.full(3, np.inf))
    assert unbounded.no_worse_than(values) is unbounded


@pytest.mark.parametrize("spin", [False, True])
def test_products_cost_what_the_quadratic_form_does(spin):
    rng = np.random.default_rng(0)
    first, second = np.triu_indices(4, 1)
    linear, products = rng.normal(size=4), rng.normal(size=6)
    model = linear_of_quadratic(linear, first, second, products, 0.5, spin=spin)
    for bits in assignments(model):
        x = np.array(bits, float)
        value = linear @ x + products @ (x[first] * x[second]) + 0.5
        assert holds(model, model.complete(x))
        assert cheapest(model, x) == pytest.approx(value)


def test_constrained_models_are_feasible_where_the_constraints_hold():
    i, j = dimod.Integer("i", lower_bound=-2, upper_bound=3), dimod.Integer("j", lower_bound=1, upper_bound=3)
    s, b = dimod.Spin("s"), dimod.Binary("b")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(i * j - 2 * i * i + s * j - 0.5 * b * i + s * b + 3)
    cqm.add_constraint(i * j + s * b - b * j <= 2, label="products")
    cqm.add_constraint(0.1 * i + 0.2 * j <= 0.3, label="decimals")
    model, factor, shift = linear_of(cqm)
    feasible = 0
    for own in assignments(model):
        x = np.array(own, float)
        sample = dict(zip(cqm.variables, (x * factor + shift).tolist(), strict=True))
        expected = cqm.check_feasible(sample, rtol=1e-9, atol=1e-6)
        feasible += expected
        assert holds(model, model.complete(x)) == expected
        if expected:
            assert cheapest(model, x) == pytest.approx(cqm.objective.energy(sample))
    assert 0 < feasible < 6 * 3 * 2 * 2


def test_excluding_one_assignment_of_integers_keeps_all_others():
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(dimod.Integer("i", lower_bound=-1, upper_bound=2) + dimod.Binary("b"))
    model, _, _ = linear_of(cqm)
    out = {(1.0, 0.0), (-1.0, 1.0)}
    for own in out:
        model = model.excluding(np.array(own))
    left = {own for own in assignments(model) if cheapest(model, np.array(own, float)) is not None}
    assert left == set(itertools.product(range(-1, 3), range(2))) - out


def test_excluding_one_assignment_of_several_integers():
    cqm = dimod.ConstrainedQuadraticModel()
    i, j = dimod.Integer("i", lower_bound=0, upper_bound=2), dimod.Integer("j", lower_bound=-1, upper_bound=1)
    cqm.set_objective(2 * i + dimod.Binary("b") + 4 * j)
    model, _, _ = linear_of(cqm)
    assert model.quantum == 1.0  # whole values of whole variables
    every = set(assignments(model))
    for own in sorted(every)[::4]:
        cut = model.excluding(np.array(own, float))
        left = {one for one in every if cheapest(cut, np.array(one, float)) is not None}
        assert left == every - {own}


def test_products_without_bounds_are_refused():
    cqm = dimod.ConstrainedQuadraticModel()
    i, j = dimod.Integer("i"), dimod.Integer("j")
    cqm.set_objective(i * j)
    with pytest.raises(ValueError, match=r"ranges over 0\..*tighten its bounds"):
        linear_of(cqm)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2.0, 4.0, -6.0], 2.0),
        ([0.1, 0.3, -0.7], 0.1),
        ([0.75, 0.5], 0.25),
        ([1e-9, 3e-9], 1e-9),
        ([np.pi, 2 * np.pi], np.pi),
        ([1.0, np.pi], 0.0),
        ([0.0], 0.0),
        ([1e200, 1.0], 0.0),
    ],
)
def test_quantum_is_a_number_all_are_multiples_of(values, expected):
    assert quantum(np.array(values)) == pytest.approx(expected)


def test_integer_rows_tell_how_much_their_sums_may_differ():
    rng = np.random.default_rng(0)
    thirds = rng.integers(-3, 4, (2, 6)) / 3
    A = np.concatenate([rng.normal(size=(4, 6)), thirds, rng.integers(-3, 4, (2, 6)) / 8, np.zeros((1, 6))])
    q, margin = integer_rows(A, 8)
    assert (margin[:4] >= 0).all()
    assert margin[4:].tolist() == [0, 0, -1, -1, -1]
    assert np.abs(q[4:6]).max() <= 3
    for v in itertools.product([-1, 1], repeat=6):
        z, whole = (A * v).sum(axis=1), q @ np.array(v)
        assert (whole[z >= 0] >= -np.maximum(margin, 0)[z >= 0]).all()
        assert (whole[z < 0] <= margin[z < 0]).all()
