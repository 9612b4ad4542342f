"""Training in a study: the same run with solver after solver, stored, continued, and shown on the page."""

import json

import pytest
from typer.testing import CliRunner

from qproj.cli import app
from qproj.lab.studies.solver_table import percent
from qproj.lab.studies.study_file import read_study_file
from qproj.lab.studies.training_cost import TrainingPlan, check_training, read_training, run_training, training_lines

STUDY = """\
instances = ["random:n=8,d=5,neurons=2"]
solvers = ["local-search", "sign", "sa:num_sweeps=5"]
reads = 5
seeds = 1
train = ["digits-0-2"]
train_epochs = 1
train_seeds = 2
train_settings = { lr = 0.05 }
"""


@pytest.fixture
def study(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(STUDY)
    return file


@pytest.mark.slow
def test_a_study_trains_with_its_plain_solvers_and_the_null_model(study, tmp_path):
    out = tmp_path / "out"
    command = ["compare", str(study), "--out", str(out), "--workers", "1"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    records = read_training(out)
    assert {record["solver"] for record in records} == {"local-search", "sign", "random"}
    assert len(records) == 6
    assert all(record["settings"]["lr"] == 0.05 for record in records)
    page = (out / "report.html").read_text()
    for line in training_lines(records):
        assert f'<td class="num">{percent(line.accuracy)}</td>' in page

    before = {file.name: file.stat().st_mtime_ns for file in (out / "training" / "runs").iterdir()}
    assert CliRunner().invoke(app, command).exit_code == 0
    assert {file.name: file.stat().st_mtime_ns for file in (out / "training" / "runs").iterdir()} == before


def test_runs_that_are_there_are_not_done_again(study, tmp_path):
    plan = read_study_file(study).training()
    told = []
    first = run_training(plan, tmp_path / "out", watch=lambda done, runs: told.append((done, runs)))
    assert told[-1][1] == plan.num_runs == 6
    told.clear()
    assert run_training(plan, tmp_path / "out", watch=lambda done, runs: told.append((done, runs))) == first
    assert told == []
    assert json.loads((tmp_path / "out" / "training.json").read_text())["epochs"] == 1


def test_a_line_is_the_mean_of_its_seeds(study, tmp_path):
    records = run_training(read_study_file(study).training(), tmp_path / "out")
    lines = {line.solver: line for line in training_lines(records)}
    own = [record["test_accuracy"] for record in records if record["solver"] == "sign"]
    assert lines["sign"].accuracy == pytest.approx(sum(own) / 2)
    assert lines["sign"].seeds == 2
    assert [line.accuracy for line in training_lines(records)] == sorted(
        (line.accuracy for line in lines.values()), reverse=True
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"experiments": ("digit-0-2",)}, "did you mean 'digits-0-2'"),
        ({"optimizer": "signsgd"}, "no solver matters"),
        ({"settings": {"learning_rate": 1.0}}, "has no setting learning_rate"),
    ],
)
def test_mistakes_are_refused_before_anything_is_trained(change, words):
    plan = TrainingPlan(**{"experiments": ("digits-0-2",), "solvers": ("sign",), **change})
    with pytest.raises(ValueError, match=words):
        check_training(plan)


def test_a_study_without_a_plain_solver_or_without_training(study):
    text = STUDY.replace('"local-search", "sign", ', "")
    study.write_text(text)
    with pytest.raises(ValueError, match="by plain name"):
        read_study_file(study).training()
    study.write_text(text.replace('train = ["digits-0-2"]\n', ""))
    assert read_study_file(study).training() is None
