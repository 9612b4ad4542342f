"""Figures that set solvers against one another: anytime curves, performance profiles, optimal times, cost, tuning."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np

from qproj._arrays import FloatArray
from qproj.lab.report.figure import PALETTE, Axis, Figure, Series, Style, scale_of
from qproj.lab.report.solver_styles import shown_name, solver_styles
from qproj.lab.studies import rankings
from qproj.lab.studies.comparisons import (
    EPSILONS,
    QPU,
    WALL,
    comparable,
    percent_gap,
    qpu_microseconds,
    time_to_gap,
    times_by_setting,
)
from qproj.lab.studies.metrics import gap_to, gaps, middle
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_families import SolverFamily, families
from qproj.lab.studies.tuning_table import Trials, cost_curve, sticker, trials

#: Points of a curve over time.
_MOMENTS = 60


def comparison_figures(results: Results) -> list[Figure]:
    """Return the figures that the study has data for."""
    made = [anytime(results), performance_profile(results), *optimal_times(results), qpu_cost(results), tuning(results)]
    return [figure for figure in made if figure is not None]


def anytime(results: Results) -> Figure | None:
    """Mean gap against the time since the start, for solvers that report their search; None where none does."""
    styles, gap = solver_styles(results), gaps(results.runs, results.known)
    walls = results.runs["wall_s"]
    reporting = [line for line in results.lines if any(key in results.events for key in results.of(line.label)["run"])]
    if not reporting:
        return None
    first = min((float(e[0, 0]) for e in results.events.values() if len(e) and e[0, 0] > 0), default=1e-4)
    last = float(np.nanmax(walls))
    moments = np.geomspace(max(first, 1e-6), max(last, 10 * first), _MOMENTS)
    series = []
    for line in reporting:
        mask = (results.runs["label"] == line.label) & ~results.runs.refused
        curves = [_gap_at(results, i, float(gap[i]), moments) for i in np.flatnonzero(mask).tolist()]
        mean, hover = np.mean(curves, axis=0).tolist(), "{y:.3g} at {x:.3g} s"
        series.append(Series(shown_name(line), moments.tolist(), mean, styles[line.label], "steps", hover=hover))
    return Figure(
        "anytime", "Gap as the search goes",
        "Mean gap of the incumbent over all runs, at each moment since the run's start: 1 before the first incumbent. "
        "Only solvers that report their search; all neurons are in every mean.",
        Axis("seconds since the start", "log"), Axis("mean gap", from_zero=True), series,
    )  # fmt: skip


def _gap_at(results: Results, i: int, final: float, moments: FloatArray) -> FloatArray:
    """The gap of one run's incumbent at each moment: 1 before the first."""
    events = results.events.get(results.runs["run"][i])
    problem = int(results.runs["problem"][i])
    scale, bound = float(results.known.scale[problem]), float(results.known.bound[problem])
    found: FloatArray = np.ones(len(moments))
    for seconds, gain, _ in [] if events is None else events.tolist():
        if not math.isnan(gain):
            found[moments >= seconds] = gap_to(bound, gain, scale)
    if not math.isnan(final):
        found[moments >= float(results.runs["wall_s"][i])] = final
    return found


def performance_profile(results: Results) -> Figure | None:
    """Share of common neurons on which a solver is within a factor of the fastest, in the time to the least gap."""
    table, left = comparable(time_to_gap(results, EPSILONS[-1]), results.neurons)
    keys, values = rankings.common(table)
    finite = values[np.isfinite(values)]
    if len(table) < 2 or not len(finite) or (values <= 0).any():
        return None
    best = values.min(axis=1, keepdims=True)
    ratios = np.divide(values, best, out=np.full_like(values, math.inf), where=np.isfinite(values) & np.isfinite(best))
    last = 1.1 * float(ratios[np.isfinite(ratios)].max())
    x = np.geomspace(1.0, max(last, 2.0), 4 * _MOMENTS)
    shares, styles = rankings.profile(table, x), solver_styles(results)
    series = [
        Series(shown_name(line), x.tolist(), shares[line.label].tolist(), styles[line.label], "steps",
               hover="{y:.1%} of neurons within a factor {x:.3g}")
        for line in results.lines
        if line.label in shares
    ]  # fmt: skip
    omitted = f" Left out, as they took fewer than half of the neurons: {', '.join(left)}." if left else ""
    return Figure(
        "profile", "Performance profile",
        f"Share of the {len(keys)} common neurons on which a solver's time to a gap of {percent_gap(EPSILONS[-1])} is "
        "within a factor of the fastest solver's; a solver that was not there in time is within none "
        f"(E. D. Dolan and J. J. Moré, 2002).{omitted}",
        Axis("factor of the fastest time", "log"), Axis("share of neurons", ticks=".0%", limits=(0, 1.02)), series,
    )  # fmt: skip


def optimal_times(results: Results) -> list[Figure]:
    """Median TTS99 against each scanned option, one figure per option and clock."""
    by_option: dict[str, list[SolverFamily]] = {}
    for family in families(results.lines):
        by_option.setdefault(family.option, []).append(family)
    made = [_optimal_time(results, option, own, clock) for option, own in by_option.items() for clock in (WALL, QPU)]
    return [figure for figure in made if figure is not None]


def _optimal_time(results: Results, option: str, own: list[SolverFamily], clock: str) -> Figure | None:
    series, remarks = [], []
    for family, colour in zip(own, itertools.cycle(PALETTE)):
        times = times_by_setting(results, family, clock)
        shared = sorted(set.intersection(*(set(row) for row in times.values()))) if len(times) > 2 else []
        if not shared:
            continue
        table = {value: np.array([row[p] for p in shared]) for value, row in times.items()}
        best = rankings.optimal_tts(table)
        middles = [middle(np.sort(table[value])) for value in sorted(table)]
        if not math.isfinite(best.seconds):
            remarks.append(f"{family.name}: never in half of the neurons.")
            continue
        place = "inside the range" if best.inside else "at an end of the range, so that it may be lower beyond"
        remarks.append(f"{family.name}: least at {best.setting:g}, {place}.")
        y = [t if math.isfinite(t) else math.nan for t in middles]
        series.append(Series(family.name, sorted(table), y, Style(colour), "line+points"))
    if not series:
        return None
    scale = scale_of([float(x) for one in series for x in one.x])
    charge = "Of QPU access as charged, or, for an emulated machine, as a real one would charge it. " * (clock == QPU)
    return Figure(
        f"tts-{option}" if clock == WALL else f"tts-qpu-{option}",
        f"Time to solution against {option}" if clock == WALL else f"QPU access to solution against {option}",
        "Median TTS99 over the neurons with a proved optimum, all else equal. " + charge + " ".join(remarks),
        Axis(option, scale), Axis(f"TTS99, seconds of {clock}", "log"), series,
    )  # fmt: skip


def qpu_cost(results: Results) -> Figure | None:
    """Mean gap against the QPU access time of a run; None where no solver is charged any."""
    styles = solver_styles(results)
    series = []
    for line in results.lines:
        charged = qpu_microseconds(results.of(line.label))
        charged = charged[~np.isnan(charged)]
        if len(charged) and not math.isnan(line.gap_mean):
            style = replace(styles[line.label], size=10.0)
            series.append(
                Series(
                    shown_name(line), [float(charged.mean())], [line.gap_mean], style, "points",
                    low=[line.gap_low], high=[line.gap_high], hover="gap {y:.3g} for {x:.0f} µs",
                )
            )  # fmt: skip
    if not series:
        return None
    return Figure(
        "cost", "Quality against QPU time",
        "Mean gap with its 95 % bootstrap interval against the access time of one run, as charged, or as a real "
        "machine would charge it.",
        Axis("µs of QPU access per run", "log"), Axis("mean gap", from_zero=True), series,
    )  # fmt: skip


def tuning(results: Results) -> Figure | None:
    """Score on unseen neurons against what was spent on choosing among the first k settings; None without tuning."""
    series: list[Series] = []
    for one, colour in zip(trials(results), itertools.cycle(PALETTE)):
        series += _tuned(one, colour)
    if not series:
        return None
    return Figure(
        "tuning", "What tuning buys, and costs",
        "Score on unseen neurons of the best of the first k settings on training neurons, against the seconds spent on "
        "them. Dashed: the default; dotted: the oracle, the one setting that is best on the unseen neurons.",
        Axis("seconds spent on training neurons", "log"), Axis("score on unseen neurons", from_zero=True), series,
    )  # fmt: skip


def _tuned(one: Trials, colour: str) -> list[Series]:
    (x, y), whole = cost_curve(one), sticker(one)
    if whole is None or not x:
        return []
    name, ends = one.plan.solver + one.budget, [x[0], x[-1]]
    found = [Series(name, x, y, Style(colour), "line+points")]
    for word, level, style in (
        ("default", whole.default, Style(colour, "dash", width=1.5)),
        ("oracle", whole.best, Style(colour, "dot", width=1.5)),
    ):
        if math.isfinite(level):
            found.append(Series(f"{name}: {word}", ends, [level, level], style))
    return found
