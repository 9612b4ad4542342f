"""Files of QOBLIB as published, read and solved to their published optimum, straight and through OMMX."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from qproj import get_solver
from qproj.formats.benchmark_files import read_qs
from qproj.formats.text import read_model
from qproj.solvers import as_problem

FILES = Path(__file__).parent / "qoblib"
#: Objective at the optimum, minimised: independent sets are maximised, and LP files say so.
BEST = {
    "karate.qs": -20, "farm.lp": -10, "ms_03_050_002.lp": 0, "ms_03_050_002.qs": 0, "labs006.qs": 7, "labs006.lp": 7,
    "bhS-03-007.lp": 2,
}  # fmt: skip
NAMES = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "ms_03_050_002.qs")) for name in BEST]
)


@NAMES
def test_a_published_file_is_solved_to_its_published_optimum(name):
    problem = read_model(FILES / name)
    solution = get_solver("cpsat" if name.endswith("lp") else "auto").solve(problem, seed=0)
    assert (str(solution.status), solution.objective) == ("optimal", BEST[name])


@NAMES
def test_a_published_file_is_the_same_problem_as_an_ommx_instance(name, tmp_path):
    if importlib.util.find_spec("ommx") is None:
        pytest.skip("ommx is not installed")
    from qproj_ommx import QprojAdapter, to_ommx

    instance, labels = to_ommx(read_model(FILES / name))
    (tmp_path / "one.ommx").write_bytes(instance.to_bytes())
    problem = read_model(tmp_path / "one.ommx")
    assert len(problem.variables) == len(labels)
    found = QprojAdapter.solve(instance, solver="auto" if problem.kind == "bqm" else "cpsat", seed=0)
    assert (found.objective, found.feasible, found.optimality) == (BEST[name], True, found.OPTIMAL)


def test_one_variable_one_coefficient_counts_once_and_a_pair_twice(tmp_path):
    path = tmp_path / "a.qs"
    path.write_text("# made here\n# ObjectiveOffset 2.5\n# Vars Non-zeros\n3 3\n1 1 -1\n1 2 0.5\n3 3 4\n")
    assert read_model(path).objective([[1, 1, 0], [0, 0, 1]]).tolist() == [2.5, 6.5]
    renamed = path.rename(tmp_path / "a.txt")
    assert read_model(renamed, format="qs").objective([1, 0, 0]) == 1.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no 'n m' line"),
        ("# ObjectiveOffset x\n1 0\n", "line 1.*finite"),
        ("2 1\n1 3 1\n", "line 2.*indices from 1 to 2"),
        ("2 2\n1 2 1\n2 1 1\n", "line 3.*doubled"),
        ("2 2\n1 2 1\n", "has 1 entries and 2 stated"),
        ("2 1\n1 2\n", "line 2.*'i j value'"),
        ("9999999 0\n", "line 1.*does not hold"),
    ],
)
def test_damage_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "a.qs"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_qs(path)


def test_hints_and_removed_constraints_of_an_instance_do_not_change_it():
    ommx = pytest.importorskip("ommx.v1")
    x = [ommx.DecisionVariable.binary(i) for i in range(4)]
    choice, other = (x[0] + x[1] + x[2] == 1).set_id(1), (x[2] + x[3] <= 1).set_id(2)
    instance = ommx.Instance.from_components(
        objective=3 * x[0] + 2 * x[1] + 4 * x[2] + 3 * x[3],
        constraints=[choice, other],
        sense=ommx.Sense.Maximize,
        decision_variables=x,
        constraint_hints=ommx.ConstraintHints(one_hot_constraints=[ommx.OneHot(id=1, variables=[0, 1, 2])]),
    )
    solve = get_solver("cpsat").solve
    assert solve(instance).objective == -6.0
    instance.relax_constraint(2, "for a bound")
    assert list(as_problem(instance).cqm.constraints) == [1]
    relaxed = solve(instance)
    assert (relaxed.objective, np.asarray(relaxed.best).tolist()) == (-7.0, [0, 0, 1, 1])
    instance.restore_constraint(2)
    assert solve(instance).objective == -6.0
