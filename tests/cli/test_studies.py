"""Studies on the command line: compare, report, export, doctor."""

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from qproj.cli import app
from qproj.lab.datasets.instances import LayerInstance, save_instances

run = CliRunner().invoke


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(2)
    layer = LayerInstance("mine", rng.choice([-1, 1], (10, 7)), rng.normal(size=(10, 3)), source="test")
    return str(save_instances(tmp_path / "mine.npz", [layer]))


def compare(source, out, *more):
    return run(app, [
        "compare", "--instances", source, "--solvers", "auto,sa,sign", "--reads", "10", "--time-limit", "1",
        "--seeds", "2", "--workers", "1", "--out", str(out), *more,
    ])  # fmt: skip


def test_compare_report_and_export(source, tmp_path):
    out = tmp_path / "study"
    done = compare(source, out)
    assert done.exit_code == 0, done.output
    assert "random (null)" in done.stdout
    assert "3 of 3 neurons have a proved optimum" in done.stdout
    assert "21 of 21 runs are done" in done.stdout
    assert (out / "report.html").stat().st_size > 1_000_000

    again = compare(source, out, "--json")
    told = json.loads(again.stdout)
    assert (told["runs"], told["done"], told["failed"], told["neurons"]) == (21, 21, 0, 3)
    lines = {line["label"]: line for line in told["solvers"]}
    assert lines["auto"]["gap_mean"] == 0.0
    assert lines["random"]["is_null"]

    (out / "report.html").unlink()
    assert run(app, ["report", str(out)]).exit_code == 0
    assert (out / "report.html").is_file()
    assert "| auto |" in _written(
        ["report", str(out), "--format", "md", "--out", str(tmp_path / "r.md")], tmp_path / "r.md"
    )
    assert "auto" in run(app, ["report", str(out), "--format", "text"]).stdout
    assert json.loads(run(app, ["report", str(out), "--json"]).stdout)["runs"] == 21
    diff = run(app, ["report", str(out), str(out), "--diff"])
    assert diff.exit_code == 0
    assert "B − A" in diff.stdout
    assert _written(["export", str(out), "--out", str(tmp_path / "r.csv")], tmp_path / "r.csv").count("\n") == 22


def _written(arguments, path):
    done = run(app, arguments)
    assert done.exit_code == 0, done.output
    return path.read_text()


def test_a_dry_run_shows_the_plan_and_writes_nothing(source, tmp_path):
    done = compare(source, tmp_path / "study", "--dry-run")
    assert done.exit_code == 0
    assert "1 layers" in done.stdout
    assert "21 runs" in done.stdout
    assert not (tmp_path / "study").exists()
    told = json.loads(compare(source, tmp_path / "study", "--dry-run", "--json").stdout)
    assert told["runs"] == 21


def test_failed_rows_do_not_fail_the_study(source, tmp_path):
    done = run(app, [
        "compare", "--instances", source, "--solvers", "sa:encoding=paper,tree:encoding=margin,exhaustive",
        "--seeds", "1", "--workers", "1", "--no-null", "--out", str(tmp_path / "s"), "--json",
    ])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["done"] == 9


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["compare", "--instances", "digitz"], "did you mean 'digits'"),
        (["compare", "--solvers", "cpsatt"], "did you mean 'cpsat'"),
        (["compare", "--solvers", "sa:encoding=margn"], "margin"),
        (["compare", "--encodings", "margn", "--instances", "random"], "unknown encoding"),
        (["compare", "--reads", "many", "--instances", "random"], "--reads has 'many'"),
        (["compare", "--seeds", "0", "--instances", "random"], "--seeds is 0"),
        (["compare", "--workers", "-1", "--instances", "random"], "--workers is -1"),
        (["compare", "--time-limit", "-1", "--instances", "random"], "time_limit_s is -1"),
        (["report", "nowhere"], "holds no study"),
        (["report", "nowhere", "--format", "pdf"], "html, md or text"),
        (["report", "a", "b"], "2 folders are given"),
        (["export", "nowhere", "--out", "x.csv"], "holds no study"),
        (["export", "nowhere", "--out", "x.csv", "--format", "parket"], "did you mean 'parquet'"),
    ],
)
def test_mistakes_end_before_any_run(arguments, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(app, arguments)
    assert done.exit_code == 2
    assert text in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_doctor_finds_the_built_in_solvers_well():
    done = run(app, ["doctor", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["ok"]
    states = {check["what"]: check["state"] for check in told["checks"]}
    assert all(states[f"solver {name}"] == "ok" for name in ("auto", "exhaustive", "sa", "tabu", "sign", "random"))


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(source, tmp_path):
    out = tmp_path / "study"
    command = [
        sys.executable, "-m", "qproj", "compare", "--instances", "random", "--solvers",
        "local-search", "--seeds", "50", "--time-limit", "0.2", "--workers", "1", "--no-null", "--out", str(out),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while not (out / "study.sqlite").is_file():
        if process.poll() is not None:
            pytest.fail(process.communicate()[1])
        os.sched_yield()
    from qproj.lab.studies.store import StudyStore

    def rows():
        store = StudyStore(out, create=True)
        found = len(store.done())
        store.close()
        return found

    while not rows():
        assert process.poll() is None, process.communicate()[1]
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command continues from there" in stderr
    assert "Traceback" not in stderr
    assert rows() > 0


def test_failures_name_their_cause_and_remedy_in_the_terminal(source, tmp_path):
    from qproj.lab.studies.seals import Seals
    from qproj.lab.studies.store import StudyStore

    arguments = [
        "compare", "--instances", source, "--solvers", "sign,exhaustive", "--seeds", "1", "--workers", "1", "--no-null",
        "--out", str(tmp_path / "s"),
    ]  # fmt: skip
    assert run(app, arguments).exit_code == 0
    store = sqlite3.connect(tmp_path / "s" / "study.sqlite")
    with store:
        store.execute("UPDATE run SET status = 'hung', message = 'ended after 20 s' WHERE neuron = 0")
        store.execute("UPDATE run SET status = 'refused', message = 'ValueError: d = 300' WHERE neuron = 1")
    store.close()
    with StudyStore(tmp_path / "s") as opened:
        Seals(opened._db).write()  # as if the runs had ended so
    text = run(app, ["report", str(tmp_path / "s"), "--format", "text"]).stdout
    assert "sign: 1 run hung: ended after 20 s. Remedy: " in text
    assert "--retry-failed" in text
    assert "exhaustive: 1 run refused: ValueError: d = 300. Remedy: " in text
    assert text.index("hung") < text.index("refused")


def test_a_comparison_ends_with_what_was_seen_where_to_look_and_what_to_try(source, tmp_path):
    wide = {"COLUMNS": "1000"}
    compare(source, tmp_path / "s")
    lines = run(app, [
        "compare", "--instances", source, "--solvers", "auto,sa,sign", "--reads", "10", "--time-limit", "1",
        "--seeds", "2", "--out", str(tmp_path / "s"),
    ], env=wide).stdout.rstrip().splitlines()  # fmt: skip
    assert lines[-3].startswith("Seen: auto")
    assert "the null model random" in lines[-3]
    assert lines[-2].startswith(f"Look at {tmp_path / 's' / 'report.html'}")
    assert lines[-1].startswith("Try next: ")


def test_sources_may_be_given_one_by_one(source):
    more = ["--instances", source, "--instances", "random:n=6,d=3,neurons=2", "--solvers", "sign", "--seeds", "1"]
    told = json.loads(run(app, ["compare", *more, "--dry-run", "--json"]).stdout)
    assert told["layers"] == 2


def test_a_study_file_is_run_and_flags_override_it(source, tmp_path):
    file = tmp_path / "study.toml"
    file.write_text('instances = ["mine.npz"]\nsolvers = ["sign", "random"]\nreads = 10\nseeds = 4\n')
    told = json.loads(run(app, ["compare", str(file), "--dry-run", "--json"]).stdout)
    assert told["runs"] == 3 * (1 + 4)
    told = json.loads(run(app, ["compare", str(file), "--seeds", "2", "--dry-run", "--json"]).stdout)
    assert told["runs"] == 3 * (1 + 2)
    file.write_text('instances = ["mine.npz"]\nsolvers = ["sgn"]\n')
    done = run(app, ["compare", str(file)])
    assert done.exit_code == 2
    assert "study.toml, line 2" in done.stderr


def test_a_study_without_a_proof_names_no_solver_that_proved_most():
    from types import SimpleNamespace

    from qproj.cli.closing import closing_sentences

    def line(label, gap, raw=math.nan, *, null=False):
        share = SimpleNamespace(value=math.nan)
        return SimpleNamespace(
            label=label, is_null=null, gap_mean=gap, raw=SimpleNamespace(value=raw), best=share,
            proved=SimpleNamespace(value=0.0),
        )  # fmt: skip

    lines = [line("auto", 0.2), line("sa", 0.1), line("random", 0.3, null=True)]
    seen, _, following = closing_sentences(lines, "")
    assert seen == "Seen: no run proved an optimum; sa came closest to the best bound."
    assert "more reads" in following
