"""Constrained models as LP text: written to the last bit, and read whole or refused by the name of what is missing."""

from __future__ import annotations

import itertools
import math
import os
import re
from pathlib import Path

import dimod

from qproj.formats.lines import checked_file

_CONTROL = re.compile(rb"[^\t\n\r\x20-\x7e]")
_SENSE = re.compile(r"(?<!\S)(min|minimi[sz]e|minimum|max|maximi[sz]e|maximum)(?!\S)", re.IGNORECASE)
_ROWS = re.compile(r"(?<!\S)(subject\s+to|such\s+that|st|s\.t\.|st\.)(?!\S)", re.IGNORECASE)
_AFTER_ROWS = re.compile(
    r"(?<!\S)(bounds?|binar(?:y|ies)|bin|general|generals|gen|integers?|int|end)(?!\S)", re.IGNORECASE
)
_RELATION = re.compile(r"<=|>=|=<|=>|[<>=]")
#: Sections and constraints that a CQM has no place for; dimod's reader passes over some of them without a word.
_ABSENT = {
    re.compile(rf"(?im)^\s*(?:{words})(?!\S)|(?<!\S)(?:{anywhere})(?!\S)"): name
    for words, anywhere, name in (
        ("sos", "sos[12]?|s[12]::", "special ordered sets (SOS)"),
        ("semi-?continuous|semis?", "semi-continuous", "semi-continuous variables"),
        ("lazy\\s+constraints", "lazy\\s+constraints", "lazy constraints"),
        ("user\\s+cuts", "user\\s+cuts", "user cuts"),
        ("general\\s+constraints?|gencons?", "general\\s+constraints", "general constraints"),
        ("pwlobj", "pwlobj", "a piecewise linear objective (PWLObj)"),
        ("scenarios?", "scenarios?", "scenarios"),
        ("multi-objectives?", "multi-objectives?", "several objectives (multi-objectives)"),
        ("->", "->", "indicator constraints (->)"),
    )
}


def lp_text(cqm: dimod.ConstrainedQuadraticModel) -> str:
    """Return a CQM as LP text, which :func:`read_lp` reads back to the last bit.

    Raises
    ------
    ValueError
        What an LP file has no place for: soft constraints, spins, labels that are not plain words, a constant on the
        left of a row that float64 cannot move to the right exactly, numbers that are not finite.
    """
    import dimod.lp

    for label, row in cqm.constraints.items():
        left, right = float(row.lhs.offset), float(row.rhs)
        if (right - left) + left != right or right - (right - left) != left:
            raise ValueError(
                f"constraint {label!r} has the constant {left!r} beside {right!r} on the right, and their difference "
                "is not a float64; move the constant to the right before writing"
            )
    _require_finite(cqm, "the model")
    text: str = dimod.lp.dumps(cqm)
    return text + "\n"


def read_lp(path: str | os.PathLike[str]) -> dimod.ConstrainedQuadraticModel:
    """Return the CQM of an LP file, read by dimod; a maximised objective comes back with its sign turned.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Not an LP file, control characters, no End, no variables, numbers that are not finite, or a part that a CQM has
        no place for, by its name: special ordered sets, a second objective, semi-continuous variables and so on.
    """
    source = checked_file(Path(path))
    content = source.read_bytes()
    strange = _CONTROL.search(content)
    if strange:  # a NUL makes the reader loop without end
        raise ValueError(f"{source} has byte {strange[0]!r} at {strange.start()}; LP files are plain ASCII text")
    rows = _checked_structure(source, "\n".join(line.partition("\\")[0] for line in content.decode().splitlines()))
    try:
        model: dimod.ConstrainedQuadraticModel = dimod.lp.load(str(source))
    except (ValueError, RuntimeError, KeyError) as error:
        raise ValueError(
            f"{source} is not an LP file that dimod reads ({error}); dimod.lp.dump writes such files"
        ) from None
    if not model.variables:
        raise ValueError(f"{source} has no variables; an LP file with an objective is expected")
    if len(model.constraints) != rows:
        raise ValueError(
            f"{source} states {rows} constraints, of which the reader keeps {len(model.constraints)}; write one "
            "relation per row"
        )
    _require_finite(model, str(source))
    return model


def _checked_structure(source: Path, text: str) -> int:
    """Return the number of relations under Subject To; refuse what the reader would pass over."""
    words = text.split()
    ends = [i for i, word in enumerate(words) if word.lower() == "end"]
    if not ends:
        raise ValueError(f"{source} does not finish with 'End'; it is cut short or not an LP file: write it again")
    if ends[0] != len(words) - 1:
        raise ValueError(
            f"{source} continues after 'End' with {words[ends[0] + 1]!r}, which readers pass over; end the file there"
        )
    for pattern, name in _ABSENT.items():
        if pattern.search(text):
            raise ValueError(
                f"{source} has {name}, for which a constrained model here has no place; write them as linear rows over "
                "whole variables, or solve the file with a MIP solver of its own"
            )
    senses = list(_SENSE.finditer(text))
    if len(senses) > 1:
        raise ValueError(f"{source} has a second objective ({senses[1][0]}); keep one, or write their weighted sum")
    rows, after = _ROWS.search(text), _AFTER_ROWS.search(text)
    begin = min(match.start() for match in (rows, after) if match)
    before = text[: senses[0].start() if senses else begin].split()
    if before:
        raise ValueError(
            f"{source} has {before[0]!r} before the sense of its objective, which readers pass over; begin with "
            "Minimize, Maximize or Subject To"
        )
    if rows is None:
        return 0
    after = _AFTER_ROWS.search(text, rows.end())
    return len(_RELATION.findall(text[rows.end() : after.start() if after else len(text)]))


def _require_finite(model: dimod.ConstrainedQuadraticModel, name: str) -> None:
    views = [(model.objective, 0.0), *((c.lhs, float(c.rhs)) for c in model.constraints.values())]
    for view, right in views:
        numbers = itertools.chain(view.linear.values(), view.quadratic.values(), (view.offset, right))
        if not all(math.isfinite(value) for value in numbers):
            raise ValueError(f"{name} has a number that is not finite; write numbers below 1e308")
