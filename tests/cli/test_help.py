"""Help texts: one meaning per option, no Python types, nothing cut, examples that parse; encodings; completion."""

import os
import re
import shlex
import subprocess
import sys

import click
import pytest
import typer
from typer.testing import CliRunner

from qproj.cli import app

run = CliRunner().invoke


def leaves(command=None, path=()):
    """Every command without subcommands, with its words."""
    command = typer.main.get_command(app) if command is None else command
    inner = getattr(command, "commands", None)
    if not inner:
        return [(path, command)]
    return [leaf for name, sub in inner.items() for leaf in leaves(sub, (*path, name))]


LEAVES = leaves()
IDS = [" ".join(path) for path, _ in LEAVES]


def shown(path, columns):
    done = run(app, [*path, "--help"], env={"COLUMNS": str(columns)})
    assert done.exit_code == 0
    return done.stdout


def test_there_are_commands():
    assert len(LEAVES) > 10


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize(("path", "command"), LEAVES, ids=IDS)
def test_help_is_whole_at_any_width(path, command, columns):
    text = shown(path, columns)
    assert max(len(line) for line in text.splitlines()) <= max(columns, 80)
    assert not re.search(r"<(bool|str|int|float|path|list|Path)", text)
    assert "list[" not in text
    assert "..." not in text.replace("NAME...", "").replace("DIR...", "")
    unbroken = set(text.split())
    for parameter in command.params:
        words = (getattr(parameter, "help", None) or "").split()
        assert words
        assert set(words) <= unbroken, f"a word of {parameter.name} is broken: {set(words) - unbroken}"


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=IDS)
def test_options_name_what_they_take_and_their_default(path, command):
    text = shown(path, 80)
    for parameter in command.params:
        if parameter.param_type_name != "option" or parameter.name == "help" or parameter.is_flag:
            continue
        assert parameter.metavar, f"{parameter.name} has no metavar"
        known = parameter.default not in (None, "", ())
        assert known or parameter.required or re.search(r"by default|may be repeated|instead", parameter.help), (
            f"--{parameter.name} has no default in its help"
        )
        if known:
            assert f"[default:{parameter.default}]" in re.sub(r"\s", "", text)


def test_an_option_means_the_same_in_every_command():
    """One word per concept: an option that several commands have takes the same kind of value in all of them."""
    kinds = {}
    for _, command in LEAVES:
        for parameter in command.params:
            if parameter.param_type_name == "option":
                kinds.setdefault(parameter.opts[0], set()).add((parameter.metavar or "").rstrip(",…"))
    assert {"--seed", "--seeds", "--time-limit", "--reads"} <= set(kinds)
    paths = {"--out": {"FILE", "DIR", "PATH"}}
    for option, found in kinds.items():
        assert len(found) == 1 or found <= paths.get(option, set()), (option, found)
    assert kinds["--seed"] == {"N"}
    assert kinds["--seeds"] == {"N or N"}


def examples():
    for path, command in LEAVES:
        for line in (command.help or "").partition("Examples:")[2].splitlines():
            if line.strip():
                yield pytest.param(path, line.strip(), id=line.strip())


@pytest.mark.parametrize(("path", "line"), list(examples()))
def test_examples_name_their_command_and_options_that_exist(path, line):
    words = shlex.split(line)
    assert words[: len(path) + 1] == ["qproj", *path]
    command = dict(LEAVES)[path]
    with click.Context(typer.main.get_command(app)):
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known
    assert len(line) <= 76


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "latin-1", "ascii", "cp437"])
@pytest.mark.parametrize("arguments", [["--help"], ["project", "--help"], ["solvers"], ["solvers", "--json"]])
def test_any_encoding_of_stdout_will_do(encoding, arguments):
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-m", "qproj", *arguments], env=environment, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert len(done.stdout) > 200


def test_signs_that_an_encoding_lacks_are_written_in_plain_words():
    from qproj.cli.plain_text import HANDLER

    assert "±1 × σ ≥ 2 µs …".encode("ascii", HANDLER) == b"+-1 x sigma >= 2 us ..."
    assert "漢".encode("cp1252", HANDLER) == b"?"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell):
    environment = {**os.environ, "_QPROJ_COMPLETE": f"source_{shell}"}
    done = subprocess.run(
        [sys.executable, "-m", "qproj"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "qproj" in done.stdout


def test_solvers_and_experiments_are_completed():
    from qproj.cli.options import complete_solver
    from qproj.cli.train import complete_experiment

    assert "auto" in complete_solver("au")
    assert "sa,tabu" in complete_solver("sa,ta")
    assert complete_experiment("digits") == ["digits-0-2"]


def test_the_help_of_train_names_every_experiment_and_optimiser():
    from qproj.lab.training.experiments import EXPERIMENTS, ON_FUNCTIONS, OPTIMIZERS

    words = set(re.split(r"[\s,;.]+", shown(("train",), 80)))
    assert not {*OPTIMIZERS, *ON_FUNCTIONS} - words
    pairs = {name for name in EXPERIMENTS if re.fullmatch(r"(mnist|digits)-\d-\d", name)}
    assert not set(EXPERIMENTS) - pairs - words
