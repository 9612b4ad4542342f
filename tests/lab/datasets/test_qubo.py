import csv
import shutil

import pytest

from qproj import get_solver
from qproj.lab.datasets import DataUnavailableError, load_qubo, qubo_names


def test_every_published_instance_is_read(data_dir):
    names = qubo_names()
    assert len(names) >= 90
    with (data_dir / "qubo" / "best_known.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert set(names) == set(rows)
    for name in [name for name in names if int(rows[name]["n"]) <= 60]:
        instance = load_qubo(name)
        row = rows[name]
        entries = sum(bias != 0 for bias in instance.bqm.linear.values()) + instance.bqm.num_interactions
        assert (instance.bqm.num_variables, entries) == (int(row["n"]), int(row["nnz"]))
        assert (instance.best_known, instance.proved) == (int(row["best_value"]), True)


@pytest.mark.parametrize("name", ["bqp50-1", "gka1b", "g05_60.0"])
def test_the_published_optimum_is_met_and_not_undercut(data_dir, name):
    instance = load_qubo(name)
    solution = get_solver("sa").solve(instance.bqm, num_reads=200, seed=0)
    assert solution.objective == instance.best_known


def test_requests_that_fail(data_dir, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="did you mean 'bqp50-1'"):
        load_qubo("bqp50_1")
    shutil.copytree(
        data_dir / "qubo", tmp_path / "qubo", ignore=lambda _, names: [n for n in names if "bqp50-1" not in n]
    )
    monkeypatch.setenv("QPROJ_DATA_DIR", str(tmp_path))
    alone = load_qubo("bqp50-1")
    assert (alone.best_known, alone.proved) == (None, False)
    table = tmp_path / "qubo" / "best_known.csv"
    for text in ("a,b\n1,2\n", "name,n,nnz,best_value,sense,proved\nbqp50-1,51,1,-3,min,y\n",
                 "name,n,nnz,best_value,sense,proved\nbqp50-1,50,1,-3,max,y\n",
                 "name,n,nnz,best_value,sense,proved\nbqp50-1,x,1,-3,min,y\n"):  # fmt: skip
        table.write_text(text)
        with pytest.raises(ValueError, match=r"best_known\.csv"):
            load_qubo("bqp50-1")
    monkeypatch.delenv("QPROJ_DATA_DIR")
    with pytest.raises(DataUnavailableError, match="read_model"):
        qubo_names()
