"""The formulas of docs/reference/metrics.md, each evaluated by itself beside the code that the page describes.

A formula stands here as it does on the page, so whoever changes one on the page is sent to its evaluation.
"""

import inspect
import itertools
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import chi2

from qproj.lab.report.comparison_figures import anytime
from qproj.lab.report.scaling import fit_slope
from qproj.lab.studies import comparisons, metrics, rankings
from qproj.lab.studies.frame import read_weights
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import read_successes
from qproj.lab.studies.store import StudyStore
from qproj.lab.studies.study import Study
from tests.docs._load import DOCS

PAGE = DOCS / "reference" / "metrics.md"
SECTIONS = ("Quality of one run", "Reads", "Solvers against each other")
#: Rows that state a source or a choice, and no formula.
WORDS = {"`gap_to`", "broken chains"}
EVALUATED = {}
SA = "sa:num_sweeps=2"


def formula(row, text):
    """Enter the evaluation of a row of the page: the formula begins with `text` there."""

    def enter(check):
        EVALUATED[row] = (text, check)
        return check

    return enter


def rows():
    """The rows of the page's tables of formulas: name and formula."""
    found = {}
    for section in SECTIONS:
        text = PAGE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
        lines = [line for line in text.splitlines() if line.startswith("|")][2:]
        for line in lines:
            name, cell = [part.strip() for part in re.split(r"(?<!\\)\|", line)[1:3]]
            found[name] = cell
    return found


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metrics")
    Study(
        folder, ["random:n=10,d=3|5|7,neurons=2"], f"auto,{SA},sign", reads=[12], seeds=2, record_progress=True
    ).run(workers=1)  # fmt: skip
    results = Results.read(folder)
    runs = results.runs
    with StudyStore(folder) as store:
        layers, weights = store.layers(), read_weights(store, runs)
    places = zip(runs["instance_id"].tolist(), runs["neuron"].tolist(), strict=True)
    problems = [layers[instance].problems[neuron] for instance, neuron in places]
    assert results.known.proved.all()  # so that g* is each neuron's optimum
    return SimpleNamespace(
        results=results, runs=runs, problems=problems, V=[weights[key].astype(int) for key in runs["run"]],
        S=np.array([np.abs(p.t).sum() for p in problems]), best=optima(problems),
    )  # fmt: skip


def optima(problems):
    """g* of each run's neuron, by enumeration."""
    return np.array([
        max(gain_of(p, np.array(v)) for v in itertools.product([-1, 1], repeat=p.X.shape[1])) for p in problems
    ])  # fmt: skip


def gain_of(p, v):
    return float((p.t * np.where(p.X @ v >= 0, 1, -1)).sum())


def line_of(study, label):
    (line,) = (one for one in study.results.lines if one.label == label)
    return line


def by_neuron(study, values, label):
    """The mean over seeds of each neuron."""
    mask, problem = study.runs["label"] == label, study.runs["problem"]
    return {int(i): float(values[mask & (problem == i)].mean()) for i in np.unique(problem[mask])}


def same(study, column, label):
    """The share of a solver's runs whose gain in a column is the optimum."""
    mask = study.runs["label"] == label
    return float((np.abs(study.runs[column] - study.best) <= 1e-9 * study.S)[mask].mean())


@formula("`gain`, `objective`", r"$g(v)$, and $\sum_i (1 + t_i^2) - 2 g(v)$")
def gain_and_objective(study):
    gains = np.array([gain_of(p, v) for p, v in zip(study.problems, study.V, strict=True)])
    assert study.runs["gain"] == pytest.approx(gains)
    assert study.runs["objective"] == pytest.approx([
        (1 + p.t**2).sum() - 2 * g for p, g in zip(study.problems, gains, strict=True)
    ])  # fmt: skip


@formula("`gap`", r"$(g^* - g) / (2 S)$, in $[0, 1]$")
def gap(study):
    assert study.results.frame["gap"].to_numpy() == pytest.approx((study.best - study.runs["gain"]) / (2 * study.S))


@formula("gap of a published QUBO", r"(objective − bound)/max(1, \|best objective\|), at most 1")
def gap_of_a_published_qubo(study, tmp_path, monkeypatch):
    (tmp_path / "qubo").mkdir()
    (tmp_path / "qubo" / "three.txt").write_text("3 4\n1 1 -2\n1 3 2\n2 2 -3\n3 3 -1\n")
    (tmp_path / "qubo" / "best_known.csv").write_text("name,n,nnz,best_value,sense,proved\nthree,3,4,-5,min,y\n")
    monkeypatch.setenv("QPROJ_DATA_DIR", str(tmp_path))
    Study(tmp_path / "s", ["qubo:name=three"], "sa,random", reads=[1], seeds=6).run(workers=1)
    results = Results.read(tmp_path / "s")
    expected = np.minimum(1.0, (results.runs["objective"] - -5.0) / max(1.0, abs(-5.0)))
    assert results.frame["gap"].to_numpy() == pytest.approx(expected)
    assert expected.max() > 0


@formula("at optimum", "share of runs with $g = g^*$")
def at_optimum(study):
    for line in study.results.lines:
        assert line.best.value == pytest.approx(same(study, "gain", line.label))


@formula("lowest energy", "likewise, of the read of lowest *energy*")
def lowest_energy(study):
    assert line_of(study, SA).raw.value == pytest.approx(same(study, "raw_gain", SA))


@formula("+ descent", "likewise, of the best read after steepest single-flip descent in $v$")
def plus_descent(study):
    assert line_of(study, "random").descent.value == pytest.approx(same(study, "descent_gain", "random"))
    assert same(study, "descent_gain", "random") >= same(study, "gain", "random")


@formula("energy ≠ best", "share of runs whose read of lowest energy is not the best by gain")
def energy_is_not_best(study):
    mask = study.runs["label"] == SA
    worse = study.runs["raw_gain"] < study.runs["gain"] - 1e-9 * study.S
    assert line_of(study, SA).disagreement == pytest.approx(worse[mask].mean())


@formula("`cosine`", r"$\langle v, X^\top t\rangle / (\sqrt d\, \lVert X^\top t \rVert)$")
def cosine(study):
    for p, v, stored in zip(study.problems, study.V, study.runs["cosine"], strict=True):
        direction = p.X.T @ p.t
        assert stored == pytest.approx(v @ direction / (math.sqrt(len(v)) * np.linalg.norm(direction)))


@formula("to flip", r"$\min_{v^*} \sum_{\text{classes}} \lvert c(v) - c(v^*) \rvert$")
def to_flip(study):
    counts = [column_counts(p.X, v) for p, v in zip(study.problems, study.V, strict=True)]
    optimal = np.abs(study.runs["gain"] - study.best) <= 1e-9 * study.S
    for i, own in enumerate(counts):
        known = [counts[j] for j in np.flatnonzero(optimal & (study.runs["problem"] == study.runs["problem"][i]))]
        assert study.results.distances[i] == min(sum(abs(own[c] - other[c]) for c in own) for other in known)


def column_counts(X, v):
    """How many columns of each class, equal up to sign, agree with the class's first column."""
    found = {}
    for column, sign in zip(X.T.astype(int), v, strict=True):
        key = tuple((column * column[0]).tolist())
        found[key] = found.get(key, 0) + int(sign * column[0] > 0)
    return found


def wilson(p, n, z=1.96):
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [(p + z * z / (2 * n) + side * half) / (1 + z * z / n) for side in (-1, 1)]


@formula("a read", r"$\sum s / \sum n$ over all runs on proved neurons, with Wilson's interval")
def a_read(study):
    own = np.flatnonzero(study.runs["label"] == SA)
    gains = [study.results.gains[study.runs["run"][i]] for i in own]
    hits = sum(int((g >= study.best[i] - 1e-9 * study.S[i]).sum()) for i, g in zip(own, gains, strict=True))
    share, reads = line_of(study, SA).read, sum(map(len, gains))
    assert (share.value, share.trials) == (hits / reads, reads)
    assert [share.low, share.high] == pytest.approx(wilson(hits / reads, reads), abs=1e-4)


@formula("Wilson's interval", r"$\bigl(\hat p + \tfrac{z^2}{2n} \pm z \sqrt{\hat p (1 - \hat p)/n + z^2/4n^2}\bigr)")
def interval(study):
    for k, n in ((0, 7), (3, 7), (7, 7), (90, 100)):
        assert metrics.wilson(k, n, 1.96) == pytest.approx(wilson(k / n, n), abs=1e-12)


@formula("best of $k$", r"$\sum_i g_{(i)} \binom{n-i}{k-1} / \binom nk$")
def best_of_k(study):
    gains = np.random.default_rng(0).normal(size=9)
    for k in range(1, 10):
        ranked = enumerate(sorted(gains, reverse=True), start=1)
        expected = sum(g * math.comb(9 - i, k - 1) for i, g in ranked) / math.comb(9, k)
        assert metrics.best_of_k(gains, k) == pytest.approx(expected)
        assert expected == pytest.approx(np.mean([max(some) for some in itertools.combinations(gains, k)]))


def tts(p, t):
    return math.inf if p == 0 else t * max(1.0, math.log(1 - 0.99) / math.log(1 - p) if p < 1 else 0.0)


def times(study, label, least):
    """TTS99 by neuron, where a read is a success that reaches `least` of its run."""
    found = {}
    for i in np.unique(study.runs["problem"]):
        own = np.flatnonzero((study.runs["label"] == label) & (study.runs["problem"] == i))
        gains = [study.results.gains[study.runs["run"][j]] for j in own]
        reads = sum(map(len, gains))
        hits = sum(int((g >= least[j]).sum()) for j, g in zip(own, gains, strict=True))
        found[int(i)] = tts(hits / reads, study.runs["wall_s"][own].sum() / reads)
    return found


@formula("TTS99 of a neuron", r"$t \cdot \max\bigl(1, \ln(1 - 0.99)/\ln(1 - p)\bigr)$")
def tts_of_a_neuron(study):
    for label in (SA, "random"):
        found = read_successes(study.results.of(label), study.results.known, study.results.gains)[1]
        assert found == pytest.approx(times(study, label, study.best - 1e-9 * study.S))


@formula("TTS99 of a solver", "median over neurons (infinite where half of them were never solved)")
def tts_of_a_solver(study):
    for label in (SA, "random"):
        assert line_of(study, label).tts_s == pytest.approx(
            np.median(list(times(study, label, study.best - 1e-9 * study.S).values()))
        )


@formula("growth", r"$\log_{10} \mathrm{TTS} = a + b \cdot \text{bits}$, least squares through the medians of sizes")
def growth(study):
    bits = np.array([5, 5, 5, 9, 9, 9, 13, 13, 13])
    seconds = np.array([1.0, 2.0, 9.0, 3.0, 8.0, 9.0, 20.0, 50.0, np.inf])
    medians = np.log10([2.0, 8.0, 50.0])
    a, b = np.linalg.lstsq(np.array([[1, 5], [1, 9], [1, 13]]), medians, rcond=None)[0]
    found = fit_slope(bits, seconds)
    assert (found.start, found.slope) == pytest.approx((a, b))
    assert found.low <= b <= found.high


@formula("mean gap", "seeds are averaged first, then neurons")
def mean_gap(study):
    gaps = (study.best - study.runs["gain"]) / (2 * study.S)
    for line in study.results.lines:
        assert line.gap_mean == pytest.approx(np.mean(list(by_neuron(study, gaps, line.label).values())))
        assert line.gap_low <= line.gap_mean + 1e-12 <= line.gap_high + 2e-12


@formula("A − B", "mean over shared neurons of the difference of gaps, neurons drawn *in pairs*")
def difference(study):
    a, b = {1: 0.1, 2: 0.3, 3: 0.2, 4: 0.5, 9: 1.0}, {1: 0.0, 2: 0.35, 3: 0.1, 4: 0.4, 8: 1.0}
    each = np.array([0.1, -0.05, 0.1, 0.1])
    found = metrics.paired_bootstrap(a, b)
    assert (found.difference, found.neurons) == (pytest.approx(each.mean()), 4)
    draws = [np.mean(some) for some in itertools.product(each, repeat=4)]  # all draws with replacement
    below = np.mean([(m < -1e-12) + 0.5 * (abs(m) <= 1e-12) for m in draws])
    assert found.p == pytest.approx(2 * min(below, 1 - below), abs=0.03)


@formula("Wilcoxon p", "two-sided signed-rank test over the shared neurons of a pair; differences of zero count half")
def wilcoxon(study):
    each = np.array([0.5, -0.1, 0.3, 0.7, 0.2, 0.9])
    ranks = np.argsort(np.argsort(np.abs(each))) + 1
    sums = [sum(r for r, up in zip(ranks, ups, strict=True) if up) for ups in itertools.product([0, 1], repeat=6)]
    seen = abs(ranks[each > 0].sum() - np.mean(sums))
    (pair,) = rankings.wilcoxon_pairs({"a": dict(enumerate(each)), "b": dict.fromkeys(range(6), 0.0)})
    assert pair.p == pytest.approx(np.mean([abs(s - np.mean(sums)) >= seen for s in sums]))


@formula("Holm p", "that, corrected by steps down for the number of pairs in the table")
def holm(study):
    p = [0.04, 0.01, 0.03, 0.5]
    steps = [min(1.0, (4 - i) * x) for i, x in enumerate(sorted(p))]
    stepped = dict(zip(sorted(p), np.maximum.accumulate(steps), strict=True))
    assert rankings.holm(p) == pytest.approx([stepped[x] for x in p])


@formula("mean rank, Friedman p", "ranks of the gaps on each neuron that all solvers took, 1 for the best, ties shared")
def friedman(study):
    values = np.random.default_rng(1).random((7, 3))
    table = {name: dict(enumerate(values[:, j])) for j, name in enumerate("abc")}
    ranks = np.argsort(np.argsort(values, axis=1), axis=1) + 1
    assert list(rankings.mean_ranks(table).values()) == pytest.approx(ranks.mean(axis=0))
    statistic = 12 / (7 * 3 * 4) * (ranks.sum(axis=0) ** 2).sum() - 3 * 7 * 4
    assert rankings.friedman(table) == pytest.approx(chi2.sf(statistic, 2))
    assert rankings.mean_ranks({"a": {1: 0.2}, "b": {1: 0.2}, "c": {1: 0.5}}) == {"a": 1.5, "b": 1.5, "c": 3.0}


@formula("virtual best solver", "the smallest gap of any solver on each neuron")
def virtual_best(study):
    assert rankings.virtual_best({"a": {1: 0.2, 2: 0.0}, "b": {1: 0.1, 2: 0.3}}) == {1: 0.1, 2: 0.0}
    table = comparisons.gap_by_neuron(study.results)
    best = [min(row[i] for row in table.values()) for i in table["auto"]]
    behind = {row[0]: row[-1] for row in comparisons.ranking_table(study.results).rows}
    for name, row in table.items():
        assert behind[name] == pytest.approx(np.mean(list(row.values())) - np.mean(best))


@formula("time to a gap ε", "for ε of 1, .1 and .01 %. With kept reads, TTS99 where a read with gap ≤ ε is a success")
def time_to_a_gap(study):
    assert comparisons.EPSILONS == (0.01, 0.001, 0.0001)
    found = comparisons.time_to_gap(study.results, 0.1)
    assert found[SA] == pytest.approx(times(study, SA, study.best - (2 * 0.1 + 1e-9) * study.S))
    assert rankings.time_to_gap([0.1, 0.5, 0.9], [1.0, 0.05, 0.0], 0.1) == 0.5
    assert rankings.time_to_gap([0.1], [1.0], 0.1) == math.inf


@formula("optimal TTS99", "least median TTS99 over the values of an option, all else equal")
def optimal_tts(study):
    seconds = {10.0: np.array([5.0, 7.0, 9.0]), 20.0: np.array([2.0, 4.0, 8.0]), 40.0: np.array([6.0, 6.0, 6.0])}
    found = rankings.optimal_tts(seconds)
    assert (found.setting, found.seconds, found.inside) == (20.0, 4.0, True)
    del seconds[10.0]
    assert not rankings.optimal_tts(seconds).inside


@formula(
    "performance profile", "share of the common neurons on which a solver's time to a gap of .01 % is within a factor"
)
def performance_profile(study):
    table = {"a": {1: 1.0, 2: 6.0, 3: math.inf}, "b": {1: 4.0, 2: 3.0, 3: 5.0, 4: 1.0}}
    found = rankings.profile(table, np.array([1.0, 2.0, 4.0]))
    assert found["a"] == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert found["b"] == pytest.approx([2 / 3, 2 / 3, 1.0])


@formula("anytime curve", "mean gap of the incumbent at each moment since a run's start, from the events of the solver")
def anytime_curve(study):
    figure = anytime(study.results)
    (curve,) = (one for one in figure.series if one.name == "auto")
    own = np.flatnonzero(study.runs["label"] == "auto")
    for moment, mean in list(zip(curve.x, curve.y, strict=True))[::20]:
        gaps = []
        for i in own:
            events = study.results.events[study.runs["run"][i]]
            seen = [gain for seconds, gain, _ in events.tolist() if seconds <= moment and not math.isnan(gain)]
            seen += [study.runs["gain"][i]] if study.runs["wall_s"][i] <= moment else []
            gaps.append((study.best[i] - seen[-1]) / (2 * study.S[i]) if seen else 1.0)
        assert mean == pytest.approx(np.mean(gaps), abs=1e-9)


@formula("agreement", "share of (neuron, seed) pairs on which two solvers reach equal gains")
def agreement(study):
    labels = ["auto", SA]
    first, second = (study.runs.where(study.runs["label"] == label) for label in labels)
    gains = {(int(p), s): g for p, s, g in zip(second["problem"], second["seed"], second["gain"], strict=True)}
    equal = [
        abs(g - gains[int(p), s]) < 1e-9 for p, s, g in zip(first["problem"], first["seed"], first["gain"], strict=True)
    ]
    assert metrics.agreement(study.runs, labels)[0, 1] == pytest.approx(np.mean(equal))


def test_every_row_with_a_formula_is_evaluated():
    assert set(rows()) == set(EVALUATED) | WORDS


@pytest.mark.slow
@pytest.mark.parametrize("row", list(EVALUATED))
def test_the_formula_gives_what_the_code_gives(study, row, request):
    text, check = EVALUATED[row]
    assert rows()[row].startswith(text)
    needed = [name for name in inspect.signature(check).parameters if name != "study"]
    check(study, **{name: request.getfixturevalue(name) for name in needed})
