import json

import pytest
from typer.testing import CliRunner

from qproj.cli import app
from qproj.lab.datasets import read_instances


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("QPROJ_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("QPROJ_OFFLINE", "1")


@pytest.fixture
def no_folder(monkeypatch):
    monkeypatch.delenv("QPROJ_DATA_DIR", raising=False)


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output + result.stderr
    return result.stdout if code == 0 else result.stderr


def test_list_says_where_sets_are(no_folder):
    found = {entry["name"]: entry for entry in json.loads(run("datasets", "list", "--json"))}
    assert found["digits"]["where"] == "package"
    assert found["a1a"]["where"] == "download"
    assert found["qubo"]["where"] == "missing"
    table = run("datasets", "list")
    assert "qproj datasets fetch mnist" in table


def test_fetch_and_path(data_dir, tmp_path):
    assert json.loads(run("datasets", "fetch", "a1a", "cora", "digits", "--json"))[0] == {
        "name": "a1a", "where": "cache", "paths": [str(tmp_path / "cache" / "a1a.npz")],
    }  # fmt: skip
    assert run("datasets", "path", "a1a").strip() == str(tmp_path / "cache" / "a1a.npz")
    assert json.loads(run("datasets", "path", "cora", "--json"))["paths"] == [str(data_dir / "graphs" / "cora.npz")]
    assert run("datasets", "path").strip() == str(tmp_path / "cache")
    assert "comes with scikit-learn" in run("datasets", "fetch", "digits")


def test_what_cannot_be_had(no_folder):
    error = run("datasets", "fetch", "a1a", code=2)
    assert "Put a1a into $QPROJ_DATA_DIR/adult/" in error
    assert "load_breast_cancer" in error
    assert "did you mean 'mnist'" in run("datasets", "fetch", "mnits", code=2)
    assert "qproj datasets fetch a1a" in run("datasets", "path", "a1a", code=2)
    assert "scikit-learn" in run("datasets", "path", "digits", code=2)
    assert "cannot be fetched" in run("datasets", "fetch", "qubo", code=2)


def test_a_wrong_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("QPROJ_DATA_DIR", str(tmp_path / "none"))
    assert "QPROJ_DATA_DIR" in run("datasets", "list", code=2)


def test_capture_writes_layers(tmp_path):
    out = tmp_path / "layers.npz"
    options = ["--hidden", "8,4", "--steps", 20, "--every", 10, "--batch", 16]
    report = json.loads(run("capture", "digits-0-2", *options, "--out", out, "--json"))
    layers = read_instances(out)
    assert [layer.name for layer in layers] == [entry["name"] for entry in report["layers"]]
    assert [layer.meta["step"] for layer in layers] == [0, 0, 10, 10, 20, 20]
    assert report["neurons"] == 36
    assert layers[1].X.shape == (16, 8)
    text = run("capture", "breast-cancer", "--steps", 0, "--max-neurons", 5, "--out", out)
    assert "5 neurons in 1 layers" in text
    assert read_instances(out)[0].num_neurons == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digist",), "did you mean 'digits'"),
        (("digits-0",), "choose two or more"),
        (("digits", "--hidden", "8,x"), "32,16"),
        (("digits", "--every", "0"), "every"),
        (("digits", "--steps", "-1"), "steps"),
        (("digits", "--batch", "100000"), "smaller batch"),
        (("digits", "--lr", "nan"), "lr is nan"),
        (("digits", "--seed", "-1"), "seed"),
        (("digits", "--max-neurons", "0"), "max-neurons"),
        (("digits", "--out", "layers.txt"), ".npz"),
    ],
)
def test_capture_refuses(tmp_path, arguments, message):
    out = () if "--out" in arguments else ("--out", tmp_path / "l.npz")
    assert message in run("capture", *arguments, *out, code=2)
    assert not list(tmp_path.iterdir())
