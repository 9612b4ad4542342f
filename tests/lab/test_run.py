"""The lab's door: `run` accepts studies and study files, and returns the results of all that is in its folder."""

import pytest

from qproj.lab import Results, Study, run
from qproj.lab.datasets import LayerInstance, save_instances

FILE = """
instances = ["mine.npz"]
solvers = ["sign", "random"]
reads = 10
time_limits_s = "none"
seeds = [4, 7]
workers = 1
"""


@pytest.fixture
def layer():
    return LayerInstance("mine", [[1, -1, 1], [1, 1, 1], [-1, 1, 1]], [[0.5], [-0.25], [1.0]], source="mine")


def test_a_study_and_its_file_give_the_same_rows(layer, tmp_path):
    save_instances(tmp_path / "mine.npz", [layer])
    (tmp_path / "study.toml").write_text(FILE)
    heard = []
    from_file = run(tmp_path / "study.toml", tmp_path / "a", on_progress=heard.append)
    study = Study(tmp_path / "b", [layer], "sign,random", reads=[10], time_limits_s=[None], seeds=[4, 7])
    from_study = run(study, workers=1)
    assert isinstance(from_file, Results)
    assert (heard[0].done, heard[-1].done, heard[-1].total) == (0, 3, 3)
    assert from_file.runs["run"].tolist() == from_study.runs["run"].tolist()
    assert from_file.runs["gain"].tolist() == from_study.runs["gain"].tolist()
    assert from_file.frame["run"].to_list() == study.frame["run"].to_list()
    assert {line.label for line in from_study.lines} == {"sign", "random"}


def test_what_is_trained_comes_after_the_runs(layer, tmp_path, monkeypatch):
    from qproj.lab.studies import TrainingPlan
    from qproj.lab.studies import study as module

    trained = []
    monkeypatch.setattr(module, "run_training", lambda plan, folder, watch: trained.append((plan, folder, watch)))
    plan = TrainingPlan(("digits-0-2",), ("sign",))
    run(Study(tmp_path, [layer], "sign", training=plan), workers=1, on_training=print)
    assert trained == [(plan, tmp_path, print)]


def test_mistakes_come_before_any_run(tmp_path):
    (tmp_path / "study.toml").write_text(FILE.replace("mine.npz", "digitz"))
    with pytest.raises(ValueError, match=r"study.toml, line 2: .*did you mean 'digits'"):
        run(tmp_path / "study.toml", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"none\.toml"):
        run(tmp_path / "none.toml")
    assert not (tmp_path / "out").exists()
