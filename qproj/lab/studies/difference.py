"""Two studies side by side: solver by solver, on the neurons that both have."""

from __future__ import annotations

import numpy as np

from qproj.lab.studies.metrics import means_by_problem, paired_bootstrap
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import number, percent


def difference_table(a: Results, b: Results) -> tuple[list[str], list[list[str]]]:
    """Return titles and rows: for each solver of both, mean gaps, B − A with its interval, and proved shares.

    Both gaps are to the better of the two studies' knowledge, so that a better bound in one changes no gap.
    """
    names = [line.label for line in a.lines if any(other.label == line.label for other in b.lines)]
    if not names:
        raise ValueError("the studies share no solver; give two that ran the same one")
    titles = ["solver", "neurons", "gap A", "gap B", "B − A", "low", "high", "p", "proved A", "proved B"]
    rows = []
    places = _shared(a, b)
    for label in names:
        first, second = _gaps(a, b, label, places)
        found = paired_bootstrap(second, first)
        if found is None:
            continue
        shared = sorted(first.keys() & second.keys())
        proved = [next(line.proved.value for line in r.lines if line.label == label) for r in (a, b)]
        rows.append([
            label, str(found.neurons), number(float(np.mean([first[i] for i in shared]))),
            number(float(np.mean([second[i] for i in shared]))), number(found.difference), number(found.low),
            number(found.high), found.p_text, *map(percent, proved),
        ])  # fmt: skip
    if not rows:
        raise ValueError("the studies share no neuron; give two over the same layers")
    return titles, rows


def _neurons(results: Results) -> dict[str, int]:
    runs = results.runs
    return dict(zip(runs["neuron_key"].tolist(), runs["problem"].tolist(), strict=True))


def _shared(a: Results, b: Results) -> dict[str, float]:
    """The best bound on the gain of either study, by the neuron's content."""
    bounds: dict[str, float] = {}
    first, second = _neurons(a), _neurons(b)
    for key in first.keys() & second.keys():
        bounds[key] = max(
            min(float(a.known.bound[first[key]]), float(b.known.bound[second[key]])),
            float(a.known.gain[first[key]]), float(b.known.gain[second[key]]),
        )  # fmt: skip
    return bounds


def _gaps(a: Results, b: Results, label: str, bounds: dict[str, float]) -> tuple[dict[int, float], dict[int, float]]:
    order = {key: i for i, key in enumerate(sorted(bounds))}
    found = []
    for results in (a, b):
        own = results.of(label)
        own = own.where(np.array([key in order for key in own["neuron_key"].tolist()], bool) & own.usable)
        best = np.array([bounds[key] for key in own["neuron_key"].tolist()], np.float64)
        scale = np.where(own["scale"] > 0, own["scale"], 1.0)
        gap = np.clip((best - own["gain"]) / (2.0 * scale), 0.0, 1.0)
        place = np.array([order[key] for key in own["neuron_key"].tolist()], np.int64)
        found.append(means_by_problem(gap, place))
    return found[0], found[1]
