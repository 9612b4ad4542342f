"""Models in files as problems: the format is told from the suffix, else from the first lines.

Every line is read or refused; nothing is skipped. Sizes in headers are checked before anything is built.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dimod
import numpy as np

from qproj.formats.benchmark_files import read_bqp, read_maxcut, read_qbsolv, sign_of
from qproj.formats.dimod_files import read_dimod
from qproj.formats.lines import checked_file, finite_number, lines_of, whole_numbers
from qproj.projections.models import BQMProblem, CQMProblem, as_problem

#: Variables that any file may declare; more only where there are coefficients for them.
_FREE_VARIABLES = 100_000
#: Bytes of the shortest line of a coefficient, "1 1 1".
_LEAST_LINE = 5
#: The largest integer whose double is exact in float64.
_LARGEST = 1 << 52
_VARTYPE = re.compile(r"#\s*vartype\s*=\s*(SPIN|BINARY)\s*")
_CONTROL = re.compile(rb"[^\t\n\r\x20-\x7e]")


def read_model(
    path: str | os.PathLike[str], *, vartype: str | None = None, sense: str | None = None, format: str | None = None
) -> BQMProblem | CQMProblem:
    """Return the model in a file as a problem for any solver; :func:`read_models` says which files there are.

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
        A name of :data:`FORMATS`. By default the suffix decides (.lp, .qubo, .bqm, .cqm, .json, .coo; .mc, .rud and
        .rudy are Max-Cut), else the first line: one number begins an OR-Library bqp set, two a QUBO text,
        ``c`` or ``p`` a qbsolv file, three numbers or ``#`` COO. Max-Cut files look like QUBO text: G-set files
        without such a suffix need format="maxcut".
    vartype : {"SPIN", "BINARY"}, optional
        Of a COO file that does not state its own; other formats are 0/1 or state it.
    sense : {"min", "max"}, optional
        Of QUBO text, COO and qbsolv files, which do not state it: "min" by default. The other formats have their own.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Damaged, of no known format, or an option that the format does not have; the line is named.
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
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
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


def read_coo(path: str | os.PathLike[str], *, vartype: str | None = None) -> dimod.BinaryQuadraticModel:
    """Return the BQM of a COO file as dimod writes it: ``# vartype=SPIN``, then ``u v bias`` lines (u = v linear).

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        A line that is neither, no vartype, or two that differ.
    """
    source = Path(path)
    entries: list[tuple[int, int, float]] = []
    for number, line in lines_of(source):
        if line.lstrip().startswith("#"):
            header = _VARTYPE.fullmatch(line.strip())
            if header:
                if vartype not in (None, header[1]):
                    raise ValueError(f"{source}, line {number}: vartype {header[1]} where {vartype} was expected")
                vartype = header[1]
            continue
        words = line.split()
        if len(words) != 3 or not all(word.isdigit() and len(word) < 10 for word in words[:2]):
            raise ValueError(f"{source}, line {number}: {line.strip()[:40]!r}; 'u v bias' is expected")
        entries.append((int(words[0]), int(words[1]), finite_number(source, number, words[2])))
    if not entries:
        raise ValueError(f"{source} has no coefficients; a QUBO text, COO or LP file is expected")
    if vartype is None:
        raise ValueError(f"{source} does not state its vartype; pass vartype='SPIN' or vartype='BINARY'")
    bqm = dimod.BinaryQuadraticModel(vartype)
    for u, v, bias in entries:
        if u == v:
            bqm.add_linear(u, bias)
        else:
            bqm.add_quadratic(u, v, bias)
    return bqm


def read_lp(path: str | os.PathLike[str]) -> dimod.ConstrainedQuadraticModel:
    """Return the CQM of an LP file, read by dimod; a maximised objective comes back with its sign turned.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Not an LP file, control characters, no End, no variables, or numbers that are not finite.
    """
    source = checked_file(Path(path))
    content = source.read_bytes()
    strange = _CONTROL.search(content)
    if strange:  # a NUL makes the reader loop without end
        raise ValueError(f"{source} has byte {strange[0]!r} at {strange.start()}; LP files are plain ASCII text")
    words = [word for line in content.decode().splitlines() for word in line.partition("\\")[0].split()]
    if not words or words[-1].lower() != "end":
        raise ValueError(f"{source} does not finish with 'End'; it is cut short or not an LP file: write it again")
    try:
        model: dimod.ConstrainedQuadraticModel = dimod.lp.load(str(source))
    except (ValueError, RuntimeError, KeyError) as error:
        raise ValueError(
            f"{source} is not an LP file that dimod reads ({error}); dimod.lp.dump writes such files"
        ) from None
    if not model.variables:
        raise ValueError(f"{source} has no variables; an LP file with an objective is expected")
    views = [(model.objective, 0.0), *((c.lhs, float(c.rhs)) for c in model.constraints.values())]
    for view, right in views:
        numbers = itertools.chain(view.linear.values(), view.quadratic.values(), (view.offset, right))
        if not all(math.isfinite(value) for value in numbers):
            raise ValueError(f"{source} has a number that is not finite; write numbers below 1e308")
    return model


#: Every format by name, and its reader; a bqp file holds several models.
FORMATS: dict[str, Callable[[Path], Any]] = {
    "qubo": read_qubo, "coo": read_coo, "lp": read_lp, "qbsolv": read_qbsolv, "bqp": read_bqp, "maxcut": read_maxcut,
    "dimod": read_dimod,
}  # fmt: skip
_WITHOUT_SENSE = ("qubo", "coo", "qbsolv")
_SUFFIXES = {
    ".lp": "lp", ".qubo": "qbsolv", ".bqm": "dimod", ".cqm": "dimod", ".json": "dimod", ".coo": "coo",
    ".mc": "maxcut", ".rud": "maxcut", ".rudy": "maxcut",
}  # fmt: skip
