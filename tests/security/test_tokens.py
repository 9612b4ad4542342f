"""A planted token does not come out anywhere: logs, reports, exceptions, stores, states, the command line."""

import json
import logging
import subprocess
import sys
import traceback
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import qproj
from qproj.cli import app
from qproj.lab.datasets.instances import LayerInstance
from qproj.lab.report import write_report
from qproj.lab.studies.environment import environment, redacted_command
from qproj.lab.studies.results import Results
from qproj.lab.studies.study import Study
from qproj.nn import BinaryLinear
from qproj.optim import QPSBGD
from qproj.solvers.redact import logger, redact, remember, scrub

TOKEN = "DEV-" + "0f1e2d3c4b5a6978" * 2 + "cafe0123"
#: Looks like nothing in particular: only its place tells.
PLAIN = "correct-horse-battery"


@pytest.fixture
def planted(monkeypatch):
    monkeypatch.setenv("DWAVE_API_TOKEN", TOKEN)
    monkeypatch.setenv("MY_SERVICE_SECRET", PLAIN)
    return (TOKEN, PLAIN)


def clean(text, planted):
    data = text if isinstance(text, bytes) else str(text).encode()
    return not any(secret.encode() in data for secret in planted)


class Leaky:
    """Says its secrets wherever a solver can say anything."""

    name = "leaky"
    capabilities = qproj.get_solver("sign").capabilities

    def __init__(self, secrets, raises):
        self.secrets, self.raises = secrets, raises

    def solve(self, problem, **limits):
        words = " ".join(self.secrets)
        print("debug:", words)
        print("debug:", words, file=sys.stderr)
        if self.raises:
            raise ConnectionError(f"401 for {words}; X-Auth-Token: {self.secrets[1]}")
        honest = qproj.get_solver("sign").solve(problem)
        return replace(honest, message=f"done by {words}", stats={"header": f"Bearer {words}", "n": 1})


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("token=abcdef123456", "abcdef123456"), ('{"token": "abcdef123456"}', "abcdef123456"),
        ("X-Auth-Token: abcdef123456", "abcdef123456"), ("Authorization: Bearer abcdef.123-456", "abcdef.123-456"),
        (f"oops {TOKEN}!", TOKEN), ("password = 'abcdef123456'", "abcdef123456"),
        ("https://x.y/?api_key=abcdef123456&n=1", "abcdef123456"),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_hidden(text, secret):
    assert secret not in redact(text)
    assert "…" in redact(text)


@pytest.mark.parametrize(
    "text",
    ["run `dwave setup --auth`, or set DWAVE_API_TOKEN; `dwave-emulated` needs none", "no API token is configured",
     "sa-0 token", "monkey: banana republic", "a" * 64],
)  # fmt: skip
def test_what_is_none_stays(text):
    assert redact(text) == text


def _refused():
    try:
        raise ConnectionError(f"refused {TOKEN}", 7)
    except ConnectionError as error:
        error.add_note(f"sent {PLAIN}")
        raise RuntimeError(f"no answer for {PLAIN}") from error


def test_exceptions_and_those_that_led_to_them_are_scrubbed(planted):
    with pytest.raises(RuntimeError) as caught:
        _refused()
    scrub(caught.value)
    assert clean("".join(traceback.format_exception(caught.value, chain=True)), planted)
    assert caught.value.__cause__.args[1] == 7


def test_a_solvers_exception_names_no_token(planted):
    class Client(qproj.get_solver("sign").__class__):
        def call(self, model, request):
            raise ConnectionError(f"401 for token {TOKEN}")

    with pytest.raises(ConnectionError) as caught:
        Client().solve(qproj.SignProjection([[1, -1]], [1.0]))
    assert clean(caught.value, planted)


def test_logs_and_statistics_of_a_chain_name_none(planted, caplog, capsys):
    with caplog.at_level(logging.DEBUG, "qproj"):
        found = qproj.project([[1, -1], [1, 1]], [[1.0], [0.5]], qproj.Fallback(Leaky(planted, True), "auto"))
        logger().warning("client: %s", TOKEN)
    assert caplog.records
    assert clean(caplog.text, planted)
    assert clean(found.stats, planted)
    assert found[0].stats["failures"]
    assert clean(found[0].stats, planted)


@pytest.mark.parametrize("raises", [True, False])
def test_a_study_keeps_none_in_any_of_its_files(tmp_path, planted, raises):
    cloudpickle = pytest.importorskip("cloudpickle")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    rng = np.random.default_rng(0)
    layer = LayerInstance("a", rng.choice([-1, 1], (8, 5)), rng.normal(size=(8, 2)), source="test")
    # the worker's own environment is the only one that knows these values: they come with the solver as others would
    study = Study(tmp_path, [layer], [Leaky(planted, raises), "sign"], seeds=1, nulls=False)
    study.run(workers=1)
    write_report(Results.read(tmp_path), tmp_path / "report.html")
    runner = CliRunner()
    told = [
        runner.invoke(app, ["export", str(tmp_path), "--out", str(tmp_path / "r.csv")]),
        runner.invoke(app, ["report", str(tmp_path), "--format", "text"]),
        runner.invoke(app, ["report", str(tmp_path), "--json"]),
    ]
    assert all(done.exit_code == 0 for done in told)
    assert all(clean(done.output, planted) for done in told)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"study.sqlite", "report.html", "log.txt", "r.csv"} <= {file.name for file in files}
    assert (tmp_path / "log.txt").read_text().count("debug:") > 0
    for file in files:
        assert clean(file.read_bytes(), planted), file.name


def test_doctor_and_solvers_name_none(planted):
    runner = CliRunner()
    for command in (["solvers"], ["solvers", "--json"], ["doctor", "--json"]):
        done = runner.invoke(app, command)
        assert done.output
        assert clean(done.output, planted)
    told = json.loads(runner.invoke(app, ["solvers", "--json"]).stdout)
    assert next(solver for solver in told if solver["name"] == "dwave")["token"] is True


def test_command_lines_and_environments_name_none(planted, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["qproj", "compare", f"--token={TOKEN}", "--password", PLAIN, PLAIN, "x"])
    assert clean(json.dumps(environment()), planted)
    assert redacted_command(sys.argv).endswith("… x")


def test_states_and_checkpoints_hold_none(planted, tmp_path):
    layer = BinaryLinear(4, 2)
    optimizer = QPSBGD(layer, solver=qproj.Fallback(Leaky(planted, True), "auto"))
    layer(torch.ones(3, 4)).square().sum().backward()
    optimizer.step()
    torch.save({"model": layer.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "c.pt")
    assert clean((tmp_path / "c.pt").read_bytes(), planted)
    assert clean(optimizer.last_report.to_dict(), planted)


def test_tokens_of_the_configuration_are_known(tmp_path, monkeypatch):
    pytest.importorskip("dwave.system")
    from qproj_dwave.qpu import token_configured

    file = tmp_path / "dwave.conf"
    file.write_text("[defaults]\ntoken = some-words-nobody-would-guess\n")
    monkeypatch.delenv("DWAVE_API_TOKEN", raising=False)
    monkeypatch.setenv("DWAVE_CONFIG_FILE", str(file))
    assert token_configured()
    assert "guess" not in redact("said some-words-nobody-would-guess, then left")
    qproj.get_solver("dwave", config={"token": "another-phrase-entirely"})
    assert "entirely" not in redact("another-phrase-entirely")
    remember(None)
    remember("short")
    assert redact("short") == "short"


def test_an_uncaught_error_of_the_command_line_names_none(planted, tmp_path):
    code = (
        "import qproj.cli as cli, os\n"
        "def fail():\n    raise RuntimeError('client said ' + os.environ['DWAVE_API_TOKEN'])\n"
        "cli.app.command('fail')(fail)\nimport sys; sys.argv = ['qproj', 'fail']\ncli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "client said" in done.stderr
    assert clean(done.stderr + done.stdout, planted)
