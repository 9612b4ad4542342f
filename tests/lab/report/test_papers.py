"""Tables and figures for papers: each in its file, its numbers those of the report, its text safe in its format."""

import csv
import math
import re
import unicodedata

import pytest

from qproj.lab.report import report_tables, write_figures, write_tables
from qproj.lab.report.study_figures import study_figures
from qproj.lab.studies.result_table import Column, ResultTable, escape_latex, to_csv, to_latex, to_markdown
from qproj.lab.studies.results import Results
from qproj.lab.studies.study import Study

#: What LaTeX reads as a command or a place, unless a backslash stands before it.
BARE = re.compile(r"(?<!\\)[&%$#_{}~^]")
HOSTILE = r"\end{table}100% & $x_1^2$ #{~} | [2] *3 --retry `ls` <b>"
TABLE = ResultTable(
    "made", "A & B", "Note of 5 %.",
    (Column("solver"), Column("gap", "number"), Column("proved", "share"), Column("TTS99", "seconds", "tts"),
     Column("A − B", "number", "difference"), Column("remedy")),
    [[HOSTILE, 0.125, 1.0, math.inf, math.nan, "short"], ["[b]", 0.0, 0.5, 0.002, -0.25, "a sentence, " * 9]],
)  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    solvers = "auto,exhaustive,sa:encoding=margin,num_sweeps=2|20|200"
    Study(folder, ["random:n=10,d=3|5|25,neurons=2"], solvers, reads=[10], time_limits_s=[0.5], seeds=1).run(workers=1)
    return Results.read(folder)


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)&", line.strip().removesuffix(r"\\"))]


def test_latex_has_booktabs_rules_and_as_many_cells_as_columns():
    lines = to_latex(TABLE).splitlines()
    assert lines[0] == r"% \usepackage{booktabs,textcomp}"
    assert [line.strip() for line in lines if "rule" in line] == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert r"\begin{tabular}{lrrrrp{0.3\linewidth}}" in "".join(lines)
    assert r"  \label{tab:made}" in lines
    assert r"  \caption{A \& B. Note of 5 \%.}" in lines
    first = next(i for i, line in enumerate(lines) if "midrule" in line)
    rows = [cells(line) for line in lines[first - 1 : first + 3] if "rule" not in line]
    assert [len(row) for row in rows] == [6, 6, 6]
    assert rows[0] == ["solver", "gap", "proved", "TTS99", "A $-$ B", "remedy"]
    assert rows[1][1:] == ["0.125", r"100\%", r"$\infty$", "--", "short"]
    assert rows[2][:5] == ["{[}b]", "0", r"50.0\%", "2 ms", "-0.25"]


def test_no_text_gets_out_of_its_cell_in_latex():
    assert escape_latex(HOSTILE) == (
        r"\textbackslash{}end\{table\}100\% \& \$x\_1\textasciicircum{}2\$ \#\{\textasciitilde{}\} $|$ {[}2] {*}3 "
        r"-{}-retry \textasciigrave{}ls\textasciigrave{} $<$b$>$"
    )
    text = to_latex(TABLE)
    assert text.count(r"\end{table}") == 1
    assert escape_latex("a\nb\t c") == "a b c"


def test_what_latex_gets_is_ascii_and_letters(results):
    for table in report_tables(results):
        text = to_latex(table)
        odd = {c for c in text if ord(c) > 127 and not unicodedata.category(c).startswith("L")}
        assert not odd, (table.name, odd)
        for line in text.splitlines():
            if line.endswith(r" \\"):
                assert len(cells(line)) == len(table.columns), line


def test_csv_holds_the_values_themselves_and_no_formula():
    rows = list(csv.DictReader(to_csv(TABLE).splitlines()))
    assert rows[0]["solver"] == HOSTILE
    assert (rows[0]["gap"], rows[0]["tts"], rows[0]["difference"]) == ("0.125", "inf", "")
    formula = ResultTable("f", "", "", (Column("solver"), Column("x", "number")), [["=1+1", -0.5], ["@x", 1.0]])
    assert to_csv(formula).splitlines()[1:] == ["'=1+1,-0.5", "'@x,1.0"]


def test_markdown_keeps_every_cell():
    rows = [line for line in to_markdown(TABLE).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}
    assert "<b>" not in "".join(rows)


@pytest.mark.parametrize(("kind", "ending"), [("latex", "tex"), ("md", "md"), ("csv", "csv")])
def test_every_table_is_written_with_the_report_s_numbers(results, tmp_path, kind, ending):
    tables = {table.name: table for table in report_tables(results)}
    assert {"solvers", "layers", "ranking", "pairs", "agreement", "time-to-gap", "cost", "failures"} <= set(tables)
    written = write_tables(results, tmp_path / "made" / "here", kind)
    assert [path.name for path in written] == [f"{name}.{ending}" for name in tables]
    assert sorted(written) == sorted((tmp_path / "made" / "here").iterdir())
    text = (tmp_path / "made" / "here" / f"solvers.{ending}").read_text("utf-8")
    for line in results.lines:
        shown = f"{line.gap_mean!r}" if kind == "csv" else f"{line.gap_mean:.3g}"
        row = next(row for row in text.splitlines() if row.replace("\\", "").lstrip("| ").startswith((
            f"{line.label},", f'"{line.label}"', f"{line.label} ")))  # fmt: skip
        assert shown in row
    with pytest.raises(ValueError, match="latex, md or csv is needed"):
        write_tables(results, tmp_path, "docx")


def test_records_of_a_table_are_the_numbers_of_the_lines(results):
    (solvers,) = [table for table in report_tables(results.folder) if table.name == "solvers"]
    lines = {line.label: line for line in results.lines}
    for row in solvers.records:
        line = lines[row["solver"]]
        assert row["mean_gap"] == line.gap_mean
        assert row["proved"] == line.proved.value
        assert (row["runs"], row["refused"], row["wall_clock"]) == (line.runs, line.refused, line.wall_s)
    assert lines["exhaustive"].refused == 2  # 25 weight bits: the failures table names it, with its remedy
    (failed,) = [table for table in report_tables(results) if table.name == "failures"]
    assert [(row["solver"], row["runs"]) for row in failed.records] == [("exhaustive", 2)]
    assert all(row["remedy"] for row in failed.records)


@pytest.mark.parametrize(
    ("kind", "begin"),
    [
        pytest.param("pdf", b"%PDF-", marks=pytest.mark.slow),
        pytest.param("svg", b"<?xml", marks=pytest.mark.slow),
        ("png", b"\x89PNG"),
    ],
)
def test_every_figure_is_written(results, tmp_path, kind, begin):
    pytest.importorskip("matplotlib")
    written = write_figures(results, tmp_path, kind)
    assert [path.name for path in written] == [f"{one.name}.{kind}" for one in study_figures(results)]
    assert all(path.read_bytes().startswith(begin) for path in written)
    if kind == "svg":
        before = [path.read_bytes() for path in written]
        assert [path.read_bytes() for path in write_figures(results.folder, tmp_path, kind)] == before
        text = (tmp_path / "gaps.svg").read_text("utf-8")
        assert ">auto</text>" in text  # text stays text
    with pytest.raises(ValueError, match="pdf, svg or png is needed"):
        write_figures(results, tmp_path, "gif")


def test_text_in_a_pdf_is_text(results, tmp_path):
    pytest.importorskip("matplotlib")
    path = next(path for path in write_figures(results, tmp_path, "pdf") if path.name == "gaps.pdf")
    content = path.read_bytes()
    assert b"/CIDFontType2" in content  # TrueType fonts, embedded (Type 42); journals refuse Type 3
    assert b"/Type3" not in content
    assert b"CreationDate" not in content
