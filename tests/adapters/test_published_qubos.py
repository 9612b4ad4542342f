"""Published QUBOs of up to 50 variables: proved, with the published optimum. The table in the docs holds them all."""

import importlib.util

import pytest

from qproj import get_solver
from qproj.lab.datasets import load_qubo

QUICK = ["gka1b", "gka6a", "gka3b", "bqp50-1", "bqp50-9", "gka5a"]
PACKAGES = {"cpsat": "ortools", "highs": "highspy", "gurobi": "gurobipy", "scip": "pyscipopt"}


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("instance", [QUICK[0], *(pytest.param(q, marks=pytest.mark.slow) for q in QUICK[1:])])
def test_small_instances_are_proved_by_every_exact_solver(data_dir, name, instance):
    if importlib.util.find_spec(PACKAGES[name]) is None:
        pytest.skip(f"{PACKAGES[name]} is not installed")
    qubo = load_qubo(instance)
    solution = get_solver(name).solve(qubo.bqm, time_limit_s=60)
    assert (solution.status, solution.objective) == ("optimal", qubo.best_known)


@pytest.mark.nightly
def test_a_dense_instance_of_50_variables_is_proved_by_cpsat(data_dir):
    qubo = load_qubo("gka2c")
    solution = get_solver("cpsat").solve(qubo.bqm, time_limit_s=60)
    assert (solution.status, solution.objective) == ("optimal", qubo.best_known)
