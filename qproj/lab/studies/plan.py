"""What a study is going to run: neurons × solvers × encodings × budgets × seeds, every run keyed by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from qproj.lab.datasets.instances import require_unique
from qproj.lab.studies.stored_problems import Instance
from qproj.projections.sign import ENCODINGS
from qproj.solvers.contract import Capabilities, check_limits
from qproj.solvers.specs import SolverSpec, parse_solver, takes_encoding

#: Part of every run's key: raised when a run comes to mean something else.
KEY_VERSION = 1
#: Neurons that one task of a worker holds: exact solvers may take long over each.
EXACT_BATCH, HEURISTIC_BATCH = 4, 16


@dataclass(frozen=True)
class Budget:
    """One budget of the cross product; None: the solver's own default."""

    reads: int | None = None
    time_limit_s: float | None = None


@dataclass(frozen=True)
class Limits:
    """What one solver is given of a budget, by its declared capabilities, and what was withheld."""

    num_reads: int | None
    time_limit_s: float | None
    seed: int | None
    withheld: tuple[str, ...]

    @classmethod
    def of(cls, capabilities: Capabilities, budget: Budget, seed: int) -> Limits:
        """Return the part of a budget that the capabilities declare; a seed that changes nothing is withheld too."""
        withheld = []
        if budget.reads is not None and not capabilities.num_reads:
            withheld.append("num_reads")
        if budget.time_limit_s is not None and not capabilities.time_limit:
            withheld.append("time_limit_s")
        if not capabilities.seed:
            withheld.append("seed")
        return cls(
            budget.reads if capabilities.num_reads else None,
            budget.time_limit_s if capabilities.time_limit else None,
            seed if capabilities.seed else None,
            tuple(withheld),
        )


@dataclass(frozen=True)
class PlannedSolver:
    """A solver of the plan: its spec (or the object that a Python caller gave) and what it declares."""

    text: str
    name: str
    encoding: str
    capabilities: Capabilities
    spec: SolverSpec | None
    made: Any = None
    is_null: bool = False
    costs_money: bool = False

    def make(self) -> Any:
        """Return the solver itself."""
        return self.made if self.spec is None else self.spec.make()


@dataclass(frozen=True)
class Run:
    """One row of the study: one neuron × solver × encoding × budget × seed."""

    key: str
    instance: int
    neuron: int
    solver: int
    limits: Limits


@dataclass(frozen=True)
class Batch:
    """Runs that one worker does one after the other: neurons of one layer by one solver within one budget."""

    key: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Plan:
    """Everything that a study runs.

    Attributes
    ----------
    instances : tuple of LayerInstance or ModelInstance
    solvers : tuple of PlannedSolver
    budgets : tuple of Budget
    seeds : tuple of int
    """

    instances: tuple[Instance, ...]
    solvers: tuple[PlannedSolver, ...]
    budgets: tuple[Budget, ...]
    seeds: tuple[int, ...]

    @cached_property
    def batches(self) -> list[Batch]:
        """All batches, those of exact solvers first: they take longest, and the end of a study should not wait."""
        order = sorted(range(len(self.solvers)), key=lambda i: not self.solvers[i].capabilities.exact)
        batches = []
        for number in order:
            solver = self.solvers[number]
            size = EXACT_BATCH if solver.capabilities.exact else HEURISTIC_BATCH
            for place, instance in enumerate(self.instances):
                for limits in self._limits(solver):
                    runs = [
                        Run(run_key(instance, j, solver.text, limits), place, j, number, limits)
                        for j in range(instance.num_neurons)
                    ]
                    batches += [_batch(runs[i : i + size]) for i in range(0, len(runs), size)]
        return batches

    def _limits(self, solver: PlannedSolver) -> list[Limits]:
        """Each once: where reads or seed are withheld, budgets and seeds that differ in them are one run."""
        found = [Limits.of(solver.capabilities, b, s) for b in self.budgets for s in self.seeds]
        return list(dict.fromkeys(found))

    @property
    def runs(self) -> Iterator[Run]:
        return (run for batch in self.batches for run in batch.runs)

    @cached_property
    def num_runs(self) -> int:
        return sum(len(batch.runs) for batch in self.batches)

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
) -> Plan:
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
        A number means 0, 1, …
    nulls : bool
        Add ``random`` where anything samples, and ``polished(random)`` where anything descends.

    Raises
    ------
    ValueError, TypeError
        Nothing to run, an unknown encoding, limits that mean nothing, two layers or solvers of one name.
    """
    if not instances:
        raise ValueError("no instance is given; name a source, such as 'digits'")
    require_unique(instances)  # type: ignore[arg-type]
    for encoding in encodings:
        if encoding not in ENCODINGS:
            raise ValueError(f"unknown encoding {encoding!r}; there are {', '.join(ENCODINGS)}")
    numbers = tuple(range(seeds)) if isinstance(seeds, int) and not isinstance(seeds, bool) else tuple(seeds)  # type: ignore[arg-type]
    if not numbers:
        raise ValueError(f"seeds is {seeds!r}; at least one seed is needed")
    budgets = tuple(dict.fromkeys(Budget(r, t) for r in reads for t in time_limits_s))
    if not budgets:
        raise ValueError("no budget is given; give at least one of reads and time limits, None for the default")
    for budget in budgets:
        check_limits(budget.time_limit_s, 0, budget.reads)
    for number in numbers:
        check_limits(None, number, None)
    planned = _planned(solvers, encodings, nulls)
    return Plan(tuple(instances), planned, budgets, tuple(dict.fromkeys(numbers)))


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
        wanted = []
        if any(s.capabilities.num_reads for s in found.values()):
            wanted.append("random")
        if any(s.text.startswith(("polished(", "refined(")) for s in found.values()):
            wanted.append("polished(random)")
        for text in wanted:
            if text not in found:
                found[text] = planned_solver(parse_solver(text))
    return tuple(found.values())


def planned_solver(spec: SolverSpec) -> PlannedSolver:
    """Return a spec with what the solver declares; makes it once, so that bad values fail before any run."""
    made = spec.make()
    return PlannedSolver(
        spec.text, spec.base, _encoding_of(made), made.capabilities, spec,
        is_null=spec.text in ("random", "polished(random)"),
        costs_money=type(_innermost(made)).availability().token is not None,
    )  # fmt: skip


def _of_object(solver: Any) -> PlannedSolver:
    if not callable(getattr(solver, "solve", None)) or not isinstance(
        getattr(solver, "capabilities", None), Capabilities
    ):
        raise TypeError(f"{type(solver).__name__} is no solver; pass a spec, or an object with solve and capabilities")
    name = str(getattr(solver, "name", type(solver).__name__))
    return PlannedSolver(name, name, _encoding_of(solver), solver.capabilities, None, made=solver)


def _innermost(solver: Any) -> Any:
    while hasattr(solver, "solver"):
        solver = solver.solver
    return solver


def _encoding_of(solver: Any) -> str:
    encoding = getattr(_innermost(solver), "encoding", "")
    return encoding if isinstance(encoding, str) else ""


def run_key(instance: Instance, neuron: int, solver: str, limits: Limits) -> str:
    """Return the SHA-256 that names a run: what is solved, by what, within which limits."""
    asked = [KEY_VERSION, instance.key, neuron, solver, limits.num_reads, limits.time_limit_s, limits.seed]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def solver_seed(problem_key: str, seed: int | None) -> int | None:
    """Return the seed that the solver gets: one for each neuron, whatever the order or number of workers."""
    if seed is None:
        return None
    state = np.random.SeedSequence([seed, int(problem_key[:16], 16)]).generate_state(1, np.uint32)
    return int(state[0] >> 1)


def _batch(runs: Sequence[Run]) -> Batch:
    digest = hashlib.sha256("".join(run.key for run in runs).encode())
    return Batch(digest.hexdigest(), tuple(runs))
