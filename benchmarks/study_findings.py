"""What the built-in studies write into docs/findings.md: tables, figures, and what they say, from what is kept."""
# ruff: noqa: E501 (sentences with figures in them)

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report_load, study_overhead
from benchmarks.dynamics_findings import dynamics
from benchmarks.measure import stored, table
from benchmarks.studies import KEPT, ROOT, unpack
from qproj.lab.studies.metrics import gaps, means_by_problem, reached
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import SolverLine, number, percent, reported, seconds
from qproj.lab.studies.training_cost import training_lines

FIGURES = ROOT / "docs" / "_static" / "studies"


def sections() -> str:
    """Return the studies' sections and write their figures."""
    parts: list[str] = []
    for name, write in SECTIONS.items():
        if not (KEPT / f"{name}.tar.xz").is_file():
            continue
        with tempfile.TemporaryDirectory() as space:
            folder = Path(space) / name
            about = unpack(name, folder)
            results = Results.read(folder)
            parts.append(write(results) + _origin(about, results))
    return "".join(parts) + lab()


def lab() -> str:
    """Return what the lab itself costs, from the stored results of its two benchmarks."""
    parts = ["\n## What the lab itself costs\n"]
    for module in (study_overhead, report_load):
        record = stored(module.__name__.rpartition(".")[2])
        if record is not None:
            at = record["machine"]
            where = f"{at['date']}, {at['cpu']}, {at['cores']} cores, load average {at['load'][0]:g} before the run"
            parts.append(module.section(record["result"]) + f"\n<small>{where}.</small>\n")
    return "".join(parts)


def _origin(about: dict[str, Any], results: Results) -> str:
    at = about["machine"]
    took = "" if about["seconds"] is None else f", {about['seconds'] / 60:.1f} minutes"
    return (
        f"\n<small>`{about['command']}`, commit {about['commit']}: {about['runs']:,} runs on {results.neurons} neurons, "
        f"{results.optima} with a proved optimum{took}, two processes. {at['date']}, {at['cpu']}, {at['cores']} cores, shared "
        "with other work: read the ratios, not the seconds. Seeds are in the study file.</small>\n"
    )


def _line(results: Results, label: str) -> SolverLine:
    return next(line for line in results.lines if line.label == label)


def _name(line: SolverLine) -> str:
    return f"{line.label} (null)" if line.is_null else line.label


def _gap(line: SolverLine) -> str:
    return f"{number(line.gap_mean)} ({number(line.gap_low)}–{number(line.gap_high)})"


def _share(share: Any) -> str:
    return "–" if not share.trials else f"{percent(share.value)} ({percent(share.low)}–{percent(share.high)})"


def shown_figure(results: Results, study: str, name: str, text: str, *, width: float = 7.4, beside: bool = True) -> str:
    """Draw one figure as SVG, its legend below it, and return the Markdown that shows it."""
    import matplotlib
    from matplotlib.figure import Figure

    from qproj.lab.report import draw

    FIGURES.mkdir(parents=True, exist_ok=True)
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "qproj", "font.size": 10})
    figure = Figure(figsize=(width, 4.2))
    axes = figure.subplots()
    draw(axes, results, name, legend=False)
    lines = [(h, label) for h, label in zip(*axes.get_legend_handles_labels(), strict=True)]
    if beside and len(lines) > 1:
        axes.legend(
            *zip(*lines, strict=True),
            loc="upper left",
            bbox_to_anchor=(-0.1, -0.15),
            ncols=2,
            fontsize=9.5,
            frameon=False,
        )
    axes.grid(alpha=0.3)
    target = FIGURES / f"{study}-{name.replace('.', '-')}.svg"
    figure.savefig(target, bbox_inches="tight", facecolor="white", metadata={"Date": None})
    return f"\n![{text}](_static/studies/{target.name})\n"


def annealer_vs_exact(results: Results) -> str:
    rows = [
        [
            _name(line), percent(line.proved.value), _gap(line), _share(line.best), percent(line.raw.value),
            seconds(line.wall_s), f"{line.failed}" + (f" (+{line.refused} n/a)" if line.refused else ""),
        ]
        for line in results.lines
    ]  # fmt: skip
    sampled = [line for line in results.lines if line.solver.startswith("dwave-emulated")]
    null, best = _line(results, "polished(random)"), min(sampled, key=lambda line: line.gap_mean)
    exact = min((line for line in results.lines if line.exact), key=lambda line: line.gap_mean)
    fast = null.wall_s / best.wall_s
    noisy = [line for line in sampled if "sigma" not in line.label]
    calm = [line for line in sampled if "sigma" in line.label]
    noise = np.mean([line.gap_mean for line in noisy]) - np.mean([line.gap_mean for line in calm])
    return (
        "\n## An annealer beside exact solvers\n\nNeurons captured from training on a1a, digits and MNIST and two random "
        "controls, n = 8…64 rows and fan-in 3…64, 5 s and 100 reads per run. A gap is to the proved optimum, else to the best "
        "bound, as a share of the objective's range; intervals are 95 %.\n"
        + table(["solver", "proved", "mean gap", "at optimum", "lowest energy", "wall clock", "failed"], rows)
        + shown_figure(results, "annealer-vs-exact", "gaps", "Share of runs within a gap, by solver")
        + shown_figure(results, "annealer-vs-exact", "sizes", "Mean gap by size and solver")
        + f"""
What it says: `{exact.label}` leaves a mean gap of {number(exact.gap_mean)}; the best emulated annealer (`{best.label}`)
leaves {number(best.gap_mean)}. **That is {"worse" if best.gap_mean > null.gap_mean else "better"} than guessing with a
little descent**: `polished(random)`, a hundred random starts and single flips, leaves {number(null.gap_mean)} in
{100 * fast:.0f} % of the annealer's time. Without descent the annealer beats chance clearly ({number(best.gap_mean)} against
{number(_line(results, "random").gap_mean)} of `random`). `qaoa-fast`'s mean is over the problems that it accepts: it refuses wider ones, and on 24 qubits
{_line(results, "qaoa-fast").failed} runs did not keep their limit and were ended.

{_rivals(results, best, null)}

{_peers(results)}

What surprised: the default control noise changes the mean gap by {noise:+.3f}, less than either interval is wide. The loss
comes from the model that is annealed, not from the noise: the read of lowest energy is at the optimum in
{percent(best.raw.value)} of the runs, the best of the same reads in {percent(best.best.value)}, and descent from those reads in
{percent(best.descent.value)}. Ranking by energy throws away much of what the annealer found. And real layers can be far easier
than their fan-in: after merging, MNIST's second layer of 32 weights has
{_bits(results, "mnist/mlp-784-32"):.0f} bits.
"""
    )


def _bits(results: Results, prefix: str) -> float:
    own = results.runs.where(np.array([str(name).startswith(prefix) for name in results.runs["instance"]]))
    return float(own["weight_bits"].mean())


def _rivals(results: Results, annealer: SolverLine, null: SolverLine) -> str:
    """Return what the annealer's simulations and classical rivals reach beside it; "" where they were not run."""
    names = {"pt": "parallel tempering", "sb": "simulated bifurcation", "svmc": "spin-vector Monte Carlo"}
    found = {line.solver: line for line in results.lines}
    if not names.keys() <= found.keys():
        return ""
    gaps_of = ", ".join(f"{text} (`{name}`) {number(found[name].gap_mean)}" for name, text in names.items())
    ahead = [name for name in names if found[name].gap_mean < annealer.gap_mean]
    exact = next(line for line in results.lines if line.solver.startswith("schrodinger"))
    return (
        f"The classical rivals on the same encoding: {gaps_of}; {len(ahead)} of {len(names)} are ahead of the best emulated annealer, which "
        f"pays for chains and noise, and {sum(found[name].gap_mean < null.gap_mean for name in names)} of {len(names)} are ahead of the null with "
        f"descent. `schrodinger`, the noiseless anneal without chains, leaves {number(exact.gap_mean)} on the problems of at most 20 qubits that it takes "
        f"({exact.refused} runs were refused), so its mean is not comparable with the others'."
    )


def _peers(results: Results) -> str:
    """Return what the two exact solvers prove that count in whole numbers; "" where they were not run."""
    found = {line.solver: line for line in results.lines}
    if not {"exact", "rc2", "cpsat"} <= found.keys():
        return ""
    shares = {name: percent(found[name].proved.value) for name in ("exact", "rc2", "cpsat", "gurobi", "highs")}
    return (
        f"The exact peers: `exact`, which counts in whole numbers by cutting planes, proves {shares['exact']} of the neurons within 5 s, and `rc2`, "
        f"which turns them into weighted clauses, {shares['rc2']}, beside {shares['cpsat']} of `cpsat`, {shares['gurobi']} of `gurobi` and "
        f"{shares['highs']} of `highs`. Where `rc2` proves nothing it has no incumbent but a trivial one: it ends with a mean gap of "
        f"{number(found['rc2'].gap_mean)}."
    )


def encodings(results: Results) -> str:
    names = list(dict.fromkeys(results.runs["instance"].tolist()))
    titles = [_title(results, name) for name in names]
    best, gap = reached(results.runs, results.known), gaps(results.runs, results.known)
    solved, models = [], []
    for line in results.lines:
        cells, sizes = [], []
        for name in names:
            own = (results.runs["label"] == line.label) & (results.runs["instance"] == name)
            hits, trials = np.nansum(best[own]), int((~np.isnan(best[own])).sum())
            cells.append(f"{hits / trials:.2f}, {_mean(gap[own]):.3f}" if trials else "refused")
            runs = results.runs.where(own)
            variables, ratio = reported(runs, "variables"), reported(runs, "coefficient_ratio")
            known = ~np.isnan(variables)
            sizes.append(f"{_mean(variables):.0f}, {float(np.median(ratio[known])):,.0f}" if known.any() else "–")
        solved.append([_name(line), *cells])
        if (line.label.startswith(("sa:", "unmerged")) and "kappa" not in line.label) or "kappa=1.5" in line.label:
            models.append([line.label, *sizes])
    slack, null = _line(results, "sa:encoding=majority"), _line(results, "random")
    margin, refined = _line(results, "sa:encoding=margin,encoding.kappa=1.0"), _line(results, "refined(sa)")
    unbalanced, largest = _line(results, "sa:encoding=unbalanced"), "random/n20-d64/seed0"
    polished, start = _line(results, "polished(sa:encoding=majority)"), _line(results, "polished(random)")
    return (
        "\n## What an encoding costs and gives\n\nThe same sampler (`sa`, 100 reads) on every encoding of the same neurons, "
        "beside the null models. Share of runs at the optimum, mean gap:\n"
        + table(["solver", *titles], solved)
        + "\nBinary variables (qubits, before any embedding) and the median ratio of the largest to the smallest "
        "coefficient:\n"
        + table(["encoding", *titles], models)
        + shown_figure(results, "encodings", "scan-encoding.kappa", "Mean gap of sa against the margin's κ", width=6.5)
        + f"""
What it says: **an exact encoding does not help a sampler.** On the majority encoding, whose minimiser is the optimum by
proof, the best of 100 annealed reads leaves a mean gap of {number(slack.gap_mean)}, and 100 random vectors leave
{number(null.gap_mean)}; at d = 64 they leave {number(_at(results, slack, largest))} and {number(_at(results, null, largest))}. The margin surrogate, which proves nothing, leaves
{number(margin.gap_mean)} at κ = 1 with d variables, and {number(refined.gap_mean)} after refinement by rounds. Descent makes the
majority encoding's reads look good ({number(polished.gap_mean)}), until one sees that descent from random starts does as well
({number(start.gap_mean)}): the credit is descent's.

What surprised: merging halves the majority encoding at d = 5 and does nothing for these layers from d = 15 on, where random
rows no longer repeat; its gain is elsewhere, on real first layers (see the table of what aggregation leaves). The
unbalanced encoding, a surrogate as well, can be worse than guessing: {number(_at(results, unbalanced, "random/n20-d32/seed0"))} at d = 32, where random vectors leave
{number(_at(results, null, "random/n20-d32/seed0"))}. And κ hardly matters from 0.5 to 1.5, and a lot beyond: at κ = 5 the surrogate nears signSGD's direction.
"""
    )


def _at(results: Results, line: SolverLine, instance: str) -> float:
    """Mean gap of one solver on one layer."""
    own = (results.runs["label"] == line.label) & (results.runs["instance"] == instance)
    return _mean(gaps(results.runs, results.known)[own])


def _title(results: Results, name: str) -> str:
    own = results.runs.where(results.runs["instance"] == name)
    return f"{own['source'][0]}, n = {own['n'][0]}, d = {own['d'][0]}"


def _mean(values: Any) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def noise(results: Results) -> str:
    rows = [
        [_name(line), _gap(line), _share(line.best), percent(line.raw.value), percent(line.chain_breaks)]
        for line in results.lines
    ]
    calm = _line(results, "dwave-emulated:sigma_h=0.0,sigma_j=0.0")
    usual = _line(results, "dwave-emulated:sigma_h=0.05,sigma_j=0.035")
    loud = _line(results, "dwave-emulated:sigma_h=0.2,sigma_j=0.14")
    weak = _line(results, "dwave-emulated:chain_prefactor=0.25,sigma_h=0.05,sigma_j=0.035")
    strong = _line(results, "dwave-emulated:chain_prefactor=4.0,sigma_h=0.05,sigma_j=0.035")
    scanned = [line for line in results.lines if "chain_prefactor" in line.label]
    top = min(scanned, key=lambda line: line.gap_mean)
    polished, null = (
        _line(results, "polished(dwave-emulated:sigma_h=0.05,sigma_j=0.035)"),
        _line(results, "polished(random)"),
    )
    return (
        "\n## Noise and chains\n\nThe emulated annealer (Zephyr, margin surrogate, 100 reads) with control errors from none to "
        "four times published figures (arXiv 1410.2628), and with chains from a quarter to four times the strength of uniform "
        "torque compensation. Topology, embedding and errors are those of a machine, the physics is not.\n"
        + table(["solver", "mean gap", "at optimum", "lowest energy", "broken chains"], rows)
        + shown_figure(results, "noise", "scan-sigma_h", "Mean gap and broken chains against noise", width=6.5)
        + shown_figure(
            results, "noise", "scan-chain_prefactor", "Mean gap and broken chains against chain strength", width=6.5
        )
        + f"""
What it says: published noise changes the mean gap by {usual.gap_mean - calm.gap_mean:+.4f} (without noise
{number(calm.gap_mean)}, with it {number(usual.gap_mean)}; the intervals overlap), four times as much noise
{loud.gap_mean - calm.gap_mean:+.4f}. Chain strength matters more than noise: too weak, and {percent(weak.chain_breaks)} of
chains break (gap {number(weak.gap_mean)}); too strong, and the problem drowns in the chains' own scale
({number(strong.gap_mean)}); the best of the scan is {top.label.split("chain_prefactor=")[1].split(",")[0]} times uniform
torque compensation ({number(top.gap_mean)}).

What surprised: **a little noise does no harm at all.** A likely reason, which has nothing to do with quantum annealing: the
margin's own minimum is usually not the optimum, and errors in its coefficients spread reads over its other low states, as
`sa`'s warm reads do. And the annealer's reads are {"better" if polished.gap_mean < null.gap_mean else "no better"} starts than random ones: descent from them leaves
{number(polished.gap_mean)}, descent from as many random vectors {number(null.gap_mean)}. Here, at last, a sampler is {"ahead of" if polished.gap_mean < null.gap_mean else "not ahead of"} its null model.
"""
    )


def budget(results: Results) -> str:
    limits = sorted({float(x) for x in results.runs["time_limit_s"] if not np.isnan(x)})
    rows = []
    gap = gaps(results.runs, results.known)
    for solver in dict.fromkeys(line.solver for line in results.lines):
        cells = []
        for limit in limits:
            own = (results.runs["solver"] == solver) & (results.runs["time_limit_s"] == limit)
            cells.append(
                number(float(np.mean(list(means_by_problem(gap[own], results.runs["problem"][own]).values()))))
            )
        null = next(line.is_null for line in results.lines if line.solver == solver)
        rows.append([f"{solver} (null)" if null else solver, *cells])
    first = {row[0]: row for row in rows}
    return (
        "\n## What time buys\n\nMean gap within a time limit per neuron, reads drawn until then, on neurons that are not proved at "
        "once (n = 32…64, d = 24…32).\n"
        + table(["solver", *(f"{limit:g} s" for limit in limits)], rows)
        + shown_figure(results, "budget", "time", "Mean gap against time, by solver")
        + f"""
What it says: local search with restarts is at {first["local-search"][1]} within {limits[0]:g} s and at the optimum soon after; `auto`
starts at {first["auto"][1]}, because it searches for a proof as well, and ends with one. Annealing the margin surrogate
saturates: `sa` goes from {first["sa"][1]} to {first["sa"][-1]} and stays, since more reads of one surrogate do not change
which states are low. CP-SAT after {limits[-1]:g} s ({first["cpsat"][-1]}) is not where local search is after {limits[0]:g} s, but it proves some of its answers.

What surprised: `tabu` on the surrogate hardly improves from {limits[0]:g} to {limits[-1]:g} s ({first["tabu"][1]} to
{first["tabu"][-1]}), and loses to plain guessing at equal time (`random`: {first["random (null)"][-1]}): it finds the
surrogate's minimum at once, and then finds it again. Under a time limit `polished(random)` descends only from the best of its draws;
the fair null model there is `local-search`, and no sampler of the study beats it.
"""
    )


def training_cost(results: Results) -> str:
    lines = {line.label: line for line in results.lines}
    rows = []
    for one in training_lines(results.training):
        line = lines[one.solver]
        rows.append([
            _name(line), _gap(line), number(line.cosine), f"{100 * one.accuracy:.1f} ± {100 * one.deviation:.1f} %",
            f"{one.seconds:.2g} s", percent(one.share),
        ])  # fmt: skip
    trained = {one.solver: one for one in training_lines(results.training)}
    spread = max(one.deviation for one in trained.values())
    experiment, seeds = next(iter(trained.values())).experiment, next(iter(trained.values())).seeds
    return (
        f"\n## What a worse projection costs in training\n\nThe same training run ({experiment}, the projected optimiser, {seeds} "
        "seeds, all else equal), its projections by one solver after another, beside that solver's gap and cosine on neurons "
        "captured from the same data.\n"
        + table(["solver", "mean gap", "cosine", "test accuracy", "a run", "in projections"], rows)
        + shown_figure(results, "training-cost", "training", "Test accuracy against gap", width=6.0)
        + f"""
What it says: between gaps of 0 and {number(lines["sa"].gap_mean)} accuracy does not move by more than the spread over seeds
(`auto` {percent(trained["auto"].accuracy)}, `sa` {percent(trained["sa"].accuracy)}): on this task a good projection is good
enough, and a proof of optimality buys nothing in accuracy. A random projection (gap {number(lines["random"].gap_mean)}) costs
{100 * (trained["auto"].accuracy - trained["random"].accuracy):.1f} points.

What surprised: **the gap alone does not predict accuracy.** `sign` has by far the largest gap
({number(lines["sign"].gap_mean)}, more than the random one's) and trains to {percent(trained["sign"].accuracy)}. It also has
by far the largest cosine with −∂L/∂W ({number(lines["sign"].cosine)}; `auto`: {number(lines["auto"].cosine)}). A projection
that is far from the optimum but follows the gradient trains well; one that is far from both does not. With standard
deviations up to {100 * spread:.1f} points over {seeds} seeds, smaller differences than these mean nothing.
"""
    )


SECTIONS: dict[str, Callable[[Results], str]] = {
    "annealer-vs-exact": annealer_vs_exact, "encodings": encodings, "noise": noise, "budget": budget,
    "training-cost": training_cost, "dynamics": dynamics,
}  # fmt: skip
