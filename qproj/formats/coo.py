"""BQMs as COO text, the triplets ``u v bias`` of dimod: written to the last bit, read whole or refused."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import SupportsFloat, cast

import dimod
import numpy as np

from qproj.formats.lines import finite_number, lines_of

_VARTYPE = re.compile(r"#\s*vartype\s*=\s*(SPIN|BINARY)\s*")
_OFFSET = re.compile(r"#\s*offset\s*=\s*(\S+)\s*")


def coo_text(bqm: dimod.BinaryQuadraticModel) -> str:
    """Return a BQM over whole numbers as COO text that :func:`read_coo` reads back to the last bit.

    Every variable is written on its own line, also one with a bias of 0, so that none is lost. The offset, for which
    the format has no place, stands in a comment ``# offset=…`` that dimod's reader passes over. Numbers are written as
    decimals without an exponent, because dimod's reader drops lines that have one.

    Raises
    ------
    ValueError
        A label that is not a whole number from 0 to 999,999,999, or a bias that is not finite.

    Examples
    --------
    >>> import dimod
    >>> print(coo_text(dimod.BinaryQuadraticModel({0: 2.5e-7, 1: 0.0}, {(0, 1): -1.0}, 0.5, "SPIN")))
    # vartype=SPIN
    # offset=0.5
    0 0 0.00000025
    1 1 0.0
    0 1 -1.0
    <BLANKLINE>
    """
    for v in bqm.variables:
        if isinstance(v, bool) or not isinstance(v, int | np.integer) or not 0 <= v < 10**9:
            raise ValueError(f"variable {v!r} has no place in a COO file; relabel the model with whole numbers from 0")
    lines = [f"# vartype={bqm.vartype.name}", f"# offset={_decimal(bqm.offset)}"]
    lines += [f"{v} {v} {_decimal(bias)}" for v, bias in bqm.iter_linear()]
    for u, v, bias in bqm.iter_quadratic():
        low, high = sorted((int(cast(int, u)), int(cast(int, v))))
        lines.append(f"{low} {high} {_decimal(bias)}")
    return "\n".join([*lines, ""])


def _decimal(value: SupportsFloat) -> str:
    """Return the shortest decimal that reads back as the same float64, without an exponent."""
    number = float(value)
    if not np.isfinite(number):
        raise ValueError(f"a bias is {number}; only finite numbers are written: scale the model")
    return np.format_float_positional(number, unique=True, trim="0")


def read_coo(path: str | os.PathLike[str], *, vartype: str | None = None) -> dimod.BinaryQuadraticModel:
    """Return the BQM of a COO file: ``# vartype=SPIN``, then ``u v bias`` lines (u = v is linear).

    A comment ``# offset=…``, as :func:`coo_text` writes it, is the model's offset; other comments are passed over.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        A line that is neither, no vartype, or two vartypes or offsets.
    """
    source = Path(path)
    entries: list[tuple[int, int, float]] = []
    offset: float | None = None
    for number, line in lines_of(source):
        if line.lstrip().startswith("#"):
            header, stated = _VARTYPE.fullmatch(line.strip()), _OFFSET.fullmatch(line.strip())
            if header:
                if vartype not in (None, header[1]):
                    raise ValueError(f"{source}, line {number}: vartype {header[1]} where {vartype} was expected")
                vartype = header[1]
            if stated:
                if offset is not None:
                    raise ValueError(f"{source}, line {number}: a second offset; one is expected")
                offset = finite_number(source, number, stated[1])
            continue
        words = line.split()
        if len(words) != 3 or not all(word.isdigit() and len(word) < 10 for word in words[:2]):
            raise ValueError(f"{source}, line {number}: {line.strip()[:40]!r}; 'u v bias' is expected")
        entries.append((int(words[0]), int(words[1]), finite_number(source, number, words[2])))
    if not entries and offset is None:
        raise ValueError(f"{source} has no coefficients; a QUBO text, COO or LP file is expected")
    if vartype is None:
        raise ValueError(f"{source} does not state its vartype; pass vartype='SPIN' or vartype='BINARY'")
    bqm = dimod.BinaryQuadraticModel(vartype)
    for u, v, bias in entries:
        if u == v:
            bqm.add_linear(u, bias)
        else:
            bqm.add_quadratic(u, v, bias)
    bqm.offset = offset or 0.0
    return bqm
