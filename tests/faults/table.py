"""The fault table of docs/reliability.md: one row a fault, written from what the tests counted."""

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN = "<!-- fault table: written by `make faults` -->"
END = "<!-- end of the fault table -->"
HEADER = ("fault", "tried", "outcome", "lost", "doubled")


@dataclass(frozen=True)
class Row:
    """What `tried` injections of one fault came to: results lost, and results counted twice."""

    fault: str
    tried: int
    outcome: str
    lost: int
    doubled: int

    def cells(self):
        return (self.fault, f"{self.tried:,}", self.outcome, str(self.lost), str(self.doubled))


def rows_of(text):
    """Return the rows that a page holds, by fault."""
    inside = text.partition(BEGIN)[2].partition(END)[0]
    lines = [line for line in inside.splitlines() if line.startswith("| ")][1:]
    rows = {}
    for line in lines:
        fault, tried, outcome, lost, doubled = (cell.strip() for cell in line.strip("|").split("|"))
        rows[fault] = Row(fault, int(tried.replace(",", "")), outcome, int(lost), int(doubled))
    return rows


def with_rows(text, rows):
    """Return the page with these rows; faults that were not tried this time keep theirs."""
    merged = rows_of(text) | rows
    lines = ["| " + " | ".join(HEADER) + " |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(merged[fault].cells()) + " |" for fault in sorted(merged)]
    return between(text, BEGIN, END, "\n" + "\n".join(lines))


def between(text, begin, end, inside):
    """Return the page with `inside` in place of what stands between two comments."""
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{inside}\n\n{end}{rest.partition(end)[2]}"
