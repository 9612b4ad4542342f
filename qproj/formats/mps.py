"""Constrained models as free-format MPS text, which every MIP solver reads."""

from __future__ import annotations

from collections.abc import Iterable

import dimod

_SENSES = {"<=": "L", ">=": "G", "==": "E"}


def mps(cqm: dimod.ConstrainedQuadraticModel) -> str:
    """Return min objective subject to the constraints of a CQM, as MPS.

    The objective's offset stands in RHS with its sign turned, as the format has it; products in the objective stand in
    QUADOBJ (upper triangle of Q in ½ x'Qx). Labels have to be words without spaces.

    Raises
    ------
    ValueError
        Products in a constraint, variables that are neither binary nor integer, or a label with a space.
    """
    rows = ["ROWS", " N  COST"]
    entries: dict[str, list[tuple[str, float]]] = {str(v): [] for v in cqm.variables}
    for name in [*entries, *map(str, cqm.constraints)]:
        if not name or any(letter.isspace() for letter in name):
            raise ValueError(f"{name!r} is not an MPS name; relabel the model, words without spaces are needed")
    for v, bias in cqm.objective.linear.items():
        entries[str(v)].append(("COST", float(bias)))
    right = [f"    RHS  COST  {-float(cqm.objective.offset)!r}"] if cqm.objective.offset else []
    for label, constraint in cqm.constraints.items():
        if constraint.lhs.quadratic:
            raise ValueError(f"constraint {label!r} holds products; MPS takes linear constraints only")
        rows.append(f" {_SENSES[constraint.sense.value]}  {label}")
        for v, bias in constraint.lhs.linear.items():
            entries[str(v)].append((str(label), float(bias)))
        value = float(constraint.rhs) - float(constraint.lhs.offset)
        if value:
            right.append(f"    RHS  {label}  {value!r}")
    columns = ["COLUMNS", "    MARKER  'MARKER'  'INTORG'"]
    for v, found in entries.items():
        columns += [f"    {v}  {row}  {bias!r}" for row, bias in found if bias] or [f"    {v}  COST  0.0"]
    columns.append("    MARKER  'MARKER'  'INTEND'")
    return "\n".join(
        ["NAME qproj", *rows, *columns, "RHS", *right, "BOUNDS", *_bounds(cqm), *_products(cqm), "ENDATA", ""]
    )


def _bounds(cqm: dimod.ConstrainedQuadraticModel) -> Iterable[str]:
    for v in cqm.variables:
        kind = cqm.vartype(v)
        if kind not in (dimod.BINARY, dimod.INTEGER):
            raise ValueError(f"variable {v!r} is {kind.name}; MPS is written for binary and integer variables")
        yield f" LO BND  {v}  {float(cqm.lower_bound(v))!r}"
        yield f" UP BND  {v}  {float(cqm.upper_bound(v))!r}"


def _products(cqm: dimod.ConstrainedQuadraticModel) -> list[str]:
    place = {v: i for i, v in enumerate(cqm.variables)}
    found = []
    for u, v, bias in cqm.objective.iter_quadratic():
        if bias:  # ½ x'Qx counts an off-diagonal entry twice and a square once
            first, second = sorted((u, v), key=place.__getitem__)
            found.append(f"    {first}  {second}  {float(2 * bias if u == v else bias)!r}")
    return ["QUADOBJ", *found] if found else []
