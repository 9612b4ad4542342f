import json

from typer.testing import CliRunner

from qproj.cli import app


def test_every_model_of_a_file_is_solved(tmp_path):
    path = tmp_path / "two.txt"
    path.write_text("2\n2 2\n1 1 3\n1 2 -1\n1 1\n1 1 -5\n")
    done = CliRunner().invoke(app, ["solve", str(path), "--solver", "exhaustive", "--json"])
    assert done.exit_code == 0, done.output
    first, second = json.loads(done.stdout)
    assert (first["objective"], first["best"], first["status"]) == (-3.0, {"0": 1, "1": 0}, "optimal")
    assert (second["objective"], second["best"]) == (0.0, {"0": 0})
    table = CliRunner().invoke(app, ["solve", str(path), "--solver", "exhaustive"])
    assert "optimal" in table.output


def test_a_sense_that_the_format_has_itself_is_refused(tmp_path):
    path = tmp_path / "two.txt"
    path.write_text("1\n1 1\n1 1 3\n")
    done = CliRunner().invoke(app, ["solve", str(path), "--sense", "max"])
    assert done.exit_code == 2
    assert "sense is fixed" in done.output
