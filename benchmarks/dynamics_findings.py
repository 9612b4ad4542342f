"""The section of docs/findings.md on the study `dynamics`: tables, one figure and the conclusions, from what is kept."""
# ruff: noqa: E501 (sentences with figures in them)

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import table
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import number

FIGURES = Path(__file__).parents[1] / "docs" / "_static" / "studies"
#: Sets of problems and their schrodinger rows: title, source of instances, encoding, κ, rows n (0: any).
SETS = {
    "margin, κ = 0.5": ("random", "margin", 0.5, 20),
    "margin, κ = 1.5": ("random", "margin", 1.5, 20),
    "curvature": ("curvature", "margin", None, 0),
    "majority": ("random", "majority", None, 4),
    "margin, κ = 1.5, on the same neurons": ("random", "margin", 1.5, 4),
}
Cells = dict[tuple[int, float], list[dict[str, Any]]]


def dynamics(results: Results) -> str:
    """Return the section; its figure is written."""
    cells = {title: _anneals(results, *which) for title, which in SETS.items()}
    shares = _shares(results)
    _draw(cells)
    parts = [
        _INTRODUCTION,
        _table_of_times(cells),
        f"\n![Probability of the optimum against annealing time](_static/studies/{_FIGURE})\n",
    ]
    parts += [_table_of_samplers(shares), _says(cells, shares)]
    return "".join(parts)


_FIGURE = "dynamics-time.svg"
_INTRODUCTION = """
## Does the adiabatic algorithm help?

A transverse-field anneal integrated by Schrödinger's equation (`schrodinger`: linear schedule, A = B = 6 GHz, closed system), four
neurons for each size, beside path-integral and spin-vector Monte Carlo, simulated annealing and chance. The margin surrogate
and the curvature projection have as many qubits as weights; the majority encoding has 11 at d = 3, 17 at d = 5 and 19 at d = 7 with four rows, of which
those above 17 are refused by the study's memory limit. All of it is simulated, and no machine was used.

Probability of the optimum (by gain) against annealing time, mean over neurons; the last columns are the mean minimum gap and the
probability of the model's own ground state after 20 ns:
"""


def _anneals(results: Results, source: str, encoding: str, kappa: float | None, n: int) -> Cells:
    """Return the figures of the ``schrodinger`` runs by size and annealing time."""
    runs, found = results.runs, defaultdict(list)
    for i, text in enumerate(runs["solver"]):
        time = re.search(r"annealing_time=([0-9.]+)", text)
        if (
            not text.startswith("schrodinger")
            or time is None
            or runs["source"][i] != source
            or np.isnan(runs["gain"][i])
        ):
            continue
        if (f"encoding.kappa={kappa}" in text) != (kappa is not None) or ("majority" in text) != (
            encoding == "majority"
        ):
            continue
        if n and runs["n"][i] != n:
            continue
        found[int(runs["d"][i]), float(time[1])].append(json.loads(runs["stats"][i]))
    return dict(found)


def _mean(rows: list[dict[str, Any]], name: str) -> float:
    values = [row[name] for row in rows if name in row]
    return float(np.mean(values)) if values else float("nan")


def _table_of_times(cells: dict[str, Cells]) -> str:
    times = sorted({time for each in cells.values() for _, time in each})
    rows = []
    for title, each in cells.items():
        for d in sorted({d for d, _ in each}):
            slow = each[d, times[-1]]
            values = [_mean(each[d, time], "probability_of_optimum") for time in times]
            rows.append([
                title, str(d), *(number(value) for value in values), _ghz(_mean(slow, "minimum_gap")),
                number(_mean(slow, "ground_state_probability")),
            ])  # fmt: skip
    titles = ["problem", "d", *(f"{time:g} ns" for time in times), "gap, GHz", "ground state, 20 ns"]
    return table(titles, rows)


def _ghz(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2g}"


def _shares(results: Results) -> dict[tuple[str, str], dict[int, float]]:
    """Return the mean share of single reads at the optimum by problem set, sampler and size."""
    runs, found = results.runs, defaultdict(lambda: defaultdict(list))
    best = results.known.gain
    for i, key in enumerate(runs["run"]):
        gains = results.gains.get(key)
        if gains is None or not len(gains):
            continue
        source, text = runs["source"][i], runs["solver"][i]
        if source == "random" and runs["n"][i] == 4:
            kind = "majority"
        else:
            kind = "margin" if source == "random" else "curvature"
        top = best[runs["problem"][i]]
        hits = gains >= top - 1e-9 * max(1.0, abs(float(top)))
        found[kind, text][int(runs["d"][i])].append(float(hits.mean()))
    return {which: {d: float(np.mean(values)) for d, values in each.items()} for which, each in found.items()}


_SAMPLERS = {
    "margin": {
        "schrodinger, 0.2 ns": "schrodinger:annealing_time=0.2,encoding.kappa=1.5,gap=true",
        "schrodinger, 20 ns": "schrodinger:annealing_time=20.0,encoding.kappa=1.5,gap=true",
        "sqa, 5 sweeps": "sqa:encoding.kappa=1.5,num_sweeps=5", "sqa, 500 sweeps": "sqa:encoding.kappa=1.5,num_sweeps=500",
        "svmc, 5 sweeps": "svmc:encoding.kappa=1.5,num_sweeps=5", "svmc, 500 sweeps": "svmc:encoding.kappa=1.5,num_sweeps=500",
        "sa, 5 sweeps, cold": "sa:encoding.kappa=1.5,num_sweeps=5,warm_share=0.0",
        "sa, 500 sweeps, cold": "sa:encoding.kappa=1.5,num_sweeps=500,warm_share=0.0",
        "sa, as it is (half of the reads warm)": "sa:encoding.kappa=1.5", "random (null)": "random",
    },
    "curvature": {
        "schrodinger, 0.2 ns": "schrodinger:annealing_time=0.2,gap=true", "schrodinger, 20 ns": "schrodinger:annealing_time=20.0,gap=true",
        "sqa, 5 sweeps": "sqa:num_sweeps=5", "sqa, 500 sweeps": "sqa:num_sweeps=500", "svmc, 5 sweeps": "svmc:num_sweeps=5",
        "svmc, 500 sweeps": "svmc:num_sweeps=500", "sa, 5 sweeps": "sa:num_sweeps=5", "sa, 500 sweeps": "sa:num_sweeps=500",
        "greedy (null with descent)": "greedy", "random (null)": "random",
    },
    "majority": {
        "schrodinger, 0.2 ns": "schrodinger:annealing_time=0.2,encoding=majority,gap=true,max_bytes=13000000",
        "schrodinger, 20 ns": "schrodinger:annealing_time=20.0,encoding=majority,gap=true,max_bytes=13000000",
        "sqa, 500 sweeps": "sqa:encoding=majority,num_sweeps=500", "svmc, 500 sweeps": "svmc:encoding=majority,num_sweeps=500",
        "sa, 500 sweeps": "sa:encoding=majority,num_sweeps=500", "random (null)": "random",
    },
}  # fmt: skip


def _table_of_samplers(shares: dict[tuple[str, str], dict[int, float]]) -> str:
    sizes = sorted({d for each in shares.values() for d in each})
    rows = []
    for kind, samplers in _SAMPLERS.items():
        for title, text in samplers.items():
            own = shares.get((kind, text), {})
            rows.append([kind, title, *(number(own[d]) if d in own else "–" for d in sizes)])
    head = "\nShare of single reads at the optimum, 100 reads for each neuron (margin: κ = 1.5):\n"
    return head + table(["problem", "sampler", *(f"d = {d}" for d in sizes)], rows)


def _draw(cells: dict[str, Cells]) -> None:
    """Write the figure: one panel for each of the first four sets of problems."""
    import matplotlib
    from matplotlib.figure import Figure

    FIGURES.mkdir(parents=True, exist_ok=True)
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "qproj", "font.size": 9})
    figure = Figure(figsize=(9.5, 3.0), layout="constrained")
    shown = [title for title in cells if "same" not in title]
    panels = figure.subplots(1, len(shown), sharey=True)
    sizes = sorted({d for each in cells.values() for d, _ in each})
    shades = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.9, len(sizes)))
    for axes, title in zip(panels, shown, strict=True):
        for d, shade in zip(sizes, shades, strict=True):
            own = sorted((time, rows) for (size, time), rows in cells[title].items() if size == d)
            if own:
                values = [_mean(rows, "probability_of_optimum") for _, rows in own]
                axes.plot([time for time, _ in own], values, "o-", color=shade, label=f"d = {d}", markersize=3)
        axes.set(xscale="log", title=title, xlabel="annealing time, ns", ylim=(-0.03, 1.03))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("probability of the optimum")
    handles = {text: line for axes in panels for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    ordered = sorted(handles, key=lambda text: int(text.split()[-1]))
    figure.legend([handles[text] for text in ordered], ordered, loc="outside right center", frameon=False)
    figure.savefig(FIGURES / _FIGURE, bbox_inches="tight", facecolor="white", metadata={"Date": None})


def _says(cells: dict[str, Cells], shares: dict[tuple[str, str], dict[int, float]]) -> str:
    margin, curvature, majority = cells["margin, κ = 1.5"], cells["curvature"], cells["majority"]
    same = cells["margin, κ = 1.5, on the same neurons"]

    def at(each: Cells, d: int, time: float) -> str:
        return number(_mean(each[d, time], "probability_of_optimum"))

    def share(kind: str, title: str, d: int) -> str:
        return number(shares[kind, _SAMPLERS[kind][title]][d])

    return f"""
What it says: **where the model's ground state is the optimum, slow annealing finds it; where it is not, slow annealing avoids
it.** The curvature projection is exact: from 0.2 to 20 ns the probability rises from {at(curvature, 9, 0.2)} to {at(curvature, 9, 20.0)} at d = 9 and from
{at(curvature, 15, 0.2)} to {at(curvature, 15, 20.0)} at d = 15, as adiabatic evolution should. A read of `sa` with 500 sweeps is at the optimum in {share("curvature", "sa, 500 sweeps", 9)} and
{share("curvature", "sa, 500 sweeps", 15)} of cases, of `sqa` in {share("curvature", "sqa, 500 sweeps", 9)} and {share("curvature", "sqa, 500 sweeps", 15)}, of `svmc` in {share("curvature", "svmc, 500 sweeps", 9)} and {share("curvature", "svmc, 500 sweeps", 15)}, and
descent from random states in {share("curvature", "greedy (null with descent)", 9)} and {share("curvature", "greedy (null with descent)", 15)}. So a single adiabatic read is better than a classical one here, and a hundred reads of
any of them find the optimum.

On the margin surrogate it depends on the neuron. Its minimum is often not the optimum, and the slower the anneal, the surer
the minimum: at d = 15 (κ = 1.5) the optimum has {at(margin, 15, 0.2)} after 0.2 ns, {at(margin, 15, 1.0)} after 1 ns, and {at(margin, 15, 20.0)} after 20 ns, when the surrogate's ground
state has {number(_mean(margin[15, 20.0], "ground_state_probability"))}. There **diabatic transitions are what helps**: a short anneal spreads the reads over low states, as the warm
reads of `sa` do ({share("margin", "sa, as it is (half of the reads warm)", 15)} of them, against {share("margin", "sa, 500 sweeps, cold", 15)} of cold ones).

The majority encoding is exact, and slow annealing does reach its optimum: {at(majority, 3, 20.0)} at d = 3 (11 qubits) and {at(majority, 5, 20.0)} at d = 5 (17 qubits)
after 20 ns, where classical samplers with 500 sweeps have {share("majority", "sqa, 500 sweeps", 5)} to {share("majority", "sa, 500 sweeps", 5)} at d = 5, and chance {share("majority", "random (null)", 5)}: of all that was measured, this is where
coherent dynamics are furthest ahead. The encoding spoils it: on the same neurons the margin surrogate, with 5 qubits instead of 17, has {at(same, 5, 1.0)} after
1 ns.

Limits of this: four neurons of each size, at most 17 qubits, a closed system at zero temperature without control errors, and times of 20 ns at most, against 5 ns to hundreds of
µs on machines; at these sizes exhaustive search takes milliseconds. The gap is that of the whole model, not of the levels that matter for the
optimum, so it explains the curvature rows and not those of the margin.
"""


__all__ = ["dynamics"]
