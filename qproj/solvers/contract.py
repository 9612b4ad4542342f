"""The contract between problems and solvers: what a call asks, what comes back, and how a search terminates.

A solver is an object with ``name``, ``capabilities`` and ``solve``; :class:`qproj.solvers.Adapter` gives ``solve`` to
whoever writes build → call → decode. A problem is a :class:`qproj.projections.Problem`: projections are problems, and
``as_problem`` wraps dimod models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, frozen
from qproj.projections.base import Problem
from qproj.solvers.search_progress import OnProgress, SearchProgress

if TYPE_CHECKING:
    import dimod


class Termination(StrEnum):
    """How a search ended. Whether there is an incumbent is a second, separate fact."""

    #: The incumbent is optimal.
    PROVED = "proved"
    #: Every assignment is infeasible.
    REFUTED = "refuted"
    #: The reads, sweeps, iterations or nodes are used up; the result repeats.
    BUDGET = "budget"
    #: The time limit came first; the result need not repeat.
    CLOCK = "clock"
    #: The backend broke off.
    FAILED = "failed"

    def status(self, has_incumbent: bool) -> Status:
        """Return what the caller may conclude from the two facts."""
        return _STATUS[self, bool(has_incumbent)]


class Status(StrEnum):
    """What the caller may conclude."""

    #: The incumbent is optimal, by proof.
    OPTIMAL = "optimal"
    #: No assignment meets the constraints, by proof.
    INFEASIBLE = "infeasible"
    #: There is an incumbent; how good it is, the gap says.
    FEASIBLE = "feasible"
    #: The search ended without an incumbent and without a proof that there is none.
    NO_SOLUTION = "no_solution"
    #: The backend failed before it had an incumbent.
    ERROR = "error"

    @property
    def remedy(self) -> str:
        """The meaning, and what to do."""
        return _REMEDY[self]


_STATUS = {
    (Termination.PROVED, True): Status.OPTIMAL,
    (Termination.PROVED, False): Status.ERROR,  # a proof without its incumbent contradicts itself
    (Termination.REFUTED, False): Status.INFEASIBLE,
    (Termination.REFUTED, True): Status.ERROR,  # likewise
    (Termination.BUDGET, True): Status.FEASIBLE,
    (Termination.BUDGET, False): Status.NO_SOLUTION,
    (Termination.CLOCK, True): Status.FEASIBLE,
    (Termination.CLOCK, False): Status.NO_SOLUTION,
    (Termination.FAILED, True): Status.FEASIBLE,
    (Termination.FAILED, False): Status.ERROR,
}

_REMEDY = {
    Status.OPTIMAL: "proved: no assignment does better",
    Status.INFEASIBLE: "proved: no assignment meets all constraints; relax one of them",
    Status.FEASIBLE: "an incumbent without a proof; raise time_limit_s, or use an exact solver: 'auto', 'cpsat'",
    Status.NO_SOLUTION: "the limit came before any incumbent, which proves nothing; raise time_limit_s or num_reads",
    Status.ERROR: "the backend broke off without an incumbent; see `message`, or use another solver",
}


@dataclass(frozen=True)
class Capabilities:
    """What a solver takes and honours; declared, so that nothing is dropped silently.

    Attributes
    ----------
    forms : frozenset of str
        Kinds of problem that are taken: "projection", "bqm", "cqm".
    exact : bool
        Whether a search ends with a proof, given time.
    seed : bool
        Whether the seed changes the result; a solver that it cannot change accepts it all the same.
    time_limit, num_reads, hint : bool
        Whether they are honoured; where False, num_reads and hint are refused.
    max_variables : int or None
        The largest problem taken, in weights or variables.
    progress : bool
        Whether ``on_progress`` is called during the search; where False, once at the end.
    thread_safe, picklable : bool
        Whether one object may serve several threads; whether it may be sent to other processes.
    stops : bool
        Whether a call that has begun ends at its time limit. Where False, its backend computes in long pieces that
        nothing interrupts; :class:`qproj.Isolated` runs it in a process that can be ended.
    note : str
        Anything else a user should know, such as "emulated".
    """

    forms: frozenset[str]
    exact: bool = False
    seed: bool = True
    time_limit: bool = True
    num_reads: bool = False
    hint: bool = False
    progress: bool = False
    max_variables: int | None = None
    thread_safe: bool = True
    picklable: bool = True
    stops: bool = True
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse forms that no problem has."""
        unknown = sorted(set(self.forms) - {"projection", "bqm", "cqm"})
        if unknown:
            raise ValueError(f"forms holds {', '.join(map(repr, unknown))}; 'projection', 'bqm' and 'cqm' are allowed")


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of one call, split by what they were spent on."""

    build: float = 0.0
    embed: float = 0.0
    queue: float = 0.0
    solve: float = 0.0
    decode: float = 0.0

    @property
    def total(self) -> float:
        """Seconds of all parts together."""
        return self.build + self.embed + self.queue + self.solve + self.decode

    def __add__(self, other: Timing) -> Timing:
        return Timing(
            self.build + other.build,
            self.embed + other.embed,
            self.queue + other.queue,
            self.solve + other.solve,
            self.decode + other.decode,
        )


@dataclass(frozen=True)
class Request:
    """One call's limits, checked.

    Attributes
    ----------
    hint : (d,) array or None
        An assignment to start from.
    deadline : float or None
        The time limit on the clock of ``time.perf_counter``.
    progress : SearchProgress or None
        Where a search reports incumbents and bounds, if anybody listens.
    """

    time_limit_s: float | None = None
    seed: int | None = None
    num_reads: int | None = None
    hint: NDArray[Any] | None = None
    deadline: float | None = None
    progress: SearchProgress | None = None

    def rng(self) -> np.random.Generator:
        """Return a new generator that the seed decides."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver found: incumbent, bound and termination, re-scored from the problem's definition.

    Attributes
    ----------
    best : (d,) array or None
        The candidate of highest gain; None without an incumbent.
    gain, objective : float or None
    bound : float or None
        A valid lower bound on the objective, rounded down.
    termination : Termination
    candidates : (k, d) array
        Best first, by gain; duplicates are kept.
    sampleset : dimod.SampleSet or None
        The sampler's own, in the variables of the model it was given; never None with an incumbent.
    timing : Timing
    gain_bound : float or None
        Upper bound on the gain: the bound without the objective's rounding.
    gap_scale : float or None
        What objective − bound is divided by in ``gap``; None for plain models: max(1, |objective|).
    raw_best : (d,) array or None
        The candidate of lowest energy in the model that was sampled.
    solver, message : str
        The solver's name, and the backend's own words.
    stats : mapping
        The solver's own figures: nodes, reads, chain breaks.
    """

    best: NDArray[Any] | None
    gain: float | None
    objective: float | None
    bound: float | None
    termination: Termination
    candidates: NDArray[Any]
    sampleset: dimod.SampleSet | None
    timing: Timing = Timing()
    gain_bound: float | None = None
    gap_scale: float | None = None
    raw_best: NDArray[Any] | None = None
    solver: str = ""
    message: str = ""
    stats: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_incumbent(self) -> bool:
        """Whether there is an assignment at all."""
        return self.best is not None

    @property
    def status(self) -> Status:
        """What may be concluded: the termination and the incumbent, by one table."""
        return self.termination.status(self.has_incumbent)

    @property
    def gap(self) -> float | None:
        """(objective − bound) / scale: exactly 0 at a proved optimum, at most 1; None without incumbent or bound."""
        if self.objective is None or self.bound is None:
            return None
        if self.termination is Termination.PROVED or self.gap_scale == 0.0:
            return 0.0
        if self.gap_scale is None:
            gap = (self.objective - self.bound) / max(1.0, abs(self.objective))
        elif self.gain_bound is not None and self.gain is not None:
            gap = 2.0 * (self.gain_bound - self.gain) / self.gap_scale
        else:
            gap = (self.objective - self.bound) / self.gap_scale
        return min(1.0, max(0.0, gap))

    def __repr__(self) -> str:
        gap = "none" if self.gap is None else f"{self.gap:.3g}"
        return f"Solution({self.status}, gain={self.gain}, bound={self.bound}, gap={gap}, solver={self.solver!r})"

    def renumbered(self, place: NDArray[np.intp]) -> Self:
        """Return the solution of the same model with its variables in another order: variable i was number place[i]."""

        def moved(array: NDArray[Any] | None) -> Any:
            return None if array is None else frozen(array[..., place])

        return replace(self, best=moved(self.best), candidates=moved(self.candidates), raw_best=moved(self.raw_best))

    def require(self) -> Self:
        """Return self where there is an incumbent; else raise :class:`NoSolutionError`, with the remedy."""
        if self.best is None:
            text = f" ({self.message})" if self.message else ""
            raise NoSolutionError(f"{self.solver or 'the solver'} ended with {self.status}: {self.status.remedy}{text}")
        return self


@runtime_checkable
class Solver(Protocol):
    """An object that solves problems; hyper-parameters belong to its constructor."""

    @property
    def name(self) -> str:
        """The name in the registry and in results."""

    @property
    def capabilities(self) -> Capabilities:
        """What the solver takes, honours and promises."""

    def solve(
        self,
        problem: Any,
        *,
        time_limit_s: float | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        hint: ArrayLike | None = None,
        on_progress: OnProgress | None = None,
    ) -> Solution:
        """Return the solution of one problem; see :class:`qproj.solvers.Adapter`."""


class NoSolutionError(RuntimeError):
    """A solution was required, and there is none."""


class MalformedSolutionError(RuntimeError):
    """A solver returned an object that is not a solution of the problem it was given."""


class MissingPackageError(ImportError):
    """The backend is not installed; the message names the extra."""


class MissingLicenceError(RuntimeError):
    """The backend is installed, and refuses to work without a licence."""


class MissingTokenError(RuntimeError):
    """The backend is installed, and no token for its service is configured."""


class TooLargeError(ValueError):
    """The problem exceeds what the solver takes; the message names one that can."""


#: The keywords of every solver's ``solve``.
LIMITS = ("time_limit_s", "seed", "num_reads", "hint", "on_progress")


def check_limits(time_limit_s: object, seed: object, num_reads: object) -> None:
    """Refuse limits without a meaning: TypeError for a wrong type, ValueError for a wrong value."""
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
    """Refuse what the solver does not declare, naming solvers that do."""
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


def checked_hint(hint: ArrayLike, problem: Problem) -> FloatArray:
    """Return the hint as an array, or raise ValueError where it is not an assignment of the problem."""
    array = np.asarray(hint)
    if array.shape != (problem.num_variables,):
        raise ValueError(f"hint has shape {array.shape}; ({problem.num_variables},) is needed")
    problem.gain(array)  # refuses values outside the problem's domain
    return array


def check_positive(**values: object) -> None:
    """Raise TypeError or ValueError where a hyper-parameter is not a whole number ≥ 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"{name} is {value!r}; an integer ≥ 1 is needed")
        if value < 1:
            raise ValueError(f"{name} is {value}; an integer ≥ 1 is needed")


def solver_name(solver: Any) -> str:
    """Return the solver's name, or its class's where it has none."""
    return str(getattr(solver, "name", type(solver).__name__))
