"""Claims of backends in floating point: `infeasible` is confirmed or no proof, and certificates hold in fractions."""

from fractions import Fraction

import dimod
import numpy as np
import pytest

import qproj
from qproj.projections import as_problem
from qproj.solvers.certificates import is_infeasible
from qproj.solvers.registry import missing_modules

BACKENDS = [("cpsat", "ortools"), ("highs", "highspy"), ("gurobi", "gurobipy"), ("scip", "pyscipopt")]


def large_numbers():
    """Gurobi called it infeasible: the row holds at (a, b, c, d) = (0, 1, 0, -3)."""
    a, b = dimod.Binary("a"), dimod.Spin("b")
    c, d = dimod.Binary("c"), dimod.Integer("d", lower_bound=-3, upper_bound=-2)
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(-a)
    cqm.add_constraint(
        9261310.506302767 * a + 885766.2691952947 * b - 4950841.444821476 * c - 4098892.61612945 * d
        == 13182444.117583646
    )
    return cqm


@pytest.mark.parametrize(("name", "package"), BACKENDS)
def test_a_feasible_model_of_large_numbers_is_not_infeasible(name, package):
    if missing_modules([package]):
        pytest.skip(f"{package} is not installed")
    cqm = large_numbers()
    assert np.isfinite(as_problem(cqm).gain([0, 1, 0, -3]))
    try:
        found = qproj.get_solver(name).solve(cqm, seed=0)
    except qproj.MissingLicenceError:
        pytest.skip(f"{name} has no licence here")
    assert found.status != "infeasible"
    if found.status == "optimal":
        assert found.objective == 0.0
        assert found.best.tolist() == [0, 1, 0, -3]


def linear(rows, kinds="iii", lower=0, upper=3):
    """The linear model of rows (coefficients, low, high) over whole (i) or real (r) variables."""
    cqm = dimod.ConstrainedQuadraticModel()
    names = [f"x{j}" for j in range(len(kinds))]
    for name, kind in zip(names, kinds, strict=True):
        cqm.add_variable("INTEGER" if kind == "i" else "REAL", name, lower_bound=lower, upper_bound=upper)
    for coefficients, low, high in rows:
        terms = list(zip(names, coefficients, strict=True))
        cqm.add_constraint_from_iterable(terms, "<=", high)
        cqm.add_constraint_from_iterable(terms, ">=", low)
    return as_problem(cqm).linear_task(None, 20).model


@pytest.mark.parametrize("kinds", ["iii", "rrr", "iir"])
def test_what_is_infeasible_is_certified(kinds):
    assert is_infeasible(linear([((1, 1, 1), 10, 12)], kinds), None)
    assert is_infeasible(linear([((1, 1, 0), 0, 2), ((1, 1, 0), 3, 6)], kinds), None)
    assert not is_infeasible(linear([((1, 1, 1), 9, 9)], kinds), None)


def test_parity_needs_branches():
    assert is_infeasible(linear([((2, 2, 2), 5, 5)]), None)
    assert not is_infeasible(linear([((2, 2, 2), 5, 5)], "rrr"), None)


def test_a_deadline_that_has_passed_proves_nothing():
    assert not is_infeasible(linear([((2, 2, 2), 5, 5)]), 0.0)


@pytest.mark.parametrize("seed", range(60))
def test_no_certificate_contradicts_an_enumeration(seed):
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(2):
        coefficients = rng.normal(size=3) * 10.0 ** rng.integers(-3, 8)
        point = rng.integers(0, 4, 3)
        middle = float(coefficients @ point) if seed % 2 else float(rng.normal() * np.abs(coefficients).sum())
        rows.append((coefficients.tolist(), middle, middle))
    model = linear(rows)
    feasible = any(
        all(
            abs(sum(Fraction(a) * x for a, x in zip(coefficients, (i, j, k), strict=True)) - Fraction(low))
            <= Fraction(1, 10**9) * Fraction(max(map(abs, coefficients)))
            for coefficients, low, _ in rows
        )
        for i in range(4) for j in range(4) for k in range(4)
    )  # fmt: skip
    assert not (feasible and is_infeasible(model, None))
