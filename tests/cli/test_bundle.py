"""``qproj bundle``: unpacked in an empty directory, a study is run again and compared."""

import json
import sqlite3
import subprocess
import sys
import tarfile

import pytest
from typer.testing import CliRunner

from qproj.cli import app
from qproj.lab.studies.frame import read_runs
from qproj.lab.studies.store import StudyStore
from qproj.lab.studies.study import Study
from qproj.lab.studies.study_bundle import unpack_bundle, write_bundle
from qproj.solvers.builtin.random import Random

run = CliRunner().invoke


class Mine(Random):
    name = "mine"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two plans in one folder: layers and models with three solvers, and a layer with another one."""
    folder = tmp_path_factory.mktemp("bundled") / "s"
    instances = ["random:n=10,d=5,neurons=2", "curvature:n=20,d=5,neurons=2"]
    Study(folder, instances, "auto,sa", seeds=[3], reads=[10], time_limits_s=[None]).run(workers=1)
    Study(folder, ["random:n=8,d=5,neurons=1"], ["sign"], nulls=False, seeds=[3]).run(workers=1)
    return folder


def test_a_bundle_is_run_again_in_an_empty_directory(study, tmp_path):
    archive = tmp_path / "s.tar.xz"
    assert run(app, ["bundle", str(study), "--out", str(archive)]).exit_code == 0
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "qproj", "compare", str(archive), "--out", "again", "--workers", "1", "--json"],
        cwd=empty, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = {row["solver"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {"auto", "sa", "random", "sign"}
    assert all(row["gap_a"] == row["gap_b"] for row in rows.values())
    with StudyStore(study) as first, StudyStore(empty / "again") as second:
        assert first.done() == second.done()
        gains = [dict(zip(runs["run"], runs["gain"], strict=True)) for runs in map(read_runs, (first, second))]
        assert gains[0] == gains[1]


def test_what_is_in_a_bundle(study, tmp_path):
    made = write_bundle(study, tmp_path / "s.tar.xz")
    assert [str(file) for file in made.files] == ["study-1.toml", "study-2.toml"]
    with tarfile.open(tmp_path / "s.tar.xz") as tar:
        names = set(tar.getnames())
    parts = {"README.md", "environment.json", "original/rows.csv", "original/study.sqlite", "instances/layers-1.npz"}
    assert parts < names
    found = unpack_bundle(tmp_path / "s.tar.xz", tmp_path / "there")
    text = (tmp_path / "there" / "README.md").read_text()
    assert "qproj compare BUNDLE.tar.xz --out again" in text
    with sqlite3.connect(found.original / "study.sqlite") as db:
        assert db.execute("SELECT count(*) FROM owner").fetchone() == (0,)


def test_a_solver_that_no_text_names_is_named(tmp_path):
    Study(tmp_path / "s", ["random:n=8,d=5,neurons=1"], [Mine(), "sign"], nulls=False, seeds=1).run(workers=1)
    made = write_bundle(tmp_path / "s", tmp_path / "s.tar.xz")
    assert made.left_out == ("mine",)
    told = run(app, ["bundle", str(tmp_path / "s")])
    assert "Not run again, because no text names them: mine." in told.stdout


def test_other_archives_are_refused(study, tmp_path):
    with pytest.raises(ValueError, match=r"not called .tar.xz"):
        write_bundle(study, tmp_path / "s.zip")
    (tmp_path / "no.tar.xz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a readable bundle"):
        unpack_bundle(tmp_path / "no.tar.xz", tmp_path / "x")
    with tarfile.open(tmp_path / "other.tar.xz", "w:xz") as tar:
        tar.add(__file__, "a.py")
    with pytest.raises(ValueError, match="not of a study"):
        unpack_bundle(tmp_path / "other.tar.xz", tmp_path / "y")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.999])
def test_a_damaged_bundle_is_refused(study, tmp_path, share):
    write_bundle(study, tmp_path / "s.tar.xz")
    data = bytearray((tmp_path / "s.tar.xz").read_bytes())
    data[int(share * len(data)) :] = data[int(share * len(data)) : -9]
    (tmp_path / "short.tar.xz").write_bytes(data)
    data = bytearray((tmp_path / "s.tar.xz").read_bytes())
    data[int(share * len(data))] ^= 0x5A
    (tmp_path / "bent.tar.xz").write_bytes(data)
    for name in ("short", "bent"):
        with pytest.raises(ValueError, match="not a readable bundle"):
            unpack_bundle(tmp_path / f"{name}.tar.xz", tmp_path / name)


def test_a_full_disk_leaves_the_bundle_that_was_there(study, tmp_path):
    archive = tmp_path / "s.tar.xz"
    write_bundle(study, archive)
    before = archive.read_bytes()
    command = [sys.executable, "-m", "qproj", "bundle", str(study), "--out", str(archive)]
    limited = ["bash", "-c", 'ulimit -f 20; exec "$@"', "bash", *command]  # no file of more than 20 blocks
    done = subprocess.run(limited, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert archive.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["s.tar.xz"]
