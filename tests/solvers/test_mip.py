"""The search around a MIP backend: tolerances, near ties inside them, contradictions, and statuses without a bound."""

import itertools

import dimod
import numpy as np
import pytest

from qproj import MetricProjection, SignProjection, get_solver
from qproj.solvers import Capabilities, Termination, TooLargeError
from qproj.solvers.mip import MIPAdapter, floating_found, mip_found


class Coarse(MIPAdapter):
    """Goes through all assignments, and calls optimal the worst one within its tolerance of the best."""

    name = "coarse"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm", "cqm"}), exact=True, hint=True)

    floating = False

    def __init__(self, tolerance=0.0, refutes=False):
        self.tolerance = tolerance
        self.refutes = refutes
        self.calls = 0

    def optimise(self, model, *, start, seed, deadline):
        self.calls += 1
        if self.refutes:
            return mip_found(model, Termination.REFUTED, None, -np.inf, "", {})
        ranges = [range(int(a), int(b) + 1) for a, b in zip(model.lower, model.upper, strict=True)]
        X = np.array(list(itertools.product(*ranges)), float)
        activity = (model.rows @ X.T).T
        kept = ((activity >= model.row_lower - 1e-9) & (activity <= model.row_upper + 1e-9)).all(axis=1)
        if not kept.any():
            return mip_found(model, Termination.REFUTED, None, -np.inf, "", {})
        X, cost = X[kept], X[kept] @ model.cost + model.offset
        near = np.flatnonzero(cost <= cost.min() + self.tolerance)
        worst = near[np.argmax(cost[near])]
        return mip_found(model, Termination.PROVED, X[worst], cost[worst] - self.tolerance, "", {})


@pytest.mark.parametrize("seed", range(10))
def test_near_ties_within_the_tolerance_are_found(seed):
    rng = np.random.default_rng(seed)
    p = SignProjection(rng.choice([-1, 1], (5, 4)), rng.normal(size=5) + rng.choice([-3, 3], 5))
    truth = get_solver("exhaustive").solve(p)
    solution = Coarse(tolerance=0.7).solve(p, hint=-truth.best)
    assert solution.status == "optimal"
    assert solution.gain == truth.gain


@pytest.mark.parametrize("vartype", ["BINARY", "SPIN"])
def test_near_ties_of_quadratic_models_are_found(vartype):
    bqm = dimod.BinaryQuadraticModel({"a": 1.0, "b": 1.1}, {("a", "b"): -2.05, ("b", "c"): 0.01}, 0.0, vartype)
    solution = Coarse(tolerance=0.2).solve(bqm)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(dimod.ExactSolver().sample(bqm).first.energy)


def test_values_on_a_lattice_need_no_second_search():
    p = SignProjection([[1, 1], [1, -1], [-1, 1]], [1.0, -2.0, -2.0])
    solver = Coarse(tolerance=0.5)
    assert solver.solve(p).status == "optimal"
    assert solver.calls == 1


def test_a_tie_of_too_many_is_left_unproved_with_a_bound_that_holds():
    rng = np.random.default_rng(0)
    bqm = dimod.BinaryQuadraticModel({i: 1e-9 * x for i, x in enumerate(rng.normal(size=8))}, {}, 0.0, "BINARY")
    bqm.add_linear(8, -1.0)
    truth = dimod.ExactSolver().sample(bqm).first.energy
    solution = Coarse(tolerance=1e-3).solve(bqm, hint=[1] * 9)
    assert solution.termination == "budget"
    assert solution.bound <= truth <= solution.objective


def test_infeasible_against_a_feasible_start_is_a_failure_and_no_proof():
    solution = Coarse(refutes=True).solve(SignProjection([[1, 1], [1, -1]], [-1.0, -1.0]))
    assert solution.termination == "failed"
    assert solution.bound <= solution.objective


def test_a_constraint_without_variables():
    cqm = dimod.ConstrainedQuadraticModel()
    b = dimod.Binary("b")
    cqm.set_objective(b)
    cqm.add_constraint(0 * b >= 1, label="never")
    assert Coarse().solve(cqm).status == "infeasible"
    assert get_solver("cpsat").solve(cqm).status == "infeasible"


def model(upper=1.0):
    found = SignProjection([[1]], [3.0]).linear_task(None, 12).model
    found.upper[:] = upper
    return found


def answer(termination, bound, upper=1.0):
    m = model(upper)
    return floating_found(m, termination, np.ones(len(m.cost)), bound, "", {}), m


@pytest.mark.parametrize("termination", [Termination.PROVED, Termination.CLOCK, Termination.BUDGET])
def test_a_bound_is_lowered_by_the_tolerances(termination):
    found, m = answer(termination, -0.5)
    exact = -0.5 * m.scale + m.offset
    assert exact - 1e-5 * m.scale < -found.gain_bound < exact
    assert found.termination == termination


@pytest.mark.parametrize("bound", [np.inf, -np.inf, np.nan, 1e20, -1e100])
def test_a_value_that_backends_call_infinite_is_not_a_bound(bound):
    assert answer(Termination.BUDGET, bound)[0].gain_bound is None


@pytest.mark.parametrize("termination", [Termination.FAILED, Termination.REFUTED])
def test_a_termination_without_a_bound_has_none(termination):
    assert answer(termination, 0.0)[0].gain_bound is None


def test_infeasible_or_unbounded_is_infeasible_where_no_variable_can_grow_without_limit():
    assert answer(None, 0.0)[0].termination is Termination.REFUTED
    assert answer(None, 0.0, upper=np.inf)[0].termination is Termination.FAILED


@pytest.mark.parametrize("hint", [None, np.array([1, -1, 1, -1], np.int8)])
def test_a_linear_model_that_takes_far_longer_than_the_time_limit_is_not_built(hint):
    rng = np.random.default_rng(0)
    p = SignProjection(rng.choice([-1, 1], (30, 4)), rng.normal(size=30))
    solver = Coarse()
    assert solver.least_seconds(p) == pytest.approx(3e-7 * len(p.inputs.groups.first) * 4)
    solver.term_s = 1.0
    solution = solver.solve(p, time_limit_s=1.0, hint=hint)
    assert (solver.calls, solution.termination) == (0, "clock")
    assert solution.best.tolist() == (np.sign(p.linear_direction()) if hint is None else hint).tolist()
    solver.term_s = 0.0
    assert solver.solve(p, time_limit_s=60.0, hint=hint).status == "optimal"


@pytest.mark.parametrize("name", ["coarse", "cpsat", "highs"])
def test_products_that_memory_does_not_hold_are_refused_before_it_is_spent(name, monkeypatch):
    pytest.importorskip("highspy")
    solver = Coarse() if name == "coarse" else get_solver(name)
    bqm = dimod.BinaryQuadraticModel({}, {(i, j): 1.0 for i in range(30) for j in range(i)}, 0.0, "BINARY")
    cqm = dimod.ConstrainedQuadraticModel.from_bqm(bqm)
    monkeypatch.setattr(type(solver), "product_bytes", 2**40)
    for model in (bqm, cqm, MetricProjection(np.eye(30), np.ones(30))):
        with pytest.raises(TooLargeError, match=rf"{name} would linearise 435 products.*GiB are allowed: use 'sa'"):
            solver.solve(model)
    neuron = SignProjection([[1, -1, 1], [1, 1, 1]], [1.0, -0.4])  # its rows are linear
    assert solver.solve(neuron).status == "optimal"


def test_a_constrained_model_that_is_late_before_it_is_built_is_no_error(monkeypatch):
    monkeypatch.setattr("qproj.solvers.mip.MOST_LATE_S", -1e9)
    cqm = dimod.ConstrainedQuadraticModel()
    x = dimod.Binary("x")
    cqm.set_objective(-x)
    cqm.add_constraint(x <= 1)
    assert get_solver("cpsat").solve(cqm, time_limit_s=10.0).status == "optimal"
