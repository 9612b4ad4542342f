"""Tuning: settings drawn from ranges, layers split, and the window sticker worked out by hand."""

import math

import numpy as np
import pytest

from qproj.lab.studies.results import Results
from qproj.lab.studies.study import run
from qproj.lab.studies.study_file import read_study_file
from qproj.lab.studies.tuning_plan import TuningPlan, make_tuning, read_tuning, split
from qproj.lab.studies.tuning_table import Trials, cost_curve, interval_text, sticker, tuning_table

SWEEPS = {"num_sweeps": [5, 1000]}


def test_settings_lie_in_their_range_and_repeat():
    plan = make_tuning("sa:encoding=margin", {**SWEEPS, "encoding.kappa": [0.5, 3.0]}, 9, seed=1)
    assert plan.settings[0] == {}
    assert len(plan.settings) == 9
    sweeps = [one["num_sweeps"] for one in plan.settings[1:]]
    assert all(isinstance(x, int) and 5 <= x <= 1000 for x in sweeps)
    assert np.median(sweeps) < 300  # logarithmic: half lie below 71
    assert all(0.5 <= one["encoding.kappa"] <= 3.0 for one in plan.settings[1:])
    assert plan == make_tuning("sa:encoding=margin", {**SWEEPS, "encoding.kappa": [0.5, 3.0]}, 9, seed=1)
    assert plan.specs[0].text == "sa:encoding=margin"
    assert all(f"num_sweeps={x}" in spec.text for x, spec in zip(sweeps, plan.specs[1:], strict=True))


def test_values_to_choose_among():
    plan = make_tuning("sa:encoding=margin", {"beta_schedule_type": ["linear", "geometric"]}, 6)
    assert {tuple(one.values()) for one in plan.settings[1:]} <= {("linear",), ("geometric",)}
    assert len(plan.settings) == 3  # each once


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sa", {}, 5), "parameters is empty"), (("sa", {"num_sweeps": [9, 9]}, 5), "range"),
        (("sa", SWEEPS, 1), "at least 2"), (("sa", {"sweeps": [1, 9]}, 5), "sweeps"), (("saa", SWEEPS, 5), "saa"),
    ],
)  # fmt: skip
def test_mistakes_are_refused_before_any_run(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_tuning(*arguments)


def test_layers_are_split_whole_and_neurons_where_there_is_one_layer():
    sizes, layers = ["a"] * 6 + ["b"] * 4, [1, 1, 2, 2, 3, 3, 4, 4, 4, 4]
    chosen = split(sizes, layers, [f"k{i}" for i in range(10)], 0.5, 0)
    for layer in (1, 2, 3):
        assert len({chosen[i] for i in range(6) if layers[i] == layer}) == 1
    assert sum(chosen[:6]) in (2, 4)
    assert sum(chosen[6:]) == 2
    assert split(["a"], [1], ["k"], 0.5, 0) == [True]
    assert chosen == split(sizes, layers, [f"k{i}" for i in range(10)], 0.5, 0)


def trial(values, objective="gap"):
    plan = TuningPlan("sa", ({}, {"num_sweeps": 10}, {"num_sweeps": 20}), 0.5, objective, 0)
    values = np.array(values, float)
    training = np.array([True, True, False, False])
    return Trials(plan, "", values, np.full(values.shape, 0.5), ("s",) * 4, training)


def test_the_sticker_by_hand():
    one = trial([[0.4, 0.4, 0.4, 0.2], [0.1, 0.1, 0.3, 0.3], [0.2, 0.2, 0.0, 0.4]])
    found = sticker(one)
    assert (found.chosen, found.oracle, found.trained, found.unseen) == (1, 2, 2, 2)  # 0.1 on training; 0.2 unseen
    assert found.again == 1.0
    assert found.score == pytest.approx(0.3)
    assert (found.low, found.high) == pytest.approx((0.3, 0.3))
    assert found.default == pytest.approx(0.3)
    assert found.best == pytest.approx(0.2)
    assert found.virtual == pytest.approx(0.1)  # 0.0 and 0.2
    assert found.seconds == pytest.approx(3.0)  # three settings on two neurons, half a second each
    assert interval_text(one, found.drawn) == "num_sweeps 10 to 10"
    x, y = cost_curve(one)
    assert x == pytest.approx([1.0, 2.0, 3.0])
    assert y == pytest.approx([0.3, 0.3, 0.3])


def test_times_are_compared_by_their_median():
    found = sticker(trial([[math.inf] * 4, [1.0, 3.0, 2.0, 4.0], [math.inf, 1.0, 1.0, 1.0]], "tts"))
    assert (found.chosen, found.score, found.default, found.best) == (1, 3.0, math.inf, 1.0)


FILE = """
instances = ["random:n=8,d=5,neurons=4"]
solvers = ["auto"]
reads = [5]
seeds = 1
[[tune]]
solver = "sa:encoding=margin"
parameters = { num_sweeps = [2, 50] }
settings = 4
"""


def test_a_study_file_tunes_and_the_report_shows_what_is_recommended(tmp_path):
    (tmp_path / "study.toml").write_text(FILE)
    results = run(tmp_path / "study.toml", tmp_path / "out", workers=1)
    (plan,) = read_tuning(tmp_path / "out")
    assert len(plan.settings) == 4
    assert len(set(results.runs["solver"])) == 1 + 4 + 1  # auto, settings, null model
    (row,) = tuning_table(results).records
    assert (row["settings"], row["trained_on"], row["unseen"]) == (4, 2, 2)
    assert row["oracle"] <= row["unseen_score"] + 1e-12
    assert row["virtual_best"] <= row["oracle"] + 1e-12
    shown = {line.label for line in results.lines}
    assert {"auto", "random", "sa:encoding=margin"} <= shown
    assert len(shown) <= 4  # the settings that are not recommended are in the tuning table only
    assert Results.read(tmp_path / "out").lines == results.lines


def test_mistakes_in_a_study_file_have_their_line(tmp_path):
    (tmp_path / "study.toml").write_text(FILE.replace("num_sweeps", "sweeps"))
    with pytest.raises(ValueError, match=r"study\.toml, line \d+: tune: .*sweeps"):
        read_study_file(tmp_path / "study.toml")


def test_crossed_encodings_need_a_named_one(tmp_path):
    (tmp_path / "study.toml").write_text("encodings = ['margin']\n" + FILE.replace("sa:encoding=margin", "sa"))
    with pytest.raises(ValueError, match="leaves its encoding open"):
        run(tmp_path / "study.toml", tmp_path / "out", workers=1)
