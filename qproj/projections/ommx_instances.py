"""OMMX instances (``ommx.v1.Instance``) as dimod models. Nothing here imports ommx: the caller has."""

from __future__ import annotations

from typing import Any

import dimod
from dimod.higherorder.polynomial import BinaryPolynomial

from qproj.projections.polynomials import bqm_of_polynomial

#: dimod's bounds of integers without a bound of their own.
_LARGEST = float(1 << 53)


def is_ommx(problem: object) -> bool:
    """Return whether an object is an OMMX instance."""
    kind = type(problem)
    return kind.__module__.partition(".")[0] == "ommx" and kind.__name__ == "Instance"


def model_of_ommx(instance: Any) -> dimod.BinaryQuadraticModel | dimod.ConstrainedQuadraticModel:
    """Return an OMMX instance as a model to be minimised: a maximised objective has its sign turned.

    Variables are labelled by their OMMX ids, constraints by theirs; variables that were given a value are left out.
    Binary variables without constraints make a BQM, where terms of a degree above 2 are reduced with auxiliary
    variables; everything else makes a CQM. Constraints that the instance has removed, and its hints, are not read.

    Raises
    ------
    ValueError
        What a CQM does not represent, named: semi-continuous and semi-integer variables, products of real variables,
        terms of a degree above 2 beside constraints or other variables, and two constraints of one id.
    """
    variables = [v for v in instance.decision_variables if v.substituted_value is None]
    for v in variables:
        if str(v.kind).rpartition(".")[2] not in ("Binary", "Integer", "Continuous"):
            raise ValueError(
                f"OMMX variable {v.id} is {v.kind}; binary, integer and continuous ones are taken: write its zero as a "
                "binary variable of its own"
            )
    sign = -1.0 if str(instance.sense).rpartition(".")[2] == "Maximize" or instance.sense == instance.MAXIMIZE else 1.0
    binary = {v.id for v in variables if str(v.kind).endswith("Binary")}
    objective = {key: sign * value for key, value in _terms(instance.objective, binary).items()}
    free = all(v.bound.lower <= 0 and v.bound.upper >= 1 for v in variables)
    if len(binary) == len(variables) and free and not instance.constraints:
        return _bqm(objective, sorted(binary))
    cqm = dimod.ConstrainedQuadraticModel()
    for v in variables:
        _add_variable(cqm, v)
    cqm.set_objective(_quadratic(cqm, objective, "the objective"))
    for constraint in instance.constraints:
        model = _quadratic(cqm, _terms(constraint.function, binary), f"constraint {constraint.id}")
        sense = "==" if constraint.equality == constraint.EQUAL_TO_ZERO else "<="
        if constraint.id in cqm.constraints:
            raise ValueError(f"OMMX constraint {constraint.id} is there twice; give each an id of its own")
        cqm.add_constraint(model, sense, rhs=0.0, label=constraint.id)
    return cqm


def _terms(function: Any, binary: set[int]) -> dict[tuple[int, ...], float]:
    """Return the terms of a function; powers of binary variables are the variable itself."""
    found: dict[tuple[int, ...], float] = {}
    for ids, value in function.terms.items():
        powers = [i for i in ids if i not in binary]
        key = tuple(sorted([*powers, *{i for i in ids if i in binary}]))
        found[key] = found.get(key, 0.0) + float(value)
    return found


def _bqm(terms: dict[tuple[int, ...], float], variables: list[int]) -> dimod.BinaryQuadraticModel:
    polynomial = BinaryPolynomial({key: value for key, value in terms.items() if key}, dimod.BINARY)
    if polynomial.degree > 2:
        bqm = bqm_of_polynomial(polynomial)
    else:
        bqm = dimod.BinaryQuadraticModel(dimod.BINARY)
        for key, value in polynomial.items():
            pair = tuple(key)
            bqm.add_linear(pair[0], value) if len(pair) == 1 else bqm.add_quadratic(*pair, value)
    for v in variables:
        bqm.add_linear(v, 0.0)
    bqm.offset += terms.get((), 0.0)
    return bqm


def _add_variable(cqm: dimod.ConstrainedQuadraticModel, v: Any) -> None:
    low, high = float(v.bound.lower), float(v.bound.upper)
    kind = str(v.kind).rpartition(".")[2]
    if kind == "Binary":
        cqm.add_variable("BINARY", v.id)
        if low > 0 or high < 1:
            cqm.add_constraint_from_iterable(
                [(v.id, 1.0)], "==" if low > 0 else "<=", 1.0 if low > 0 else 0.0, ("bound", v.id)
            )
    elif kind == "Integer":
        cqm.add_variable("INTEGER", v.id, lower_bound=max(low, -_LARGEST), upper_bound=min(high, _LARGEST))
    else:
        cqm.add_variable("REAL", v.id, lower_bound=max(low, -1e30), upper_bound=min(high, 1e30))


def _quadratic(cqm: Any, terms: dict[tuple[int, ...], float], where: str) -> dimod.QuadraticModel:
    """Return the terms as a quadratic model over variables of `cqm`."""
    model = dimod.QuadraticModel()
    for key in terms:
        for v in key:
            if v not in model.variables:
                bounds = {} if cqm.vartype(v) is dimod.BINARY else {
                    "lower_bound": cqm.lower_bound(v), "upper_bound": cqm.upper_bound(v)
                }  # fmt: skip
                model.add_variable(cqm.vartype(v).name, v, **bounds)
    for key, value in terms.items():
        if len(key) > 2:
            raise ValueError(
                f"{where} has the term {key} of degree {len(key)}; degree 2 is the highest beside constraints or "
                "variables that are not binary: replace products by variables and constraints of their own"
            )
        if len(key) == 2 and any(cqm.vartype(v) is dimod.REAL for v in key):
            raise ValueError(f"{where} has the product {key} of a continuous variable; CQMs have none")
        if not key:
            model.offset += value
        elif len(key) == 1:
            model.add_linear(key[0], value)
        else:
            model.add_quadratic(*key, value)
    return model
