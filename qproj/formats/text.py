"""Models in files as problems: the format follows from the suffix, else from the first lines.

Every line is read or refused; nothing is skipped. Sizes in headers are checked before anything is built.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dimod
import numpy as np

from qproj.formats.benchmark_files import read_bqp, read_maxcut, read_qbsolv, read_qs, sign_of
from qproj.formats.coo import read_coo
from qproj.formats.dimod_files import read_dimod
from qproj.formats.lines import lines_of, whole_numbers
from qproj.formats.lp import read_lp
from qproj.formats.mps_reader import read_mps
from qproj.formats.ommx_files import read_ommx
from qproj.projections.models import BQMProblem, CQMProblem, as_problem

#: Variables that any file may declare; more only where there are coefficients for them.
_FREE_VARIABLES = 100_000
#: Bytes of the shortest line of a coefficient, "1 1 1".
_LEAST_LINE = 5
#: The largest integer whose double is exact in float64.
_LARGEST = 1 << 52


def read_model(
    path: str | os.PathLike[str], *, vartype: str | None = None, sense: str | None = None, format: str | None = None
) -> BQMProblem | CQMProblem:
    """Return the model in a file, for any solver; :func:`read_models` lists the formats.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Damaged, of no known format, or with several models; the line is named.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.txt"
    >>> _ = path.write_text("2 2\\n1 1 -3\\n1 2 1\\n")
    >>> read_model(path).objective([[1, 0], [1, 1]])
    array([-3., -1.])
    """
    found = read_models(path, vartype=vartype, sense=sense, format=format)
    if len(found) > 1:
        raise ValueError(f"{path} holds {len(found)} models; read them with read_models")
    return found[0]


def read_models(
    path: str | os.PathLike[str], *, vartype: str | None = None, sense: str | None = None, format: str | None = None
) -> list[BQMProblem | CQMProblem]:
    """Return the models in a file as problems, each to be minimised; a maximised one has its sign turned.

    Parameters
    ----------
    path : path
    format : str, optional
        A name of :data:`FORMATS`. By default the suffix decides (.lp, .mps, .ommx, .qubo, .qs, .bqm, .cqm, .json, .coo;
        .mc, .rud and .rudy are Max-Cut), else the first line: one number begins an OR-Library bqp set, two a QUBO text,
        ``c`` or ``p`` a qbsolv file, three numbers or ``#`` COO. The edges of a Max-Cut graph (rudy, G-set) have the
        syntax of QUBO text: without such a suffix, one without diagonal entries is refused until `format` is
        "maxcut" or "qubo".
    vartype : {"SPIN", "BINARY"}, optional
        Of a COO file that does not state its own; other formats are 0/1 or state it.
    sense : {"min", "max"}, optional
        Of QUBO text, COO and qbsolv files, which do not state it: "min" by default. The other formats have their own.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Damaged, of no known format, of two formats at once, or an option that the format does not have; the line is
        named.
    """
    source = Path(path)
    if vartype not in (None, "SPIN", "BINARY"):
        raise ValueError(f"vartype is {vartype!r}; 'SPIN' and 'BINARY' are there")
    kind = format_of(source) if format is None else format
    if kind not in FORMATS:
        raise ValueError(f"format is {kind!r}; {', '.join(FORMATS)} are there")
    if sense is not None and kind not in _WITHOUT_SENSE:
        raise ValueError(f"{source} is a {kind} file, whose sense is fixed; leave sense={sense!r} out")
    if vartype is not None and kind not in ("coo", "qubo", "qbsolv"):
        raise ValueError(f"{source} is a {kind} file, whose variables are known; leave vartype={vartype!r} out")
    if kind == "bqp":
        models = read_bqp(source)
    elif kind == "coo":
        models = [read_coo(source, vartype=vartype)]
    elif kind == "qubo" and format is None:
        models = [_unnamed_qubo(source)]
    else:
        models = [FORMATS[kind](source)]
    if vartype == "SPIN" and kind in ("qubo", "qbsolv"):
        raise ValueError(f"{source} is a {kind} file of 0/1 variables, not SPIN; leave vartype out")
    if sense is not None and sign_of(sense) < 0:
        for model in models:
            model.scale(-1.0)
    return [as_problem(model) for model in models]  # type: ignore[misc]


def format_of(source: Path) -> str:
    """Return the name of a file's format, from its suffix, else from its first line."""
    suffix = source.suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    first = next((line.split() for _, line in lines_of(source)), [])
    if first and first[0] in ("c", "p"):
        return "qbsolv"
    if first and not first[0].startswith("#") and len(first) in (1, 2):
        return "bqp" if len(first) == 1 and first[0].isdigit() else "qubo" if len(first) == 2 else "coo"
    return "coo"


def read_qubo(path: str | os.PathLike[str]) -> dimod.BinaryQuadraticModel:
    """Return the BQM of a QUBO text file: min x'Qx over x ∈ {0,1}^n, Q symmetric, variables 0…n−1.

    The first line is ``n nnz``; each further one ``i j q``, integers, 1-based, i ≤ j, q ≠ 0, every pair once, sorted:
    Q[i,j] = Q[j,i] = q. So an off-diagonal q counts twice.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Not of the format; the line is named.
    """
    source = Path(path)
    lines = lines_of(source)
    head = next(lines, (1, ""))[1]
    n, count = whole_numbers(source, 1, head, 2)
    if n < 1 or not 0 <= count <= source.stat().st_size // _LEAST_LINE or n > max(_FREE_VARIABLES, 2 * count):
        raise ValueError(f"{source}, line 1: {n} variables and {count} coefficients, which this file does not hold")
    if count > n * (n + 1) // 2:
        raise ValueError(f"{source}, line 1: {n} variables and {count} coefficients; 'n nnz' with n from 1 is expected")
    linear = np.zeros(n)
    pairs: list[tuple[int, int]] = []
    values: list[float] = []
    last, found = (0, 0), 0
    for number, line in lines:
        i, j, q = whole_numbers(source, number, line, 3)
        if not 1 <= i <= j <= n or q == 0 or abs(q) > _LARGEST:
            raise ValueError(f"{source}, line {number}: 'i j q' with 1 ≤ i ≤ j ≤ {n} and q from 1 to 2^52 is expected")
        if (i, j) <= last:
            raise ValueError(f"{source}, line {number}: the pair ({i}, {j}) is doubled or not in order")
        last, found = (i, j), found + 1
        if i == j:
            linear[i - 1] = q
        else:
            pairs.append((i - 1, j - 1))
            values.append(2.0 * q)
    if found != count:
        raise ValueError(f"{source} has {found} coefficients and its first line states {count}; fetch it again")
    rows, columns = np.array(pairs, np.intp).reshape(-1, 2).T
    return dimod.BinaryQuadraticModel.from_numpy_vectors(linear, (rows, columns, np.array(values)), 0.0, dimod.BINARY)


def _unnamed_qubo(source: Path) -> dimod.BinaryQuadraticModel:
    """Return the BQM of a QUBO text whose format nobody named; refuse what may be the graph of a Max-Cut problem."""
    remedy = 'pass format="maxcut" for the graph of a Max-Cut problem (in a list of files, PATH:format=maxcut)'
    try:
        model = read_qubo(source)
    except ValueError as error:
        raise ValueError(f"{error}; {remedy}") from None
    if model.num_interactions and not any(model.linear.values()):
        raise ValueError(
            f"{source} may be a QUBO text without a diagonal or a graph, which have one syntax and two meanings; "
            f'{remedy}, format="qubo" for a QUBO'
        )
    return model


#: Every format by name, and its reader; a bqp file holds several models.
FORMATS: dict[str, Callable[[Path], Any]] = {
    "qubo": read_qubo, "coo": read_coo, "lp": read_lp, "qbsolv": read_qbsolv, "bqp": read_bqp, "maxcut": read_maxcut,
    "qs": read_qs, "dimod": read_dimod, "mps": read_mps, "ommx": read_ommx,
}  # fmt: skip
_WITHOUT_SENSE = ("qubo", "coo", "qbsolv")
#: The formats that a suffix names.
SUFFIXES = {
    ".lp": "lp", ".qubo": "qbsolv", ".bqm": "dimod", ".cqm": "dimod", ".json": "dimod", ".coo": "coo",
    ".mps": "mps", ".ommx": "ommx", ".qs": "qs",
    ".mc": "maxcut", ".rud": "maxcut", ".rudy": "maxcut",
}  # fmt: skip
