"""A solver given the neuron as it is, equal rows and columns not merged: what aggregation is worth."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from qproj.projections import SignProjection
from qproj.solvers import Capabilities, Solution


class Unmerged:
    """The solver's own answer to the same projection with row and column aggregation off.

    Parameters
    ----------
    solver : Solver
    """

    name: ClassVar[str] = "unmerged"

    def __init__(self, solver: Any) -> None:
        if "projection" not in solver.capabilities.forms:
            raise TypeError(f"{type(solver).__name__} does not take projections; choose another solver")
        self.solver = solver
        self.name = f"unmerged({solver.name})"  # type: ignore[misc]
        self.capabilities: Capabilities = dataclasses.replace(solver.capabilities, forms=frozenset({"projection"}))

    def solve(self, problem: Any, **limits: Any) -> Solution:
        """Return argmin over v of the same objective, from a model of every row and every column."""
        if not isinstance(problem, SignProjection):
            raise TypeError(f"unmerged takes sign projections, not {type(problem).__name__}; use the solver itself")
        plain = SignProjection(problem.X, problem.t, aggregate_rows=False, aggregate_columns=False)
        solution: Solution = self.solver.solve(plain, **limits)
        return solution
