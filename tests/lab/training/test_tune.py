"""The declared grid, the choice among trials, and the presets that were written from them."""

from dataclasses import replace
from pathlib import Path

import pytest

from qproj.lab.training import tuning
from qproj.lab.training.experiments import EXPERIMENTS, OPTIMIZERS, get_experiment
from qproj.lab.training.presets import PRESETS, preset
from qproj.lab.training.settings import Settings
from qproj.lab.training.tuning import best, grid, trials, tune

WITH_ACCURACY = [name for name, one in EXPERIMENTS.items() if one.kind != "function"]
TUNED = [name for name in WITH_ACCURACY if EXPERIMENTS[name].grid]


def test_only_published_settings_are_not_tuned():
    assert set(WITH_ACCURACY) - set(TUNED) == {"adult-2layer-published", "adult-10layer-published"}


@pytest.mark.parametrize("name", TUNED)
def test_every_optimiser_has_as_many_different_trials(name):
    experiment = get_experiment(name)
    counts = {optimizer: len(set(grid(experiment, optimizer))) for optimizer in OPTIMIZERS}
    assert len(set(counts.values())) == 1, counts
    assert min(counts.values()) >= 8
    keys = {config.key for optimizer in OPTIMIZERS for config in trials(experiment, optimizer)}
    assert len(keys) == len(OPTIMIZERS) * counts["signsgd"] * experiment.tuning_seeds


def test_trials_differ_in_nothing_that_the_optimisers_share():
    experiment = get_experiment("digits-0-2")
    for optimizer in OPTIMIZERS:
        for config in trials(experiment, optimizer):
            assert config.experiment == experiment
            assert config.settings.schedule == experiment.schedule
            assert config.tuning
            assert config.seed >= tuning.FIRST_SEED


def test_trials_never_see_test_rows():
    from qproj.lab.training.data import load

    experiment = get_experiment("digits-0-2")
    found = load(experiment, tuning=True)
    assert found.test.equal(found.val)
    assert len(found.x) == len(found.train) + len(found.val)  # the other rows are not even in memory
    assert len(load(experiment).x) > len(found.x)


def _trial(lr, accuracies, seed=1000):
    return {
        "settings": {"lr": lr}, "seed": seed, "test_accuracy": accuracies[-1],
        "history": [{"test": value} for value in accuracies],
    }  # fmt: skip


def test_the_highest_last_accuracy_wins_whatever_was_reached_on_the_way():
    records = [_trial(0.1, [0.99, 0.99, 0.8]), _trial(0.2, [0.1, 0.1, 0.9])]
    assert best("qpsbgd", records) == Settings.of("qpsbgd", {"lr": 0.2})


def test_seeds_of_one_setting_are_averaged():
    records = [_trial(0.1, [0.5], 1000), _trial(0.1, [0.9], 1001), _trial(0.2, [0.8], 1000), _trial(0.2, [0.8], 1001)]
    assert best("qpsbgd", records).lr == 0.2


def test_among_equals_the_quicker_wins_then_the_first():
    assert best("qpsbgd", [_trial(0.1, [0.2, 0.9]), _trial(0.2, [0.8, 0.9])]).lr == 0.2
    assert best("qpsbgd", [_trial(0.1, [0.8, 0.9]), _trial(0.2, [0.8, 0.9])]).lr == 0.1


def test_no_trials_are_refused():
    with pytest.raises(ValueError, match="no trials of qpsbgd"):
        best("qpsbgd", [])


def test_tune_runs_each_trial_once_and_returns_the_best(tmp_path, monkeypatch):
    # η = 1e-9 leaves the first weights as they are; 0.1 learns
    monkeypatch.setitem(tuning.GRIDS["small"], "signsgd", ({"lr": 1e-9}, {"lr": 0.1}))
    experiment = replace(get_experiment("digits-0-2"), epochs=2)
    steps = []
    first = tune(experiment, "signsgd", tmp_path, watch=steps.append)
    assert first.lr == 0.1
    assert steps
    steps.clear()
    assert tune(experiment, "signsgd", tmp_path, watch=steps.append) == first
    assert not steps


@pytest.mark.parametrize("name", ["rosenbrock", "rate", "fixed-point"])
def test_functions_have_nothing_to_tune_on(name, tmp_path):
    with pytest.raises(ValueError, match="no validation rows"):
        tune(get_experiment(name), "qpsbgd", tmp_path)


@pytest.mark.parametrize("name", [*EXPERIMENTS, "digits-3-8", "mnist-4-9"])
def test_presets_load_for_every_optimiser_that_an_experiment_is_about(name):
    experiment = get_experiment(name)
    for optimizer in experiment.optimizers:
        for kind in PRESETS:
            assert preset(kind, experiment, optimizer).lr > 0


@pytest.mark.parametrize("name", TUNED)
def test_tuned_presets_are_points_of_the_grid(name):
    experiment = get_experiment(name)
    for optimizer in experiment.optimizers:
        assert preset("best", experiment, optimizer) in grid(experiment, optimizer)


def test_an_optimiser_without_tuned_values_is_refused_with_the_ways_out():
    with pytest.raises(ValueError, match="use --tune, or --preset paper"):
        preset("best", get_experiment("conv-digits"), "bop")
    with pytest.raises(ValueError, match="published settings"):
        tune(get_experiment("adult-2layer-published"), "qpsbgd", Path())
