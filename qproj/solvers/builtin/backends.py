"""Exact solvers of other packages that `auto` asks for the proof of one neuron."""

from __future__ import annotations

from typing import Any

from qproj._arrays import SignArray
from qproj.solvers.contract import MissingLicenceError, MissingPackageError, Status, TooLargeError
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
    ) -> Any:
        """Return a solver's solution of one neuron; None where it is not installed, or refuses."""
        try:
            return get_solver(name).solve(
                problem, time_limit_s=limit, seed=seed, hint=hint,
                on_progress=None if progress is None else progress.event,
            )  # fmt: skip
        except (MissingPackageError, MissingLicenceError, TooLargeError):
            self._refused.add(name)
            return None

    def _has(self, name: str) -> bool:
        if name not in self._refused:
            try:
                get_solver(name)
            except (MissingPackageError, MissingLicenceError):
                self._refused.add(name)
        return name not in self._refused


def is_proof(found: Any) -> bool:
    """Whether an answer, of a solver or of branch and bound, is proved to be the optimum."""
    if hasattr(found, "proved"):
        return bool(found.proved)
    return found is not None and found.status is Status.OPTIMAL
