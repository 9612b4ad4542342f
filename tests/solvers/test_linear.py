"""The search around a backend: near ties inside its tolerances are found, contradictions are told."""

import itertools

import dimod
import numpy as np
import pytest

from qproj import SignProjection, get_solver
from qproj.solvers import Capabilities, EndedBy, Ending
from qproj.solvers.linear import Answer, LinearAdapter


class Coarse(LinearAdapter):
    """Goes through all assignments, and calls optimal the worst one within its tolerance of the best."""

    name = "coarse"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm", "cqm"}), exact=True, hint=True)

    def __init__(self, tolerance=0.0, refutes=False):
        self.tolerance = tolerance
        self.refutes = refutes
        self.calls = 0

    def optimise(self, model, *, start, seed, deadline):
        self.calls += 1
        if self.refutes:
            return Answer(Ending.REFUTED, EndedBy.PROOF)
        ranges = [range(int(a), int(b) + 1) for a, b in zip(model.lower, model.upper, strict=True)]
        X = np.array(list(itertools.product(*ranges)), float)
        activity = (model.rows @ X.T).T
        kept = ((activity >= model.row_lower - 1e-9) & (activity <= model.row_upper + 1e-9)).all(axis=1)
        if not kept.any():
            return Answer(Ending.REFUTED, EndedBy.PROOF)
        X, cost = X[kept], X[kept] @ model.cost + model.offset
        near = np.flatnonzero(cost <= cost.min() + self.tolerance)
        worst = near[np.argmax(cost[near])]
        return Answer(Ending.PROVED, EndedBy.PROOF, X[worst], cost[worst] - self.tolerance)


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
    assert solution.ending == "stopped"
    assert solution.bound <= truth <= solution.objective


def test_infeasible_against_a_feasible_start_is_a_failure_and_no_proof():
    solution = Coarse(refutes=True).solve(SignProjection([[1, 1], [1, -1]], [-1.0, -1.0]))
    assert solution.ending == "failed"
    assert solution.bound <= solution.objective


def test_a_constraint_without_variables():
    cqm = dimod.ConstrainedQuadraticModel()
    b = dimod.Binary("b")
    cqm.set_objective(b)
    cqm.add_constraint(0 * b >= 1, label="never")
    assert Coarse().solve(cqm).status == "infeasible"
    assert get_solver("cpsat").solve(cqm).status == "infeasible"
