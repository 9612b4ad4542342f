"""Leap's hybrid solvers, behind their samplers' interface."""

import dimod
import pytest

import qproj
from qproj_dwave import DWaveHybrid
from tests.adapters._annealers import Hybrid, neuron


def test_hybrid_takes_projections_bqms_and_cqms():
    solver = DWaveHybrid(bqm_sampler=Hybrid(), cqm_sampler=Hybrid())
    problem = neuron(3, 4)
    assert solver.solve(problem).gain == pytest.approx(qproj.get_solver("exhaustive").solve(problem).gain)
    bqm = dimod.BinaryQuadraticModel({"a": 1.0, "b": -2.0}, {("a", "b"): 1.5}, 0.5, "BINARY")
    assert solver.solve(bqm).objective == pytest.approx(-1.5)
    cqm = dimod.ConstrainedQuadraticModel()
    x, y = dimod.Binaries(["x", "y"])
    cqm.set_objective(-x - 2 * y)
    cqm.add_constraint(x + y <= 1, label="one")
    assert solver.solve(cqm).objective == pytest.approx(-2.0)
    cqm.add_constraint(x + y >= 2, label="both")
    assert solver.solve(cqm).status == "no_solution"


def test_hybrid_refuses_less_than_its_least_time():
    with pytest.raises(ValueError, match="3 s or more"):
        DWaveHybrid(cqm_sampler=Hybrid()).solve(neuron(3, 4), time_limit_s=1.0)


def test_nothing_is_sent_for_a_model_without_variables():
    solver = DWaveHybrid(bqm_sampler=object(), cqm_sampler=object())
    for model in (dimod.BinaryQuadraticModel({}, {}, 2.5, "SPIN"), dimod.ConstrainedQuadraticModel()):
        solution = solver.solve(model, time_limit_s=1.0)
        assert (solution.objective, len(solution.candidates)) == (2.5 if "Binary" in type(model).__name__ else 0.0, 1)
