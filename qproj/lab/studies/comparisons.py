"""The tables that set a study's solvers against one another: ranks, pairs, times to a gap, optimal times, cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.lab.studies import rankings
from qproj.lab.studies.frame import Runs
from qproj.lab.studies.metrics import (
    charged_gaps,
    gap_to,
    gaps,
    mean_of,
    means_by_problem,
    middle,
    paired_bootstrap,
    tts,
)
from qproj.lab.studies.result_table import Column, ResultTable
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_families import SolverFamily, families
from qproj.lab.studies.solver_table import read_successes, reported
from qproj.solvers.claims import TOLERANCE

#: Gaps to which a time is measured.
EPSILONS = (0.01, 0.001, 0.0001)
#: Solvers up to which every pair is compared.
MAX_PAIRS = 16
#: Digits that a share of neurons may differ by and still be the same gap.
_SAME = 1e-12


def gap_by_neuron(results: Results) -> dict[str, dict[Any, float]]:
    """Return each solver's mean gap of each neuron over its seeds; a run without an answer counts as a gap of 1.

    Refused runs count for nothing: the neuron is left out for that solver.
    """
    charged = charged_gaps(results.runs, results.known)
    label, problem = results.runs["label"], results.runs["problem"]
    return {
        line.label: means_by_problem(charged[label == line.label], problem[label == line.label])
        for line in results.lines
    }


def comparable(table: rankings.Table, neurons: int) -> tuple[dict[str, Mapping[Any, float]], list[str]]:
    """Return the solvers that took at least half of the neurons, and the names of the others."""
    kept = {name: row for name, row in table.items() if len(row) >= max(1.0, neurons / 2)}
    return kept, [name for name in table if name not in kept]


def ranking_table(results: Results) -> ResultTable:
    """Return mean ranks on common neurons, and each solver's distance from the virtual best solver."""
    kept, left = comparable(gap_by_neuron(results), results.neurons)
    keys, values = rankings.common(kept)
    ranks, p = rankings.mean_ranks(kept), rankings.friedman(kept)
    best = values.min(axis=1) if len(keys) else np.empty(0)
    rows: list[list[Any]] = [
        [name, len(keys), ranks[name], mean_of(own), float((own <= best + _SAME).mean()) if len(keys) else math.nan,
         mean_of(own - best)]
        for name, own in zip(kept, values.T, strict=True)
    ]  # fmt: skip
    rows.sort(key=lambda row: (math.isnan(row[2]), row[2], row[3]))
    if keys:
        rows.append(["virtual best solver", len(keys), None, mean_of(best), 1.0, 0.0])
    shown = "not tested: three solvers and two neurons are needed" if math.isnan(p) else f"p {_p(p)}"
    note = (
        f"Gaps of the {len(keys)} neurons that all of these solvers took; runs without an answer count as a gap of "
        "1; rank 1 is best, ties share. The virtual best solver takes the best answer of each neuron. Friedman's test "
        f"that all ranks are equal: {shown}."
    )
    if left:
        note += f" Left out, as they took fewer than half of the neurons: {', '.join(left)}."
    columns = (
        Column("solver"), Column("neurons", "count"), Column("mean rank", "number"), Column("mean gap", "number"),
        Column("best or equal", "share"), Column("behind the virtual best", "number"),
    )  # fmt: skip
    return ResultTable("ranking", "Ranking on common neurons", note, columns, rows)


def pairs_table(results: Results) -> ResultTable:
    """Return, for every pair, the paired bootstrap of their gaps and Wilcoxon's test, corrected by Holm."""
    tables = gap_by_neuron(results)
    nulls = {line.label for line in results.lines if line.is_null}
    labels = [line.label for line in results.lines[:MAX_PAIRS]]
    rows: list[list[Any]] = []
    for place, first in enumerate(labels):
        for second in labels[place + 1 :]:
            found = paired_bootstrap(tables[first], tables[second])
            if found is None:
                continue
            shared = {name: tables[name] for name in (first, second)}
            (pair,) = rankings.wilcoxon_pairs(shared)
            rows.append([
                first, second, found.neurons, found.difference, found.low, found.high, found.p, pair.p, math.nan
            ])  # fmt: skip
    for row, corrected in zip(rows, rankings.holm([row[7] for row in rows]), strict=True):
        row[8] = corrected
    rows.sort(key=lambda row: not ({row[0], row[1]} & nulls))
    note = (
        "A − B over the neurons that both took, seeds averaged; runs without an answer count as a gap of 1; "
        "negative: A is better. 95 % interval and two-sided p of the paired bootstrap, not corrected; Wilcoxon's "
        f"signed-rank test beside it, as it stands and after Holm's correction for {len(rows)} pairs."
    )
    columns = (
        Column("A"), Column("B"), Column("neurons", "count"), Column("A − B", "number", "difference"),
        Column("low", "number"), Column("high", "number"), Column("bootstrap p", "p"), Column("Wilcoxon p", "p"),
        Column("Holm p", "p"),
    )  # fmt: skip
    return ResultTable("pairs", "Difference of mean gaps", note, columns, rows)


def time_to_gap(results: Results, epsilon: float) -> dict[str, dict[int, float]]:
    """Return each solver's time to a gap ≤ ε by neuron, in seconds; inf where it never was there.

    Of solvers whose reads were kept: the time in which a read within ε comes with 99 %, t·ln .01/ln(1 − p), as TTS99.
    Of others: the median over seeds of the first moment at which the incumbent was there, or of the whole run where
    the solver reports no moments. Failed runs count; refused ones do not.
    """
    return {line.label: _times_of(results, line.label, epsilon) for line in results.lines}


def _times_of(results: Results, label: str, epsilon: float) -> dict[int, float]:
    mask = (results.runs["label"] == label) & ~results.runs.refused
    own, gap = results.runs.where(mask), gaps(results.runs, results.known)[mask]
    lost = results.known.contradicted[mask]
    sampled = any(key in results.gains for key in own["run"].tolist())
    by_problem: dict[int, list[int]] = {}
    for i, problem in enumerate(own["problem"].tolist()):
        by_problem.setdefault(problem, []).append(i)
    if sampled:
        return {problem: _read_time(results, own, places, epsilon) for problem, places in by_problem.items()}
    found = {}
    for problem, places in by_problem.items():
        times = [math.inf if lost[i] else _first_time(results, own, i, float(gap[i]), epsilon) for i in places]
        found[problem] = middle(np.sort(np.array(times, np.float64)))
    return found


def _read_time(results: Results, own: Runs, places: list[int], epsilon: float) -> float:
    """Return TTS99 of one neuron where a read within ε is a success; all seconds are charged."""
    hits = reads = 0
    spent = 0.0
    for i in places:
        problem, values = int(own["problem"][i]), results.gains.get(own["run"][i])
        wall = float(own["wall_s"][i])
        spent += 0.0 if math.isnan(wall) else wall
        if values is not None:
            least = float(results.known.bound[problem]) - (2 * epsilon + TOLERANCE) * float(
                results.known.scale[problem]
            )
            hits, reads = hits + int((values >= least).sum()), reads + len(values)
    return float(tts(hits / reads, spent / reads)) if reads else math.inf


def _first_time(results: Results, own: Runs, i: int, gap: float, epsilon: float) -> float:
    events = results.events.get(own["run"][i])
    if events is not None and len(events):
        problem = int(own["problem"][i])
        missing = gap_to(results.known.bound[problem], events[:, 1], results.known.scale[problem])
        first = rankings.time_to_gap(events[:, 0].tolist(), missing.tolist(), epsilon + TOLERANCE)
        if math.isfinite(first):
            return first
    return float(own["wall_s"][i]) if gap <= epsilon + TOLERANCE else math.inf


def time_to_gap_table(results: Results) -> ResultTable:
    """Return, for each solver and ε, the share of neurons that it brings within ε and the median time to it."""
    found = [time_to_gap(results, epsilon) for epsilon in EPSILONS]
    rows = []
    for line in results.lines:
        row: list[Any] = [line.label, line.asked]
        for times in found:
            values = np.sort(np.array(list(times[line.label].values()), np.float64))
            row += [
                float(np.isfinite(values).mean()) if len(values) else math.nan,
                middle(values) if len(values) else math.nan,
            ]
        rows.append(row)
    columns = [Column("solver"), Column("neurons", "count")]
    for epsilon in EPSILONS:
        text = percent_gap(epsilon)
        columns += [
            Column(f"within {text}", "share", f"within_{epsilon:g}"),
            Column(f"time to {text}", "seconds", f"seconds_to_{epsilon:g}"),
        ]
    note = (
        "Share of the neurons that were brought within a gap, and the median over all neurons of the time to it, "
        "infinite where half of them never were. With kept reads: until a read within the gap has come with 99 %; else "
        "until the incumbent was there, or the whole run. Gaps are to the proved optimum, else to the best bound."
    )
    return ResultTable("time-to-gap", "Time to a gap", note, tuple(columns), rows)


def percent_gap(epsilon: float) -> str:
    """Return ε in per cent: 1 %, 0.1 %, 0.01 %."""
    return f"{100 * epsilon:g} %"


#: What a time to solution is counted in: seconds of this machine's clock, and of QPU access.
WALL, QPU = "wall clock", "QPU access"


def times_by_setting(results: Results, family: SolverFamily, clock: str = WALL) -> dict[float, dict[int, float]]:
    """Return TTS99 by neuron for each value of a family's option, as far as reads were kept and optima proved.

    By QPU access, every read takes its share of what its run was charged, programming included; a setting without a
    charge is left out.
    """
    found = {}
    for value, line in family.members:
        own = results.of(line.label)
        charged = 1e-6 * qpu_microseconds(own) if clock == QPU else None
        if charged is not None and np.isnan(charged).all():
            continue
        times = read_successes(own, results.known, results.gains, charged)[1]
        if times:
            found[value] = times
    return found


def optimal_tts_table(results: Results) -> ResultTable:
    """Return the setting of least median TTS99 of every scanned option, for all neurons and for each size.

    By the wall clock, and by QPU access where it is charged, or would be.
    """
    size = dict(zip(results.runs["problem"].tolist(), results.runs["weight_bits"].tolist(), strict=True))
    rows: list[list[Any]] = []
    for family, clock in itertools.product(families(results.lines, least=2), (WALL, QPU)):
        by_setting = times_by_setting(results, family, clock)
        if len(by_setting) < 2:
            continue
        shared = sorted(set.intersection(*(set(times) for times in by_setting.values())))
        sizes = sorted({size[problem] for problem in shared})
        for bits in [None, *sizes] if len(sizes) > 1 else [None]:
            chosen = [problem for problem in shared if bits is None or size[problem] == bits]
            table = {value: np.array([times[p] for p in chosen]) for value, times in by_setting.items()}
            if not chosen:
                continue
            best = rankings.optimal_tts(table)
            setting = best.setting if math.isfinite(best.seconds) else math.nan
            rows.append([
                family.name, family.option, clock, "all" if bits is None else str(bits), len(chosen),
                min(table), max(table),
                setting, best.seconds, best.low, best.high, "yes" if best.inside else "no",
            ])  # fmt: skip
    note = (
        "Least median TTS99 over the values of an option, all else equal, on neurons with a proved optimum, with the "
        "95 % bootstrap interval of that least over neurons. Where it is at an end of the range, or was never finite, "
        "it is not an optimum but an upper bound (T. F. Rønnow et al., Science 345 (2014) 420). QPU access counts "
        "programming and reads as they are charged, or, for an emulated machine, as a real one would charge them."
    )
    columns = (
        Column("solver"), Column("option"), Column("clock"), Column("weight bits"), Column("neurons", "count"),
        Column("from", "setting"), Column("to", "setting"), Column("best", "setting"), Column("TTS99", "seconds"),
        Column("low", "seconds"), Column("high", "seconds"), Column("inside the range"),
    )  # fmt: skip
    return ResultTable("optimal-tts", "Optimal time to solution", note, columns, rows)


def cost_table(results: Results) -> ResultTable:
    """Return what each solver costs: seconds of CPU, and microseconds of QPU where one is (or would be) charged."""
    rows: list[list[Any]] = []
    for line in results.lines:
        own = results.of(line.label)
        own = own.where(~own.refused)
        cpu, qpu = cpu_seconds(own), qpu_microseconds(own)
        rows.append([
            line.label, len(own), line.gap_mean, line.neurons, line.asked, mean_of(cpu), _total(cpu), mean_of(qpu),
            _total(qpu) / 1e6,
        ])  # fmt: skip
    note = (
        "Seconds of CPU: the wall clock of a run on one core, without waiting in a queue. Microseconds of QPU: access "
        "time as charged, or, for an emulated machine, as a real one would charge it, every spin-reversal transform "
        "programmed again. Failed runs are paid for; refused ones cost nothing."
    )
    columns = (
        Column("solver"), Column("runs", "count"), Column("mean gap", "number"), Column("answered", "count"),
        Column("neurons", "count"), Column("CPU per run", "seconds"), Column("CPU in all", "seconds"),
        Column("QPU µs per run", "micro", "qpu_us_per_run"), Column("QPU in all", "seconds"),
    )  # fmt: skip
    return ResultTable("cost", "Quality against cost", note, columns, rows)


def cpu_seconds(runs: Runs) -> FloatArray:
    """Return the wall clock of each run without its waiting in a queue."""
    waited = np.nan_to_num(runs["queue_s"])
    spent: FloatArray = np.maximum(0.0, runs["wall_s"] - waited)
    return spent


def qpu_microseconds(runs: Runs) -> FloatArray:
    """Return the QPU access time that each run's solver reports; NaN where it reports none."""
    return reported(runs, "access_us")


def _total(values: NDArray[Any]) -> float:
    known = values[~np.isnan(values)]
    return float(known.sum()) if len(known) else math.nan


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
