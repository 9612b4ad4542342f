"""Figures over sizes: success against fan-in and batch, and how the time to solution grows, extrapolation marked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.report.style import Figure, colours, named, safe
from qproj.lab.studies.metrics import BOOTSTRAPS
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import Share, neuron_times, read_successes

#: Sizes that a slope needs, and how far beyond the largest that it was fitted to it is drawn.
LEAST_SIZES, REACH = 3, 1.5
_AXES = {"d": ("fan-in d", "fan-in"), "n": ("rows n of the batch", "batch")}


def success_against(results: Results, axis: str) -> Figure | None:
    """Share of reads at the proved optimum against fan-in (`axis` "d") or batch ("n"), with Wilson intervals.

    None where no solver samples, or where there is one size only.
    """
    sizes = np.unique(results.runs[axis][results.runs["n"] > 0])
    if len(sizes) < 2:
        return None
    styles = colours(results)
    traces: list[dict[str, Any]] = []
    for line in results.lines:
        shares: list[Share] = []
        for size in sizes.tolist():
            own = results.runs.where((results.runs["label"] == line.label) & (results.runs[axis] == size))
            shares.append(read_successes(own, results.known, results.gains)[0])
        if not any(share.trials for share in shares):
            continue
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": named(line), "x": sizes.tolist(),
            "y": [share.value if share.trials else None for share in shares],
            "line": styles[line.label], "connectgaps": False,
            "error_y": {
                "type": "data", "symmetric": False, "thickness": 1,
                "array": [s.high - s.value if s.trials else 0.0 for s in shares],
                "arrayminus": [s.value - s.low if s.trials else 0.0 for s in shares],
            },
        })  # fmt: skip
    if not traces:
        return None
    title, word = _AXES[axis]
    layout: dict[str, Any] = {
        "xaxis": {"title": title, "rangemode": "tozero"},
        "yaxis": {"title": "reads at the optimum", "tickformat": ".0%", "rangemode": "tozero"},
    }
    return Figure(
        f"success-{axis}", f"Success of one read against {word}",
        "Share of single reads at the proved optimum, with 95 % Wilson intervals, beside the null model: as many "
        f"uniformly random vectors. All layers of one {word} together; neurons without a proof are left out.",
        traces, layout,
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

    Neurons are drawn anew with replacement within each size; draws that lose a size's finite median are left out.
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
    """Return the sizes and the (lower) median time of each; inf where half of its neurons were never solved."""
    sizes = np.unique(d)
    return sizes, np.array([np.sort(times[d == size])[(int((d == size).sum()) - 1) // 2] for size in sizes])


def tts_scaling(results: Results) -> Figure | None:
    """Median time to solution against weight bits, with fitted growth, extrapolated beyond the sizes that were run."""
    if len(np.unique(results.runs["weight_bits"])) < 2:
        return None
    styles = colours(results)
    traces: list[dict[str, Any]] = []
    missing: list[str] = []
    for line in results.lines:
        own = results.of(line.label)
        found = neuron_times(own, results.known, results.gains)
        if not found:
            continue
        bits = dict(zip(own["problem"].tolist(), own["weight_bits"].tolist(), strict=True))
        d = np.array([bits[p] for p in found], np.int64)
        times = np.array(list(found.values()), np.float64)
        sizes, middles = medians(d, times)
        if not np.isfinite(middles).any():
            missing.append(line.label)
            continue
        slope = fit_slope(d, times)
        grows = "" if slope is None else f", ×{10 ** (10 * slope.slope):.3g} per 10 bits"
        spread = "" if slope is None else f" (95 %: ×{10 ** (10 * slope.low):.3g} to ×{10 ** (10 * slope.high):.3g})"
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": named(line) + grows, "legendgroup": line.label,
            "x": sizes.tolist(), "y": [x if math.isfinite(x) else None for x in middles.tolist()],
            "line": styles[line.label], "connectgaps": False,
            "hovertemplate": "%{x} bits: %{y:.3g} s" + spread + "<extra>" + named(line) + "</extra>",
        })  # fmt: skip
        if slope is not None:
            last = float(sizes[np.isfinite(middles)].max())
            beyond = [last, REACH * last]
            traces.append({
                "type": "scatter", "mode": "lines", "name": named(line) + " extrapolated", "legendgroup": line.label,
                "showlegend": False, "x": beyond, "y": [10 ** (slope.start + slope.slope * x) for x in beyond],
                "line": {**styles[line.label], "dash": "dot", "width": 1}, "opacity": 0.7, "hoverinfo": "skip",
            })  # fmt: skip
    if not any(sum(y is not None for y in trace["y"]) > 1 for trace in traces):
        return None
    none = f" Never at the optimum in half of the neurons of every size: {safe(', '.join(missing))}." if missing else ""
    layout: dict[str, Any] = {
        "xaxis": {"title": "weight bits after merging (dotted: extrapolated, not measured)", "rangemode": "tozero"},
        "yaxis": {"title": "TTS99, seconds", "type": "log", "exponentformat": "power"},
    }
    return Figure(
        "tts", "How the time to solution grows",
        "Median over neurons of the time in which a solver reaches the proved optimum with probability 99 %, and "
        f"log10 TTS = a + b·bits fitted by least squares to the sizes whose median is finite.{none}", traces, layout,
    )  # fmt: skip
