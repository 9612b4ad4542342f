"""A table of results: plain values with the kind of each column, shown as text, Markdown, LaTeX, csv or JSON."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from qproj.lab.studies.solver_table import number, percent, seconds

Kind = Literal["text", "count", "number", "share", "seconds", "micro", "setting", "p"]


@dataclass(frozen=True)
class Column:
    """One column: its title, what its values are, and the key that JSON and csv give it."""

    title: str
    kind: Kind = "text"
    key: str = ""

    @property
    def name(self) -> str:
        """The key, or the title in lower case with underscores."""
        return self.key or "_".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split())


@dataclass(frozen=True)
class ResultTable:
    """A named table of plain values, NaN or None where there is none, inf where a time is infinite."""

    name: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: list[list[Any]] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        return [column.title for column in self.columns]

    @property
    def texts(self) -> list[list[str]]:
        """Every cell as it is printed."""
        return [
            [cell(value, column.kind) for value, column in zip(row, self.columns, strict=True)] for row in self.rows
        ]

    @property
    def headings(self) -> list[tuple[str, bool]]:
        """Every title, and whether its column holds numbers."""
        return [(column.title, column.kind != "text") for column in self.columns]

    @property
    def cells(self) -> list[list[dict[str, Any]]]:
        """Every cell for a page: its text, whether it is a number, and the number to sort by."""
        return [
            [
                {"text": text, "numeric": column.kind != "text", "value": _sortable(value)}
                for text, value, column in zip(texts, row, self.columns, strict=True)
            ]
            for texts, row in zip(self.texts, self.rows, strict=True)
        ]

    @property
    def records(self) -> list[dict[str, Any]]:
        """One mapping per row, of plain numbers: shares in [0, 1], times in seconds."""
        return [dict(zip((column.name for column in self.columns), row, strict=True)) for row in self.rows]


def _sortable(value: Any) -> str:
    """A number as text, missing ones below all others, infinite ones above."""
    if not isinstance(value, int | float) or math.isnan(value):
        return "-1e308"
    return "1e308" if value == math.inf else f"{value:.12g}"


def cell(value: Any, kind: Kind) -> str:
    """Return a value as it is printed; "–" for none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if kind == "share":
        return percent(float(value))
    if kind == "seconds":
        return seconds(float(value))
    if kind == "micro":
        return f"{float(value):,.0f}".replace(",", "\u202f")
    if kind == "setting":
        return f"{float(value):g}"
    if kind == "p":
        return "<0.001" if value < 0.001 else f"{value:.3f}"
    if kind == "number":
        return "∞" if value == math.inf else number(float(value))
    return str(value)


def to_csv(table: ResultTable) -> str:
    """Return the values themselves, unrounded, under the columns' keys; empty where there is none.

    Texts that a spreadsheet would take for formulas are led by an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    for row in table.rows:
        writer.writerow([_csv_value(value) for value in row])
    return out.getvalue()


def _csv_value(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(tuple("=+-@\t\r")) else value


def to_markdown(table: ResultTable) -> str:
    """Return a heading, the note and the table; texts cannot leave their cells."""
    rule = "|" + "|".join("---" if column.kind == "text" else "---:" for column in table.columns) + "|"
    lines = ["| " + " | ".join(escape_markdown(title) for title in table.titles) + " |", rule]
    lines += ["| " + " | ".join(escape_markdown(text) for text in row) + " |" for row in table.texts]
    return f"## {escape_markdown(table.title)}\n\n{escape_markdown(table.note)}\n\n" + "\n".join(lines) + "\n"


def to_latex(table: ResultTable) -> str:
    """Return a ``table`` environment of rules by the package booktabs, its caption and its label.

    The first line is a comment that names the packages the preamble has to load. Columns of sentences are broken.
    """
    texts = table.texts
    places = "".join(_place(column, [row[i] for row in texts]) for i, column in enumerate(table.columns))
    rows = [" & ".join(map(escape_latex, row)) + r" \\" for row in texts]
    return "\n".join([
        r"% \usepackage{booktabs,textcomp}",
        r"\begin{table}", r"  \centering", rf"  \caption{{{escape_latex(table.title)}. {escape_latex(table.note)}}}",
        rf"  \label{{tab:{table.name}}}", rf"  \begin{{tabular}}{{{places}}}", r"    \toprule",
        "    " + " & ".join(map(escape_latex, table.titles)) + r" \\", r"    \midrule",
        *(f"    {row}" for row in rows), r"    \bottomrule", r"  \end{tabular}", r"\end{table}", "",
    ])  # fmt: skip


def _place(column: Column, texts: list[str]) -> str:
    """The column's letter in a tabular."""
    if column.kind != "text":
        return "r"
    return "l" if max(map(len, texts), default=0) <= _LONGEST else r"p{0.3\linewidth}"


def escape_markdown(text: str) -> str:
    """Return text that Markdown and HTML show as it is, in one cell of a table."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "\\|*_`[]":
        plain = plain.replace(mark, "\\" + mark)
    return plain


#: Characters of a cell that LaTeX sets on one line.
_LONGEST = 60
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "|": r"$|$",
    "–": "--", "—": "---", "−": "$-$", "∞": r"$\infty$", "≥": r"$\geq$", "≤": r"$\leq$", "≠": r"$\neq$", "±": r"$\pm$",
    "×": r"$\times$", "·": r"$\cdot$", "µ": r"\textmu{}", "μ": r"\textmu{}", "ε": r"$\varepsilon$",
    "κ": r"$\kappa$", "σ": r"$\sigma$", "τ": r"$\tau$", "Σ": r"$\Sigma$", "∂": r"$\partial$", "ᵀ": r"$^\top$",
    "²": r"$^2$", "√": r"$\surd$", "…": r"\dots{}", "“": "``", "”": "''", "’": "'", "\u202f": r"\,", "∈": r"$\in$",
    "`": r"\textasciigrave{}", "→": r"$\rightarrow$", "°": r"\textdegree{}", "[": "{[}", "*": "{*}", "\u200b": "{}",
}  # fmt: skip


def escape_latex(text: str) -> str:
    """Return text that LaTeX sets as it is: signs of its own and mathematics as commands, the rest untouched.

    Two hyphens do not become a dash, and no sign at the start of a row becomes an argument of the row before.
    """
    plain = re.sub("-(?=-)", "-\u200b", re.sub(r"[ \t\r\n]+", " ", text))
    return "".join(_LATEX.get(letter, letter) for letter in plain)


WRITERS = {"csv": to_csv, "md": to_markdown, "latex": to_latex}
