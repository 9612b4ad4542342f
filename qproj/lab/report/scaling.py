"""Figures over sizes: success against fan-in and batch, and how the time to solution grows, extrapolation marked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.report.figure import Axis, Figure, Series, Style
from qproj.lab.report.solver_styles import shown_name, solver_styles
from qproj.lab.studies.metrics import BOOTSTRAPS, middle
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import SolverLine, read_successes

#: Sizes that a slope needs, and how far beyond the largest that it was fitted to it is drawn.
LEAST_SIZES, REACH = 3, 1.5
_AXES = {"d": ("fan-in d", "fan-in"), "n": ("rows n of the batch", "batch")}


def success_against(results: Results, axis: str) -> Figure | None:
    """Share of reads at the proved optimum against fan-in (`axis` "d") or batch ("n"), with Wilson intervals.

    None where no solver samples, or where there is one size only.
    """
    sizes = np.unique(results.runs[axis][results.runs["n"] > 0]).tolist()
    if len(sizes) < 2:
        return None
    styles = solver_styles(results)
    series = []
    for line in results.lines:
        own = [
            results.runs.where((results.runs["label"] == line.label) & (results.runs[axis] == size)) for size in sizes
        ]
        shares = [read_successes(runs, results.known, results.gains)[0] for runs in own]  # NaN without reads
        if any(share.trials for share in shares):
            series.append(
                Series(
                    shown_name(line), sizes, [share.value for share in shares], styles[line.label], "line+points",
                    low=[share.low for share in shares], high=[share.high for share in shares],
                )
            )  # fmt: skip
    if not series:
        return None
    title, word = _AXES[axis]
    return Figure(
        f"success-{axis}", f"Success of one read against {word}",
        "Share of single reads at the proved optimum, with 95 % Wilson intervals, beside the null model: as many "
        f"uniformly random vectors. All layers of one {word} together; neurons without a proof are left out.",
        Axis(title, from_zero=True), Axis("reads at the optimum", ticks=".0%", from_zero=True), series,
    )  # fmt: skip


@dataclass(frozen=True)
class Slope:
    """log10 TTS = start + slope·d by least squares, with the slope's 95 % bootstrap interval over neurons."""

    start: float
    slope: float
    low: float
    high: float


def fit_slope(d: NDArray[np.int64], times: FloatArray, *, seed: int = 0) -> Slope | None:
    """Return the fit to the medians of each size; None below three sizes whose median is finite.

    Neurons are drawn with replacement within each size; draws that lose a size's finite median are left out.
    """
    fitted = _fit(d, times)
    if fitted is None:
        return None
    rng = np.random.default_rng(seed)
    places = [np.flatnonzero(d == size) for size in np.unique(d)]
    drawn = []
    for _ in range(BOOTSTRAPS):
        chosen = np.concatenate([rng.choice(place, len(place)) for place in places])
        again = _fit(d[chosen], times[chosen])
        if again is not None:
            drawn.append(again[1])
    low, high = (float(x) for x in np.percentile(drawn, [2.5, 97.5])) if drawn else (math.nan, math.nan)
    return Slope(fitted[0], fitted[1], low, high)


def _fit(d: NDArray[np.int64], times: FloatArray) -> tuple[float, float] | None:
    sizes, middles = medians(d, times)
    finite = np.isfinite(middles) & (middles > 0)
    if finite.sum() < LEAST_SIZES:
        return None
    slope, start = np.polyfit(sizes[finite], np.log10(middles[finite]), 1)
    return float(start), float(slope)


def medians(d: NDArray[np.int64], times: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the sizes and the median time of each; inf where half of its neurons were never solved."""
    sizes = np.unique(d)
    return sizes, np.array([middle(np.sort(times[d == size])) for size in sizes])


def tts_scaling(results: Results) -> Figure | None:
    """Median time to solution against weight bits, with fitted growth, extrapolated beyond the sizes that were run."""
    if len(np.unique(results.runs["weight_bits"])) < 2:
        return None
    styles = solver_styles(results)
    series: list[Series] = []
    never: list[str] = []
    for line in results.lines:
        own = results.of(line.label)
        _, found = read_successes(own, results.known, results.gains)
        if not found:
            continue
        bits = dict(zip(own["problem"].tolist(), own["weight_bits"].tolist(), strict=True))
        d, times = np.array([bits[p] for p in found], np.int64), np.array(list(found.values()), np.float64)
        if np.isfinite(medians(d, times)[1]).any():
            series += _growth(line, d, times, styles[line.label])
        else:
            never.append(line.label)
    if not any(np.isfinite(np.array(one.y, np.float64)).sum() > 1 for one in series):
        return None
    text = f" Never at the optimum in half of the neurons of every size: {', '.join(never)}." if never else ""
    return Figure(
        "tts", "How the time to solution grows",
        "Median over neurons of the time in which a solver reaches the proved optimum with probability 99 %, and "
        f"log10 TTS = a + b·bits fitted by least squares to the sizes whose median is finite.{text}",
        Axis("weight bits after merging (dotted: extrapolated, not measured)", from_zero=True),
        Axis("TTS99, seconds", "log"), series,
    )  # fmt: skip


def _growth(line: SolverLine, d: NDArray[np.int64], times: FloatArray, style: Style) -> list[Series]:
    """Return one solver's medians, and its fitted growth beyond them, dotted."""
    sizes, middles = medians(d, times)
    slope, name = fit_slope(d, times), shown_name(line)
    growth = hover = ""
    if slope is not None:
        growth = f", ×{10 ** (10 * slope.slope):.3g} per 10 bits"
        hover = f" (95 %: ×{10 ** (10 * slope.low):.3g} to ×{10 ** (10 * slope.high):.3g})"
    measured = np.where(np.isfinite(middles), middles, np.nan).tolist()
    series = [
        Series(
            name + growth, sizes.tolist(), measured, style, "line+points", group=line.label,
            hover="{x} bits: {y:.3g} s" + hover,
        )
    ]  # fmt: skip
    if slope is not None:
        last = float(sizes[np.isfinite(middles)].max())
        beyond = [last, REACH * last]
        series.append(
            Series(
                f"{name} extrapolated", beyond, [10 ** (slope.start + slope.slope * x) for x in beyond],
                replace(style, dash="dot", width=1, opacity=0.7), group=line.label, hover=None, in_legend=False,
            )
        )  # fmt: skip
    return series
