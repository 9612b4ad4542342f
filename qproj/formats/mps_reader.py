"""MPS files as constrained models, through HiGHS; what HiGHS would pass over with a warning is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dimod
import numpy as np

from qproj._extras import install_hint
from qproj.formats.lines import checked_file

#: dimod's bound of integers that have none.
_LARGEST = float(1 << 53)


def read_mps(path: Path) -> dimod.ConstrainedQuadraticModel:
    """Return the model of an MPS file, free or fixed, to be minimised; a maximised objective has its sign turned.

    Variables and rows keep their names; a row with two sides becomes two constraints, NAME and (NAME, "range").
    Products in the objective (QUADOBJ, QMATRIX) stand as they are.

    Raises
    ------
    ImportError
        highspy is not installed.
    FileNotFoundError
        No such file.
    ValueError
        What HiGHS refuses or passes over, in its words and with the line of the name in them; semi-continuous
        variables; products of continuous variables.
    """
    source = checked_file(path)
    native, words = _read(source)
    if words:
        raise ValueError(f"{source}{_line_of(source, words)}: {words}; correct the file")
    model = native.getModel()
    lp, hessian = model.lp_, model.hessian_
    sign = 1.0 if lp.sense_.name == "kMinimize" else -1.0
    names = list(lp.col_names_) or [f"x{j}" for j in range(lp.num_col_)]
    kinds = [kind.name for kind in lp.integrality_] or ["kContinuous"] * lp.num_col_
    cqm = dimod.ConstrainedQuadraticModel()
    for name, kind, low, high in zip(names, kinds, lp.col_lower_, lp.col_upper_, strict=True):
        _add_variable(cqm, source, name, kind, float(low), float(high))
    objective = dimod.QuadraticModel()
    objective.offset = sign * float(lp.offset_)
    for name, cost in zip(names, lp.col_cost_, strict=True):
        _declare(objective, cqm, name)
        objective.add_linear(name, sign * float(cost))
    for u, v, value in _products(hessian):
        if dimod.REAL in (cqm.vartype(names[u]), cqm.vartype(names[v])):
            raise ValueError(
                f"{source}: {names[u]!r} times {names[v]!r} has a continuous variable; CQMs have no such term"
            )
        if u == v and cqm.vartype(names[u]) is dimod.BINARY:
            objective.add_linear(names[u], sign * value)
        else:
            objective.add_quadratic(names[u], names[v], sign * value)
    cqm.set_objective(objective)
    _add_rows(cqm, lp, names)
    return cqm


def _read(source: Path) -> tuple[Any, str]:
    """Return HiGHS with the file's model, and the first of its warnings and errors."""
    try:
        import highspy
    except ImportError as error:
        raise ImportError(f"MPS files are read by HiGHS, which is not installed; {install_hint('highs')}") from error
    native = highspy.Highs.__mro__[1]()  # the class below Highs writes no banner
    words: list[str] = []

    def listen(kind: Any, message: str, *rest: Any) -> None:
        words.append(message.strip())

    native.setOptionValue("log_to_console", False)  # first: a callback's start writes the banner
    native.setCallback(listen, None)
    native.startCallback(highspy.cb.HighsCallbackType.kCallbackLogging)
    status = native.readModel(str(source))
    loud = [text for text in words if text.startswith(("WARNING", "ERROR"))]
    if status.name == "kOk" and not loud:
        return native, ""
    return native, loud[0] if loud else (words[-1] if words else "HiGHS reads no MPS model in it")


def _line_of(source: Path, words: str) -> str:
    """Return ", line n" of the first line with a name that HiGHS quotes, "" where there is none."""
    quoted = re.findall(r'"([^"]+)"', words)
    for number, line in enumerate(source.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if any(name in line.split() for name in quoted):
            return f", line {number}"
    return ""


def _add_variable(cqm: Any, source: Path, name: str, kind: str, low: float, high: float) -> None:
    if name in cqm.variables:
        raise ValueError(f"{source}: two columns are called {name!r}; give each a name of its own")
    if kind == "kInteger" and (low, high) == (0.0, 1.0):
        cqm.add_variable("BINARY", name)
    elif kind == "kInteger":
        cqm.add_variable("INTEGER", name, lower_bound=max(low, -_LARGEST), upper_bound=min(high, _LARGEST))
    elif kind == "kContinuous":
        cqm.add_variable("REAL", name, lower_bound=max(low, -1e30), upper_bound=min(high, 1e30))
    else:
        raise ValueError(f"{source}: column {name!r} is semi-continuous or semi-integer; a CQM has no such variables")


def _declare(model: Any, cqm: Any, name: str) -> None:
    if cqm.vartype(name) is dimod.BINARY:
        model.add_variable("BINARY", name)
    else:
        bounds = {"lower_bound": cqm.lower_bound(name), "upper_bound": cqm.upper_bound(name)}
        model.add_variable(cqm.vartype(name).name, name, **bounds)


def _products(hessian: Any) -> list[tuple[int, int, float]]:
    """Return the products (u, v, coefficient) of ½ x'Qx, Q being given as its lower triangle."""
    starts, rows, values = list(hessian.start_), list(hessian.index_), list(hessian.value_)
    found = []
    for column in range(int(hessian.dim_)):
        for place in range(starts[column], starts[column + 1]):
            half = 0.5 if rows[place] == column else 1.0
            if values[place]:
                found.append((column, rows[place], half * float(values[place])))
    return found


def _add_rows(cqm: Any, lp: Any, names: list[str]) -> None:
    from scipy.sparse import csc_array, csr_array

    matrix = lp.a_matrix_
    make = csc_array if matrix.format_.name == "kColwise" else csr_array
    rows = make(
        (np.array(matrix.value_), np.array(matrix.index_), np.array(matrix.start_)), shape=(lp.num_row_, lp.num_col_)
    ).tocsr()
    labels = list(lp.row_names_) or [f"r{i}" for i in range(lp.num_row_)]
    for i, (label, low, high) in enumerate(zip(labels, lp.row_lower_, lp.row_upper_, strict=True)):
        part = slice(rows.indptr[i], rows.indptr[i + 1])
        terms = [(names[j], float(a)) for j, a in zip(rows.indices[part], rows.data[part], strict=True)]
        if low == high:
            cqm.add_constraint_from_iterable(terms, "==", float(low), label)
            continue
        if np.isfinite(high):
            cqm.add_constraint_from_iterable(terms, "<=", float(high), label)
        if np.isfinite(low):
            cqm.add_constraint_from_iterable(terms, ">=", float(low), (label, "range") if np.isfinite(high) else label)
