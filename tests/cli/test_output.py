"""Tables fit the terminal: no cell wraps, less important columns go first and are named, --wide shows all."""

import json

import pytest
from rich.cells import cell_len

from qproj.cli import output
from qproj.cli.compare import SPARE
from qproj.cli.output import fitting, print_json, print_table, print_text

COLUMNS = [
    "solver", "runs", "failed", "proved", "gap", "at optimum", "lowest energy", "+descent", "a read", "cosine",
    "build", "solve", "decode",
]  # fmt: skip
ROWS = [
    ["cpsat", "100", "0", "100%", "0", "100%", "–", "–", "–", "0.366", "821 µs", "71.5 ms", "277 µs"],
    ["sa:encoding=majority,num_sweeps=500", "100", "0 (+9 n/a)", "26.0%", "0.0162", "33.0%", "8.0%", "76.0%", "4.2%",
     "0.501", "345 µs", "21.5 ms", "549 µs"],
    ["random (null)", "100", "0", "0%", "0.171", "1.0%", "1.0%", "56.0%", "<0.1%", "0.308", "331 ns", "138 µs",
     "240 µs"],
]  # fmt: skip


@pytest.fixture
def terminal(monkeypatch):
    def of(width):
        monkeypatch.setattr(output, "terminal_width", lambda: width)

    return of


@pytest.mark.parametrize("width", [60, 80, 120, 200, None])
def test_the_table_of_a_study(width, terminal, capsys, snapshot):
    terminal(width)
    print_table(COLUMNS, ROWS, spare=SPARE)
    text = capsys.readouterr().out
    assert width is None or max(cell_len(line) for line in text.splitlines()) <= width
    assert text == snapshot


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_cell_stands_on_its_line_and_what_is_left_out_is_named(width, terminal, capsys):
    terminal(width)
    print_table(COLUMNS, ROWS, spare=SPARE)
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
    print_table(COLUMNS, ROWS, spare=SPARE, wide=True)
    header = capsys.readouterr().out.splitlines()[0]
    assert all(name in header for name in COLUMNS)


def test_columns_go_in_the_given_order_then_from_the_right():
    names, body = ["a", "bb", "cc", "dd"], [["1", "22", "33", "44"]]
    assert fitting(names, body, ["bb"], 13) == [0, 1, 2, 3]
    assert fitting(names, body, ["bb"], 12) == [0, 2, 3]
    assert fitting(names, body, ["bb"], 8) == [0, 2]
    assert fitting(names, body, ["bb"], 1) == [0]
    assert fitting(names, body, ["bb", "missing"], None) == [0, 1, 2, 3]


def test_a_first_column_that_is_too_wide_ends_in_dots(terminal, capsys):
    terminal(40)
    print_table(["solver", "gap"], [["s" * 60, "0.1"]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "s" * 39 + "…"


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
