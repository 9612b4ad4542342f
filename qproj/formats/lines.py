"""Lines and numbers of text files, read strictly: each mistake is refused with the number of its line."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

_MOST_BYTES = 1 << 30


def checked_file(source: Path) -> Path:
    """Return the path of a file that is there and not too large."""
    if not source.is_file():
        raise FileNotFoundError(f"{source} is not a file; pass the path of a QUBO text, COO or LP file")
    if source.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{source} has more than {_MOST_BYTES} bytes; no model of that size can be solved")
    return source


def lines_of(source: Path) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of the lines that are not blank."""
    try:
        with checked_file(source).open(encoding="ascii") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except UnicodeDecodeError:
        raise ValueError(f"{source} is not ASCII text; a QUBO text, COO or LP file is expected") from None


def whole_numbers(source: Path, number: int, line: str, count: int) -> list[int]:
    """Return the `count` integers of a line."""
    words = line.split()
    # int() would also take "1_0"
    if len(words) != count or not all(re.fullmatch(r"[+-]?[0-9]{1,18}", word) for word in words):
        raise ValueError(f"{source}, line {number}: {line.strip()[:40]!r}; {count} integers are expected")
    return [int(word) for word in words]


def finite_number(source: Path, number: int, word: str) -> float:
    """Return a word as a finite float."""
    try:
        value = math.nan if "_" in word else float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{source}, line {number}: {word[:40]!r} is not a finite number")
    return value
