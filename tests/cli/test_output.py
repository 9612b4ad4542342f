"""Tables fit the terminal: no cell wraps, less important columns go first and are named, --wide shows all."""

import json

import pytest
from rich.cells import cell_len

from qproj.cli import output
from qproj.cli.compare import KEPT, SPARE
from qproj.cli.output import fitting, print_json, print_table, print_text

COLUMNS = [
    "solver", "runs", "failed", "proved", "gap", "rank", "at optimum", "lowest energy", "+descent", "a read", "TTS99",
    "cosine", "build", "solve", "decode",
]  # fmt: skip
ROWS = [
    ["cpsat", "100", "0", "100%", "0", "1.5", "100%", "–", "–", "–", "–", "0.366", "821 µs", "71.5 ms", "277 µs"],
    ["sa:encoding=majority,num_sweeps=500", "100", "0 (+9 n/a)", "26.0%", "0.0162", "2.25", "33.0%", "8.0%",
     "76.0%", "4.2%", "11.2 ms", "0.501", "345 µs", "21.5 ms", "549 µs"],
    ["random (null)", "100", "0", "0%", "0.171", "4", "1.0%", "1.0%", "56.0%", "<0.1%", "∞", "0.308", "331 ns",
     "138 µs", "240 µs"],
]  # fmt: skip


@pytest.fixture
def terminal(monkeypatch):
    def of(width):
        monkeypatch.setattr(output, "terminal_width", lambda: width)

    return of


@pytest.mark.parametrize("width", [60, 80, 120, 200, None])
def test_the_table_of_a_study(width, terminal, capsys, snapshot):
    terminal(width)
    print_table(COLUMNS, ROWS, spare=SPARE, kept=KEPT)
    text = capsys.readouterr().out
    assert width is None or max(cell_len(line) for line in text.splitlines()) <= width
    assert text == snapshot


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_cell_stands_on_its_line_and_what_is_left_out_is_named(width, terminal, capsys):
    terminal(width)
    print_table(COLUMNS, ROWS, spare=SPARE, kept=KEPT)
    lines = capsys.readouterr().out.splitlines()
    header, body = lines[0], lines[2 : 2 + len(ROWS)]
    left_out = [name for name in COLUMNS if f"  {name}  " not in f"  {header}  "]
    assert "solver" not in left_out
    assert "proved" not in left_out
    for row, line in zip(ROWS, body, strict=True):
        for name, cell in zip(COLUMNS, row, strict=True):
            assert name in left_out or cell in line, (width, name, cell)
    remark = " ".join(lines[2 + len(ROWS) :])
    assert all(name in remark for name in left_out)
    assert ("--wide" in remark) == bool(left_out)


def test_wide_shows_every_column(terminal, capsys):
    terminal(60)
    print_table(COLUMNS, ROWS, spare=SPARE, kept=KEPT, wide=True)
    header = capsys.readouterr().out.splitlines()[0]
    assert all(name in header for name in COLUMNS)


def test_columns_go_in_the_given_order_then_from_the_right():
    names, body = ["a", "bb", "cc", "dd"], [["1", "22", "33", "44"]]
    assert fitting(names, body, ["bb"], 13) == [0, 1, 2, 3]
    assert fitting(names, body, ["bb"], 12) == [0, 2, 3]
    assert fitting(names, body, ["bb"], 8) == [0, 2]
    assert fitting(names, body, ["bb"], 1) == [0]
    assert fitting(names, body, ["bb", "missing"], None) == [0, 1, 2, 3]


def test_a_first_column_that_is_too_wide_loses_its_middle(terminal, capsys):
    terminal(40)
    print_table(["solver", "gap"], [["a" * 30 + "z" * 30, "0.1"]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "a" * 19 + "…" + "z" * 20


def test_long_names_are_shortened_before_the_columns_that_matter_go(terminal, capsys):
    long = [[name, *ROWS[1][1:4], "0.0162 (91 of 100)", *ROWS[1][5:]]
            for name in ("sa:encoding=margin,encoding.kappa=0.5454,num_sweeps=944", "sa:encoding=margin")]  # fmt: skip
    for width in range(40, 221):
        terminal(width)
        print_table(COLUMNS, long, spare=SPARE, kept=KEPT)
        lines = capsys.readouterr().out.splitlines()
        assert max(cell_len(line) for line in lines) <= width, width
        assert "gap" in lines[0] or width < 24 + 2 + len("0.0162 (91 of 100)"), width
        assert ("0.0162 (91 of 100)" in lines[2]) == ("gap" in lines[0])
        assert lines[2].startswith("sa:encoding"), width
        assert "…" not in lines[2] or "=944" in lines[2], width
        if width >= 60:
            assert {"proved", "gap"} <= set(lines[0].split()), width


def test_wide_letters_are_shortened_to_the_column(terminal, capsys):
    terminal(40)
    print_table(["solver", "gap"], [["漢" * 40, "0.1"]])
    line = capsys.readouterr().out.splitlines()[2]
    assert cell_len(line) == 40


def test_numbers_stand_to_the_right_and_words_to_the_left(terminal, capsys):
    terminal(None)
    print_table(["a", "n", "w"], [["x", "1.5 ms", "yes"], ["yy", "10%", "no"]])
    assert capsys.readouterr().out.splitlines()[2:4] == ["x   1.5 ms  yes", "yy     10%  no"]


def test_an_empty_table_has_its_titles(terminal, capsys):
    terminal(80)
    print_table(["a", "b"], [])
    assert capsys.readouterr().out.splitlines()[0] == "a  b"


def test_paragraphs_break_between_words_only(terminal, capsys):
    terminal(40)
    print_text('dwave, qaoa: not installed; pip install "qproj[dwave]", or use dwave-emulated', indent="  ")
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 40 for line in lines)
    assert " ".join(" ".join(lines).split()) == (
        'dwave, qaoa: not installed; pip install "qproj[dwave]", or use dwave-emulated'
    )


def test_the_width_is_that_of_columns_without_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "72")
    assert output.terminal_width() == 72
    monkeypatch.setenv("COLUMNS", "7")
    assert output.terminal_width() == 40
    monkeypatch.delenv("COLUMNS")
    assert output.terminal_width() is None


def test_json_is_strict(capsys):
    print_json({"a": float("nan"), "b": [1, float("inf")], "c": "±1"})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1, None], "c": "±1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from qproj.lab.studies.study import Study

    out = tmp_path_factory.mktemp("widths") / "study"
    solvers = "auto,sa:encoding=margin,encoding.kappa=1.25,num_sweeps=50,exhaustive"
    Study(out, ["random:n=8,d=5|26,neurons=2"], solvers, reads=[5], time_limits_s=[0.5], seeds=1).run(workers=1)
    return out


def test_the_overview_of_a_study_has_the_columns_above(folder):
    from qproj.lab.studies.comparisons import ranking_table
    from qproj.lab.studies.overview import overview
    from qproj.lab.studies.results import Results
    from qproj.lab.studies.solver_table import number, seconds

    results = Results.read(folder)
    titles, rows = overview(results)
    assert titles == COLUMNS
    assert set(SPARE) | set(KEPT) < set(titles)
    ranks = {row["solver"]: row["mean_rank"] for row in ranking_table(results).records}
    for line, row in zip(results.lines, rows, strict=True):
        assert row[titles.index("rank")] == number(ranks[line.label])
        assert row[titles.index("TTS99")] == seconds(line.tts_s)


COMMANDS = {
    "report": ["report", "STUDY", "--format", "text"],
    "difference": ["report", "STUDY", "STUDY", "--diff"],
    "dry run": ["compare", "--solvers", "auto,dwave-emulated:encoding=margin,spin_reversals=2", "--instances",
                "random:n=8,d=5,neurons=1", "--seeds", "1", "--dry-run", "--out", "STUDY"],
    "solvers": ["solvers"],
    "datasets": ["datasets", "list"],
}  # fmt: skip


def rows_of(text):
    """The lines of a table's body."""
    lines = text.splitlines()
    rule = next(i for i, line in enumerate(lines) if line and set(line) <= {"─", " "})
    end = next(i for i, line in enumerate(lines) if i > rule and (not line or line.startswith("Left out")))
    return lines[rule + 1 : end]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_row_of_a_command_s_table_is_one_line_at_any_width(folder, name):
    from typer.testing import CliRunner

    from qproj.cli import app

    arguments = [str(folder) if word == "STUDY" else word for word in COMMANDS[name]]

    def printed(width):
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": width})
        assert done.exit_code == 0, done.output
        return done.stdout

    count = len(rows_of(printed("")))
    assert count
    for width in (60, 80, 120, 200):
        text = printed(str(width))
        assert max(cell_len(line) for line in text.splitlines()) <= width
        assert len(rows_of(text)) == count, width
