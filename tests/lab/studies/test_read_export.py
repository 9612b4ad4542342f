"""Every read with its gain, energy, occurrences and chain breaks: equal to the sampler's own, in parquet and csv."""

import dimod
import numpy as np
import polars
import pytest

import qproj
from qproj.lab.datasets.instances import LayerInstance
from qproj.lab.studies.outcome import pack_table, perform, unpack_table
from qproj.lab.studies.plan import RunLimits
from qproj.lab.studies.read_export import read_frame_of_reads, write_reads
from qproj.lab.studies.store import FILE
from qproj.lab.studies.study import Study


class Broken(dimod.Sampler):
    """Two distinct reads, of three and one occurrences, the second with half of its chains broken."""

    properties = {}  # noqa: RUF012
    parameters = {"num_reads": []}  # noqa: RUF012

    def sample(self, bqm, **_):
        labels = list(bqm.variables)
        low = min(bqm.vartype.value)
        rows = np.array([[1] * len(labels), [low] * len(labels)])
        return dimod.SampleSet.from_samples_bqm(
            (rows, labels), bqm, num_occurrences=[3, 1], chain_break_fraction=np.array([0.0, 0.5])
        )


@pytest.fixture(scope="module")
def layer():
    rng = np.random.default_rng(3)
    return LayerInstance("tiny", rng.choice([-1, 1], (6, 5)), rng.normal(size=(6, 2)), source="test")


@pytest.fixture(scope="module")
def folder(layer, tmp_path_factory):
    study = Study(tmp_path_factory.mktemp("reads"), [layer], "auto,sa:encoding=margin", reads=[7], seeds=1, nulls=False)
    study.run(workers=1)
    return study.folder


def test_tables_come_back_as_they_were():
    rows = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, -0.5]])
    np.testing.assert_array_equal(unpack_table(pack_table(rows), 3), rows)


def test_occurrences_and_chain_breaks_are_the_sampler_s_own(layer):
    solver = qproj.from_sampler(Broken(), encoding="margin")
    problem = layer.problems[0]
    outcome = perform("key", problem, solver, RunLimits(4, None, None))
    assert outcome.reads == 4
    table = unpack_table(outcome.read_table, 4)
    np.testing.assert_array_equal(table[:, 2:], [[3, 0.0], [1, 0.5]])
    ones = np.ones(5)
    np.testing.assert_allclose(table[:, 0], [problem.gain(ones), problem.gain(-ones)])
    bqm = problem.encode("margin").bqm
    np.testing.assert_allclose(table[:, 1], [bqm.energy(dict.fromkeys(bqm.variables, x)) for x in (1, 0)])


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_every_read_has_a_row(folder, tmp_path, ending):
    out = tmp_path / f"reads.{ending}"
    assert write_reads(folder, out) == 14
    found = polars.read_parquet(out) if ending == "parquet" else polars.read_csv(out)
    assert found.columns == read_frame_of_reads(folder).columns
    assert found["solver"].unique().to_list() == ["sa:encoding=margin"]
    assert found["occurrences"].sum() == 14
    assert found["chain_breaks"].null_count() == 14
    assert found["energy"].null_count() == 0
    for _, run in found.group_by("run"):
        assert run["gain"].to_list() == sorted(run["gain"].to_list(), reverse=True)
        assert ((run["gap"] == 0) == run["optimal"]).all()


def test_studies_from_before_keep_their_gains(folder, tmp_path):
    import shutil
    import sqlite3

    old = shutil.copytree(folder, tmp_path / "old")
    with sqlite3.connect(old / FILE) as db:
        db.execute("ALTER TABLE run DROP COLUMN read_table")
        db.execute("ALTER TABLE run DROP COLUMN events")
        db.execute("ALTER TABLE run DROP COLUMN seal")
        db.execute("PRAGMA user_version = 3")
    found, whole = read_frame_of_reads(old), read_frame_of_reads(folder)
    assert found["energy"].null_count() == found.height == 14
    np.testing.assert_allclose(found["gain"].to_numpy(), whole["gain"].to_numpy())


def test_the_file_is_parquet_or_csv(folder, tmp_path):
    with pytest.raises(ValueError, match=r"\.parquet or \.csv"):
        write_reads(folder, tmp_path / "reads.txt")
    study = Study(tmp_path / "none", ["random:n=6,d=4,neurons=1"], "sign", seeds=1)
    study.run(workers=1)
    with pytest.raises(ValueError, match="holds no reads"):
        write_reads(study.folder, tmp_path / "reads.csv")
