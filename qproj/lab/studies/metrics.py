"""The figures of a study, each with its formula and source; all from gains that were recomputed.

Gains are compared with a tolerance of 1e-9·Σ|τ|: sums in another order differ by less, different optima by more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray
from qproj.lab.studies.frame import Runs
from qproj.solvers.claims import TOLERANCE

#: 97.5 % quantile of the normal distribution.
Z95 = 1.959963984540054
BOOTSTRAPS = 1000


@dataclass(frozen=True, eq=False)
class References:
    """The best gain, bound and proof of each neuron, from all runs of a study together.

    Attributes
    ----------
    gain : (problems,) float64
        The best verified gain; NaN where no run has an incumbent.
    bound : (problems,) float64
        The lowest claimed upper bound on the gain that no incumbent beats; the gain itself where proved.
    proved : (problems,) bool
        Some solver proved `gain` optimal, and none found better; or it is a model's published optimum.
    scale : (problems,) float64
        Σ|τ|.
    contradicted : (runs,) bool
        Runs that claimed a proof or a bound which another run's incumbent beats: false proofs.
    """

    gain: FloatArray
    bound: FloatArray
    proved: NDArray[np.bool_]
    scale: FloatArray
    contradicted: NDArray[np.bool_]


def references(runs: Runs) -> References:
    """Return the best gain, the best bound and the proofs, neuron by neuron, and who contradicts them."""
    problem = runs["problem"]
    count = int(problem.max(initial=-1)) + 1
    scale, ceiling = np.zeros(count), np.zeros(count)
    scale[problem], ceiling[problem] = runs["scale"], runs["ceiling"]
    model = np.zeros(count, bool)
    model[problem] = runs["n"] == 0
    usable = runs.usable
    gain = np.full(count, -np.inf)
    np.maximum.at(gain, problem[usable], runs["gain"][usable])
    tolerance = TOLERANCE * scale
    claimed = np.where(runs["status"] == "optimal", runs["gain"], runs["gain_bound"])
    claimed = np.where(np.isnan(claimed), np.inf, claimed)
    contradicted = claimed < (gain - tolerance)[problem]
    believed = ~contradicted & ~runs.failed
    bound = ceiling.copy()  # the trivial bound, or a published optimum, needs no solver
    np.minimum.at(bound, problem[believed], claimed[believed])
    proofs = believed & usable & (runs["status"] == "optimal")
    proved = np.zeros(count, bool)
    proved[problem[proofs]] = True
    proved |= model & (np.abs(gain - ceiling) <= TOLERANCE * scale)  # published optima are integers: no rounding
    bound = np.where(proved, gain, np.maximum(bound, gain))
    return References(np.where(np.isfinite(gain), gain, np.nan), bound, proved, scale, contradicted)


def gaps(runs: Runs, known: References, column: str = "gain") -> FloatArray:
    """Return (g* − gain)/(2Σ|τ|) of each run, in [0, 1]: g* is the proved optimum, else the best bound on the gain.

    The same as (objective − bound)/(4Σ|τ|), the objective's distance as a share of its range, without the rounding
    that the constant Σ(1 + t²) brings. NaN without an incumbent, 0 where Σ|τ| = 0.
    """
    problem = runs["problem"]
    best, scale = known.bound[problem], known.scale[problem]
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = (best - runs[column]) / (2.0 * scale)
    gap = np.where((scale == 0) & ~np.isnan(runs[column]), 0.0, gap)
    gap = np.where(gap <= TOLERANCE, np.where(np.isnan(gap), np.nan, 0.0), np.minimum(gap, 1.0))
    return np.where(runs.usable, gap, np.nan)


def charged_gaps(runs: Runs, known: References) -> FloatArray:
    """Return the gaps of all runs, 1 for a run without an answer or with a false proof, NaN for a refused one."""
    lost = ~runs.refused & (~runs.usable | known.contradicted)
    return np.where(lost, 1.0, gaps(runs, known))


def gap_to(bound: ArrayLike, gain: ArrayLike, scale: ArrayLike) -> FloatArray:
    """Return (bound − gain)/(2Σ|τ|) in [0, 1], 0 where Σ|τ| = 0: the formula of :func:`gaps` for single gains."""
    sizes = np.asarray(scale, np.float64)
    missing = np.asarray(bound, np.float64) - np.asarray(gain, np.float64)
    gap: FloatArray = np.clip(missing / (2.0 * np.where(sizes > 0, sizes, 1.0)), 0.0, 1.0)
    return gap


def reached(runs: Runs, known: References, column: str = "gain") -> FloatArray:
    """Return 1.0 where a run's gain is the proved optimum, 0.0 where not, NaN where nothing is proved or refused.

    A run without an incumbent, or one that failed, has not reached it: 0.0. In other columns than "gain" that holds
    for solvers that have such figures at all.

    `column`: "raw_gain" for the read of lowest energy, "gain" for the best read, "descent_gain" after descent.
    """
    gap = gaps(runs, known, column)
    there = ~np.isnan(gap)
    lost = ~runs.usable & ~runs.refused
    if column != "gain":
        lost &= np.isin(runs["label"].astype(str), runs["label"][there].astype(str))
    counted = known.proved[runs["problem"]] & (there | lost)
    return np.where(counted, (there & (gap == 0.0)).astype(float), np.nan)


def wilson(successes: float, trials: float, z: float = Z95) -> tuple[float, float]:
    """Return the score interval of a proportion (E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209).

    (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n); (0, 1) without trials.
    """
    if trials <= 0:
        return 0.0, 1.0
    p = successes / trials
    middle = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    low = 0.0 if successes <= 0 else max(0.0, middle - half)
    high = 1.0 if successes >= trials else min(1.0, middle + half)
    return low, high


def successes(gains: FloatArray, optimum: float, scale: float) -> int:
    """Return how many reads of one run reach the optimum."""
    return int(np.count_nonzero(gains >= optimum - TOLERANCE * scale))


def tts(probability: ArrayLike, seconds_per_read: ArrayLike, target: float = 0.99) -> FloatArray:
    """Return the time to solution t·ln(1 − target)/ln(1 − p), at least one read.

    Rønnow et al., Science 345 (2014) 420.
    inf where p = 0: no read of the sample was optimal, and the sample says no more.
    """
    p, t = np.broadcast_arrays(np.asarray(probability, np.float64), np.asarray(seconds_per_read, np.float64))
    with np.errstate(divide="ignore"):
        reads = np.where(p >= target, 1.0, math.log1p(-target) / np.log1p(-np.minimum(p, target)))
    return np.where(p <= 0, np.inf, t * np.maximum(reads, 1.0))


def bootstrap(
    values: FloatArray, statistic: str = "mean", *, seed: int = 0, repeats: int = BOOTSTRAPS
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a mean or median over neurons, drawn with replacement.

    B. Efron, Ann. Stat. 7 (1979) 1; `repeats` draws, seeded.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    draws = known[rng.integers(0, len(known), (repeats, len(known)))]
    found = draws.mean(axis=1) if statistic == "mean" else _middles(np.sort(draws, axis=1))
    low, high = np.sort(found)[[int(0.025 * (repeats - 1)), int(0.975 * (repeats - 1))]]
    return float(low), float(high)


def middle(ordered: FloatArray) -> float:
    """Return the median of sorted values, the mean of the two middle ones where their number is even; inf counts."""
    return float(_middles(ordered[None])[0])


def _middles(ordered: FloatArray) -> FloatArray:
    """Return the median of each sorted row."""
    count = ordered.shape[1]
    found: FloatArray = 0.5 * (ordered[:, (count - 1) // 2] + ordered[:, count // 2])
    return found


def best_of_k(gains: FloatArray, k: int) -> float:
    """Return the expected best gain of k of the n reads, drawn without replacement.

    Σ_i g_(i) C(n−i, k−1)/C(n, k) over the gains in falling order: unbiased, unlike the running best of one order.
    """
    n = len(gains)
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}; a number from 1 to the {n} reads is needed")
    ordered = np.sort(gains)[::-1]
    weight, left, expected = k / n, 1.0, 0.0
    for i, gain in enumerate(ordered.tolist()):
        expected += weight * gain
        left -= weight
        if i + 1 > n - k:
            break
        weight *= (n - i - k) / (n - i - 1)
    return expected


def disagreement(runs: Runs) -> FloatArray:
    """Return 1.0 where the read of lowest energy is not the best projection, 0.0 where it is, NaN where unknown."""
    raw, gain = runs["raw_gain"], runs["gain"]
    lower = raw < gain - TOLERANCE * runs["scale"]
    sampled = (runs["samples"] == 1) & runs.usable & ~np.isnan(raw)
    return np.where(sampled, lower.astype(float), np.nan)


def count_distance(counts: NDArray[np.int64], optima: NDArray[np.int64]) -> int:
    """Return min over the known optima of Σ_class |c − c*|: the weights to flip, whatever their order in a class.

    Columns of X that are equal up to sign enter only through c (design: column aggregation), so Hamming distance in
    v would count differences that change nothing.
    """
    return int(np.abs(optima - counts).sum(axis=1).min())


def agreement(runs: Runs, labels: Sequence[str]) -> FloatArray:
    """Return, for each pair of solvers, the share of (neuron, seed) pairs on which their gains are equal; NaN for none.

    A solver without seeds counts for every seed of the other.
    """
    tables: list[dict[int, list[tuple[Any, float]]]] = []
    for label in labels:
        own = runs.where((runs["label"] == label) & runs.usable)
        tables.append({})
        for problem, seed, gain in zip(own["problem"].tolist(), own["seed"], own["gain"].tolist(), strict=True):
            tables[-1].setdefault(problem, []).append((seed, gain))
    shares = np.full((len(labels), len(labels)), np.nan)
    scale = dict(zip(runs["problem"].tolist(), runs["scale"].tolist(), strict=True))
    for a, first in enumerate(tables):
        for b, second in enumerate(tables):
            equal = [
                abs(x - y) <= TOLERANCE * scale[problem]
                for problem in first.keys() & second.keys()
                for seed, x in first[problem]
                for other, y in second[problem]
                if seed == other or seed is None or other is None
            ]
            if equal:
                shares[a, b] = float(np.mean(equal))
    return shares


def mean_of(values: FloatArray) -> float:
    """Return the mean of the values that are known; NaN where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def means_by_problem(values: FloatArray, problem: NDArray[Any]) -> dict[Any, float]:
    """Return the mean of the known values of each neuron: seeds are repeats, neurons are the sample."""
    found: dict[Any, list[float]] = {}
    for number, value in zip(problem.tolist(), values.tolist(), strict=True):
        if not math.isnan(value):
            found.setdefault(number, []).append(value)
    return {number: sum(known) / len(known) for number, known in found.items()}


@dataclass(frozen=True)
class Comparison:
    """A against B over the neurons that both solved: mean difference, its 95 % interval, two-sided p."""

    difference: float
    low: float
    high: float
    p: float
    neurons: int

    @property
    def p_text(self) -> str:
        """Three digits after the point, or that it is less."""
        return "<0.001" if self.p < 0.001 else f"{self.p:.3f}"


def paired_bootstrap(
    a: Mapping[Any, float], b: Mapping[Any, float], *, seed: int = 0, repeats: int = 4 * BOOTSTRAPS
) -> Comparison | None:
    """Return the mean of a − b over shared neurons with its percentile interval; None where nothing is shared.

    Neurons are drawn in pairs with replacement; p is twice the smaller share of draws beyond 0, ties half each side
    (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 16).
    """
    shared = sorted(a.keys() & b.keys())
    if not shared:
        return None
    differences = np.array([a[i] - b[i] for i in shared])
    rng = np.random.default_rng(seed)
    draws = differences[rng.integers(0, len(shared), (repeats, len(shared)))].mean(axis=1)
    ordered = np.sort(draws)
    low, high = ordered[[int(0.025 * (repeats - 1)), int(0.975 * (repeats - 1))]]
    below = (np.count_nonzero(draws < 0) + 0.5 * np.count_nonzero(draws == 0) + 0.5) / (repeats + 1)
    return Comparison(
        float(differences.mean()), float(low), float(high), min(1.0, 2 * min(below, 1 - below)), len(shared)
    )
