"""The constrained models that solvers are checked on, one of them too hard to finish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dimod
import numpy as np

from qproj.testing.checked_problem import Case


def constrained_cases() -> list[Case]:
    """Return the constrained models, of linear, quadratic and soft constraints."""

    def knapsack(*, more: int = 0) -> Callable[[], Any]:
        def make() -> dimod.ConstrainedQuadraticModel:
            cqm = dimod.ConstrainedQuadraticModel()
            x = [dimod.Binary(("take", i)) for i in range(4)]
            z = dimod.Integer("amount", lower_bound=-1, upper_bound=3)
            cqm.set_objective(-3 * x[0] - 4 * x[1] - 2 * x[2] + x[3] + x[0] * x[1] - z + 0.5)
            cqm.add_constraint(2 * x[0] + 3 * x[1] + x[2] + z <= 5, label="weight")
            cqm.add_constraint(x[2] + x[3] == 1, label="one of two")
            if more:
                cqm.add_constraint(x[0] + x[1] + x[2] + x[3] >= more, label="more")
            return cqm

        return make

    def products() -> dimod.ConstrainedQuadraticModel:
        cqm = dimod.ConstrainedQuadraticModel()
        x = [dimod.Binary(i) for i in range(4)]
        cqm.set_objective(-2 * x[0] - 3 * x[1] - 2 * x[2] + x[3])
        cqm.add_constraint(2 * x[0] * x[1] + x[1] * x[2] + x[2] * x[3] <= 1, label="not both")
        cqm.add_constraint(x[0] * x[2] + x[3] == 1, label="one way")
        return cqm

    def soft(penalty: str) -> Callable[[], Any]:
        def make() -> dimod.ConstrainedQuadraticModel:
            cqm = dimod.ConstrainedQuadraticModel()
            x = [dimod.Binary(i) for i in range(4)]
            cqm.set_objective(-3 * x[0] - 2 * x[1] - x[2] + x[3])
            cqm.add_constraint(x[0] + x[1] <= 1, label="may break", weight=0.5, penalty=penalty)
            cqm.add_constraint(x[1] + x[2] + x[3] == 0, label="dear", weight=4.0, penalty=penalty)
            return cqm

        return make

    refusable = frozenset({"refusable"})
    return [
        Case("constrained model", "cqm", 5, knapsack()),
        Case("constrained model, tighter", "cqm", 5, knapsack(more=2)),
        Case("constrained model that nothing meets", "cqm", 5, knapsack(more=4), frozenset({"infeasible"})),
        Case("constrained model with products in its constraints", "cqm", 4, products, refusable),
        Case("constrained model with soft constraints", "cqm", 4, soft("linear"), refusable),
        Case("constrained model with soft quadratic constraints", "cqm", 4, soft("quadratic"), refusable),
    ]


def market_split(constraints: int = 5, variables: int = 40) -> dimod.ConstrainedQuadraticModel:
    """Return a market split problem, feasible by construction: Σ a_ij x_j = Σ a_ij x*_j, a up to 100.

    Cornuéjols and Dawande (1998): branch and bound needs about 2^variables nodes to find that x*.
    """
    rng = np.random.default_rng(42)
    A = rng.integers(1, 100, (constraints, variables))
    b = A @ rng.integers(0, 2, variables)
    cqm = dimod.ConstrainedQuadraticModel()
    for j in range(variables):
        cqm.add_variable("BINARY", j)
    cqm.set_objective([(0, 1.0)])
    for i in range(constraints):
        terms = [(j, int(A[i, j])) for j in range(variables)]
        cqm.add_constraint(terms, sense="==", rhs=int(b[i]), label=f"market {i}")
    return cqm
