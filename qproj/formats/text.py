"""Models in files as problems: dimod's COO text, LP files, and the integer QUBO text of the benchmark sets.

Every line is read or refused; nothing is skipped. Sizes in headers are checked before anything is built.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import dimod
import numpy as np

from qproj.projections.models import BQMProblem, CQMProblem, as_problem

_MOST_BYTES = 1 << 30
#: Variables that any file may declare; more only where there are coefficients for them.
_FREE_VARIABLES = 100_000
#: Bytes of the shortest line of a coefficient, "1 1 1".
_LEAST_LINE = 5
#: The largest integer whose double is exact in float64.
_LARGEST = 1 << 52
_VARTYPE = re.compile(r"#\s*vartype\s*=\s*(SPIN|BINARY)\s*")
_CONTROL = re.compile(rb"[^\t\n\r\x20-\x7e]")


def read_model(path: str | os.PathLike[str], *, vartype: str | None = None) -> BQMProblem | CQMProblem:
    """Return the problem, for any solver, that a file's model states.

    Parameters
    ----------
    path : path
        ``*.lp``: an LP file (a CQM). Else by content: two numbers in the first line begin the QUBO text format
        (:func:`read_qubo`); three, or a comment, dimod's COO format (:func:`read_coo`).
    vartype : {"SPIN", "BINARY"}, optional
        Of a COO file that does not state its own; other formats are 0/1 or state it.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Damaged, or of none of the three formats; the line is named.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.txt"
    >>> _ = path.write_text("2 2\\n1 1 -3\\n1 2 1\\n")
    >>> read_model(path).objective([[1, 0], [1, 1]])
    array([-3., -1.])
    """
    source = Path(path)
    if vartype not in (None, "SPIN", "BINARY"):
        raise ValueError(f"vartype is {vartype!r}; 'SPIN' and 'BINARY' are there")
    if source.suffix.lower() == ".lp":
        model: dimod.BinaryQuadraticModel | dimod.ConstrainedQuadraticModel = read_lp(source)
    else:
        first = next((line.split() for _, line in _lines(source)), [])
        if len(first) == 2 and not first[0].startswith("#"):
            model = read_qubo(source)
        else:
            model = read_coo(source, vartype=vartype)
    problem = as_problem(model)
    assert isinstance(problem, BQMProblem | CQMProblem)
    return problem


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
    lines = _lines(source)
    head = next(lines, (1, ""))[1]
    n, count = _integers(source, 1, head, 2)
    if n < 1 or not 0 <= count <= source.stat().st_size // _LEAST_LINE or n > max(_FREE_VARIABLES, 2 * count):
        raise ValueError(f"{source}, line 1: {n} variables and {count} coefficients, which this file does not hold")
    if count > n * (n + 1) // 2:
        raise ValueError(f"{source}, line 1: {n} variables and {count} coefficients; 'n nnz' with n from 1 is expected")
    linear = np.zeros(n)
    pairs: list[tuple[int, int]] = []
    values: list[float] = []
    last, found = (0, 0), 0
    for number, line in lines:
        i, j, q = _integers(source, number, line, 3)
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
    for number, line in _lines(source):
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
        entries.append((int(words[0]), int(words[1]), _bias(source, number, words[2])))
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
    source = _checked(Path(path))
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


def _checked(source: Path) -> Path:
    if not source.is_file():
        raise FileNotFoundError(f"{source} is not a file; pass the path of a QUBO text, COO or LP file")
    if source.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{source} has more than {_MOST_BYTES} bytes; no model of that size can be solved")
    return source


def _lines(source: Path) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of the lines that are not blank."""
    try:
        with _checked(source).open(encoding="ascii") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except UnicodeDecodeError:
        raise ValueError(f"{source} is not ASCII text; a QUBO text, COO or LP file is expected") from None


def _integers(source: Path, number: int, line: str, count: int) -> list[int]:
    words = line.split()
    # int() would also take "1_0"
    if len(words) != count or not all(re.fullmatch(r"[+-]?[0-9]{1,18}", word) for word in words):
        raise ValueError(f"{source}, line {number}: {line.strip()[:40]!r}; {count} integers are expected")
    return [int(word) for word in words]


def _bias(source: Path, number: int, word: str) -> float:
    try:
        value = math.nan if "_" in word else float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{source}, line {number}: {word[:40]!r} is not a finite number")
    return value
