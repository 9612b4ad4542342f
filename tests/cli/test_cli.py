"""The command line: projections from files, the list of solvers, errors in one line with exit code 2."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import qproj
from qproj.cli import COMMANDS, app

run = CliRunner().invoke


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(1)
    X, T = rng.choice([-1, 1], (12, 7)), rng.normal(size=(12, 3))
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "T.npy", T)
    return tmp_path, X, T


def test_project_writes_the_weights_that_the_library_finds(files):
    folder, X, T = files
    out = folder / "V.npz"
    arguments = ["project", str(folder / "X.npy"), str(folder / "T.npy"), "--out", str(out), "--json"]
    done = run(app, arguments)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    layer = qproj.project(X, T)
    with np.load(out, allow_pickle=False) as saved:
        np.testing.assert_array_equal(saved["weights"], layer.weights)
        np.testing.assert_array_equal(saved["gain"], layer.gain)
        assert saved["status"].tolist() == ["optimal"] * 3
    assert told["proved"] == 3
    assert [neuron["gain"] for neuron in told["neurons"]] == layer.gain.tolist()


def test_a_vector_of_targets_is_one_neuron(files):
    folder, _, T = files
    np.save(folder / "t.npy", T[:, 0])
    done = run(app, ["project", str(folder / "X.npy"), str(folder / "t.npy")])
    assert done.exit_code == 0
    assert "1 of 1 neurons proved optimal by auto" in done.stdout


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        (["--solver", "atuo"], "did you mean 'auto'"),
        (["--solver", "sa:num_sweps=5"], "did you mean 'num_sweeps'"),
        (["--solver", "sa:num_sweeps=0"], "integer ≥ 1"),
        (["--solver", "polish(sa)"], "did you mean 'polished'"),
        (["--time-limit", "-1"], "finite number of seconds > 0"),
        (["--seed", "-1"], "seed is -1"),
        (["--reads", "5"], "has no num_reads"),
        (["--out", "V.txt"], "ending in .npz"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(files, extra, text):
    folder, *_ = files
    done = run(app, ["project", str(folder / "X.npy"), str(folder / "T.npy"), *extra])
    assert done.exit_code == 2
    assert text in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.output


def test_an_interrupted_import_is_no_missing_package(monkeypatch):
    def fail():
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr("qproj.solvers.registry.list_solvers", fail)
    done = run(app, ["solvers"])
    assert (done.exit_code, done.stderr) == (130, "stopped\n")


def test_files_that_are_none_or_pickled_are_refused(files):
    folder, *_ = files
    done = run(app, ["project", str(folder / "no.npy"), str(folder / "T.npy")])
    assert done.exit_code == 2
    assert "is not a file" in done.stderr
    np.save(folder / "bad.npy", np.array([{"a": 1}], object), allow_pickle=True)
    done = run(app, ["project", str(folder / "bad.npy"), str(folder / "T.npy")])
    assert done.exit_code == 2
    assert "numpy.save" in done.stderr


def test_solvers_lists_every_registered_name():
    done = run(app, ["solvers", "--json"])
    assert done.exit_code == 0
    listed = json.loads(done.stdout)
    assert {entry["name"] for entry in listed} == {info.name for info in qproj.list_solvers()}
    assert all(entry["ready"] for entry in listed if entry["name"] in {"auto", "sa", "sign", "random"})
    table = run(app, ["solvers"]).stdout
    assert all(entry["name"] in table for entry in listed)


def test_every_command_has_help_with_an_example():
    import typer

    commands = typer.main.get_command(app).commands
    assert set(commands) >= {"project", "solvers"}
    for name, command in commands.items():
        assert name in COMMANDS
        shown = run(app, [name, "--help"])
        assert shown.exit_code == 0
        if not getattr(command, "commands", None):
            assert f"qproj {name}" in (command.help or ""), f"`qproj {name} --help` has no example"


def test_the_installed_command_works():
    done = subprocess.run(
        [sys.executable, "-m", "qproj", "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stdout.strip() == qproj.__version__
    done = subprocess.run(
        [sys.executable, "-m", "qproj", "project", "a", "b"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
