"""All runs of a command: what is stored is not run again, what is damaged is named."""

import dataclasses
import json

import pytest

from qproj.lab.training import loop, session
from qproj.lab.training.experiments import get_experiment
from qproj.lab.training.run_folder import Store
from qproj.lab.training.session import plan, run_all

SMALL = dataclasses.replace(get_experiment("digits-0-2", epochs=1), hidden=(5,), evaluations=2)


def configs(optimizers=("signsgd", "binaryconnect"), seeds=(0, 1)):
    return plan(SMALL, optimizers, seeds, preset="paper")


def test_runs_come_in_order_and_are_not_done_twice(tmp_path, monkeypatch):
    seen = []
    records = run_all(configs(), tmp_path, watch=seen.append)
    assert [(r["optimizer"], r["seed"]) for r in records] == [
        ("signsgd", 0), ("signsgd", 1), ("binaryconnect", 0), ("binaryconnect", 1),
    ]  # fmt: skip
    assert [now.done for now in seen if now.step == now.steps] == [0, 1, 2, 3]
    assert {now.runs for now in seen} == {4}
    monkeypatch.setattr(loop, "run", None)  # nothing is left to do
    assert run_all(configs(), tmp_path) == records
    assert sorted(Store(tmp_path).all(), key=str) == sorted(records, key=str)


def test_a_run_that_was_stopped_is_the_only_one_done_again(tmp_path):
    class Stop(Exception):
        pass

    def watch(now):
        if (now.done, now.step) == (1, 3):
            raise Stop

    with pytest.raises(Stop):
        run_all(configs(), tmp_path, checkpoint_s=0.0, watch=watch)
    assert len(Store(tmp_path).all()) == 1
    seen = []
    again = run_all(configs(), tmp_path, watch=seen.append)
    assert (seen[0].done, seen[0].step) == (1, 4)  # step 3 was in the checkpoint
    assert [r["weights_sha256"] for r in again] == [r["weights_sha256"] for r in run_all(configs(), tmp_path / "other")]


def test_a_stored_run_without_audit_is_audited_on_request(tmp_path):
    (one,) = plan(SMALL, ["projected"], [0], preset="paper", solver="sign")
    (plain,) = run_all([one], tmp_path)
    (audited,) = run_all([one], tmp_path, audit=2)
    assert "mean_audit_gap" not in plain
    assert audited["mean_audit_gap"] > 0
    assert audited["weights_sha256"] == plain["weights_sha256"]
    assert run_all([one], tmp_path, audit=2) == [audited]


def test_a_solver_may_have_options_and_a_wrapper(tmp_path):
    text = "polished(local-search:starts=1,sweeps=3)"
    configs = [one for name in ("auto", text) for one in plan(SMALL, ["qpsbgd"], [0], preset="paper", solver=name)]
    records = run_all(configs, tmp_path)
    assert [record["solver"] for record in records] == ["auto", text]
    assert len({record["key"] for record in records}) == 2


def test_given_settings_stand_above_the_preset():
    from qproj.lab.training.settings import Settings

    mine = Settings(lr=0.5)
    chosen = {
        c.optimizer: c.settings
        for c in plan(SMALL, ["signsgd", "projected"], [0], preset="paper", settings={"signsgd": mine})
    }
    assert chosen["signsgd"] == mine
    assert chosen["projected"].lr == 0.01


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', "\0"])
def test_a_damaged_record_is_named_with_the_remedy(content, tmp_path):
    (one,) = plan(SMALL, ["signsgd"], [0], preset="paper")
    path = tmp_path / "runs" / f"{one.label}.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ValueError, match="delete it, and the run is done again"):
        run_all([one], tmp_path)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(ValueError, match="name a folder"):
        Store(tmp_path / "f")


def test_functions_run_without_torch(tmp_path, monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.split(".")[0] == "torch" or name == "qproj.lab.training.loop"]:
        monkeypatch.setitem(sys.modules, name, None)
    (record,) = run_all(plan(get_experiment("rosenbrock"), ["qpsbgd"], [0]), tmp_path)
    assert json.loads(next((tmp_path / "runs").iterdir()).read_text()) == record
    assert session.SessionProgress is not None


def test_functions_are_logged_too(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (one,) = plan(get_experiment("rosenbrock"), ["signsgd"], [0])
    (record,) = run_all([one], tmp_path)
    logged = accumulator.EventAccumulator(str(tmp_path / "tensorboard" / one.label)).Reload().Scalars("value")
    assert [event.step for event in logged] == [row["step"] for row in record["history"]]
    assert [event.value for event in logged] == pytest.approx([row["value"] for row in record["history"]])
