"""Published benchmark files as BQMs to minimise: qbsolv's .qubo, OR-Library bqp sets, rudy graphs, QOBLIB's .qs.

A maximised objective comes back with its sign turned, so that every model is minimised: its least energy is minus the
largest value. Every line is read or refused with its number.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import dimod

from qproj.formats.lines import finite_number, lines_of, whole_numbers

#: Variables that a header may declare without coefficients for them.
_MOST_VARIABLES = 1_000_000
_SENSES = {"min": 1.0, "max": -1.0}


def sign_of(sense: str) -> float:
    """Return 1 for "min" and −1 for "max".

    Raises
    ------
    ValueError
        Another text.
    """
    if sense not in _SENSES:
        raise ValueError(f"sense is {sense!r}; 'min' and 'max' are allowed")
    return _SENSES[sense]


def read_qbsolv(path: str | os.PathLike[str], *, sense: str = "min") -> dimod.BinaryQuadraticModel:
    """Return the BQM of a qbsolv file: min (or max) Σ q_ij x_i x_j over the lines ``i j q``, x ∈ {0,1}^n, 0-based.

    Comments begin with ``c``; ``p qubo 0 n nodes couplers`` comes before the data. An off-diagonal q counts once. The
    file does not state its sense: the bqp sets that circulate in this format are maximised, most others minimised.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Not of the format, or counts that the file does not hold; the line is named.
    """
    source, sign = Path(path), sign_of(sense)
    bqm = dimod.BinaryQuadraticModel(dimod.BINARY)
    header: tuple[int, int, int] | None = None
    seen: set[tuple[int, int]] = set()
    nodes = 0
    for number, line in lines_of(source):
        if re.match(r"[cC](\s|$)", line):
            continue
        words = line.split()
        if words[0] == "p":
            if header is not None:
                raise ValueError(f"{source}, line {number}: a second 'p' line; one is expected")
            header = _program_line(source, number, words)
            bqm.add_linear_from((v, 0.0) for v in range(header[0]))
            continue
        if header is None:
            raise ValueError(f"{source}, line {number}: data before 'p qubo 0 n nodes couplers'; put that line first")
        i, j, q = _entry(source, number, words, range(header[0]))
        if (min(i, j), max(i, j)) in seen:
            raise ValueError(f"{source}, line {number}: the pair ({i}, {j}) is doubled; keep one line for it")
        seen.add((min(i, j), max(i, j)))
        nodes += i == j
        _add(bqm, i, j, sign * q)
    if header is None or (nodes, len(seen) - nodes) != header[1:]:
        stated = "no counts" if header is None else f"{header[1]} nodes and {header[2]} couplers"
        raise ValueError(
            f"{source} has {nodes} nodes and {len(seen) - nodes} couplers and states {stated}; fetch it again"
        )
    return bqm


def read_bqp(path: str | os.PathLike[str]) -> list[dimod.BinaryQuadraticModel]:
    """Return the BQMs of an OR-Library bqp file: min −xᵀQx, as its problems are max xᵀQx over x ∈ {0,1}^n.

    The first number counts the problems; each one begins with ``n m``, then come m lines ``i j q``, 1-based, Q
    symmetric: an off-diagonal q counts twice.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Not of the format, cut short or with lines left over; the line is named.
    """
    source = Path(path)
    lines = lines_of(source)
    number, line = next(lines, (1, ""))
    (count,) = whole_numbers(source, number, line, 1)
    if not 1 <= count <= 10_000:
        raise ValueError(f"{source}, line {number}: {count} problems; a number from 1 to 10000 is expected")
    models = [_one_bqp(source, lines) for _ in range(count)]
    for number, line in lines:
        raise ValueError(f"{source}, line {number}: {line.strip()[:40]!r} comes after the last of {count} problems")
    return models


def _one_bqp(source: Path, lines: Iterator[tuple[int, str]]) -> dimod.BinaryQuadraticModel:
    number, line = _next(source, lines)
    n, m = whole_numbers(source, number, line, 2)
    bqm = _declared(source, number, n, m)
    for _ in range(m):
        number, line = _next(source, lines)
        i, j, q = _entry(source, number, line.split(), range(1, n + 1))
        _add(bqm, i - 1, j - 1, -q if i == j else -2.0 * q)
    return bqm


def read_maxcut(path: str | os.PathLike[str]) -> dimod.BinaryQuadraticModel:
    """Return the Max-Cut of a rudy (G-set) graph: min −Σ w_ij (1 − s_i s_j)/2 over s ∈ {±1}^n; minus energy is the cut.

    The first line is ``n m``; m lines ``i j w`` follow, 1-based, or ``i j`` for a weight of 1.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Not of the format, a loop, a doubled edge, or another number of edges than stated; the line is named.
    """
    source = Path(path)
    lines = lines_of(source)
    number, line = next(lines, (1, ""))
    n, m = whole_numbers(source, number, line, 2)
    bqm = _declared(source, number, n, m).change_vartype(dimod.SPIN)
    edges: set[tuple[int, int]] = set()
    weights: list[float] = []
    for number, line in lines:
        words = line.split()
        i, j, w = _entry(source, number, [*words, "1"] if len(words) == 2 else words, range(1, n + 1))
        edge = (min(i, j), max(i, j))
        if i == j or edge in edges:
            raise ValueError(
                f"{source}, line {number}: ({i}, {j}) is a loop or a doubled edge; a simple graph is needed"
            )
        edges.add(edge)
        weights.append(w)
        bqm.add_quadratic(i - 1, j - 1, w / 2.0)
    if len(edges) != m:
        raise ValueError(f"{source} has {len(edges)} edges and its first line states {m}; fetch it again")
    bqm.offset = -math.fsum(weights) / 2.0
    return bqm


def read_qs(path: str | os.PathLike[str]) -> dimod.BinaryQuadraticModel:
    """Return the BQM of a .qs file, as Zimpl writes and QOBLIB publishes them: min xᵀQx + offset over x ∈ {0,1}^n.

    Comments begin with ``#``, and one of them is ``# ObjectiveOffset value``. The first other line is ``n m``; m lines
    ``i j q`` follow, 1-based, Q symmetric: an off-diagonal q counts twice. A maximised objective has its sign turned
    already.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Not of the format, a doubled pair, or another number of entries than stated; the line is named.
    """
    source = Path(path)
    bqm: dimod.BinaryQuadraticModel | None = None
    seen: set[tuple[int, int]] = set()
    offset, m = 0.0, 0
    for number, line in lines_of(source):
        words = line.split()
        if words[0].startswith("#"):
            if words[:2] == ["#", "ObjectiveOffset"]:
                offset = finite_number(source, number, " ".join(words[2:]))
            continue
        if bqm is None:
            n, m = whole_numbers(source, number, line, 2)
            bqm = _declared(source, number, n, m)
            continue
        i, j, q = _entry(source, number, words, range(1, bqm.num_variables + 1))
        if (min(i, j), max(i, j)) in seen:
            raise ValueError(f"{source}, line {number}: the pair ({i}, {j}) is doubled; keep one line for it")
        seen.add((min(i, j), max(i, j)))
        _add(bqm, i - 1, j - 1, q if i == j else 2.0 * q)
    if bqm is None or len(seen) != m:
        stated = "no 'n m' line" if bqm is None else f"{m} stated"
        raise ValueError(f"{source} has {len(seen)} entries and {stated}; fetch it again")
    bqm.offset = offset
    return bqm


def _declared(source: Path, number: int, n: int, m: int) -> dimod.BinaryQuadraticModel:
    if not 1 <= n <= _MOST_VARIABLES or not 0 <= m <= source.stat().st_size // 3:
        raise ValueError(f"{source}, line {number}: {n} variables and {m} coefficients, which this file does not hold")
    bqm = dimod.BinaryQuadraticModel(dimod.BINARY)
    bqm.add_linear_from((v, 0.0) for v in range(n))
    return bqm


def _program_line(source: Path, number: int, words: list[str]) -> tuple[int, int, int]:
    if len(words) != 6 or words[1] != "qubo" or words[2] not in ("0", "unconstrained"):
        raise ValueError(f"{source}, line {number}: 'p qubo 0 n nodes couplers' is expected (0: any topology)")
    n, nodes, couplers = whole_numbers(source, number, " ".join(words[3:]), 3)
    if not 0 < n <= _MOST_VARIABLES:
        raise ValueError(f"{source}, line {number}: {n} variables; 1 to {_MOST_VARIABLES} are expected")
    return n, nodes, couplers


def _entry(source: Path, number: int, words: list[str], allowed: range) -> tuple[int, int, float]:
    if len(words) != 3:
        raise ValueError(f"{source}, line {number}: {' '.join(words)[:40]!r}; 'i j value' is expected")
    i, j = whole_numbers(source, number, " ".join(words[:2]), 2)
    if i not in allowed or j not in allowed:
        raise ValueError(
            f"{source}, line {number}: ({i}, {j}); indices from {allowed[0]} to {allowed[-1]} are expected"
        )
    return i, j, finite_number(source, number, words[2])


def _add(bqm: dimod.BinaryQuadraticModel, i: int, j: int, value: float) -> None:
    if i == j:
        bqm.add_linear(i, value)
    else:
        bqm.add_quadratic(i, j, value)


def _next(source: Path, lines: Iterator[tuple[int, str]]) -> tuple[int, str]:
    found = next(lines, None)
    if found is None:
        raise ValueError(f"{source} ends within a problem; it is cut short: fetch it again")
    return found
