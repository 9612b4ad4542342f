"""The common part of solvers around other solvers: the name, what the child can do, and the limits that it is given."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from qproj.projections import SignProjection
from qproj.solvers.adapter import Adapter
from qproj.solvers.contract import Capabilities, Request, solver_name
from qproj.solvers.found import Found
from qproj.solvers.layers import LEAST_S


class Composite(Adapter[Any, Found]):
    """A solver that passes problems on to a child, and changes the child's input or its answer.

    Attributes
    ----------
    solver : Solver
        The child.
    name : str
        "word(name of the child)".
    capabilities : Capabilities
        Those of the child, with changes.
    """

    def __init__(self, solver: Any, word: str, **changes: Any) -> None:
        self.solver = solver
        self.name = f"{word}({solver_name(solver)})"
        self.capabilities: Capabilities = replace(solver.capabilities, **changes)


class SignComposite(Composite):
    """A composite for sign projections alone.

    Raises
    ------
    TypeError
        The child is not a solver, or does not take projections.
    """

    def __init__(self, solver: Any, word: str, **changes: Any) -> None:
        if not callable(getattr(solver, "solve", None)):
            example = f"{type(self).__name__}(qproj.get_solver('sa'))"
            raise TypeError(f"{type(solver).__name__} is not a solver; make it first: {example}")
        if "projection" not in solver.capabilities.forms:
            raise TypeError(f"{type(solver).__name__} does not take projections; use 'sa', 'sqa', 'tabu' or 'random'")
        super().__init__(solver, word, forms=frozenset({"projection"}), **changes)
        self._word = word

    def check(self, problem: Any, request: Request) -> None:
        """Refuse projections whose gain is not a weighted step."""
        if not isinstance(problem, SignProjection):
            raise TypeError(f"{self._word} takes sign projections, not {type(problem).__name__}; use the solver itself")


def child_limits(child: Any, request: Request, *, share: float = 1.0) -> dict[str, Any]:
    """Return the keywords of the child's ``solve``: a share of the time that is left, and what the child takes."""
    limits: dict[str, Any] = {"seed": request.seed}
    if request.deadline is not None:
        limits["time_limit_s"] = max(share * (request.deadline - time.perf_counter()), LEAST_S)
    for name in ("num_reads", "hint"):
        value = getattr(request, name)
        if value is not None and getattr(child.capabilities, name):
            limits[name] = value
    if request.progress is not None and child.capabilities.progress:
        limits["on_progress"] = request.progress.event
    return limits
