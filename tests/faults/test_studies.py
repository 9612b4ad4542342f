"""Faulty solvers in a study: each fault costs its own rows, named as what it was, and nobody else's."""

import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pytest

from qproj.lab.datasets.instances import LayerInstance
from qproj.lab.studies.study import Study

sys.path.insert(0, str(Path(__file__).parent))
import faulty
from faulty import FAULTS, Faulty

STATUS = {
    "raise": "raised", "none": "wrong", "empty": "no_solution", "nan": "wrong", "shape": "wrong", "values": "wrong",
    "energies": "wrong", "proof": "wrong", "partial": "wrong", "crash": "crashed", "hang": "hung",
}  # fmt: skip


@pytest.fixture
def layers():
    rng = np.random.default_rng(5)
    return [
        LayerInstance(f"small/{i}", rng.choice([-1, 1], (24, 9)), rng.normal(size=(24, 2)), source="test")
        for i in range(2)
    ]


class Small(Faulty):
    """Faulty on neurons of 9 weights; honest on the warm-up's 13."""

    def solve(self, problem, **limits):
        self.share = float(problem.num_variables == 9)
        return super().solve(problem, **limits)


def study(folder, layers, solvers, **options):
    made = Study(folder, layers, solvers, reads=[10], seeds=2, nulls=False, **options)
    ended = made.run(workers=1, grace_s=0.5)
    assert ended.done == ended.total == made.plan.num_runs
    runs = made.frame.sort("run")
    assert runs["run"].to_list() == sorted(run.key for run in made.plan.runs)  # no row lost, none doubled
    return runs


def of(runs, *solvers):
    found = runs.filter(runs["solver"].is_in(solvers))
    assert len(found) > 0
    return found


@pytest.mark.slow
def test_each_fault_is_a_row_that_says_so_and_the_others_are_as_without_it(tmp_path, layers, tally):
    cloudpickle.register_pickle_by_value(faulty)
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    alone = study(tmp_path / "alone", layers, ["sign", "sa"], time_limits_s=[None])
    for fault in [*FAULTS, "crash", "hang"]:
        solver = Small([fault])
        solver.name = f"faulty-{fault}"
        limits = [0.2] if fault == "hang" else [None]
        runs = study(tmp_path / fault, layers, [solver, "sign"] if fault == "hang" else [solver, "sign", "sa"],
                     time_limits_s=limits)  # fmt: skip
        mine = runs.filter(~runs["solver"].is_in(["sign", "sa"]))
        assert len(mine) == 8
        assert set(mine["status"]) == {STATUS[fault]}, (fault, set(mine["status"]), set(mine["message"]))
        outcome = f"a row with status `{STATUS[fault]}`; all other rows as without it"
        if fault != "hang":
            columns = ["run", "status", "gain", "objective"]
            assert of(runs, "sign", "sa").select(columns).equals(of(alone, "sign", "sa").select(columns))
        tally(f"study: solver, {fault}", len(mine), outcome)
