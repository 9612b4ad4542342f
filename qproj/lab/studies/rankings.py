"""Solvers against one another on the same neurons: rank tests with Holm's correction, virtual best, profiles.

Each table maps solvers to their figures by neuron, the smaller the better; a failure is inf, and counts. Only neurons
that every solver was asked for are compared: :func:`common`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from qproj._arrays import FloatArray

Table = Mapping[str, Mapping[Any, float]]


def common(table: Table) -> tuple[list[Hashable], FloatArray]:
    """Return the neurons for which every solver has a value, and the values (neurons, solvers)."""
    if not table:
        return [], np.empty((0, 0))
    keys = sorted(set.intersection(*(set(row) for row in table.values())), key=repr)
    values = [[float(row[key]) for row in table.values()] for key in keys]
    return keys, np.array(values, np.float64).reshape(len(keys), len(table))


def mean_ranks(table: Table) -> dict[str, float]:
    """Return each solver's mean rank over the common neurons, 1 for the best, ties shared."""
    from scipy.stats import rankdata

    keys, values = common(table)
    if not keys:
        return dict.fromkeys(table, math.nan)
    ranks = rankdata(values, axis=1)
    return dict(zip(table, ranks.mean(axis=0).tolist(), strict=True))


def friedman(table: Table) -> float:
    """Return the p-value that all solvers have equal ranks (M. Friedman, J. Am. Stat. Assoc. 32 (1937) 675).

    NaN for fewer than three solvers or two common neurons; 1 where all figures are equal.
    """
    from scipy.stats import friedmanchisquare, rankdata

    keys, values = common(table)
    if len(keys) < 2 or len(table) < 3:
        return math.nan
    ranks = rankdata(values, axis=1)
    if (ranks == ranks[:, :1]).all():
        return 1.0
    return float(friedmanchisquare(*ranks.T).pvalue)


@dataclass(frozen=True)
class PairTest:
    """Two solvers' Wilcoxon signed-rank test: p as it stands, and after Holm's correction over all pairs."""

    first: str
    second: str
    p: float
    p_holm: float
    neurons: int


def wilcoxon_pairs(table: Table) -> list[PairTest]:
    """Return the two-sided signed-rank test of each pair (F. Wilcoxon, Biometrics Bull. 1 (1945) 80), Holm-corrected.

    A failure is worse than every figure and as bad as another failure; zero differences share both signs (Pratt).
    """
    from scipy.stats import wilcoxon

    keys, values = common(table)
    found: list[tuple[str, str, float]] = []
    for (a, first), (b, second) in combinations(enumerate(table), 2):
        differences = _differences(values[:, a], values[:, b])
        p = 1.0 if not differences.any() else float(wilcoxon(differences, zero_method="zsplit").pvalue)
        found.append((first, second, p if keys else math.nan))
    corrected = holm([p for _, _, p in found])
    return [PairTest(*pair, p_holm, len(keys)) for pair, p_holm in zip(found, corrected, strict=True)]


def _differences(a: FloatArray, b: FloatArray) -> FloatArray:
    finite = np.isfinite(a) & np.isfinite(b)
    known = np.where(finite, a, 0.0) - np.where(finite, b, 0.0)
    beyond = 2.0 * float(np.abs(known).max(initial=0.0)) + 1.0
    lost = np.isinf(a).astype(float) - np.isinf(b).astype(float)
    result: FloatArray = np.where(finite, known, beyond * lost)
    return result


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by steps down (S. Holm, Scand. J. Stat. 6 (1979) 65)."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    corrected, running = [math.nan] * len(p), 0.0
    for place, i in enumerate(order):
        running = max(running, min(1.0, (len(p) - place) * p[i]))
        corrected[i] = running
    return corrected


def virtual_best(table: Table) -> dict[Any, float]:
    """Return the best figure of each neuron over the solvers that have one: what choosing the solver could reach."""
    best: dict[Any, float] = {}
    for row in table.values():
        for key, value in row.items():
            best[key] = min(best.get(key, math.inf), value)
    return best


def profile(table: Table, ratios: FloatArray) -> dict[str, FloatArray]:
    """Return the share of common neurons on which each solver is within each ratio of the best.

    Performance profiles, E. D. Dolan and J. J. Moré, Math. Program. 91 (2002) 201. A failure is within no ratio; on
    neurons that all failed nobody is. Figures have to be > 0, such as seconds.

    Raises
    ------
    ValueError
        A figure that is negative or 0.
    """
    keys, values = common(table)
    if (values <= 0).any():
        raise ValueError("profiles compare ratios; every figure has to be > 0: use seconds rather than gaps")
    best = values.min(axis=1, keepdims=True, initial=math.inf)
    with np.errstate(invalid="ignore"):
        ratio = np.where(np.isfinite(values), values / best, math.inf)
    shares = [(ratio[:, j, None] <= np.asarray(ratios)[None, :]).mean(axis=0) for j in range(len(table))]
    return dict(zip(table, shares, strict=True)) if keys else {}


@dataclass(frozen=True)
class OptimalTTS:
    """The least time to solution over a range of sweeps or annealing times, with its bootstrap interval.

    ``inside`` is False where the least is at an end of the range, so that the true optimum may be beyond: the figure
    is an upper bound then (T. F. Rønnow et al., Science 345 (2014) 420).
    """

    setting: float
    seconds: float
    low: float
    high: float
    inside: bool


def optimal_tts(by_setting: Mapping[float, FloatArray], *, seed: int = 0, repeats: int = 1000) -> OptimalTTS:
    """Return the setting of least median TTS, and the interval of that least under redrawn neurons.

    Parameters
    ----------
    by_setting : mapping
        Setting to the TTS of each neuron, the same neurons in the same order; inf where no read was optimal.

    Raises
    ------
    ValueError
        No setting, or different numbers of neurons.
    """
    settings = sorted(by_setting)
    lengths = {len(by_setting[s]) for s in settings}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"the settings have {sorted(lengths)} neurons; one number > 0 for all is needed")
    values = np.array([by_setting[s] for s in settings], np.float64)
    medians = np.median(values, axis=1)
    best = int(np.argmin(medians))
    draws = np.random.default_rng(seed).integers(0, values.shape[1], (repeats, values.shape[1]))
    least = np.sort(np.median(values[:, draws], axis=2).min(axis=0))
    low, high = least[[int(0.025 * (repeats - 1)), int(0.975 * (repeats - 1))]]
    inside = 0 < best < len(settings) - 1 and bool(np.isfinite(medians[best]))
    return OptimalTTS(settings[best], float(medians[best]), float(low), float(high), inside)


def time_to_gap(times: Sequence[float], gaps: Sequence[float], epsilon: float) -> float:
    """Return the first time at which an anytime curve (time, gap) is at a gap ≤ ε; inf where it never is.

    Raises
    ------
    ValueError
        ε < 0, or times and gaps of different lengths.
    """
    if epsilon < 0 or len(times) != len(gaps):
        raise ValueError(f"{len(times)} times, {len(gaps)} gaps and ε = {epsilon}; equal numbers and ε ≥ 0 are needed")
    return min((t for t, gap in zip(times, gaps, strict=True) if gap <= epsilon), default=math.inf)
