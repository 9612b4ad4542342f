"""One line per solver: the table that `qproj compare` prints and the report opens with."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.studies import metrics
from qproj.lab.studies.frame import Runs
from qproj.lab.studies.metrics import References, mean_of, wilson

PARTS = ("build", "embed", "queue", "solve", "decode")


@dataclass(frozen=True)
class Share:
    """A share of neurons or reads with its Wilson interval; NaN without trials."""

    value: float
    low: float
    high: float
    trials: int

    @classmethod
    def of(cls, flags: FloatArray) -> Share:
        """Return the share of ones among the known flags."""
        known = flags[~np.isnan(flags)]
        return cls.counted(float(known.sum()), len(known))

    @classmethod
    def counted(cls, successes: float, trials: int) -> Share:
        low, high = wilson(successes, trials)
        return cls(successes / trials if trials else math.nan, low, high, trials)


@dataclass(frozen=True)
class SolverLine:
    """One solver's figures over all its runs.

    Attributes
    ----------
    neurons, asked : int
        Neurons with an answer, over which gaps are averaged; neurons of the study that it was given.
    proved : Share
        Runs that it proved itself.
    gap_mean, gap_low, gap_high, gap_median : float
        To the proved optimum where there is one, else to the best bound.
    raw, best, descent : Share
        Runs at the proved optimum: the read of lowest energy, the best read, after descent.
    read : Share
        Reads at the proved optimum, of all reads.
    tts_s : float
        Median over neurons of the time to solution at 99 %.
    setup_s : float
        One-off costs per process.
    distance : float
        Mean weights to flip to the nearest proved optimum.
    chain_breaks : float
        Mean share of broken chains.
    variables : float
        Mean binary variables of the model that the sampler saw.
    """

    label: str
    solver: str
    is_null: bool
    exact: bool
    runs: int
    failed: int
    refused: int
    cut: int
    neurons: int
    asked: int
    proved: Share
    gap_mean: float
    gap_low: float
    gap_high: float
    gap_median: float
    raw: Share
    best: Share
    descent: Share
    read: Share
    tts_s: float
    tts_low: float
    tts_high: float
    disagreement: float
    cosine: float
    wall_s: float
    descent_s: float
    setup_s: float
    distance: float
    chain_breaks: float
    variables: float
    seconds: dict[str, float] = field(default_factory=dict)


def summarise(
    runs: Runs, known: References, gains: Mapping[str, FloatArray], distances: FloatArray
) -> list[SolverLine]:
    """Return one line per solver and budget, the null models in their place among them.

    The order is that of :func:`rank_gaps`: on common neurons, where runs without an answer count as a gap of 1.
    """
    if not len(runs):
        return []
    labels = list(dict.fromkeys(runs["label"].tolist()))
    gap, raw, best = metrics.gaps(runs, known), metrics.reached(runs, known, "raw_gain"), metrics.reached(runs, known)
    descent, differs = metrics.reached(runs, known, "descent_gain"), metrics.disagreement(runs)
    rank = rank_gaps(runs["label"], runs["problem"], metrics.charged_gaps(runs, known))
    lines = []
    for label in labels:
        mask = runs["label"] == label
        own = runs.where(mask)
        usable, sampled = own.usable, bool(own["samples"][0])
        proofs = (own["status"] == "optimal") & ~known.contradicted[mask]
        per_neuron = np.array(list(metrics.means_by_problem(gap[mask], own["problem"]).values()), np.float64)
        low, high = metrics.bootstrap(per_neuron)
        read, by_neuron = read_successes(own, known, gains)
        times = np.array(list(by_neuron.values()), np.float64)
        tts_low, tts_high = metrics.bootstrap(times, "median")
        lines.append(
            SolverLine(
                label=label, solver=str(own["solver"][0]), is_null=bool(own["is_null"][0]), exact=bool(own["exact"][0]),
                runs=len(own), failed=int((own.failed | known.contradicted[mask]).sum()),
                refused=int(own.refused.sum()), cut=int(own.cut_short.sum()),
                neurons=len(per_neuron), asked=len(set(own["problem"].tolist())),
                proved=Share.counted(float(proofs.sum()), int((~own.refused).sum())),
                gap_mean=mean_of(per_neuron), gap_low=low, gap_high=high, gap_median=_median(per_neuron),
                raw=Share.of(raw[mask] if sampled else np.full(len(own), np.nan)), best=Share.of(best[mask]),
                descent=Share.of(descent[mask]), read=read, tts_s=_median(times), tts_low=tts_low, tts_high=tts_high,
                disagreement=mean_of(differs[mask]), cosine=mean_of(own["cosine"]),
                wall_s=mean_of(own["wall_s"][usable]),
                descent_s=mean_of(own["descent_s"]), setup_s=mean_of(own["setup_s"]), distance=mean_of(distances[mask]),
                chain_breaks=mean_of(reported(own, "chain_break_fraction")),
                variables=mean_of(reported(own, "variables")),
                seconds={part: mean_of(own[f"{part}_s"]) for part in PARTS},
            )
        )  # fmt: skip
    return sorted(lines, key=lambda line: (*rank[line.label], math.isnan(line.gap_mean), line.gap_mean))


def rank_gaps(label: NDArray[Any], problem: NDArray[Any], gap: FloatArray) -> dict[str, tuple[bool, float]]:
    """Return each solver's place in a ranking: (took fewer than half of the neurons, mean gap on common neurons).

    The common neurons are those that every solver took of the ones that took at least half of all; a solver that
    took fewer is ranked behind them by its own neurons, so that refusals neither help it nor shrink the comparison.

    Parameters
    ----------
    label, problem : (runs,) arrays
    gap : (runs,) float64
        1 for a run without an answer, NaN for a refused one.
    """
    means = {
        one: metrics.means_by_problem(gap[label == one], problem[label == one]) for one in dict.fromkeys(label.tolist())
    }
    half = len(set(problem.tolist())) / 2
    wide = [set(own) for own in means.values() if own and len(own) >= half]
    common = set.intersection(*wide) if wide else set()
    found = {}
    for one, own in means.items():
        few = not own or len(own) < half
        counted = [value for number, value in own.items() if few or not common or number in common]
        found[one] = (few, sum(counted) / len(counted) if counted else math.inf)
    return found


def read_successes(
    own: Runs, known: References, gains: Mapping[str, FloatArray], seconds: FloatArray | None = None
) -> tuple[Share, dict[int, float]]:
    """Return the share of optimal reads of one solver's runs, and the TTS99 in seconds by neuron.

    Of neurons whose optimum is proved, and runs whose reads were kept. A read's seconds are the run's wall clock, from
    problem to weights, or its entry of `seconds`, divided by its reads. The seconds of a failed run are charged to the
    others' reads; on a neuron where all failed, the time is infinite.
    """
    counts: dict[int, tuple[int, int, float]] = {}
    sampled = any(key in gains for key in own["run"].tolist())
    lost = ~own.usable & ~own.refused & sampled
    spent_s = own["wall_s"] if seconds is None else seconds
    rows = zip(own["run"], own["problem"].tolist(), spent_s.tolist(), lost.tolist(), strict=True)
    for key, problem, wall, failed in rows:
        values = np.empty(0) if failed else gains.get(key)
        if values is None or not (len(values) or failed) or not known.proved[problem]:
            continue
        wall = 0.0 if math.isnan(wall) else wall
        found = metrics.successes(values, float(known.gain[problem]), float(known.scale[problem]))
        hits, reads, spent = counts.get(problem, (0, 0, 0.0))
        counts[problem] = (hits + found, reads + len(values), spent + wall)
    share = Share.counted(sum(hits for hits, _, _ in counts.values()), sum(reads for _, reads, _ in counts.values()))
    return share, {
        p: float(metrics.tts(hits / reads, spent / reads)) if reads else math.inf
        for p, (hits, reads, spent) in counts.items()
    }


def reported(runs: Runs, name: str) -> FloatArray:
    """Return a number that solvers report in their statistics, for each run; NaN where they do not."""
    found = [json.loads(text).get(name) for text in runs["stats"].tolist()]
    numbers = [float(x) if isinstance(x, int | float) and not isinstance(x, bool) else math.nan for x in found]
    return np.array(numbers, np.float64)


def _median(values: FloatArray) -> float:
    known = np.sort(values[~np.isnan(values)])
    return metrics.middle(known) if len(known) else math.nan


def gap_text(line: SolverLine) -> str:
    """Return the mean gap, and over how many neurons where some have no answer."""
    counted = f" ({line.neurons} of {line.asked})" if 0 < line.neurons < line.asked else ""
    return number(line.gap_mean) + counted


def percent(value: float) -> str:
    """Return a share in per cent, "–" for none; 100 % and 0 % only where exact."""
    if math.isnan(value):
        return "–"
    if 0 < value < 0.001:
        return "<0.1%"
    if 0.999 < value < 1:
        return ">99.9%"
    return f"{100 * value:.1f}%" if 0 < value < 1 else f"{100 * value:.0f}%"


def number(value: float) -> str:
    """Return three digits, "–" for none."""
    return "–" if math.isnan(value) else "0" if value == 0 else f"{value:.3g}"


def seconds(value: float) -> str:
    """Return seconds with a unit that fits."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    if value == 0:
        return "0"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"
