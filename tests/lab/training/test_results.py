"""docs/results.md and presets.toml are what the stored runs give; a sample of the runs is done again."""

import json
import statistics
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from benchmarks import results, training_page, training_suite
from benchmarks.training_store import FOLDER, Job, complete, records
from qproj.lab.training import loop, on_functions
from qproj.lab.training.experiments import EXPERIMENTS, get_experiment
from qproj.lab.training.settings import Config, Settings


def test_every_preset_has_its_trials():
    presets = {one.preset for one in EXPERIMENTS.values() if one.kind != "function" and one.grid}
    assert {EXPERIMENTS[name].preset for name in training_suite.TUNED} == presets
    for name in training_suite.TUNED:
        jobs = training_suite.tuning(name)
        assert len(records(jobs)) == len(jobs) > 0, name
        assert len({sum(job.label == one for job in jobs) for one in training_suite.compared(name)}) == 1, name


@pytest.mark.slow
def test_presets_are_what_the_trials_choose(tmp_path, monkeypatch):
    shipped = results.PRESETS.read_text()
    copy = tmp_path / "presets.toml"
    copy.write_text(shipped.split(results.MARK)[0])
    monkeypatch.setattr(results, "PRESETS", copy)
    results.write_presets()
    assert copy.read_text() == shipped


@pytest.mark.slow
def test_the_page_is_what_the_runs_give():
    assert training_page.page() == training_page.PAGE.read_text()


@pytest.mark.parametrize("name", training_suite.NAMES)
def test_every_run_of_the_first_table_is_stored(name):
    for jobs in (training_suite.table(name), training_suite.paper(name)):
        found = records(jobs)
        assert [run["key"] for run in found] == [job.config.key for job in jobs]
        assert all(0 <= run["test_accuracy"] <= 1 for run in found)


def test_stored_files_are_small_and_hold_each_run_once():
    files = sorted(FOLDER.glob("*.json"))
    assert files
    assert sum(file.stat().st_size for file in files) < 6e6
    for file in files:
        keys = [run["key"] for run in json.loads(file.read_text()).get("runs", ())]
        assert len(set(keys)) == len(keys), file.name


def test_a_difference_has_welchs_error():
    gap, error = training_page.difference([0.9, 0.92], [0.8, 0.84])
    assert gap == pytest.approx(0.09)
    assert error == pytest.approx((0.0002 / 2 + 0.0008 / 2) ** 0.5)


def test_a_paired_difference_has_the_error_of_the_differences():
    gap, error = training_page.paired([0.9, 0.8, 0.7], [0.8, 0.7, 0.5])
    assert gap == pytest.approx(0.4 / 3)
    assert error == pytest.approx((0.01 / 3 / 3) ** 0.5)


@pytest.mark.parametrize(
    ("gap", "error", "word"), [(0.03, 0.01, "ahead"), (0.02, 0.01, "level"), (-0.03, 0.01, "behind"), (0, 0, "level")]
)
def test_verdicts(gap, error, word):
    assert training_page.verdict(gap, error) == word


def test_a_span_is_the_longest_unbroken_row():
    means = {0.1: 0.96, 0.3: 0.5, 1.0: 0.95, 3.0: 0.98, 10.0: 0.99, 30.0: 0.1}
    assert training_page.span(means, 0.95) == "× 10"
    assert training_page.span({1.0: 0.5}, 0.95) == "none"


def test_missing_runs_are_run_once(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.training_store.FOLDER", tmp_path)
    experiment = get_experiment("digits-0-2", epochs=1)
    job = Job("sample", "signsgd", Config(experiment, "signsgd", 0, Settings.of("signsgd", {"lr": 0.1})))
    assert records([job]) == []
    assert complete([job]) == 1
    assert complete([job]) == 0
    (run,) = records([job])
    assert run["label"] == "signsgd"
    assert all(set(row) == {"step", "seconds", "test"} for row in run["history"])


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", training_suite.compared("digits-0-2"))
def test_a_stored_run_is_found_again(optimizer):
    """Bits repeat on one processor only: elsewhere sums are rounded in another order, and a run takes another path.

    What is left then is the spread of seeds: within four of its standard deviations and two of the 70 test rows.
    """
    jobs = [job for job in training_suite.table("digits-0-2") if job.label == optimizer]
    stored = records(jobs)
    accuracies = [run["test_accuracy"] for run in stored]
    mean = sum(accuracies) / len(accuracies)
    spread = (sum((value - mean) ** 2 for value in accuracies) / (len(accuracies) - 1)) ** 0.5
    again = loop.run(jobs[0].config)
    assert again["key"] == stored[0]["key"]
    assert again["test_accuracy"] == pytest.approx(stored[0]["test_accuracy"], abs=4 * spread + 2 / 70)


def sample(jobs):
    """Return one stored run in a hundred, the same ones each time: keys that 100 divides, up to ten seconds each."""
    drawn = [job for job in jobs if int(job.config.key[:8], 16) % 100 == 0]
    pairs = [(job, run) for job in drawn for run in records([job])]
    return [(job, run) for job, run in pairs if run["seconds"] <= 10]


@pytest.mark.slow
def test_one_stored_run_in_a_hundred_is_found_again():
    """On another processor a run takes another path: what is left is the spread of its seeds, or of its neighbours."""
    jobs = training_suite.everything()
    drawn = sample(jobs)
    assert len(drawn) > len(jobs) / 200
    found, same, missed = {run["key"]: run for run in records(jobs)}, 0, []
    for job, stored in drawn:
        config = job.config
        if config.experiment.kind == "function":
            again = on_functions.run(config)
            same += again["weights_sha256"] == stored["weights_sha256"]
            value, old = (run["figures"].get("value", 0.0) for run in (again, stored))
            missed += [(job.study, config.label, old, value)] if abs(value - old) > 0.5 + 0.5 * abs(old) else []
            continue
        again = loop.run(config)
        assert again["key"] == stored["key"]
        like = [one for one in jobs if (one.study, one.label, one.file) == (job.study, job.label, job.file)]
        keys = {one.config.key for one in like if one.config.settings == config.settings} & set(found)
        own = [found[key]["test_accuracy"] for key in keys]
        spread = statistics.stdev(own) if len(own) > 1 else 0.0
        same += again["test_accuracy"] == pytest.approx(stored["test_accuracy"], abs=1e-5)
        if abs(again["test_accuracy"] - stored["test_accuracy"]) > 4 * spread + 0.03:
            missed.append((job.study, config.label, stored["test_accuracy"], again["test_accuracy"]))
    print(f"{same} of {len(drawn)} runs repeat exactly")
    assert len(missed) <= len(drawn) / 50, missed
