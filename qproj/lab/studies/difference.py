"""Two studies side by side: solver by solver and budget by budget, on the neurons that both have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj.lab.studies.frame import Runs
from qproj.lab.studies.metrics import gap_to, means_by_problem, paired_bootstrap
from qproj.lab.studies.result_table import Column, ResultTable
from qproj.lab.studies.results import Results

#: A solver, its reads and its time limit; −1: none.
Budget = tuple[str, Any, float]


def difference_table(a: Results, b: Results) -> ResultTable:
    """Return mean gaps of both, B − A with its interval, and proved shares, for each solver that both ran.

    Runs of one budget are compared with runs of the same budget. A solver without a budget in common is compared if
    each study gave it one, and its line names both. Gaps are to the better of the two studies' knowledge, so that a
    better bound in one changes no gap; a run without an answer counts as a gap of 1; proved shares are of the shared
    neurons.

    Raises
    ------
    ValueError
        The studies share no solver, or no neuron.
    """
    matched = _matched(_budgets(a.runs), _budgets(b.runs))
    if not matched:
        raise ValueError(
            "the studies share no solver with a budget in common, nor one with a single budget in each; "
            "give two that ran the same solver"
        )
    best = _best_known(a, b)
    rows: list[list[Any]] = []
    for name, first, second in matched:
        own = [_of(results, budget, best) for results, budget in ((a, first), (b, second))]
        gaps = [_mean_gaps(results, runs, lost, best) for results, (runs, lost) in zip((a, b), own, strict=True)]
        found = paired_bootstrap(gaps[1], gaps[0])
        if found is None:
            continue
        shared = gaps[0].keys() & gaps[1].keys()
        means = [float(np.mean([gap[key] for key in sorted(shared)])) for gap in gaps]
        proved = [_proved(runs, lost, shared) for runs, lost in own]
        rows.append([name, found.neurons, *means, found.difference, found.low, found.high, found.p, *proved])
    if not rows:
        raise ValueError("the studies share no neuron; give two over the same layers")
    columns = (
        Column("solver"), Column("neurons", "count"), Column("gap A", "number"), Column("gap B", "number"),
        Column("B − A", "number", "difference"), Column("low", "number"), Column("high", "number"), Column("p", "p"),
        Column("proved A", "share"), Column("proved B", "share"),
    )  # fmt: skip
    note = "On the neurons that both studies have; negative: B is better. 95 % interval and p of the paired bootstrap."
    return ResultTable("difference", "Difference of two studies", note, columns, rows)


def _budgets(runs: Runs) -> list[Budget]:
    limits = np.where(np.isnan(runs["time_limit_s"]), -1.0, runs["time_limit_s"]).tolist()
    return list(dict.fromkeys(zip(runs["solver"].tolist(), runs["num_reads"].tolist(), limits, strict=True)))


def _matched(a: list[Budget], b: list[Budget]) -> list[tuple[str, Budget, Budget]]:
    """Return (name, A's budget, B's budget) of what the studies share, in A's order."""
    found = []
    for solver in dict.fromkeys(solver for solver, _, _ in a):
        first, second = ([budget for budget in own if budget[0] == solver] for own in (a, b))
        same = [budget for budget in first if budget in second]
        if same:
            found += [(_named(budget, len(same) > 1), budget, budget) for budget in same]
        elif len(first) == len(second) == 1:
            found.append((f"{solver} ({_words(first[0])} → {_words(second[0])})", first[0], second[0]))
    return found


def _named(budget: Budget, several: bool) -> str:
    return f"{budget[0]} · {_words(budget)}" if several else budget[0]


def _words(budget: Budget) -> str:
    _, reads, limit = budget
    shown = [] if reads is None else [f"{reads} reads"]
    return ", ".join([*shown, "no limit" if limit < 0 else f"{limit:g} s"])


def _of(results: Results, budget: Budget, best: Mapping[str, float]) -> tuple[Runs, NDArray[np.bool_]]:
    """One budget's runs on the shared neurons, refused ones left out; and which of them have no answer."""
    runs, (solver, reads, limit) = results.runs, budget
    limits = np.where(np.isnan(runs["time_limit_s"]), -1.0, runs["time_limit_s"])
    same_reads = np.array([one == reads for one in runs["num_reads"].tolist()], bool)
    known = np.array([key in best for key in runs["neuron_key"].tolist()], bool)
    mask = (runs["solver"] == solver) & same_reads & (limits == limit) & known & ~runs.refused
    own = runs.where(mask)
    return own, ~own.usable | results.known.contradicted[mask]


def _best_known(a: Results, b: Results) -> dict[str, float]:
    """The best bound on the gain of either study, by the neuron's content."""
    places = [dict(zip(r.runs["neuron_key"].tolist(), r.runs["problem"].tolist(), strict=True)) for r in (a, b)]
    best = {}
    for key in places[0].keys() & places[1].keys():
        known = [(r.known, place[key]) for r, place in zip((a, b), places, strict=True)]
        reached = [-math.inf if math.isnan(k.gain[i]) else float(k.gain[i]) for k, i in known]
        best[key] = max(min(float(k.bound[i]) for k, i in known), *reached)
    return best


def _mean_gaps(results: Results, own: Runs, lost: NDArray[np.bool_], best: Mapping[str, float]) -> dict[str, float]:
    bound = np.array([best[key] for key in own["neuron_key"].tolist()], np.float64)
    return means_by_problem(np.where(lost, 1.0, gap_to(bound, own["gain"], own["scale"])), own["neuron_key"])


def _proved(own: Runs, lost: NDArray[np.bool_], shared: Any) -> float:
    counted = np.array([key in shared for key in own["neuron_key"].tolist()], bool)
    proofs = (own["status"] == "optimal") & ~lost
    return float(proofs[counted].mean()) if counted.any() else math.nan
