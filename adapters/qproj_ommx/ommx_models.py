"""Problems, dimod models and linear models as ``ommx.v1.Instance``; ``as_problem`` is the other direction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import dimod
import numpy as np

from qproj.encodings.linear_model import REAL, LinearModel
from qproj.projections import Projection
from qproj.solvers import as_problem


def to_ommx(problem: Any, *, encoding: str | None = None, **options: Any) -> tuple[Any, list[Any]]:
    """Return (Instance, labels) of a problem: OMMX variable i is ``labels[i]``.

    Parameters
    ----------
    problem : Problem, or whatever ``as_problem`` takes
        A sign projection becomes its constrained model, exact and linear; other projections their BQM.
    encoding : str, optional
        Of a sign projection, as in ``encode``: its BQM instead.
    options : keyword arguments
        Of the encoding.

    Raises
    ------
    ValueError
        A soft constraint of a CQM, which OMMX does not have.
    """
    target = as_problem(problem)
    model: Any
    if isinstance(target, Projection) and (encoding is not None or not hasattr(target, "cqm")):
        model = target.encode(encoding, **options).bqm
    else:
        model = target.bqm if target.kind == "bqm" else target.cqm
    return _of_bqm(model) if isinstance(model, dimod.BinaryQuadraticModel) else _of_cqm(model)


def _of_bqm(bqm: dimod.BinaryQuadraticModel) -> tuple[Any, list[Any]]:
    from ommx.v1 import DecisionVariable

    binary, labels = bqm.change_vartype(dimod.BINARY, inplace=False), list(bqm.variables)
    number = {label: i for i, label in enumerate(labels)}
    variables = [DecisionVariable.binary(i, name=str(label)) for i, label in enumerate(labels)]
    return _instance(_polynomial(binary, number), [], variables), labels


def _of_cqm(cqm: dimod.ConstrainedQuadraticModel) -> tuple[Any, list[Any]]:
    from ommx.v1 import Constraint, DecisionVariable

    labels = list(cqm.variables)
    number, made = {label: i for i, label in enumerate(labels)}, []
    spins = [label for label in labels if cqm.vartype(label) is dimod.SPIN]
    if spins:
        raise ValueError(f"variable {spins[0]!r} is SPIN; OMMX has 0/1: cqm.spin_to_binary(inplace=False) changes it")
    for i, label in enumerate(labels):
        kind, name = cqm.vartype(label), str(label)
        if kind is dimod.BINARY:
            made.append(DecisionVariable.binary(i, name=name))
            continue
        make = DecisionVariable.integer if kind is dimod.INTEGER else DecisionVariable.continuous
        made.append(make(i, lower=float(cqm.lower_bound(label)), upper=float(cqm.upper_bound(label)), name=name))
    rows = []
    for place, (label, constraint) in enumerate(cqm.constraints.items()):
        if constraint.lhs.is_soft():
            raise ValueError(
                f"constraint {label!r} is soft; OMMX instances have hard ones: put its penalty into the objective"
            )
        sense, left = constraint.sense.value, _polynomial(constraint.lhs, number) - float(constraint.rhs)
        rows.append(Constraint(
            function=-1.0 * left if sense == ">=" else left, id=place, name=str(label),
            equality=Constraint.EQUAL_TO_ZERO if sense == "==" else Constraint.LESS_THAN_OR_EQUAL_TO_ZERO,
        ))  # fmt: skip
    return _instance(_polynomial(cqm.objective, number), rows, made), labels


def of_linear_model(model: LinearModel) -> Any:
    """Return the OMMX instance of a linear model, its variables 0…N−1 and its objective cost·x."""
    from ommx.v1 import Constraint, DecisionVariable, Function, Linear

    variables = [
        (DecisionVariable.continuous if kind == REAL else DecisionVariable.integer)(j, lower=low, upper=high)
        for j, (kind, low, high) in enumerate(
            zip(model.kinds.tolist(), model.lower.tolist(), model.upper.tolist(), strict=True)
        )
    ]
    rows, columns, data = [], model.rows.indices.tolist(), model.rows.data.tolist()
    bounds = zip(model.row_lower.tolist(), model.row_upper.tolist(), strict=True)
    for (begin, end), (low, high) in zip(pairwise(model.rows.indptr.tolist()), bounds, strict=True):
        if begin == end:
            continue
        left = dict(zip(columns[begin:end], data[begin:end], strict=True))
        if low == high:
            rows.append((Linear(terms=left, constant=-low), Constraint.EQUAL_TO_ZERO))
            continue
        if np.isfinite(high):
            rows.append((Linear(terms=left, constant=-high), Constraint.LESS_THAN_OR_EQUAL_TO_ZERO))
        if np.isfinite(low):
            turned = {j: -a for j, a in left.items()}
            rows.append((Linear(terms=turned, constant=low), Constraint.LESS_THAN_OR_EQUAL_TO_ZERO))
    constraints = [Constraint(function=row, equality=kind, id=i) for i, (row, kind) in enumerate(rows)]
    cost = {j: c for j, c in enumerate((model.cost / model.scale).tolist()) if c}
    return _instance(Function(Linear(terms=cost)), constraints, variables)


def _polynomial(model: Any, number: dict[Any, int]) -> Any:
    from ommx.v1 import Polynomial

    terms: dict[Sequence[int], float | int] = {(): float(model.offset)}
    terms |= {(number[v],): float(bias) for v, bias in model.linear.items() if bias}
    terms |= {tuple(sorted((number[u], number[v]))): float(bias) for (u, v), bias in model.quadratic.items() if bias}
    return Polynomial(terms=terms)


def _instance(objective: Any, constraints: Iterable[Any], variables: Iterable[Any]) -> Any:
    from ommx.v1 import Instance, Sense

    return Instance.from_components(
        objective=objective, constraints=constraints, sense=Sense.Minimize, decision_variables=variables
    )
