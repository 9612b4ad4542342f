"""qproj validate."""

import json

import pytest
from typer.testing import CliRunner

from qproj.cli import app


def run(*arguments):
    return CliRunner().invoke(app, ["validate", *arguments])


def test_a_table_of_checks():
    done = run("sign")
    assert done.exit_code == 0
    assert "objective recomputed" in done.stdout
    assert "0 of" in done.stdout


def test_json_and_a_class_by_its_path():
    done = run("qproj.solvers.builtin.sign_direction:Sign", "--json")
    report = json.loads(done.stdout)
    assert report["passed"] is True
    assert {c["outcome"] for c in report["checks"]} == {"passed", "skipped"}


def test_a_failing_check_is_exit_code_one():
    done = run("sign", "--expect-failure", "timing_sane")
    assert done.exit_code == 1
    assert "take it off the list" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sgn"], "did you mean 'sign'"),
        (["no_module:Solver"], "module:Class"),
        (["qproj.solvers.builtin.sign_direction:Sing"], "module:Class"),
        (["json:dumps"], "is not a solver"),
        (["sign", "--expect-failure", "timing"], "unknown check"),
        (["tabu", "--qubos", "/nowhere"], "is not a folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(arguments, words):
    done = run(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr


def test_published_instances(data_dir):
    done = run("tabu", "--qubos", str(data_dir / "qubo"), "--largest", "20", "--time-limit", "0.5", "--json")
    report = json.loads(done.stdout)
    assert report["share"] == 1.0
    assert report["instances"]
