"""Reports for papers and programs on the command line: tables, figures, JSON of numbers, optima from elsewhere."""

import csv
import json

import pytest
from typer.testing import CliRunner

from qproj.cli import app
from qproj.lab.studies.results import Results
from qproj.lab.studies.study import Study

run = CliRunner().invoke
LAYERS = ["random:n=10,d=5|9,neurons=2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "study"
    Study(out, LAYERS, "auto,sa,sign", reads=[10], time_limits_s=[1.0], seeds=1).run(workers=1)
    return out


@pytest.fixture(scope="module")
def unproved(tmp_path_factory):
    """A study of the same neurons in which nothing is proved."""
    out = tmp_path_factory.mktemp("cli") / "unproved"
    Study(out, LAYERS, "sign", time_limits_s=[1.0], seeds=1, nulls=False).run(workers=1)
    return out


def asked(*arguments):
    done = run(app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_tables_and_figures_are_written_beside_the_study_or_where_asked(folder, tmp_path):
    pytest.importorskip("matplotlib")
    text = asked("report", folder, "--tables", "latex")
    names = sorted(path.name for path in (folder / "tables").iterdir())
    assert "solvers.tex" in names
    assert text.startswith(f"{len(names)} tables were written to {folder / 'tables'}: ")
    told = json.loads(asked("report", folder, "--tables", "csv", "--figures", "svg", "--out", tmp_path, "--json"))
    assert set(told) == {"tables", "figures"}
    assert str(tmp_path / "tables" / "solvers.csv") in told["tables"]
    assert str(tmp_path / "figures" / "gaps.svg") in told["figures"]
    for kind in ("--tables", "--figures"):
        done = run(app, ["report", str(folder), kind, "docx"])
        assert done.exit_code == 2
        assert "'docx'" in done.stderr


def strings_in(value, path=""):
    """Every text in a document, by its path."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in strings_in(item, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for item in value for found in strings_in(item, f"{path}[]")]
    return [(path, value)] if isinstance(value, str) else []


#: Columns of words: everything else is a number, true, false or null.
WORDS = {
    "solver", "label", "kind", "layer", "source", "a", "b", "option", "weight_bits", "inside_the_range", "status",
    "cause", "remedy", "size", "recommended", "recommended_interval", "infinite[]",
}  # fmt: skip


def test_a_report_s_json_holds_numbers(folder):
    told = json.loads(asked("report", folder, "--json"))
    results = Results.read(folder)
    for path, text in strings_in(told):
        assert path.rpartition(".")[2] in WORDS, (path, text)
    assert (told["runs"], told["neurons"], told["proved_optima"]) == (len(results.runs), 4, 4)
    rows = {row["solver"]: row for row in told["tables"]["solvers"]}
    for line in results.lines:
        assert rows[line.label]["mean_gap"] == line.gap_mean
        assert rows[line.label]["proved"] == line.proved.value
        assert rows[line.label]["wall_clock"] == line.wall_s
    assert {"ranking", "pairs", "cost", "time-to-gap"} <= set(told["tables"])


def test_infinite_and_missing_are_told_apart(folder):
    told = json.loads(asked("report", folder, "--json"))
    rows = {row["solver"]: row for row in told["tables"]["time-to-gap"]}
    sign = rows["sign"]  # never within .01 % of the optimum in half of the neurons
    assert sign["within_0.0001"] < 0.5
    assert sign["seconds_to_0.0001"] is None
    assert "seconds_to_0.0001" in sign["infinite"]
    (line,) = [row for row in told["tables"]["solvers"] if row["solver"] == "auto"]
    assert line["tts99"] is None  # it draws no reads, so it has no such time
    assert "tts99" not in line.get("infinite", [])


def test_a_dry_run_s_json_holds_numbers(tmp_path):
    told = json.loads(asked(
        "compare", "--instances", LAYERS[0], "--solvers", "auto,sa,dwave-emulated:encoding=margin", "--reads", "10",
        "--seeds", "2", "--workers", "1", "--out", tmp_path / "s", "--dry-run", "--json",
    ))  # fmt: skip
    words = {"solver", "encoding", "known_from", "note", "withheld[]", "unknown[]"}
    assert {path.rpartition(".")[2] for path, _ in strings_in(told)} <= words
    rows = {row["solver"]: row for row in told["solvers"]}
    assert (rows["sa"]["runs"], rows["sa"]["new"], rows["sa"]["most_s"]) == (8, 8, 40.0)
    assert rows["sa"]["qpu_s"] is None
    assert rows["dwave-emulated:encoding=margin"]["qpu_s"] == told["qpu_access_s"] > 0
    assert told["seconds"] == pytest.approx(sum(row["seconds"] for row in rows.values()))
    assert rows["auto"]["withheld"] == ["num_reads"]
    assert not (tmp_path / "s").exists()


def test_a_dry_run_without_a_limit_knows_no_most(tmp_path):
    told = json.loads(asked(
        "compare", "--instances", "random:n=8,d=5,neurons=1", "--solvers", "sign", "--time-limit", "none",
        "--seeds", "1", "--out", tmp_path / "s", "--dry-run", "--json",
    ))  # fmt: skip
    assert told["solvers"][0]["most_s"] is None


def test_references_from_a_study_or_a_file_decide_the_denominators(folder, unproved, tmp_path):
    own = json.loads(asked("report", unproved, "--json"))
    assert own["proved_optima"] == 0
    assert own["solvers"][0]["best"]["trials"] == 0
    from_study = json.loads(asked("report", unproved, "--references", folder, "--json"))
    assert from_study["proved_optima"] == 4
    assert from_study["solvers"][0]["best"]["trials"] == 4
    assert from_study["solvers"][0]["gap_mean"] <= own["solvers"][0]["gap_mean"]
    file = tmp_path / "refs.csv"
    asked("export", folder, "--format", "references", "--out", file)
    assert [row["proved"] for row in csv.DictReader(file.read_text().splitlines())] == ["1"] * 4
    assert json.loads(asked("report", unproved, "--references", file, "--json"))["solvers"] == from_study["solvers"]


def test_compare_takes_references_too_and_writes_the_page_with_them(folder, unproved):
    arguments = [
        "compare", "--instances", LAYERS[0], "--solvers", "sign", "--seeds", "1", "--no-null", "--time-limit", "1",
        "--workers", "1", "--out", unproved, "--references", folder,
    ]  # fmt: skip
    assert "4 of 4 neurons have a proved optimum" in " ".join(asked(*arguments).split())
    told = json.loads(asked(*arguments, "--json"))
    assert (told["proved_optima"], told["solvers"][0]["best"]["trials"]) == (4, 4)
    assert "the optimum of 4 neurons is proved" in (unproved / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("where", "message"),
    [("nowhere", "nowhere"), ("damaged.csv", "neuron_key, gain, gain_bound, proved are needed"),
     ("other.csv", "know none of the study's neurons")],
)  # fmt: skip
def test_references_that_do_not_fit_are_refused(unproved, tmp_path, monkeypatch, where, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.csv").write_text("a,b\n1,2\n")
    (tmp_path / "other.csv").write_text("neuron_key,gain,gain_bound,proved\nk,1.0,1.0,1\n")
    done = run(app, ["report", str(unproved), "--references", where])
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_difference_s_json_holds_numbers(folder, unproved):
    (row,) = json.loads(asked("report", folder, unproved, "--diff", "--json"))
    assert row["solver"] == "sign"
    assert all(isinstance(row[name], int | float) for name in row if name != "solver")
