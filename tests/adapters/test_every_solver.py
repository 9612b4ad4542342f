"""Every solver, in real, mock or emulated form, on the same projections: they agree with what CP-SAT proves."""

from functools import cache

import numpy as np
import pytest

import qproj
from qproj.solvers import TooLargeError
from tests.adapters import _annealers

#: The names of the design, and what stands in for what is not on this machine.
NAMES = (
    "auto", "exhaustive", "local-search", "sign", "random", "sa", "sqa", "tabu", "greedy", "tree", "cpsat", "highs",
    "gurobi", "scip", "dwave", "dwave-hybrid", "dwave-emulated", "qaoa", "qaoa-fast",
    "svmc", "pt", "sb", "schrodinger", "exact", "rc2",
)  # fmt: skip
STAND_INS = {
    "dwave": lambda: _annealers.client(),  # dwave-system's own mock of a QPU
    "dwave-hybrid": lambda: _annealers.hybrid(),
    "dwave-emulated": lambda: _annealers.small(),
    "qaoa": lambda: qproj.get_solver("qaoa", maxiter=8),
}
SHAPES = ((20, 3), (20, 5), (16, 9))


@cache
def proved(shape):
    """A projection and CP-SAT's proved optimum of it."""
    rng = np.random.default_rng(shape)
    problem = qproj.SignProjection(rng.choice([-1, 1], shape), rng.normal(size=shape[0]))
    solution = qproj.get_solver("cpsat").solve(problem)
    assert solution.status == "optimal"
    return problem, solution.gain


def test_every_name_of_the_design_is_registered():
    assert set(NAMES) <= {info.name for info in qproj.list_solvers()}
    assert set(STAND_INS) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_the_proved_optimum(name):
    (info,) = [info for info in qproj.list_solvers() if info.name == name]
    if not info.installed:
        pytest.skip(info.reason)
    solver = STAND_INS[name]() if name in STAND_INS else qproj.get_solver(name)
    reads = {"num_reads": 100} if solver.capabilities.num_reads else {}
    solved = 0
    for shape in SHAPES:
        problem, best = proved(shape)
        tolerance = 1e-9 * float(np.abs(problem.t).sum())
        try:
            solution = solver.solve(problem, seed=0, **reads).require()
        except TooLargeError:
            assert name == "tree"  # whose reach is the treewidth
            continue
        solved += 1
        assert solution.gain == problem.gain(solution.best)
        assert solution.gain <= best + tolerance
        assert solution.gain_bound is None or solution.gain_bound >= best - tolerance
        if solver.capabilities.exact:
            assert solution.status == "optimal"
            assert solution.gain == pytest.approx(best, abs=tolerance)
        if name == "dwave-emulated":
            assert solution.stats["emulated"] is True
    assert solved
