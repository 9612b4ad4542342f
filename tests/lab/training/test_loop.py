"""One run: its record, and its weights after it was stopped at any step."""

import dataclasses
import hashlib
import json

import pytest
import torch

from qproj.lab.training import loop
from qproj.lab.training.data import load
from qproj.lab.training.experiments import OPTIMIZERS, get_experiment
from qproj.lab.training.optimizers import make_optimizer
from qproj.lab.training.presets import preset
from qproj.lab.training.settings import Config
from qproj.nn import BinaryLinear

#: 6 steps of 32 rows; thresholds, so that Adam's state and floats are in it too.
SMALL = dataclasses.replace(get_experiment("digits-0-2", epochs=1), thresholds=True, evaluations=3, hidden=(7,))


@pytest.fixture(scope="module")
def data():
    return load(SMALL)


def config(optimizer="projected", seed=0, experiment=SMALL, **settings):
    one = dataclasses.replace(preset("paper", experiment, optimizer), **settings)
    return Config(experiment, optimizer, seed, one, "local-search")


class Stop(Exception):
    pass


def stop_after(step):
    def watch(now, steps):
        if now == step:
            raise Stop

    return watch


def test_a_record_holds_what_the_run_was(data, tmp_path):
    record = loop.run(config(), tmp_path, data=data)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert (record["experiment"], record["optimizer"], record["seed"]) == ("digits-0-2", "projected", 0)
    assert (record["binary_parameters"], record["float_parameters"]) == (64 * 7 + 7, 7 + 1)
    assert record["steps"] == loop.epoch_steps(SMALL, data)
    assert [row["step"] for row in record["history"]] == sorted(loop.evaluation_steps(record["steps"], 3))
    assert record["test_accuracy"] == record["history"][-1]["test"]
    best = max(record["history"], key=lambda row: row["val"])
    assert record["best_val_test_accuracy"] == best["test"]
    assert 0 < record["projection_share"] < 1
    assert all(-1 <= row["cosine"] <= 1 for row in record["history"])
    weights = torch.load(tmp_path / "weights" / f"{config().label}.pt", weights_only=True)
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(name.encode() + value.numpy().tobytes())
    assert digest.hexdigest() == record["weights_sha256"]
    assert not list((tmp_path / "checkpoints").glob("*"))


def test_accuracy_is_that_of_signs(data):
    """A network made of the saved signs alone is right as often as the record says."""
    experiment = dataclasses.replace(SMALL, thresholds=False)
    seen = {}
    real = loop._record

    def keep(config, model, now):
        seen["model"] = model
        return real(config, model, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_record", keep)
        record = loop.run(config("proxquant", experiment=experiment), data=data)
    first, last = (torch.where(seen["model"][i].weight >= 0, 1.0, -1.0) for i in (0, 2))
    hidden = torch.where(data.x[data.test] @ first.T >= 0, 1.0, -1.0)
    found = (hidden @ last.T)[:, 0] >= 0
    assert (found.long() == data.y[data.test]).double().mean().item() == record["test_accuracy"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_run_stopped_at_any_step_ends_with_the_same_weights(optimizer, momentum, data, tmp_path):
    one = config(optimizer, momentum=momentum, schedule="cosine")
    whole = loop.run(one, data=data)
    for step in range(1, whole["steps"]):
        with pytest.raises(Stop):
            loop.run(one, tmp_path, checkpoint_s=0.0, watch=stop_after(step), data=data)
        torch.manual_seed(step)  # the caller's generator plays no part
    resumed = loop.run(one, tmp_path, checkpoint_s=0.0, data=data)
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert _without_seconds(resumed) == _without_seconds(whole)


def _without_seconds(record):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in record["history"]]


@pytest.mark.parametrize("settings", [{"projection": "margin"}, {"every": 2}, {"projection": "margin", "kappa": 1.0}])
def test_other_projections_resume_too(settings, data, tmp_path):
    one = dataclasses.replace(config("qpsbgd", **settings), solver="auto")
    whole = loop.run(one, data=data)
    with pytest.raises(Stop):
        loop.run(one, tmp_path, checkpoint_s=0.0, watch=stop_after(3), data=data)
    assert loop.run(one, tmp_path, data=data)["weights_sha256"] == whole["weights_sha256"]


def test_the_callers_random_state_and_threads_are_left(data):
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    loop.run(config("signsgd"), data=data)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_seeds_differ_and_repeat(data):
    digests = [loop.run(config("signsgd", seed), data=data)["weights_sha256"] for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_an_audit_changes_no_weight_and_says_what_was_missed(data):
    one = dataclasses.replace(config(), solver="sign")
    plain, audited = loop.run(one, data=data), loop.run(one, data=data, audit=2)
    assert plain["weights_sha256"] == audited["weights_sha256"]
    assert "mean_audit_gap" not in plain
    assert 0 < audited["mean_audit_gap"] <= 1


@pytest.mark.parametrize(("width", "audit"), [(16, 3), (17, 0)])
def test_the_curvature_projection_is_audited_where_its_layers_can_be_enumerated(width, audit):
    one = config("qpsbgd", projection="curvature", targets="preactivations")
    optimizer = make_optimizer(torch.nn.Sequential(BinaryLinear(width, 2)), one, audit=3)
    assert optimizer.projector.settings.audit == audit


@pytest.mark.parametrize("spoil", [lambda b: b[:-3], lambda b: b[:200] + b"?" + b[201:], lambda b: b"", lambda b: b"x"])
def test_a_damaged_checkpoint_is_named_with_the_remedy(spoil, data, tmp_path):
    with pytest.raises(Stop):
        loop.run(config(), tmp_path, checkpoint_s=0.0, watch=stop_after(2), data=data)
    (file,) = (tmp_path / "checkpoints").iterdir()
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(ValueError, match="delete it, and the run starts again"):
        loop.run(config(), tmp_path, data=data)
    file.unlink()
    assert loop.run(config(), tmp_path, data=data)["weights_sha256"] == loop.run(config(), data=data)["weights_sha256"]


def test_the_checkpoint_of_another_run_is_refused(data, tmp_path):
    for one in (config(), config("signsgd")):
        with pytest.raises(Stop):
            loop.run(one, tmp_path, checkpoint_s=0.0, watch=stop_after(2), data=data)
    a, b = sorted((tmp_path / "checkpoints").iterdir())
    b.replace(a)
    with pytest.raises(ValueError, match="something else"):
        loop.run(config(), tmp_path, data=data)


def test_batches_are_a_new_order_of_all_rows_in_each_pass(data):
    steps = loop.epoch_steps(SMALL, data)
    passes = [
        torch.cat([loop.batch_rows(SMALL, data, 3, k) for k in range(p * steps, (p + 1) * steps)]) for p in (0, 1)
    ]
    for rows in passes:
        assert len(rows.unique()) == len(rows) == steps * SMALL.batch
    assert not torch.equal(*passes)
    assert torch.equal(loop.batch_rows(SMALL, data, 3, 1), passes[0][SMALL.batch : 2 * SMALL.batch])


@pytest.mark.parametrize(("steps", "count"), [(30, 10), (7, 10), (1, 3), (10, 3)])
def test_evaluations_are_spread_and_end_with_the_last_step(steps, count):
    marks = loop.evaluation_steps(steps, count)
    assert max(marks) == steps
    assert len(marks) == min(steps, count)
    assert min(marks) >= 1


def test_tensorboard_logs_hold_the_history_once_after_a_stop(data, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with pytest.raises(Stop):
        loop.run(config(), tmp_path, checkpoint_s=0.0, watch=stop_after(5), data=data)
    record = loop.run(config(), tmp_path, checkpoint_s=0.0, data=data)
    found = accumulator.EventAccumulator(str(tmp_path / "tensorboard" / config().label)).Reload()
    logged = [(event.step, event.value) for event in found.Scalars("accuracy/test")]
    assert [step for step, _ in logged] == [row["step"] for row in record["history"]]
    assert [value for _, value in logged] == pytest.approx([row["test"] for row in record["history"]])
    assert {"loss/train", "projection/gap", "projection/cosine"} <= set(found.Tags()["scalars"])
