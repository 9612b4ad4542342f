"""The experiments on functions: what they measure, against its definition."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

import qproj
from qproj.functions import measure_rate, quadratic
from qproj.lab.training import fixed_points, on_functions
from qproj.lab.training.experiments import get_experiment
from qproj.lab.training.fixed_points import FAN_IN, NEURONS, FixedPointLayer, come_to_rest, follow
from qproj.lab.training.session import plan
from qproj.lab.training.settings import Config


def config(name, optimizer, seed=0, **settings):
    experiment = get_experiment(name)
    one = dataclasses.replace(on_functions.best(experiment, optimizer), **settings)
    return Config(experiment, optimizer, seed, one)


def test_records_have_the_shape_of_all_runs():
    seen = []
    record = on_functions.run(config("rosenbrock", "qpsbgd"), lambda step, steps: seen.append((step, steps)))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["test_accuracy"] is None
    starts = record["figures"]["starts"]
    assert (record["binary_parameters"], record["float_parameters"]) == (10, 0)
    assert record["steps"] == 1000 * starts == 20_000
    assert record["figures"]["value"] < record["figures"]["value_at_start"] / 5
    assert seen[-1][1] == record["steps"]
    assert record == on_functions.run(config("rosenbrock", "qpsbgd")) | {"seconds": record["seconds"]}


def test_without_a_metric_the_plain_step_is_signsgd():
    a, b = (on_functions.run(config("rosenbrock", name)) for name in ("qpsbgd", "signsgd"))
    assert a["weights_sha256"] == b["weights_sha256"]


def test_a_run_that_diverges_says_so():
    record = on_functions.run(config("rosenbrock", "proxquant", lr=1.0))
    assert record["figures"]["diverged"]
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_the_tuned_settings_are_the_best_of_the_grid(monkeypatch):
    monkeypatch.setattr(on_functions, "STEP_SIZES", (0.03, 0.003))
    monkeypatch.setattr(on_functions, "MOMENTA", (0.0, 0.8))
    monkeypatch.setattr(on_functions, "STARTS", 2)
    experiment = get_experiment("rosenbrock-2")
    chosen = on_functions.tune(experiment, "signsgd")
    levels = {
        (lr, momentum): on_functions.level(
            config("rosenbrock-2", "signsgd", lr=lr, momentum=momentum, schedule="linear")
        )
        for lr in on_functions.STEP_SIZES for momentum in on_functions.MOMENTA
    }  # fmt: skip
    assert levels[chosen.lr, chosen.momentum] == min(levels.values())


def test_a_setting_that_diverges_is_never_chosen():
    assert on_functions.level(config("rosenbrock", "proxquant", lr=1.0)) == math.inf


def test_the_rate_is_measured_where_it_is_proved_and_where_it_is_not(monkeypatch):
    monkeypatch.setattr(on_functions, "RATE_STEPS", (100, 200, 400, 800, 1600))
    record = on_functions.run(config("rate", "qpsbgd"))
    found = record["figures"]
    assert found["slope_low"] <= found["slope"] <= found["slope_high"] < -0.3
    assert found["below_the_bound"]
    assert found["alignment"] >= 1 - 1e-9
    assert found["noisy_alignment"] < 0  # a step may go up
    assert found["noisy_slope"] > found["slope"]
    for tau in on_functions.RATE_TAUS:  # proved: at least 1 − τ/2
        assert found[f"curvature_alignment_tau_{tau:g}"] >= 1 - tau / 2 - 1e-9
    assert [row["step"] for row in record["history"]] == [100, 200, 400, 800, 1600]
    assert all(row["mean_gradient_norm"] <= row["bound"] for row in record["history"])


@pytest.mark.slow
def test_the_slopes_are_a_half_and_with_noise_a_quarter():
    """T = 10²…10⁵: −½ where (A) holds, and near −¼ where noise breaks it (docs: convergence)."""
    found = on_functions.run(config("rate", "qpsbgd", 1))["figures"]
    assert found["slope_low"] <= -0.45
    assert found["slope_high"] >= -0.55
    assert -0.35 < found["noisy_slope"] < -0.2


def test_noise_aligns_the_expected_sign_with_the_gradient_by_an_error_function():
    """E V_i = −erf(g_i/(s√2)), so ⟨−g, E V⟩ = Σ|g_i| erf(|g_i|/(s√2)), and at least Σ|g_i| min(1, |g_i|/s)/2."""
    rng = np.random.default_rng(0)
    for s in (0.1, 1.0, 10.0):
        g = rng.normal(size=6)
        V = np.where(g + s * rng.normal(size=(200_000, 6)) <= 0, 1.0, -1.0).mean(axis=0)
        np.testing.assert_allclose(V, [-math.erf(x / (s * math.sqrt(2))) for x in g], atol=0.01)
        aligned = sum(abs(x) * math.erf(abs(x) / (s * math.sqrt(2))) for x in g)
        assert aligned >= sum(abs(x) * min(1, abs(x) / s) for x in g) / 2


def test_measured_rates_need_no_watch():
    seen = []
    fun = quadratic(np.eye(2), [1.0, 1.0])
    with_watch = measure_rate(fun, [0, 0], steps=(4, 8, 16), watch=seen.append)
    assert seen == list(range(1, 29))
    np.testing.assert_array_equal(with_watch.means, measure_rate(fun, [0, 0], steps=(4, 8, 16)).means)


def test_a_layers_target_is_the_slope_of_its_loss():
    layer = FixedPointLayer(3, "exhaustive")
    W = np.random.default_rng(0).normal(size=(NEURONS, FAN_IN))
    Y = np.where(layer.X @ np.where(W >= 0, 1, -1).T >= 0, 1.0, -1.0)
    T = np.array([[(layer.y - Y @ layer.u)[i] * layer.u[j] for j in range(NEURONS)] for i in range(len(Y))])
    V = np.array(list(itertools.product([-1, 1], repeat=FAN_IN)))
    gain = T.T @ np.where(layer.X @ V.T >= 0, 1, -1)
    found = layer.project(W)
    mine = (T * np.where(layer.X @ found.T >= 0, 1, -1)).sum(axis=0)
    np.testing.assert_allclose(mine, gain.max(axis=1))


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_starts_rest_where_the_projection_returns_them_or_go_round(seed, monkeypatch):

    monkeypatch.setattr(fixed_points, "STARTS", 12)
    found = come_to_rest(0.25, seed, "exhaustive", lambda done, all: None)
    f = found.figures
    assert f["at_rest"] + f["cycling"] + f["undecided"] == pytest.approx(1)
    assert (f["fixed_points"] > 0) == (f["at_rest"] > 0)
    if f["fixed_points"]:
        assert f["own_orthant_arrivals"] == 1.0
        assert f["most_steps_from_own_orthant"] <= f["proved_steps"] == 4
    assert found.history[-1]["at_rest"] == pytest.approx(f["at_rest"])


def test_following_tells_rest_from_a_cycle():
    class Sign:
        def __init__(self, V):
            self.V = V

        def project(self, W):
            return self.V(W)

    toward = Sign(lambda W: np.ones((1, 1)))
    assert follow(toward, np.array([[0.0]]), 0.25, 9)[:2] == ("rest", 4)
    away = Sign(lambda W: np.where(W >= 0, -1.0, 1.0))
    assert follow(away, np.array([[0.125]]), 0.25, 9)[0] == "cycle"
    assert follow(toward, np.array([[-1.0]]), 0.25, 3)[0] == "lost"


def test_solvers_reach_the_fixed_point_experiment():
    with pytest.raises(ValueError, match="sa"):
        FixedPointLayer(0, "saa")
    assert FixedPointLayer(0, "sign").project(np.ones((NEURONS, FAN_IN))).shape == (NEURONS, FAN_IN)
    assert qproj.get_solver("sign") is not None


@pytest.mark.parametrize(("name", "optimizer"), [("rate", "signsgd"), ("fixed-point", "qpsbgd")])
def test_foreign_optimisers_are_refused_before_any_run(name, optimizer):
    with pytest.raises(ValueError, match="--optimizers"):
        plan(get_experiment(name), [optimizer], [0])
