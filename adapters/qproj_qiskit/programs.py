"""Qiskit's ``QuadraticProgram`` in and out, and its optimisers (MinimumEigenOptimizer, …) as solvers."""

from __future__ import annotations

from typing import Any, ClassVar

import dimod
import numpy as np

from qproj.projections import Projection
from qproj.solvers import Adapter, Capabilities, Found, Request, as_problem


def to_quadratic_program(problem: Any, *, encoding: str = "margin", **options: Any) -> tuple[Any, list[Any]]:
    """Return (QuadraticProgram, labels) of a projection's encoding, a BQM or a CQM with linear constraints.

    Variable ``x{i}`` of the program is ``labels[i]``.

    Raises
    ------
    ValueError
        Quadratic constraints or real variables, which the program's converters do not take.
    """
    target = as_problem(problem)
    if isinstance(target, Projection):
        model: Any = target.encode(encoding if encoding in target.encodings else None, **options).bqm
    else:
        model = target.bqm if target.kind == "bqm" else target.cqm
    return _program(model)


def _program(model: Any) -> tuple[Any, list[Any]]:
    from qiskit_optimization import QuadraticProgram

    if isinstance(model, dimod.BinaryQuadraticModel):
        cqm = dimod.ConstrainedQuadraticModel.from_bqm(model.change_vartype(dimod.BINARY, inplace=False))
    else:
        cqm = model
    program, labels = QuadraticProgram(), list(cqm.variables)
    name = {label: f"x{i}" for i, label in enumerate(labels)}
    for label in labels:
        kind = cqm.vartype(label)
        if kind is dimod.BINARY:
            program.binary_var(name[label])
        elif kind is dimod.INTEGER:
            program.integer_var(int(cqm.lower_bound(label)), int(cqm.upper_bound(label)), name[label])
        else:
            raise ValueError(
                f"variable {label!r} is {kind.name}; a QuadraticProgram here takes BINARY and INTEGER ones"
            )
    objective = cqm.objective
    program.minimize(
        float(objective.offset),
        {name[v]: float(bias) for v, bias in objective.linear.items()},
        {(name[u], name[v]): float(bias) for (u, v), bias in objective.quadratic.items()},
    )
    for i, constraint in enumerate(cqm.constraints.values()):
        if constraint.lhs.quadratic:
            raise ValueError("the model has quadratic constraints; use 'cpsat' or 'gurobi'")
        row = {name[v]: float(bias) for v, bias in constraint.lhs.linear.items()}
        program.linear_constraint(row, constraint.sense.value, float(constraint.rhs - constraint.lhs.offset), f"c{i}")
    return program, labels


def from_quadratic_program(program: Any) -> Any:
    """Return a dimod BQM (binary, unconstrained) or CQM that is minimised where the program is optimal.

    Labels are the program's variable names; a maximised objective is negated.
    """
    from qiskit_optimization.problems import Constraint, VarType

    cqm = dimod.ConstrainedQuadraticModel()
    names = [variable.name for variable in program.variables]
    for variable in program.variables:
        if variable.vartype is VarType.BINARY:
            cqm.add_variable("BINARY", variable.name)
        elif variable.vartype is VarType.INTEGER:
            low, high = variable.lowerbound, variable.upperbound
            cqm.add_variable("INTEGER", variable.name, lower_bound=low, upper_bound=high)
        else:
            raise ValueError(f"variable {variable.name!r} is continuous; binary and integer ones are taken")
    sign = float(program.objective.sense.value)  # 1: minimise, −1: maximise
    cqm.set_objective(_expression(cqm, names, program.objective, sign, program.objective.constant))
    senses = {Constraint.Sense.LE: "<=", Constraint.Sense.GE: ">=", Constraint.Sense.EQ: "=="}
    for constraint in [*program.linear_constraints, *program.quadratic_constraints]:
        lhs = _expression(cqm, names, constraint, 1.0, 0.0)
        cqm.add_constraint_from_model(lhs, senses[constraint.sense], float(constraint.rhs), constraint.name)
    if not cqm.constraints and all(cqm.vartype(v) is dimod.BINARY for v in names):
        bqm = dimod.BinaryQuadraticModel(dict(cqm.objective.linear), dict(cqm.objective.quadratic), 0.0, "BINARY")
        bqm.offset = cqm.objective.offset
        return bqm
    return cqm


def _expression(cqm: Any, names: list[str], source: Any, sign: float, constant: float) -> Any:
    model = dimod.QuadraticModel()
    for name in names:
        model.add_variable(
            cqm.vartype(name), name, lower_bound=cqm.lower_bound(name), upper_bound=cqm.upper_bound(name)
        )
    for i, bias in source.linear.to_dict().items():
        model.add_linear(names[i], sign * float(bias))
    quadratic = getattr(source, "quadratic", None)
    for (i, j), bias in ({} if quadratic is None else quadratic.to_dict()).items():
        if i == j and cqm.vartype(names[i]) is dimod.BINARY:  # x² = x
            model.add_linear(names[i], sign * float(bias))
        else:
            model.add_quadratic(names[i], names[j], sign * float(bias))
    model.offset = sign * float(constant)
    return model


class ProgramSolver(Adapter[Any, Any]):
    """min objective(v) by an optimiser of qiskit-optimization, such as ``MinimumEigenOptimizer(QAOA(…))``.

    Parameters
    ----------
    optimizer : OptimizationAlgorithm
        Its random state and its limits are its own; the seed and time limit of ``solve`` cannot change them.
    encoding : str
        Of sign projections.
    """

    name = "qiskit-optimization"
    extra: ClassVar[str] = "qiskit"
    requires: ClassVar[tuple[str, ...]] = ("qiskit_optimization",)
    capabilities = Capabilities(
        forms=frozenset({"projection", "bqm", "cqm"}), seed=False, time_limit=False, thread_safe=False, picklable=False
    )

    def __init__(self, optimizer: Any, *, encoding: str = "margin") -> None:
        if not callable(getattr(optimizer, "solve", None)):
            raise TypeError(
                f"{type(optimizer).__name__} is not an optimiser of qiskit-optimization: it needs solve(program)"
            )
        self.optimizer, self.encoding = optimizer, encoding

    def build(self, problem: Any, request: Request) -> Any:
        program, labels = to_quadratic_program(problem, encoding=self.encoding)
        return program, labels

    def call(self, model: Any, request: Request) -> Any:
        program, labels = model
        return self.optimizer.solve(program), labels

    def decode(self, raw: Any, problem: Any) -> Found:
        result, labels = raw
        rows = [sample.x for sample in (getattr(result, "samples", None) or [])] or [result.x]
        values = np.asarray([row for row in rows if row is not None], np.float64)
        if not len(values):
            return Found(np.empty((0, problem.num_variables)), message=str(result.status))
        if problem.kind == "projection":
            return Found(_decode(values, labels, problem), message=str(result.status))
        place = {label: i for i, label in enumerate(labels)}
        candidates = np.rint(values[:, [place[label] for label in problem.variables]])
        if problem.kind == "bqm" and problem.bqm.vartype is dimod.SPIN:
            candidates = 2 * candidates - 1
        return Found(candidates, message=str(result.status))


def _decode(values: Any, labels: list[Any], problem: Any) -> Any:
    bits = dimod.SampleSet.from_samples(
        (np.rint(values).astype(np.int8), labels), energy=np.zeros(len(values)), vartype="BINARY", sort_labels=False
    )
    return problem.decode(bits)
