"""Ranks, times to a gap, optimal times, cost and differences of studies, against values worked out by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from qproj.lab.studies import comparisons
from qproj.lab.studies.difference import difference_table
from qproj.lab.studies.frame import Runs
from qproj.lab.studies.known_optima import KnownOptimum, read_known_optima, with_references, write_known_optima
from qproj.lab.studies.metrics import references
from qproj.lab.studies.results import Results
from qproj.lab.studies.solver_table import read_successes
from qproj.lab.studies.study import Study

NAN = math.nan


def runs_of(rows):
    """Runs on neurons of scale 1 from (solver, neuron, gain, status, wall_s, further columns)."""
    whole = {
        "source": "s", "instance": "i", "encoding": "", "exact": False, "samples": True, "is_null": False,
        "num_reads": 10, "time_limit_s": NAN, "seed": 0, "withheld": "", "termination": "budget", "raw_gain": NAN,
        "descent_gain": NAN, "descent_s": NAN, "cosine": NAN, "setup_s": NAN, "queue_s": NAN, "stats": "{}",
        "n": 4, "d": 3, "groups": 4, "classes": 3, "weight_bits": 3, "instance_id": 1, "gain_bound": NAN,
        "build_s": NAN, "embed_s": NAN, "solve_s": NAN, "decode_s": NAN, "objective": NAN, "bound": NAN, "message": "",
    }  # fmt: skip
    columns = {name: [] for name in [*whole, "run", "solver", "label", "problem", "neuron", "neuron_key", "gain",
                                     "status", "wall_s", "scale", "ceiling"]}  # fmt: skip
    for i, (solver, neuron, gain, status, wall, *rest) in enumerate(rows):
        own = whole | {
            "run": f"r{i}", "solver": solver, "label": solver, "problem": neuron, "neuron": neuron,
            "neuron_key": f"key{neuron}", "gain": gain, "status": status, "wall_s": wall, "scale": 1.0, "ceiling": 1.0,
        } | (rest[0] if rest else {})  # fmt: skip
        for name, value in own.items():
            columns[name].append(value)
    kinds = {"problem": int, "neuron": int, "n": int, "d": int, "weight_bits": int, "exact": bool, "samples": bool,
             "is_null": bool, "groups": int, "classes": int, "instance_id": int}  # fmt: skip
    texts = ("run", "solver", "label", "neuron_key", "status", "source", "instance", "encoding", "withheld",
             "termination", "stats", "message", "num_reads", "seed")  # fmt: skip
    return Runs({n: np.array(v, object if n in texts else kinds.get(n, float)) for n, v in columns.items()})


def results_of(rows, gains=None, events=None, folder="nowhere"):
    runs = runs_of(rows)
    keys = {
        row_key: np.array(gains[i], float) for i, row_key in enumerate(runs["run"]) if gains and gains[i] is not None
    }
    known = references(runs)
    return Results(Path(folder), runs, keys, [], known, np.full(len(runs), NAN), [], events or {})


PROOF = {"exact": True}
TWO = [
    ("cp", 0, 1.0, "optimal", 4.0), ("cp", 1, 0.9, "optimal", 8.0),
    ("sa", 0, 1.0, "feasible", 1.0), ("sa", 1, 0.5, "feasible", 1.0),
    ("bad", 0, NAN, "raised", 0.1), ("bad", 1, 0.9, "feasible", 2.0),
]  # fmt: skip


def test_a_failure_is_a_gap_of_one_and_stays_in_the_denominator():
    table = comparisons.gap_by_neuron(results_of(TWO))
    assert table["cp"] == {0: 0.0, 1: 0.0}
    assert table["sa"] == {0: 0.0, 1: pytest.approx(0.2)}
    assert table["bad"] == {0: 1.0, 1: 0.0}


def test_ranking_by_hand():
    table = comparisons.ranking_table(results_of(TWO))
    rows = {row[0]: row[1:] for row in table.rows}
    # neuron 0: cp and sa share ranks 1 and 2, bad is third; neuron 1: cp and bad share 1 and 2
    assert rows["cp"] == [2, 1.5, 0.0, 1.0, 0.0]
    assert rows["sa"] == [2, 2.25, pytest.approx(0.1), 0.5, pytest.approx(0.1)]
    assert rows["bad"] == [2, 2.25, 0.5, 0.5, 0.5]
    assert rows["virtual best solver"][2] == 0.0
    assert [row[0] for row in table.rows] == ["cp", "sa", "bad", "virtual best solver"]
    assert "Friedman" in table.note


def test_a_solver_that_took_few_neurons_is_left_out_and_named():
    rows = [("a", i, 0.5, "feasible", 1.0) for i in range(4)] + [("few", 0, 1.0, "feasible", 1.0)]
    table = comparisons.ranking_table(results_of(rows))
    assert [row[0] for row in table.rows] == ["a", "virtual best solver"]
    assert table.note.endswith("fewer than half of the neurons: few.")


def test_pairs_hold_both_tests_and_holms_correction():
    rng = np.random.default_rng(0)
    rows = [(name, i, 1.0 - shift * (1 + rng.random()), "feasible", 1.0)
            for name, shift in (("a", 0.0), ("b", 0.1), ("c", 0.2)) for i in range(10)]  # fmt: skip
    table = comparisons.pairs_table(results_of(rows))
    p = {(r["a"], r["b"]): r for r in table.records}
    assert len(p) == 3
    for pair in p.values():
        assert pair["wilcoxon_p"] == pytest.approx(2 / 2**10)  # all ten differences of one sign
        assert pair["holm_p"] == pytest.approx(3 * 2 / 2**10)
        assert pair["neurons"] == 10


def test_time_to_a_gap_from_reads_from_moments_and_from_whole_runs():
    rows = [
        ("cp", 0, 1.0, "optimal", 4.0), ("cp", 1, 1.0, "optimal", 6.0),
        ("sa", 0, 1.0, "feasible", 2.0), ("sa", 1, 0.9, "feasible", 2.0),
        ("ls", 0, 1.0, "feasible", 3.0), ("ls", 1, NAN, "hung", 9.0),
    ]  # fmt: skip
    gains = [None, None, [1.0, 0.99, 0.5, 0.5], [0.9, 0.9, 0.9, 0.9], None, None]
    events = {"r4": np.array([[0.5, 0.9, 1.0], [1.25, 0.99, 1.0], [2.0, 1.0, 1.0]])}
    results = results_of(rows, gains, events)
    found = comparisons.time_to_gap(results, 0.01)
    assert found["cp"] == {0: 4.0, 1: 6.0}
    # half of four reads within .01 (gap of .99: .005), half a second each
    assert found["sa"] == {0: pytest.approx(0.5 * math.log(0.01) / math.log(0.5)), 1: math.inf}
    assert found["ls"] == {0: 1.25, 1: math.inf}
    row = next(row for row in comparisons.time_to_gap_table(results).records if row["solver"] == "ls")
    assert (row["within_0.01"], row["seconds_to_0.01"]) == (0.5, math.inf)


def test_a_neuron_on_which_all_runs_failed_has_an_infinite_tts():
    rows = [("cp", 0, 1.0, "optimal", 1.0), ("cp", 1, 1.0, "optimal", 1.0),
            ("sa", 0, 1.0, "feasible", 1.0), ("sa", 1, NAN, "crashed", NAN)]  # fmt: skip
    results = results_of(rows, [None, None, [1.0, 1.0], None])
    share, times = read_successes(results.of("sa"), results.known, results.gains)
    assert times == {0: 0.5, 1: math.inf}
    assert share.trials == 2
    assert read_successes(results.of("cp"), results.known, results.gains)[1] == {}


def test_the_optimal_setting_is_marked_as_inside_the_range_or_not():
    rows, gains = [], []
    for sweeps, share in ((10, 1), (100, 4), (1000, 5)):
        for neuron in range(3):
            rows.append((f"sa:num_sweeps={sweeps}", neuron, 1.0, "feasible", sweeps / 100))
            gains.append([1.0] * share + [0.0] * (10 - share))
    rows += [("cp", neuron, 1.0, "optimal", 1.0) for neuron in range(3)]
    gains += [None] * 3
    (row,) = comparisons.optimal_tts_table(results_of(rows, gains)).records
    seconds = [s / 1000 * math.log(0.01) / math.log(1 - q / 10) for s, q in ((10, 1), (100, 4), (1000, 5))]
    assert row["tts99"] == pytest.approx(min(seconds))
    assert (row["best"], row["inside_the_range"], row["low"]) == (10, "no", row["tts99"])
    assert row["clock"] == "wall clock"


def test_the_optimal_setting_by_qpu_access_counts_what_is_charged_per_read():
    rows, gains = [], []
    charges = {1: 150.0, 10: 160.0, 1000: 2000.0}
    for (time_us, charge), share in zip(charges.items(), (1, 4, 5), strict=True):
        for neuron in range(3):
            stats = {"stats": json.dumps({"access_us": 10 * charge})}
            rows.append((f"dwave:annealing_time={time_us}", neuron, 1.0, "feasible", 9.0, stats))
            gains.append([1.0] * share + [0.0] * (10 - share))
    rows += [("cp", neuron, 1.0, "optimal", 1.0) for neuron in range(3)]
    gains += [None] * 3
    table = {row["clock"]: row for row in comparisons.optimal_tts_table(results_of(rows, gains)).records}
    by_qpu = table["QPU access"]
    assert (by_qpu["best"], by_qpu["inside_the_range"]) == (10, "yes")
    assert by_qpu["tts99"] == pytest.approx(160e-6 * math.log(0.01) / math.log(1 - 0.4))
    assert table["wall clock"]["best"] == 1000


def test_cost_counts_failed_runs_and_leaves_out_waiting():
    rows = [("qpu", 0, 1.0, "feasible", 5.0, {"queue_s": 4.0, "stats": json.dumps({"access_us": 2000.0})}),
            ("qpu", 1, NAN, "raised", 1.0, {"stats": json.dumps({"access_us": 1000.0})}),
            ("qpu", 2, NAN, "refused", 9.0)]  # fmt: skip
    (row,) = comparisons.cost_table(results_of(rows)).records
    assert (row["cpu_per_run"], row["cpu_in_all"]) == (1.0, 2.0)
    assert (row["qpu_us_per_run"], row["qpu_in_all"]) == (1500.0, 0.003)
    assert (row["answered"], row["neurons"]) == (1, 3)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The same neurons under limits that overlap in one, and by a solver whose limits do not."""
    folders = [tmp_path_factory.mktemp(name) for name in "ab"]
    for folder, limits in zip(folders, ([0.5, 2.0], [2.0]), strict=True):
        Study(folder, ["random:n=8,d=5,neurons=2"], "auto", time_limits_s=limits, seeds=1).run(workers=1)
    Study(folders[0], ["random:n=8,d=5,neurons=2"], "local-search", time_limits_s=[0.1], seeds=1).run(workers=1)
    Study(folders[1], ["random:n=8,d=5,neurons=2"], "local-search", time_limits_s=[0.2], seeds=1).run(workers=1)
    return [Results.read(folder) for folder in folders]


def test_studies_with_other_limits_are_compared_on_what_they_share(two):
    table = difference_table(*two)
    assert [row[0] for row in table.rows] == ["auto", "local-search (0.1 s → 0.2 s)"]
    first = table.records[0]
    assert (first["neurons"], first["gap_a"], first["gap_b"], first["proved_a"]) == (2, 0.0, 0.0, 1.0)
    assert all(isinstance(first[name], float) for name in ("difference", "low", "high", "p"))


def test_references_from_a_study_or_a_file_decide_alone(two, tmp_path):
    out = tmp_path / "refs.csv"
    assert write_known_optima(two[0].folder, out) == 2
    assert read_known_optima(out) == read_known_optima(two[0].folder)
    again = Results.read(two[1].folder, references_from=out)
    assert again.optima == 2
    assert again.source == str(out)
    text = out.read_text().splitlines()
    text[1] = text[1][:-1] + "0"
    out.write_text("\n".join(text))
    assert Results.read(two[1].folder, references_from=out).optima == 1  # its own proof adds nothing


def test_references_of_other_targets_are_refused():
    runs = runs_of([("sa", 0, 0.8, "feasible", 1.0)])
    _, known = with_references(runs, {"key0": KnownOptimum(0.9, 0.9, True)})
    assert (known.bound[0], known.gain[0], bool(known.proved[0])) == (0.9, 0.9, True)
    with pytest.raises(ValueError, match=r"a run reached 0\.8;"):
        with_references(runs, {"key0": KnownOptimum(0.7, 0.7, True)})
    with pytest.raises(ValueError, match="none of the study's neurons"):
        with_references(runs, {"other": KnownOptimum(0.7, 0.7, True)})
    proof = runs_of([("cp", 0, 0.8, "optimal", 1.0)])
    assert with_references(proof, {"key0": KnownOptimum(0.9, 1.0, False)})[1].contradicted.tolist() == [True]


def test_a_model_s_denominator_is_the_reference_s():
    model = {"n": 0, "ceiling": math.inf}
    runs = runs_of([("sa", 0, 50.0, "feasible", 1.0, model)])
    runs, known = with_references(runs, {"key0": KnownOptimum(100.0, 100.0, True)})
    assert runs["scale"].tolist() == [50.0]
    assert comparisons.gaps(runs, known).tolist() == [0.5]  # (100 − 50)/100


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n1,2\n", "are needed"), ("neuron_key,gain,gain_bound,proved\nk,2,1,1\n", "line 2"),
     ("neuron_key,gain,gain_bound,proved\nk,x,1,1\n", "line 2")],
)  # fmt: skip
def test_a_damaged_file_of_references_is_named_by_its_line(tmp_path, text, message):
    (tmp_path / "refs.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_known_optima(tmp_path / "refs.csv")
    with pytest.raises(FileNotFoundError):
        read_known_optima(tmp_path / "missing.csv")
