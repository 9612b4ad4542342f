"""The contract between problems and solvers: what is asked, what comes back, and what each ending means.

A solver is anything with ``capabilities``, ``solve`` and ``solve_many``; :class:`qproj.solvers.adapter.Adapter` gives
the last two to whoever writes build → call → decode. A problem is anything with the :class:`Problem` protocol:
projections are, and ``as_problem`` wraps dimod models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray
from qproj._options import nearest
from qproj.projections.base import Problem

if TYPE_CHECKING:
    import dimod


class Ending(StrEnum):
    """How a search ended; whether it holds an incumbent is a second, separate fact."""

    PROVED = "proved"  # the incumbent is optimal
    REFUTED = "refuted"  # there is no feasible assignment
    STOPPED = "stopped"  # by its clock or its budget; proves nothing
    FAILED = "failed"  # the backend broke off


class EndedBy(StrEnum):
    """What ended the search: a result that the clock cut short does not repeat."""

    PROOF = "proof"
    BUDGET = "budget"
    CLOCK = "clock"
    ERROR = "error"


class Status(StrEnum):
    """What the caller may conclude."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    FEASIBLE = "feasible"
    NO_SOLUTION = "no_solution"
    ERROR = "error"

    @property
    def remedy(self) -> str:
        """What it means and what to do."""
        return _REMEDY[self]


_REMEDY = {
    Status.OPTIMAL: "proved: no assignment does better",
    Status.INFEASIBLE: "proved: no assignment meets all constraints; relax one of them",
    Status.FEASIBLE: "an incumbent without a proof; raise time_limit_s, or use an exact solver: 'auto', 'cpsat'",
    Status.NO_SOLUTION: "the limit came before any incumbent, which proves nothing; raise time_limit_s or num_reads",
    Status.ERROR: "the backend broke off without an incumbent; see `message`, or use another solver",
}

_VERDICT = {
    (Ending.PROVED, True): Status.OPTIMAL,
    (Ending.PROVED, False): Status.ERROR,  # a proof of what? the backend contradicts itself
    (Ending.REFUTED, False): Status.INFEASIBLE,
    (Ending.REFUTED, True): Status.ERROR,  # likewise
    (Ending.STOPPED, True): Status.FEASIBLE,
    (Ending.STOPPED, False): Status.NO_SOLUTION,
    (Ending.FAILED, True): Status.FEASIBLE,
    (Ending.FAILED, False): Status.ERROR,
}


def verdict(ending: Ending, has_incumbent: bool) -> Status:
    """Return the status that follows from the two facts."""
    return _VERDICT[Ending(ending), bool(has_incumbent)]


@dataclass(frozen=True)
class Capabilities:
    """What a solver takes and honours; declared, so that nothing is dropped silently.

    Attributes
    ----------
    forms : frozenset of str
        Kinds of problem taken: "projection", "bqm", "cqm".
    exact : bool
        Ends with a proof, given time.
    seed : bool
        The seed changes the result (one that it cannot change is accepted all the same).
    time_limit, num_reads, hint : bool
        Honoured; where False, num_reads and hint are refused.
    max_variables : int or None
        Largest problem taken, in weights or variables.
    thread_safe, picklable : bool
        May be shared among threads; may be sent to other processes.
    note : str
        Anything a user should know, such as "emulated".
    """

    forms: frozenset[str]
    exact: bool = False
    seed: bool = True
    time_limit: bool = True
    num_reads: bool = False
    hint: bool = False
    max_variables: int | None = None
    thread_safe: bool = True
    picklable: bool = True
    note: str = ""


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds: one solve, split by what they were spent on."""

    build: float = 0.0
    embed: float = 0.0
    queue: float = 0.0
    solve: float = 0.0
    decode: float = 0.0

    @property
    def total(self) -> float:
        return self.build + self.embed + self.queue + self.solve + self.decode


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver found: incumbent, bound and ending, re-scored from the problem's definition.

    Attributes
    ----------
    best : (d,) array or None
        The candidate of highest gain; None without an incumbent.
    gain, objective : float or None
    bound : float or None
        A valid lower bound on the objective, rounded down.
    ending : Ending
    candidates : (k, d) array
        Best first, by gain; duplicates kept.
    sampleset : dimod.SampleSet or None
        What the sampler returned, in the variables of the model it was given; never None with an incumbent.
    timing : Timing
    ended_by : EndedBy
    gain_bound : float or None
        Upper bound on the gain: the bound without the objective's rounding.
    gap_scale : float or None
        What objective − bound is divided by in ``gap``; None for plain models: max(1, |objective|).
    raw_best : (d,) array or None
        The candidate of lowest energy in the model that was sampled.
    solver, message : str
        Who, and the backend's own words.
    stats : mapping
        The solver's own figures: nodes, reads, chain breaks.
    """

    best: NDArray[Any] | None
    gain: float | None
    objective: float | None
    bound: float | None
    ending: Ending
    candidates: NDArray[Any]
    sampleset: dimod.SampleSet | None
    timing: Timing = Timing()
    ended_by: EndedBy = EndedBy.BUDGET
    gain_bound: float | None = None
    gap_scale: float | None = None
    raw_best: NDArray[Any] | None = None
    solver: str = ""
    message: str = ""
    stats: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_incumbent(self) -> bool:
        return self.best is not None

    @property
    def status(self) -> Status:
        return verdict(self.ending, self.has_incumbent)

    @property
    def gap(self) -> float | None:
        """(objective − bound) / scale: exactly 0 at a proved optimum, at most 1; None without incumbent or bound."""
        if self.objective is None or self.bound is None:
            return None
        if self.status is Status.OPTIMAL:
            return 0.0
        if self.gap_scale is None:
            return max(0.0, self.objective - self.bound) / max(1.0, abs(self.objective))
        if self.gap_scale == 0.0:
            return 0.0
        if self.gain_bound is not None and self.gain is not None:
            return min(1.0, max(0.0, 2.0 * (self.gain_bound - self.gain) / self.gap_scale))
        return min(1.0, max(0.0, (self.objective - self.bound) / self.gap_scale))

    def __repr__(self) -> str:
        gap = "none" if self.gap is None else f"{self.gap:.3g}"
        return f"Solution({self.status}, gain={self.gain}, bound={self.bound}, gap={gap}, solver={self.solver!r})"

    def require(self) -> Self:
        """Return self where there is an incumbent; raise :class:`NoSolutionError`, with the remedy, where not."""
        if self.best is None:
            text = f" ({self.message})" if self.message else ""
            raise NoSolutionError(f"{self.solver or 'the solver'} ended with {self.status}: {self.status.remedy}{text}")
        return self


@runtime_checkable
class Solver(Protocol):
    """Anything that solves problems; hyper-parameters belong to its constructor."""

    @property
    def capabilities(self) -> Capabilities: ...

    def solve(
        self,
        problem: Any,
        *,
        time_limit_s: float | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        hint: ArrayLike | None = None,
    ) -> Solution: ...


class NoSolutionError(RuntimeError):
    """A solution was required, and there is none."""


class MissingPackageError(ImportError):
    """The backend is not installed; the message names the extra."""


class MissingLicenceError(RuntimeError):
    """The backend is installed, and refuses to work without a licence."""


class MissingTokenError(RuntimeError):
    """The backend is installed, and nobody is signed in to its service."""


class TooLargeError(ValueError):
    """The problem exceeds what the solver takes; the message names one that can."""


@dataclass(frozen=True)
class Request:
    """One call's limits, checked.

    Attributes
    ----------
    deadline : float or None
        On ``time.perf_counter``'s clock.
    """

    time_limit_s: float | None = None
    seed: int | None = None
    num_reads: int | None = None
    hint: FloatArray | None = None
    deadline: float | None = None

    def rng(self) -> np.random.Generator:
        """Return a generator of its own, fixed by the seed."""
        return np.random.default_rng(self.seed)


#: The keywords of every solver's ``solve``.
LIMITS = ("time_limit_s", "seed", "num_reads", "hint")


def check_limits(time_limit_s: object, seed: object, num_reads: object) -> None:
    """Refuse limits that mean nothing: TypeError for a wrong type, ValueError for a wrong value."""
    if time_limit_s is not None:
        if isinstance(time_limit_s, bool) or not isinstance(time_limit_s, (int, float, np.number)):
            raise TypeError(f"time_limit_s is {time_limit_s!r}; seconds, or None, are allowed")
        if not 0 < float(time_limit_s) < np.inf:
            raise ValueError(
                f"time_limit_s is {time_limit_s}; a finite number of seconds > 0 is allowed, or None for no limit"
            )
    for name, value, least in (("seed", seed, 0), ("num_reads", num_reads, 1)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"{name} is {value!r}; an integer, or None, is allowed")
        if value < least:
            raise ValueError(f"{name} is {value}; an integer ≥ {least} is allowed, or None")


def check_capabilities(
    name: str, capabilities: Capabilities, problem: Problem, num_reads: int | None, hint: object
) -> None:
    """Refuse what the solver does not declare, naming what can do it."""
    if problem.kind not in capabilities.forms:
        able = {"cqm": "'cpsat', 'highs', 'gurobi' or 'scip'", "bqm": "'sa', 'tabu' or 'cpsat'"}.get(
            problem.kind, "'auto'"
        )
        raise TypeError(f"{name} takes {' and '.join(sorted(capabilities.forms))}, not a {problem.kind}; use {able}")
    if num_reads is not None and not capabilities.num_reads:
        raise TypeError(f"{name} has no num_reads: it does not sample; use time_limit_s, or 'sa', 'sqa', 'tabu'")
    if hint is not None and not capabilities.hint:
        raise TypeError(f"{name} takes no hint; 'auto', 'local-search' and 'cpsat' do")
    limit = capabilities.max_variables
    if limit is not None and problem.num_variables > limit:
        raise TooLargeError(
            f"{problem.num_variables} variables exceed {name} ({limit}); use 'auto', 'local-search' or 'sa'"
        )


__all__ = [
    "Capabilities", "EndedBy", "Ending", "MissingLicenceError", "MissingPackageError", "MissingTokenError",
    "NoSolutionError", "Problem", "Request", "Solution", "Solver", "Status", "Timing", "TooLargeError",
    "check_capabilities", "check_limits", "nearest", "verdict",
]  # fmt: skip
