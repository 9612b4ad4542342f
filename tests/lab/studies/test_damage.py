"""A stored study is believed as far as its weights and seals bear it out; a damaged one is one line, exit code 2."""

import random
import shutil
import sqlite3

import numpy as np
import pytest
from typer.testing import CliRunner

from qproj.cli import app
from qproj.lab.studies.results import Results
from qproj.lab.studies.schema import SCHEMA
from qproj.lab.studies.store import FILE, StudyStore
from qproj.lab.studies.study import Study


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    from .conftest import small_layers

    folder = tmp_path_factory.mktemp("kept") / "study"
    Study(folder, small_layers(), "sign,exhaustive", seeds=1, reads=[5]).run(workers=1)
    return folder


@pytest.fixture
def study(kept, tmp_path):
    return shutil.copytree(kept, tmp_path / "study")


def changed(folder, *statements):
    db = sqlite3.connect(folder / FILE)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def sign_rows(folder):
    runs = Results.read(folder).runs
    return runs.where(runs["solver_name"] == "sign")


SIGN = "solver = (SELECT id FROM solver WHERE text = 'sign')"


def test_an_honest_study_is_believed(study):
    results = Results.read(study)
    assert not results.runs.failed.any()
    assert results.optima == results.neurons == 6
    with StudyStore(study) as store:
        assert not store.broken()


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE run SET status = 'optimal', termination = 'proved', gain = gain + 100 WHERE {SIGN}",
        f"UPDATE run SET status = 'optimal', termination = 'proved' WHERE {SIGN}",
        f"UPDATE run SET gain = (SELECT max(gain) FROM run) WHERE {SIGN}",
        f"UPDATE run SET wall_s = wall_s / 1000 WHERE {SIGN}",
        f"UPDATE run SET best = NULL WHERE {SIGN}",
        f"UPDATE run SET seal = NULL, status = 'optimal' WHERE {SIGN}",
        f"UPDATE run SET solver = (SELECT id FROM solver WHERE text = 'exhaustive'), key = key || 'x' WHERE {SIGN}",
        "UPDATE solver SET exact = 1 WHERE text = 'sign'",
    ],
)
def test_a_changed_row_counts_for_nothing(study, statement):
    before = Results.read(study)
    changed(study, statement)
    after = Results.read(study)
    runs = after.runs
    assert set(runs["status"][runs.failed]) == {"wrong"}
    assert runs.failed.sum() == 6
    np.testing.assert_array_equal(after.known.gain, before.known.gain)
    assert after.optima == before.optima
    assert {line.proved.value for line in after.lines if line.label == "sign"} <= {0.0}


def test_gains_are_those_of_the_weights_even_where_the_seal_was_recomputed(study):
    from qproj.lab.studies.seals import Seals

    changed(study, f"UPDATE run SET status = 'optimal', termination = 'proved', gain = gain + 100 WHERE {SIGN}")
    with StudyStore(study) as store:
        Seals(store._db).write()
        assert not store.broken()
    runs = sign_rows(study)
    assert set(runs["status"]) == {"wrong"}
    assert "its weights have" in runs["message"][0]
    assert (runs["gain"] < 100).all()
    # a true gain, and a proof by a solver that proves nothing
    changed(study, f"UPDATE run SET gain = gain - 100 WHERE {SIGN}")
    with StudyStore(study) as store:
        Seals(store._db).write()
    runs = sign_rows(study)
    assert set(runs["status"]) <= {"wrong", "optimal"}
    assert "wrong" in runs["status"]


@pytest.mark.parametrize("column", ["scale", "key"])
def test_a_changed_neuron_counts_for_nothing(study, column):
    changed(study, f"UPDATE neuron SET {column} = {'scale / 2' if column == 'scale' else 'key || 1'}")
    assert Results.read(study).runs.failed.all()


def test_changed_runs_are_run_again_on_request(study, layers):
    changed(study, f"UPDATE run SET gain = gain + 100 WHERE {SIGN}")
    Study(study, layers, "sign,exhaustive", seeds=1, reads=[5]).run(workers=1, retry_failed=True)
    assert not Results.read(study).runs.failed.any()


def test_an_older_study_is_sealed_as_it_is_found(study):
    changed(study, "ALTER TABLE run DROP COLUMN seal", "PRAGMA user_version = 4")
    assert not Results.read(study).runs.failed.any()
    changed(study, "UPDATE run SET wall_s = wall_s + 1.0")
    assert Results.read(study).runs.failed.all()
    db = sqlite3.connect(study / FILE)
    assert db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA
    db.close()


COMMANDS = [
    ["report", "{study}"],
    ["export", "{study}", "--format", "csv", "--out", "{tmp}/x.csv"],
    ["export", "{study}", "--format", "npz", "--out", "{tmp}/x.npz"],
    ["compare", "--instances", "random:n=8,d=5,neurons=1", "--solvers", "sign", "--seeds", "1", "--out", "{study}",
     "--workers", "1"],
]  # fmt: skip


def spoiled(study, fault, rng):
    file = study / FILE
    for rest in study.glob(FILE + "-*"):
        rest.unlink()
    data = bytearray(file.read_bytes())
    if fault == "truncated":
        file.write_bytes(data[: len(data) // 3])
    elif fault == "garbage":
        file.write_bytes(bytes(rng.randrange(256) for _ in range(5000)))
    elif fault == "head alone":
        file.write_bytes(data[:100])
    elif fault == "flipped":
        for _ in range(2000):
            data[rng.randrange(100, len(data))] = rng.randrange(256)
        file.write_bytes(data)
    elif fault.startswith("no table"):
        changed(study, "PRAGMA foreign_keys = OFF", f"DROP TABLE {fault.split()[-1]}")
    elif fault == "arrays":
        changed(study, "UPDATE instance SET arrays = x'504b0304'")
    elif fault == "other arrays":
        changed(study, "UPDATE instance SET arrays = (SELECT max(arrays) FROM instance)")
    elif fault == "reads":
        changed(study, "UPDATE run SET read_gains = x'00', best = x'01'")
    elif fault == "environment":
        changed(study, "UPDATE environment SET content = '{'")
    elif fault == "meta":
        changed(study, "UPDATE instance SET meta = '[1'")


@pytest.mark.parametrize(
    "fault",
    ["truncated", "garbage", "head alone", "no table run", "no table neuron", "no table instance", "no table solver",
     "no table environment", "arrays", "other arrays", "meta", "environment", "reads"],
)  # fmt: skip
def test_a_damaged_study_is_one_line(study, fault, tmp_path):
    spoiled(study, fault, random.Random(fault))
    for command in COMMANDS[:1] if fault in ("reads", "environment") else COMMANDS:
        asked = [part.format(study=study, tmp=tmp_path) for part in command]
        done = CliRunner().invoke(app, asked)
        if command[0] == "compare" and fault in ("arrays", "other arrays", "meta"):
            assert done.exit_code in (0, 2)
        elif fault.endswith("environment") and command[0] == "export":
            continue
        else:
            assert done.exit_code == 2, (asked, done.output)
        if done.exit_code == 2:
            assert len(done.stderr.strip().splitlines()) == 1, done.stderr
            assert "Traceback" not in done.output


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_are_a_study_or_one_line(study, seed, tmp_path):
    spoiled(study, "flipped", random.Random(seed))
    done = CliRunner().invoke(app, ["report", str(study)])
    assert done.exit_code in (0, 2), done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
