"""Exact solvers of other packages that `auto` asks for a proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qproj._arrays import SignArray
from qproj.solvers.contract import MissingLicenceError, MissingPackageError, Solution, Status, TooLargeError
from qproj.solvers.registry import get_solver
from qproj.solvers.search_progress import SearchProgress

#: Gurobi's cuts prove most where a linear relaxation is tight, as on sparse inputs; its package's own licence takes so
#: many rows and columns, and below this many seconds its start is not worth it. CP-SAT is always there.
MOST_ROWS, LEAST_FLOATING_S = 2000, 0.1
#: Groups of rows up to which CP-SAT mostly ends before Gurobi, where one core is all there is.
SMALL = 48


class Backends:
    """Those of one search: which are asked, and which of them refused."""

    def __init__(self) -> None:
        self._refused: set[str] = set()

    def chosen(self, problem: Any, limit: float, *, several: bool) -> list[str]:
        """Return the names to ask about a neuron within `limit` seconds, all that are of use or the likeliest one."""
        groups, classes = problem.aggregated.A.shape
        if limit < LEAST_FLOATING_S or groups + classes > MOST_ROWS or not self._has("gurobi"):
            return ["cpsat"]
        if several:
            return ["gurobi", "cpsat"]
        return ["cpsat" if groups <= SMALL else "gurobi"]

    def answer(
        self, name: str, problem: Any, limit: float, seed: int, hint: SignArray, progress: SearchProgress | None
    ) -> Solution | None:
        """Return a solver's solution of one neuron; None where it is not installed, or refuses."""
        listener = None if progress is None else progress.event
        found = answer_of(name, problem, time_limit_s=limit, seed=seed, hint=hint, on_progress=listener)
        if found is None:
            self._refused.add(name)
        return found

    def _has(self, name: str) -> bool:
        if name not in self._refused:
            try:
                get_solver(name)
            except (MissingPackageError, MissingLicenceError):
                self._refused.add(name)
        return name not in self._refused


def answer_of(name: str, problem: Any, options: Mapping[str, Any] | None = None, **limits: Any) -> Solution | None:
    """Return a solver's solution; None where it is not installed, lacks a licence, or refuses the problem's size."""
    try:
        found: Solution = get_solver(name, **(options or {})).solve(problem, **limits)
    except (MissingPackageError, MissingLicenceError, TooLargeError):
        return None
    return found


def is_proof(found: Any) -> bool:
    """Whether an answer, of a solver or of branch and bound, is proved to be the optimum."""
    if isinstance(found, Solution):
        return found.status is Status.OPTIMAL
    return bool(getattr(found, "proved", False))
