"""A solver that is given the neuron as it is, equal rows and columns not merged: the value of aggregation."""

from __future__ import annotations

from typing import Any

from qproj.projections import SignProjection
from qproj.solvers.composites.composite import SignComposite, child_limits
from qproj.solvers.contract import Request
from qproj.solvers.found import Found, solved


class Unmerged(SignComposite):
    """argmin of the same objective from a model of every row and every column: aggregation is off.

    Parameters
    ----------
    solver : Solver
    """

    def __init__(self, solver: Any) -> None:
        super().__init__(solver, "unmerged")

    def build(self, problem: SignProjection, request: Request) -> SignProjection:
        return SignProjection(problem.X, problem.t, aggregate_rows=False, aggregate_columns=False)

    def call(self, model: SignProjection, request: Request) -> Found:
        return Found.of(solved(self.solver, model, **child_limits(self.solver, request)))
