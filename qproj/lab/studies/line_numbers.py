"""TOML and YAML text with the line of each value, so that a mistake can be reported where it stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qproj.solvers.contract import MissingPackageError

Place = tuple[int | str, ...]


class LineNumbers:
    """Lines by place: (name,) of a top-level name, (name, index) of an item of its list."""

    def __init__(self, found: Mapping[Place, int]) -> None:
        self.found = found

    def of(self, place: Sequence[int | str]) -> int:
        """Return the line of a place, or of the nearest one around it that is known."""
        for end in range(len(place), 0, -1):
            if tuple(place[:end]) in self.found:
                return self.found[tuple(place[:end])]
        return 1


#: Brackets inside brackets that a parser is handed; a study file needs three.
DEEPEST = 100
_TOO_DEEP = "nested too deeply to be read; names and lists of a study file are flat"


def text_of(path: Path) -> str:
    """Return the text of a study file, with or without a byte-order mark.

    Raises
    ------
    ValueError
        Not UTF-8, or nested deeper than parsers go; the message names the file and the line.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path.name}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None
    depth, line = 0, 1
    for sign in text:
        line += sign == "\n"
        depth += (sign in "[{") - (sign in "]}")
        if depth > DEEPEST:
            raise ValueError(
                f"{path.name}, line {line}: more than {DEEPEST} brackets are open; lists of a study file are flat"
            )
    return text


def read_toml(text: str, name: str) -> tuple[dict[str, Any], LineNumbers]:
    """Return the content of TOML text, and its lines; `name` is the file's.

    Raises
    ------
    ValueError
        Not TOML.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name}: {error}; see https://toml.io") from None
    except RecursionError:
        raise ValueError(f"{name}: {_TOO_DEEP}") from None
    return content, LineNumbers(_toml_lines(text.splitlines(), content))


def _toml_lines(rows: Sequence[str], content: Mapping[str, Any]) -> dict[Place, int]:
    """Find top-level names, and the items of their lists by the text that they hold: tomllib keeps no lines."""
    found: dict[Place, int] = {}
    for number, row in enumerate(rows, 1):
        match = re.match(r"\s*(?:\[+\s*)?[\"']?([A-Za-z0-9_-]+)[\"']?\s*(?:=|\.|\])", row)
        if match and match.group(1) in content:
            found.setdefault((match.group(1),), number)
    for (name, *_), start in list(found.items()):
        line, column = start, 0
        value = content[str(name)]
        for i, item in enumerate(value if isinstance(value, list) else ()):
            for number in range(line, len(rows) + 1):
                place = rows[number - 1].find(str(item), column if number == line else 0)
                if place >= 0:
                    line, column = number, place + len(str(item))
                    found[name, i] = number
                    break
    return found


def read_yaml(text: str, name: str) -> tuple[dict[str, Any], LineNumbers]:
    """Return the content of YAML text, and its lines; `name` is the file's.

    Raises
    ------
    ValueError
        Not YAML, or not a mapping.
    MissingPackageError
        PyYAML is not installed.
    """
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        raise MissingPackageError("PyYAML is not installed; pip install pyyaml, or write the study as .toml") from None
    try:
        content = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ValueError(f"{name}: {_TOO_DEEP}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{name}: a mapping of names to values is needed, such as solvers: [auto]")
    found: dict[Place, int] = {}
    for key, value in node.value:
        found[(key.value,)] = key.start_mark.line + 1
        for i, item in enumerate(value.value if isinstance(value, yaml.SequenceNode) else ()):
            found[key.value, i] = item.start_mark.line + 1
    return content, LineNumbers(found)
