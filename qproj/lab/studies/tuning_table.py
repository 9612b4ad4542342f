"""What tuning is worth: the setting chosen on training neurons, scored on unseen ones, against default and oracle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.studies.frame import Runs
from qproj.lab.studies.metrics import BOOTSTRAPS, References, bootstrap, charged_gaps, means_by_problem
from qproj.lab.studies.result_table import Column, ResultTable
from qproj.lab.studies.solver_table import read_successes
from qproj.lab.studies.tuning_plan import TuningPlan, read_tuning, split


class JudgedRuns(Protocol):
    """A study's rows and what is known of its neurons: :class:`~qproj.lab.studies.results.Results`."""

    @property
    def folder(self) -> Path: ...

    @property
    def runs(self) -> Runs: ...

    @property
    def gains(self) -> Mapping[str, FloatArray]: ...

    @property
    def known(self) -> References: ...


@dataclass(frozen=True, eq=False)
class Trials:
    """The figures of one solver's settings within one budget.

    Attributes
    ----------
    plan : TuningPlan
    budget : str
        What follows the solver in a line's label, such as " · 10 reads"; "" where there is one budget.
    values : (settings, neurons) float64
        Gap or TTS99: smaller is better.
    seconds : (settings, neurons) float64
        Wall clock of all runs of a setting on a neuron.
    sizes : tuple of str
        Of each neuron.
    training : (neurons,) bool
    """

    plan: TuningPlan
    budget: str
    values: FloatArray
    seconds: FloatArray
    sizes: tuple[str, ...]
    training: NDArray[np.bool_]


@dataclass(frozen=True)
class Sticker:
    """The window sticker of one solver at one size: its scores on unseen neurons, and what they cost.

    Attributes
    ----------
    chosen, oracle : int
        Settings: the best on the training neurons, the best on the unseen ones.
    again : float
        Share of redrawn training sets on which the same setting is chosen.
    drawn : tuple of int
        The settings chosen on redrawn training sets.
    score, low, high : float
        Of the chosen setting on unseen neurons, with its bootstrap interval.
    default, best, virtual : float
        Of the default, the oracle, and the best setting of each neuron.
    seconds : float
        All runs on training neurons: what the choice cost.
    """

    size: str
    trained: int
    unseen: int
    chosen: int
    oracle: int
    again: float
    drawn: tuple[int, ...]
    score: float
    low: float
    high: float
    default: float
    best: float
    virtual: float
    seconds: float


def trials(results: JudgedRuns) -> list[Trials]:
    """Return the figures of every tuned solver's settings, for each budget that all of them have runs of."""
    found = []
    for plan in read_tuning(results.folder):
        texts = [spec.text for spec in plan.specs]
        labels = results.runs["label"][results.runs["solver"] == texts[0]].tolist()
        for budget in dict.fromkeys(label.removeprefix(texts[0]) for label in labels):
            one = _trials(results, plan, [text + budget for text in texts], budget)
            if one is not None:
                found.append(one)
    return found


def _trials(results: JudgedRuns, plan: TuningPlan, labels: Sequence[str], budget: str) -> Trials | None:
    runs = results.runs
    figures = _figures(results, plan.objective, labels)
    common = sorted(set.intersection(*(set(row) for row in figures)))
    if not common:
        return None
    first = {problem: i for i, problem in reversed(list(enumerate(runs["problem"].tolist())))}
    places = [first[problem] for problem in common]
    sizes = tuple(
        f"d={d}, n={n}" if n else f"{d} variables"
        for d, n in zip(runs["d"][places].tolist(), runs["n"][places].tolist(), strict=True)
    )
    training = split(
        sizes, runs["instance_id"][places].tolist(), runs["neuron_key"][places].tolist(), plan.share, plan.seed
    )
    spent = np.zeros((len(labels), len(common)))
    column = {problem: j for j, problem in enumerate(common)}
    for i, label in enumerate(labels):
        own = runs.where(runs["label"] == label)
        for problem, wall in zip(own["problem"].tolist(), np.nan_to_num(own["wall_s"]).tolist(), strict=True):
            if problem in column:
                spent[i, column[problem]] += wall
    values = np.array([[row[problem] for problem in common] for row in figures], np.float64)
    return Trials(plan, budget, values, spent, sizes, np.array(training, np.bool_))


def _figures(results: JudgedRuns, objective: str, labels: Sequence[str]) -> list[dict[Any, float]]:
    """Each setting's figure of each neuron; a run without an answer is a gap of 1, a time of infinity."""
    runs = results.runs
    if objective == "tts":
        return [read_successes(runs.where(runs["label"] == label), results.known, results.gains)[1] for label in labels]
    gap = charged_gaps(runs, results.known)
    masks = [runs["label"] == label for label in labels]
    return [means_by_problem(gap[mask], runs["problem"][mask]) for mask in masks]


def sticker(one: Trials, size: str = "") -> Sticker | None:
    """Return what tuning is worth at a size, or over all of them; None where nothing is left to score."""
    at = np.array([not size or name == size for name in one.sizes], np.bool_)
    train, unseen = one.values[:, at & one.training], one.values[:, at & ~one.training]
    if not train.shape[1] or not unseen.shape[1]:
        return None
    middle = one.plan.objective == "tts"
    on_train, scores = _score(train, middle=middle), _score(unseen, middle=middle)
    chosen, oracle = int(np.argmin(on_train)), int(np.argmin(scores))
    drawn = _redrawn(train, one.plan.seed, middle=middle)
    low, high = bootstrap(unseen[chosen], "median" if middle else "mean", seed=one.plan.seed)
    return Sticker(
        size or "all", train.shape[1], unseen.shape[1], chosen, oracle, float(np.mean(drawn == chosen)),
        tuple(drawn.tolist()), float(scores[chosen]), low, high, float(scores[0]), float(scores[oracle]),
        float(_score(unseen.min(axis=0, keepdims=True), middle=middle)[0]),
        float(one.seconds[:, at & one.training].sum()),
    )  # fmt: skip


def _score(values: FloatArray, *, middle: bool) -> FloatArray:
    """Each setting's figure over neurons: the mean gap, or the median time."""
    found: FloatArray = np.median(values, axis=1) if middle else values.mean(axis=1)
    return found


def _redrawn(train: FloatArray, seed: int, *, middle: bool) -> NDArray[np.int64]:
    """The setting chosen on each of many redrawn training sets."""
    draws = np.random.default_rng(seed).integers(0, train.shape[1], (BOOTSTRAPS, train.shape[1]))
    again = train[:, draws]
    scores = np.median(again, axis=2) if middle else again.mean(axis=2)
    return np.asarray(np.argmin(scores, axis=0), np.int64)


def stickers(one: Trials) -> list[Sticker]:
    """Return those of all sizes together, and of each where there are several."""
    sizes = list(dict.fromkeys(one.sizes))
    found = [sticker(one, size) for size in (["", *sizes] if len(sizes) > 1 else [""])]
    return [each for each in found if each is not None]


def setting_text(one: Trials, setting: int) -> str:
    """Return a setting as options, "default" for none."""
    options = one.plan.settings[setting]
    return ", ".join(f"{name}={value}" for name, value in options.items()) or "default"


def interval_text(one: Trials, drawn: Sequence[int]) -> str:
    """Return the 95 % range of each numeric option over redrawn training sets; "–" where the default was among them."""
    chosen = [one.plan.settings[i] for i in drawn]
    parts = []
    for name in dict.fromkeys(name for options in one.plan.settings for name in options):
        values = [options[name] for options in chosen if name in options]
        if values and all(isinstance(x, int | float) and not isinstance(x, bool) for x in values):
            low, high = np.percentile(np.array(values, float), [2.5, 97.5], method="nearest")
            parts.append(f"{name} {low:g} to {high:g}")
        elif values:
            parts.append(f"{name} {' or '.join(sorted({str(x) for x in values}))}")
    default = sum(not options for options in chosen) / len(chosen)
    return "; ".join([*parts, *([f"default in {100 * default:.0f} %"] if default else [])]) or "–"


def hidden_labels(results: JudgedRuns) -> set[str]:
    """Return the labels of settings that are neither a default nor recommended: the report's other tables omit them."""
    hidden: set[str] = set()
    for one in trials(results):
        labels = [spec.text + one.budget for spec in one.plan.specs]
        shown = {0, *(each.chosen for each in stickers(one))}
        hidden |= {label for i, label in enumerate(labels) if i not in shown}
    return hidden


def tuning_table(results: JudgedRuns) -> ResultTable:
    """Return the window sticker of every tuned solver and size."""
    rows: list[list[Any]] = []
    kinds = set()
    for one in trials(results):
        kinds.add(one.plan.objective)
        rows += [
            [
                one.plan.solver + one.budget, each.size, len(one.plan.settings), each.trained, each.unseen,
                setting_text(one, each.chosen), interval_text(one, each.drawn), each.again, each.score, each.low,
                each.high, each.default, each.best, each.virtual, each.seconds,
            ]
            for each in stickers(one)
        ]  # fmt: skip
    kind: Any = "seconds" if kinds == {"tts"} else "number"
    figure = "median TTS99 in seconds" if kinds == {"tts"} else "mean gap"
    note = (
        f"Settings are chosen on training neurons and scored ({figure}) on unseen ones, with the 95 % bootstrap "
        "interval; default: untuned; oracle: the one setting that is best on the unseen neurons; virtual best: the "
        "best setting of each neuron. “Cost”: the wall clock of all runs on training neurons (after arXiv 2402.10255)."
    )
    columns = (
        Column("solver"), Column("size"), Column("settings", "count"), Column("trained on", "count"),
        Column("unseen", "count"), Column("recommended"), Column("95 % of redraws", key="recommended_interval"),
        Column("chosen again", "share"), Column("unseen score", kind), Column("low", kind), Column("high", kind),
        Column("default", kind), Column("oracle", kind), Column("virtual best", kind), Column("cost", "seconds"),
    )  # fmt: skip
    return ResultTable("tuning", "Tuning, charged", note, columns, rows)


def cost_curve(one: Trials) -> tuple[list[float], list[float]]:
    """Return the seconds spent on training neurons and the score on unseen ones of the choice among the first k."""
    train, unseen = one.values[:, one.training], one.values[:, ~one.training]
    if not train.shape[1] or not unseen.shape[1]:
        return [], []
    middle = one.plan.objective == "tts"
    on_train, scores = _score(train, middle=middle), _score(unseen, middle=middle)
    spent = np.cumsum(one.seconds[:, one.training].sum(axis=1))
    chosen = [int(np.argmin(on_train[: k + 1])) for k in range(len(scores))]
    known = [score if math.isfinite(score) else math.nan for score in scores[chosen].tolist()]
    return spent.tolist(), known
