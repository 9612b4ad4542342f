"""Solvers of the user's own, named module:object wherever a registered name goes."""

import json
import os
import subprocess
import sys

import pytest

import qproj
from qproj.solvers.specs import parse_solver, parse_solvers

SOURCE = """
from qproj.solvers.builtin.random import Random

class Mine(Random):
    name = "mine"

    def __init__(self, *, depth: int = 1) -> None:
        self.depth = depth

made = Mine()
nothing = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "own_solver_here.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "own_solver_here"
    sys.modules.pop("own_solver_here", None)


def test_texts_of_own_solvers_come_back(module):
    for text in (f"{module}:Mine", f"{module}:Mine:depth=3", f"polished({module}:Mine:depth=3)", f"{module}:made"):
        assert parse_solver(text).text == text
        assert parse_solver(parse_solver(text).text) == parse_solver(text)
    assert parse_solver(f"{module}:Mine:depth=3").make().depth == 3
    two = parse_solvers(f"{module}:Mine:depth=1|2,sa:num_sweeps=5")
    assert [one.text for one in two] == [f"{module}:Mine:depth=1", f"{module}:Mine:depth=2", "sa:num_sweeps=5"]
    assert qproj.get_solver(f"{module}:made").depth == 1


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [("Absent", ValueError, "cannot be found"), ("nothing", ValueError, "not a solver"),
     ("Mine:dept=2", TypeError, "depth"), ("made:depth=2", TypeError, "made already")],
)  # fmt: skip
def test_what_is_no_solver_is_refused(module, name, error, message):
    with pytest.raises(error, match=message):
        parse_solver(f"{module}:{name}")


def test_a_study_of_the_command_line_takes_an_own_solver(module, tmp_path):
    command = [
        sys.executable, "-m", "qproj", "compare", "--instances", "random:n=9,d=5,neurons=2", "--solvers",
        f"exhaustive,{module}:Mine:depth=2", "--seeds", "1", "--reads", "4", "--workers", "2",
        "--out", str(tmp_path / "study"), "--json",
    ]  # fmt: skip
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths}, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{module}:Mine:depth=2" in json.dumps(json.loads(done.stdout))


@pytest.mark.slow
def test_an_installed_command_finds_own_solvers_in_the_working_folder(module, tmp_path):
    """`-P` leaves the working folder off the path, as the script of an installed command does."""
    command = [sys.executable, "-P", "-m", "qproj"]
    study = ["--instances", "random:n=9,d=5,neurons=2", "--seeds", "1", "--workers", "1", "--out", "study", "--json"]

    def ran(*arguments):
        return subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)

    done = ran("compare", "--solvers", f"{module}:Mine:depth=2", *study)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["failed"], told["solvers"][0]["label"]) == (0, f"{module}:Mine:depth=2")
    (tmp_path / "numpy.py").write_text("raise SystemExit('not the installed one')")
    assert ran("compare", "--solvers", f"{module}:Mine", *study).returncode == 0
    missing = ran("validate", "nowhere_at_all:Mine")
    assert missing.returncode == 2
    assert "No module named 'nowhere_at_all'" in missing.stderr
