"""The runs of a study: neurons × solvers × encodings × budgets × seeds, every run keyed by its content."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from qproj._options import nearest
from qproj.lab.datasets.instances import require_unique
from qproj.lab.studies.stored_problems import Instance
from qproj.projections import SignProjection
from qproj.solvers.contract import Capabilities, check_limits
from qproj.solvers.specs import SolverSpec, parse_solver, takes_encoding

#: Part of every run's key: raised when a run comes to mean something else.
KEY_VERSION = 1
#: Runs per batch, which one worker does in turn: exact solvers may take long over each.
EXACT_BATCH, HEURISTIC_BATCH = 4, 16
#: The null models: what chance reaches, without and with descent.
NULLS = ("random", "polished(random)")


@dataclass(frozen=True)
class RunLimits:
    """Reads, time limit and seed of a run, None for the solver's own; and the names of those withheld from it."""

    num_reads: int | None
    time_limit_s: float | None
    seed: int | None
    withheld: tuple[str, ...] = ()

    def declared(self, capabilities: Capabilities) -> RunLimits:
        """Return the part that a solver declares it takes; the rest, and a seed without effect, are withheld."""
        takes = {
            "num_reads": capabilities.num_reads, "time_limit_s": capabilities.time_limit, "seed": capabilities.seed
        }  # fmt: skip
        withheld = tuple(name for name in takes if not takes[name] and getattr(self, name) is not None)
        return replace(self, **dict.fromkeys(withheld), withheld=withheld)

    def keywords(self, seed: int | None) -> dict[str, Any]:
        """Return what ``solve`` is called with; `seed` is the neuron's own (:func:`solver_seed`)."""
        asked = {"num_reads": self.num_reads, "time_limit_s": self.time_limit_s, "seed": seed}
        return {name: value for name, value in asked.items() if value is not None}


@dataclass(frozen=True)
class PlannedSolver:
    """A solver of the plan: its spec, or the object that a Python caller gave, and its declared capabilities."""

    text: str
    name: str
    encoding: str
    capabilities: Capabilities
    spec: SolverSpec | None
    given: Any = None
    is_null: bool = False
    costs_money: bool = False

    def make(self) -> Any:
        """Return the solver itself."""
        return self.given if self.spec is None else self.spec.make()


@dataclass(frozen=True)
class PlannedRun:
    """One row of the study: one neuron × solver × encoding × budget × seed.

    Attributes
    ----------
    key : str
        SHA-256 of all that decides the run (:func:`run_key`).
    instance, neuron, solver : int
        Places in the plan; the neuron's is its column of T.
    limits : RunLimits
    """

    key: str
    instance: int
    neuron: int
    solver: int
    limits: RunLimits


#: Runs of one study at most: each takes space in the store and in the plan.
MOST_RUNS = 2_000_000


@dataclass(frozen=True)
class RunBatch:
    """Runs that one worker does one after the other: neurons of one layer by one solver within one budget."""

    key: str
    runs: tuple[PlannedRun, ...]

    @classmethod
    def of(cls, runs: Sequence[PlannedRun]) -> RunBatch:
        """Return the batch of these runs; its key is the digest of theirs."""
        return cls(hashlib.sha256("".join(run.key for run in runs).encode()).hexdigest(), tuple(runs))


@dataclass(frozen=True)
class StudyPlan:
    """Everything that a study runs.

    Attributes
    ----------
    instances : tuple of LayerInstance or ModelInstance
    solvers : tuple of PlannedSolver
    limits : tuple of RunLimits
        Reads × time limits × seeds, as they were asked for.
    record_progress : bool
        Keep the events of each search.
    """

    instances: tuple[Instance, ...]
    solvers: tuple[PlannedSolver, ...]
    limits: tuple[RunLimits, ...]
    record_progress: bool = False

    @cached_property
    def batches(self) -> list[RunBatch]:
        """All batches, those of exact solvers first: they take longest, and the end of a study should not wait."""
        order = sorted(range(len(self.solvers)), key=lambda i: not self.solvers[i].capabilities.exact)
        batches = []
        for number in order:
            solver = self.solvers[number]
            size = EXACT_BATCH if solver.capabilities.exact else HEURISTIC_BATCH
            for place, instance in enumerate(self.instances):
                # each once: where reads or seed are withheld, limits that differ in them are one run
                for limits in dict.fromkeys(asked.declared(solver.capabilities) for asked in self.limits):
                    runs = [
                        PlannedRun(run_key(instance, j, solver.text, limits), place, j, number, limits)
                        for j in range(instance.num_neurons)
                    ]
                    batches += [RunBatch.of(runs[i : i + size]) for i in range(0, len(runs), size)]
        return batches

    @property
    def runs(self) -> Iterator[PlannedRun]:
        return (run for batch in self.batches for run in batch.runs)

    @cached_property
    def num_runs(self) -> int:
        return sum(len(batch.runs) for batch in self.batches)

    @property
    def seeds(self) -> list[int]:
        return list(dict.fromkeys(asked.seed for asked in self.limits if asked.seed is not None))

    @property
    def num_neurons(self) -> int:
        return sum(instance.num_neurons for instance in self.instances)


def make_plan(
    instances: Sequence[Instance],
    solvers: Sequence[SolverSpec | Any],
    *,
    encodings: Sequence[str] = (),
    reads: Sequence[int | None] = (100,),
    time_limits_s: Sequence[float | None] = (5.0,),
    seeds: int | Sequence[int] = 3,
    nulls: bool = True,
    record_progress: bool = False,
) -> StudyPlan:
    """Return the plan of a study.

    Parameters
    ----------
    instances : sequence of LayerInstance or ModelInstance
    solvers : sequence of SolverSpec or Solver
        Solver objects need a ``name`` of their own.
    encodings : sequence of str
        Every solver that takes an encoding and leaves it open runs once with each; empty: its default.
    reads, time_limits_s : sequences
        Budgets are their cross product.
    seeds : int or sequence of int
        A count, for the seeds 0, 1, …, or the seeds themselves.
    nulls : bool
        Add ``random`` where anything samples, and ``polished(random)`` where anything descends.
    record_progress : bool
        Keep incumbent and bound of each search over time, as far as its solver reports them.

    Raises
    ------
    ValueError, TypeError
        Nothing to run, an unknown encoding, a limit or seed that no solver takes, two layers of one name.
    """
    if not instances:
        raise ValueError("no instance is given; name a source, such as 'digits'")
    require_unique(instances)  # type: ignore[arg-type]
    for encoding in encodings:
        if encoding not in SignProjection.encodings:
            raise ValueError(f"unknown encoding {encoding!r}; {nearest(encoding, SignProjection.encodings)}")
    numbers = seed_numbers(seeds)
    runs = len(reads) * len(time_limits_s) * len(numbers) * sum(instance.num_neurons for instance in instances)
    if runs * len(solvers) > MOST_RUNS:
        raise ValueError(
            f"budgets × seeds × neurons × solvers are {runs * len(solvers):,} runs; at most {MOST_RUNS:,} are allowed "
            "in one study: give fewer seeds, or max_neurons"
        )
    asked = itertools.product(dict.fromkeys(reads), dict.fromkeys(time_limits_s), numbers)
    limits = tuple(RunLimits(*one) for one in asked)
    if not limits:
        raise ValueError("no budget is given; give at least one of reads and time limits, None for the default")
    for one in limits:
        check_limits(one.time_limit_s, one.seed, one.num_reads)
    return StudyPlan(tuple(instances), _planned(solvers, encodings, nulls), limits, record_progress)


def seed_numbers(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """Return the seeds that a count (0, 1, …) or a list stands for.

    Raises
    ------
    ValueError, TypeError
        No seed, one that is negative or not an integer, or one that is there twice.
    """
    count = seeds if isinstance(seeds, int) else len(seeds)
    if count > MOST_RUNS:
        raise ValueError(f"seeds is {seeds if count == seeds else count}; at most {MOST_RUNS:,} are allowed")
    numbers = tuple(range(seeds)) if isinstance(seeds, int) and not isinstance(seeds, bool) else tuple(seeds)  # type: ignore[arg-type]
    if not numbers:
        raise ValueError(f"seeds is {seeds!r}; at least one seed is needed")
    for number in numbers:
        check_limits(None, number, None)
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"seeds is {list(numbers)}; each seed once")
    return numbers


def _planned(solvers: Sequence[Any], encodings: Sequence[str], nulls: bool) -> tuple[PlannedSolver, ...]:
    listed: list[PlannedSolver] = []
    for solver in solvers:
        if not isinstance(solver, SolverSpec):
            listed.append(_of_object(solver))
            continue
        choices = encodings if encodings and takes_encoding(solver) else ()
        specs = [solver.with_option("encoding", encoding) for encoding in choices] or [solver]
        listed += [planned_solver(spec) for spec in specs]
    if not listed:
        raise ValueError("no solver is given; name at least one, such as 'auto': `qproj solvers` lists them")
    found = {solver.text: solver for solver in listed}
    if nulls:
        samples = any(solver.capabilities.num_reads for solver in found.values())
        descends = any(text.startswith(("polished(", "refined(")) for text in found)
        for text, wanted in zip(NULLS, (samples, descends), strict=True):
            if wanted and text not in found:
                found[text] = planned_solver(parse_solver(text))
    return tuple(found.values())


def planned_solver(spec: SolverSpec) -> PlannedSolver:
    """Return a spec with its solver's capabilities; makes the solver once, so that bad values fail before any run."""
    made = spec.make()
    return PlannedSolver(
        spec.text, spec.base, _encoding_of(made), made.capabilities, spec, is_null=spec.text in NULLS,
        costs_money=type(innermost(made)).availability().token is not None,
    )  # fmt: skip


def _of_object(solver: Any) -> PlannedSolver:
    if not callable(getattr(solver, "solve", None)) or not isinstance(
        getattr(solver, "capabilities", None), Capabilities
    ):
        raise TypeError(
            f"{type(solver).__name__} is not a solver; pass a spec, or an object with solve and capabilities"
        )
    name = str(getattr(solver, "name", type(solver).__name__))
    return PlannedSolver(name, name, _encoding_of(solver), solver.capabilities, None, given=solver)


def innermost(solver: Any) -> Any:
    """Return the solver inside all composites."""
    while hasattr(solver, "solver"):
        solver = solver.solver
    return solver


def _encoding_of(solver: Any) -> str:
    encoding = getattr(innermost(solver), "encoding", "")
    return encoding if isinstance(encoding, str) else ""


def run_key(instance: Instance, neuron: int, solver: str, limits: RunLimits) -> str:
    """Return the SHA-256 of a run: its problem, its solver and its limits."""
    asked = [KEY_VERSION, instance.key, neuron, solver, limits.num_reads, limits.time_limit_s, limits.seed]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def solver_seed(problem_key: str, seed: int | None) -> int | None:
    """Return the seed that the solver gets: one for each neuron, whatever the order or number of workers."""
    if seed is None:
        return None
    state = np.random.SeedSequence([seed, int(problem_key[:16], 16)]).generate_state(1, np.uint32)
    return int(state[0] >> 1)
