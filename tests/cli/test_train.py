"""``qproj train`` and ``qproj report`` on its folder, as a user types them."""

import json
import re
import tomllib

import pytest
from typer.testing import CliRunner

from qproj.cli import app
from qproj.cli.training import time_left

run = CliRunner().invoke
FAST = ["--optimizers", "projected,signsgd", "--epochs", "1", "--preset", "paper"]


def train(name, out, *more):
    return run(app, ["train", name, "--out", str(out), *more])


def test_json_is_all_of_stdout_and_runs_are_kept(tmp_path):
    done = train("digits-0-2", tmp_path, *FAST, "--seeds", "3,7", "--json", "--no-pages")
    assert done.exit_code == 0, done.stderr
    runs = json.loads(done.stdout)["runs"]
    assert [(r["experiment"], r["optimizer"], r["seed"]) for r in runs] == [
        ("digits-0-2", "projected", 3), ("digits-0-2", "projected", 7),
        ("digits-0-2", "signsgd", 3), ("digits-0-2", "signsgd", 7),
    ]  # fmt: skip
    for record in runs:
        assert {"test_accuracy", "best_val_test_accuracy", "seconds", "binary_parameters", "float_parameters"} <= set(
            record
        )
        assert 0 <= record["test_accuracy"] <= 1
        assert (record["binary_parameters"], record["float_parameters"]) == (64 * 32 + 32, 0)
    again = train("digits-0-2", tmp_path, *FAST, "--seeds", "3,7", "--json", "--no-pages")
    assert json.loads(again.stdout)["runs"] == runs


def test_a_table_curves_and_a_page_are_written(tmp_path):
    done = train("digits-0-2", tmp_path, *FAST, "--seeds", "2")
    assert done.exit_code == 0, done.stderr
    assert re.search(r"projected +2 +0\.\d{3} ± 0\.\d{3}", done.stdout)
    assert (tmp_path / "curves" / "digits-0-2.png").stat().st_size > 10_000
    assert (tmp_path / "curves" / "digits-0-2.svg").is_file()
    assert "qproj training" in (tmp_path / "report.html").read_text()

    (tmp_path / "report.html").unlink()
    assert run(app, ["report", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "report.html").stat().st_size > 1_000_000
    assert "projected" in run(app, ["report", str(tmp_path), "--format", "text"]).stdout
    assert len(json.loads(run(app, ["report", str(tmp_path), "--json"]).stdout)["runs"]) == 4
    refused = run(app, ["report", str(tmp_path), "--format", "md"])
    assert refused.exit_code == 2
    assert "--json" in refused.stderr


def test_solvers_are_compared_by_accuracy_and_by_what_they_missed(tmp_path):
    more = ["--epochs", "1", "--preset", "paper", "--seeds", "1", "--compare-solvers", "auto,sign,random", "--no-pages"]
    done = train("digits-0-2", tmp_path, *more)
    assert done.exit_code == 0, done.stderr
    assert "what a worse projection costs" in done.stdout
    runs = {r["solver"]: r for r in json.loads(train("digits-0-2", tmp_path, *more, "--json").stdout)["runs"]}
    assert set(runs) == {"auto", "sign", "random"}
    assert runs["auto"]["mean_audit_gap"] < runs["random"]["mean_audit_gap"]
    assert runs["auto"]["mean_audit_gap"] < runs["sign"]["mean_audit_gap"]


@pytest.mark.parametrize("solver", ["dwave-emulated", "qaoa-fast"])
@pytest.mark.slow
def test_annealers_and_circuits_train_small_networks(solver, tmp_path, data_dir):
    done = train(
        "adult-2layer", tmp_path, "--optimizers", "projected", "--seeds", "1", "--preset", "paper", "--solver", solver,
        "--json", "--no-pages",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    (record,) = json.loads(done.stdout)["runs"]
    assert record["solver"] == solver
    assert record["steps"] == 30


def test_functions_train_too(tmp_path):
    done = train("rosenbrock", tmp_path, "--optimizers", "qpsbgd", "--seeds", "1", "--json", "--no-pages")
    assert done.exit_code == 0, done.stderr
    (record,) = json.loads(done.stdout)["runs"]
    assert record["figures"]["value"] < record["figures"]["value_at_start"]
    table = train("rosenbrock", tmp_path, "--optimizers", "qpsbgd", "--seeds", "1", "--no-pages")
    assert "signs of the minimum" in table.stdout


def test_tuning_runs_the_grid_and_keeps_what_it_chose(tmp_path, monkeypatch):
    from qproj.lab.training import tuning

    monkeypatch.setitem(tuning.GRIDS["small"], "signsgd", ({"lr": 1e-6}, {"lr": 0.03}))
    more = ["--optimizers", "signsgd", "--epochs", "1", "--seeds", "1", "--tune", "--json", "--no-pages"]
    done = train("digits-0-2", tmp_path, *more)
    assert done.exit_code == 0, done.stderr
    (record,) = json.loads(done.stdout)["runs"]
    assert record["settings"]["lr"] == 0.03
    (chosen,) = tomllib.loads((tmp_path / "tuned.toml").read_text())["best"].values()
    assert chosen["signsgd"]["lr"] == 0.03
    assert len(list((tmp_path / "tuning" / "runs").iterdir())) >= 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["digits-0-3-4"], "no experiment is called"),
        (["digit-0-2"], "did you mean 'digits-0-2'"),
        (["digits-0-2", "--optimizers", "qpsbg"], "did you mean 'qpsbgd'"),
        (["digits-0-2", "--seeds", "0"], "1 to 10000"),
        (["digits-0-2", "--seeds", "a"], "a list such as 101,102"),
        (["digits-0-2", "--seeds", "1,1"], "each seed once"),
        (["digits-0-2", "--seeds", "4294967296,1"], "below 2³²"),
        (["digits-0-2", "--epochs", "0"], "integer ≥ 1"),
        (["digits-0-2", "--preset", "good"], "best, paper"),
        (["digits-0-2", "--solver", "cpsta"], "cpsat"),
        (["digits-0-2", "--checkpoint-every", "0"], "seconds > 0"),
        (["digits-0-2", "--compare-solvers", "auto,sa", "--solver", "sa"], "leave --solver"),
        (["digits-0-2", "--compare-solvers", "auto,auto"], "each once"),
        (["digits-0-2", "--solver", "sa:num_sweps=5"], "did you mean 'num_sweeps'"),
        (["digits-0-2", "--solver", "auto,sa"], "use --compare-solvers"),
        (["digits-0-2", "--compare-solvers", "auto", "--optimizers", "signsgd"], "compare qpsbgd or projected"),
        (["rosenbrock", "--compare-solvers", "auto"], "calls no solver"),
        (["rosenbrock", "--epochs", "3"], "leave --epochs out"),
        (["rate", "--optimizers", "signsgd"], "--optimizers qpsbgd"),
        (["rate", "--tune"], "nothing to tune"),
    ],
)
def test_bad_input_is_one_line_with_the_remedy_before_any_work(arguments, words, tmp_path):
    preset = [] if "--preset" in arguments or "--tune" in arguments else ["--preset", "paper"]
    done = run(app, ["train", *arguments, *preset, "--out", str(tmp_path / "t")])
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("seconds", "done", "ahead", "text"),
    [(10, 0, 5, ""), (10, 1, 5, "about 0:50 left"), (60, 0.5, 61, "about 2:02:00 left"), (9, 3, 0, "about 0:00 left")],
)
def test_the_time_left_goes_by_the_runs_so_far(seconds, done, ahead, text):
    assert time_left(seconds, done, ahead) == text
