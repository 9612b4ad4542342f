"""Graph experiments: what nodes are mixed to, which of them train and test, and runs on them."""

import dataclasses

import numpy as np
import pytest
import torch

from qproj.lab.datasets import load_karate, load_planetoid
from qproj.lab.training import loop, networks
from qproj.lab.training.data import load
from qproj.lab.training.experiments import get_experiment
from qproj.lab.training.presets import preset
from qproj.lab.training.settings import Config
from qproj.nn import BinaryGCNConv

KARATE = get_experiment("karate")
MIXED = dataclasses.replace(KARATE, mixes=True, hops=1, hidden=(6,), epochs=4)


def mixed(graph, hops):
    """The definition, dense: Â^hops X with rows of X summing to 1, Â = D^(−1/2) (A + I) D^(−1/2)."""
    A = np.eye(graph.num_nodes)
    A[graph.edges[:, 0], graph.edges[:, 1]] = A[graph.edges[:, 1], graph.edges[:, 0]] = 1.0
    root = 1 / np.sqrt(A.sum(axis=1))
    x = np.asarray(graph.features.todense(), float)
    x = x / np.maximum(x.sum(axis=1, keepdims=True), 1e-12)
    return np.linalg.matrix_power(root[:, None] * A * root, hops) @ x


@pytest.mark.parametrize(("name", "labelled", "classes"), [("karate", 4, 4), ("karate-club", 2, 2)])
def test_the_club_is_mixed_as_defined_and_one_node_a_class_trains(name, labelled, classes):
    experiment = get_experiment(name)
    found = load(experiment)
    graph = load_karate("club" if name == "karate-club" else "communities")
    x = mixed(graph, experiment.hops)
    np.testing.assert_allclose(found.x.numpy(), x / np.sqrt((x**2).mean()), atol=1e-5)
    assert (len(found.train), len(found.val), found.classes) == (labelled, 0, classes)
    assert sorted(found.y[found.train].tolist()) == list(range(classes))
    assert found.scores == (1 if classes == 2 else classes)
    assert not set(found.train.tolist()) & set(found.test.tolist())
    assert found.adjacency is None


def test_columns_are_centred_over_all_nodes_on_request():
    found = load(dataclasses.replace(KARATE, centred=True))
    assert found.x.mean(dim=0).abs().max() < 1e-6


@pytest.mark.parametrize("name", ["karate", "karate-club"])
def test_trials_never_see_the_club(name):
    experiment = get_experiment(name)
    club = load(experiment)
    trials = [load(experiment, tuning=True, seed=seed) for seed in (1000, 1000, 1001)]
    assert torch.equal(trials[0].x, trials[1].x)
    assert not torch.equal(trials[0].x, trials[2].x)
    for trial in trials:
        assert trial.x.shape == club.x.shape
        assert not torch.equal(trial.x, club.x)
        assert sorted(trial.y[trial.train].tolist()) == sorted(club.y[club.train].tolist())
        assert len(trial.train) + len(trial.test) == len(trial.y)


def test_a_run_on_a_citation_graph_takes_the_public_split(data_dir):
    experiment = dataclasses.replace(get_experiment("cora"), hops=1)
    found, graph = load(experiment), load_planetoid("cora")
    for part in ("train", "val", "test"):
        assert np.array_equal(getattr(found, part).numpy(), np.flatnonzero(getattr(graph, f"{part}_mask")))
    x = mixed(graph, 1)
    np.testing.assert_allclose(found.x.numpy(), x / np.sqrt((x**2).mean()), atol=1e-4)


def test_every_seed_of_a_trial_draws_its_own_nodes_and_never_a_test_node(data_dir):
    experiment = dataclasses.replace(get_experiment("cora"), hops=0)
    graph = load_planetoid("cora")
    public = load(experiment)
    drawn = [load(experiment, tuning=True, seed=seed) for seed in (1000, 1000, 1001)]
    for trial in drawn:
        train, val = set(trial.train.tolist()), set(trial.val.tolist())
        assert torch.equal(trial.test, trial.val)
        assert len(train) == len(trial.train) == len(public.train)
        assert len(val) == len(trial.val) == len(public.val)
        assert not train & val
        assert not (train | val) & (set(public.test.tolist()) | set(graph.unlabelled.tolist()))
        assert trial.y[trial.train].bincount().tolist() == public.y[public.train].bincount().tolist()
    assert torch.equal(drawn[0].train, drawn[1].train)
    assert torch.equal(drawn[0].val, drawn[1].val)
    assert not torch.equal(drawn[0].train, drawn[2].train)
    assert not torch.equal(drawn[0].val, drawn[2].val)


def test_a_trial_on_drawn_nodes_has_a_key_of_its_own():
    """A trial on the validation nodes of the public split, stored under the key that it had, is no trial any more."""
    cora, digits = get_experiment("cora"), get_experiment("digits-0-2")
    settings = preset("best", cora, "signsgd")
    keys = {one: Config(one, "signsgd", 1000, settings, tuning=True).key for one in (cora, KARATE, digits)}
    fixed = type("Fixed", (type(cora),), {"draws_nodes": False})
    for one, key in keys.items():
        other = fixed(**{field.name: getattr(one, field.name) for field in dataclasses.fields(one)})
        assert (Config(other, "signsgd", 1000, settings, tuning=True).key != key) == (one is cora)


def test_layers_that_mix_are_given_the_graph():
    found = load(MIXED)
    assert found.adjacency is not None
    torch.manual_seed(0)
    model = networks.build(MIXED, found)
    assert [type(layer) for layer in model.layers] == [BinaryGCNConv] * 2
    scores = networks.scores(model, MIXED, found, found.test)
    with torch.no_grad():
        hidden = torch.where(found.x @ model.layers[0].weight.sign().T >= 0, 1.0, -1.0)
        expected = (found.adjacency @ (hidden @ model.layers[1].weight.sign().T))[found.test]
    torch.testing.assert_close(scores, expected * MIXED.sharpness / 6**0.5)
    assert 0.0 <= networks.accuracy(model, MIXED, found, found.test) <= 1.0


@pytest.mark.parametrize("experiment", [KARATE, MIXED], ids=["mixed before", "mixed in every layer"])
@pytest.mark.parametrize("optimizer", ["projected", "signsgd"])
def test_runs_on_the_club_repeat(experiment, optimizer):
    config = Config(experiment, optimizer, 3, preset("best", experiment, optimizer))
    record, again = loop.run(config), loop.run(config)
    assert record["weights_sha256"] == again["weights_sha256"]
    assert record["test_accuracy"] == again["test_accuracy"]
    assert record["val_accuracy"] is None
    if experiment is KARATE:
        assert record["test_accuracy"] > 0.5  # four communities: chance is a third at most
