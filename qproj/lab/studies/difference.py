"""Two studies side by side: solver by solver, on the neurons that both have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qproj.lab.studies.metrics import means_by_problem, paired_bootstrap
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import number, percent


def difference_table(a: Results, b: Results) -> tuple[list[str], list[list[str]]]:
    """Return titles and rows: for each solver of both, mean gaps, B − A with its interval, and proved shares.

    Both gaps are to the better of the two studies' knowledge, so that a better bound in one changes no gap.

    Raises
    ------
    ValueError
        The studies share no solver, or no neuron.
    """
    proved = [{line.label: percent(line.proved.value) for line in results.lines} for results in (a, b)]
    labels = [label for label in proved[0] if label in proved[1]]
    if not labels:
        raise ValueError("the studies share no solver; give two that ran the same one")
    titles = ["solver", "neurons", "gap A", "gap B", "B − A", "low", "high", "p", "proved A", "proved B"]
    rows = []
    best = _best_known(a, b)
    for label in labels:
        first, second = (_mean_gaps(results, label, best) for results in (a, b))
        found = paired_bootstrap(second, first)
        if found is None:
            continue
        means = [float(np.mean([gap[key] for key in sorted(first.keys() & second.keys())])) for gap in (first, second)]
        rows.append([
            label, str(found.neurons), *map(number, (*means, found.difference, found.low, found.high)), found.p_text,
            proved[0][label], proved[1][label],
        ])  # fmt: skip
    if not rows:
        raise ValueError("the studies share no neuron; give two over the same layers")
    return titles, rows


def _best_known(a: Results, b: Results) -> dict[str, float]:
    """The best bound on the gain of either study, by the neuron's content."""
    places = [dict(zip(r.runs["neuron_key"].tolist(), r.runs["problem"].tolist(), strict=True)) for r in (a, b)]
    best = {}
    for key in places[0].keys() & places[1].keys():
        known = [(r.known, place[key]) for r, place in zip((a, b), places, strict=True)]
        best[key] = float(max(min(k.bound[i] for k, i in known), *(k.gain[i] for k, i in known)))
    return best


def _mean_gaps(results: Results, label: str, best: Mapping[str, float]) -> dict[str, float]:
    own = results.of(label)
    own = own.where(own.usable & np.array([key in best for key in own["neuron_key"].tolist()], bool))
    bound = np.array([best[key] for key in own["neuron_key"].tolist()], np.float64)
    gap = np.clip((bound - own["gain"]) / (2.0 * np.where(own["scale"] > 0, own["scale"], 1.0)), 0.0, 1.0)
    return means_by_problem(gap, own["neuron_key"])
