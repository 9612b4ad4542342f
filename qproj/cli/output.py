"""What commands print: JSON for machines, tables for people that fit their terminal."""

from __future__ import annotations

import json
import math
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from qproj.cli.plain_text import can_show, plain
from qproj.solvers.redact import redact

if TYPE_CHECKING:
    from rich.console import Console

#: Between two columns of a table.
_GAP = "  "
#: Below this width a table is cut no further.
_LEAST_WIDTH = 40
#: Nor is a first column below this width, for the sake of others.
_LEAST_NAME = 24


def print_json(value: Any) -> None:
    """Print strict JSON; what stdout cannot show is escaped, never replaced.

    NaN and infinity become null. A mapping with infinite values lists their keys under "infinite", which
    keeps an infinite time apart from a missing figure.
    """
    text = json.dumps(_jsonable(value), ensure_ascii=False, allow_nan=False, indent=2)
    if not can_show(text, sys.stdout):
        text = json.dumps(_jsonable(value), ensure_ascii=True, allow_nan=False, indent=2)
    typer.echo(text)


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        infinite = [str(key) for key, item in value.items() if isinstance(item, float) and item == math.inf]
        known = {str(key): _jsonable(item) for key, item in value.items()}
        return known | {"infinite": infinite} if infinite else known
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [_jsonable(item) for item in items]
    if hasattr(value, "tolist"):
        return _jsonable(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float) else redact(str(value))


def console(*, stderr: bool = False) -> Console:
    """Return a console for progress bars."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def terminal_width() -> int | None:
    """Return the columns of the terminal that stdout is, or those of the variable COLUMNS; None where neither is."""
    columns = shutil.get_terminal_size((0, 0)).columns if sys.stdout.isatty() else 0
    if not columns:
        import os

        given = os.environ.get("COLUMNS", "")
        columns = int(given) if given.isascii() and given.isdigit() else 0
    return max(columns, _LEAST_WIDTH) if columns else None


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", spare: Sequence[str] = (),
    kept: Sequence[str] = (), wide: bool = False,
) -> None:  # fmt: skip
    """Print a table whose cells never wrap, numbers to the right.

    Where it is wider than the terminal, columns are left out, and a line below the table names them: first those in
    `spare`, in that order, then from the right. Where only `kept` columns are left and do not fit beside the first,
    its texts are shortened in their middle, to "…"; so is a first column that is too wide by itself. With `wide`, and
    without a terminal, every column is printed.

    Parameters
    ----------
    columns : sequence of str
    rows : iterable of sequences
        One cell per column; each is printed as it is, on one line, without secrets.
    title : str
    spare : sequence of str
        Columns in the order in which they are left out, least important first.
    kept : sequence of str
        Columns that are more important than the ends of long names in the first.
    wide : bool
    """
    body = [[plain(" ".join(redact(str(cell)).split()), sys.stdout) for cell in row] for row in rows]
    names = [plain(name, sys.stdout) for name in columns]
    width = None if wide else terminal_width()
    spare, kept = ([plain(name, sys.stdout) for name in some] for some in (spare, kept))
    shown = fitting(names, body, spare, width, kept)
    if title:
        typer.echo(plain(title, sys.stdout))
    for line in _lines([names[i] for i in shown], [[row[i] for i in shown] for row in body], width):
        typer.echo(line)
    left_out = [name for i, name in enumerate(names) if i not in shown]
    if left_out:
        print_text(f"Left out to fit {width} columns: {', '.join(left_out)}. --wide shows every column.")
    typer.echo()


def fitting(
    names: Sequence[str], body: Sequence[Sequence[str]], spare: Sequence[str], width: int | None,
    kept: Sequence[str] = (),
) -> list[int]:  # fmt: skip
    """Return the numbers of the columns that fit into `width`, the first column always among them."""
    widths = _widths(names, body)
    shown = list(range(len(names)))
    order = [names.index(name) for name in spare if name in names[1:]]
    order += [i for i in range(len(names) - 1, 0, -1) if i not in order]
    while width is not None and order:
        if set(order) <= {names.index(name) for name in kept if name in names}:
            widths[0] = min(widths[0], _LEAST_NAME)
        if sum(widths[i] for i in shown) + len(_GAP) * (len(shown) - 1) <= width:
            break
        shown.remove(order.pop(0))
    return shown


def _lines(names: Sequence[str], body: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return the lines of a table of columns that fit."""
    widths = _widths(names, body)
    if width is not None:
        widths[0] = min(widths[0], width - sum(widths[1:]) - len(_GAP) * (len(widths) - 1))
    numeric = [bool(body) and all(_is_numeric(row[i]) for row in body) for i in range(len(names))]
    rule = plain("─", sys.stdout)

    def line(cells: Sequence[str]) -> str:
        placed = [_placed(cell, size, right) for cell, size, right in zip(cells, widths, numeric, strict=True)]
        return _GAP.join(placed).rstrip()

    return [line(names), _GAP.join(rule * size for size in widths), *(line(row) for row in body)]


def _placed(text: str, width: int, right: bool) -> str:
    """Return a cell's text at exactly this width: of long ones, the beginning and the end."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) > width:
        dots = plain("…", sys.stdout)
        head = (width - len(dots)) // 2
        tail = width - len(dots) - head
        first = next(i for i in range(len(text)) if cell_len(text[i:]) <= tail)
        return set_cell_size(text, head) + dots + " " * (tail - cell_len(text[first:])) + text[first:]
    blank = " " * (width - cell_len(text))
    return blank + text if right else text + blank


def _widths(names: Sequence[str], body: Sequence[Sequence[str]]) -> list[int]:
    from rich.cells import cell_len

    return [max(cell_len(name), *(cell_len(row[i]) for row in body), 1) for i, name in enumerate(names)]


def print_text(text: str, *, indent: str = "", err: bool = False) -> None:
    """Print a paragraph, broken between words at the terminal's width, further lines indented."""
    shown = plain(" ".join(redact(text).split()), sys.stderr if err else sys.stdout)
    width = terminal_width()
    if width is None:
        typer.echo(shown, err=err)
        return
    broken = textwrap.wrap(
        shown, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip
    for line in broken or [""]:
        typer.echo(line, err=err)


def _is_numeric(cell: str) -> bool:
    """Tell whether a cell is a number, with or without a unit, or stands for a missing one."""
    text = cell.removesuffix("%").strip().lstrip("<>~≥≤")
    head, _, unit = text.partition(" ")
    if unit not in ("", "s", "ms", "µs", "us", "ns") and not unit.startswith(("±", "+-", "(")):
        return False
    if head in ("", "–", "-", "∞", "inf"):
        return True
    try:
        float(head.removesuffix("%"))
    except ValueError:
        return False
    return True
