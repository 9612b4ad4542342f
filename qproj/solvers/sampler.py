"""dimod samplers as solvers: SA, path-integral SQA, tabu, greedy and tree decomposition, and any other in one line.

A sampler sees an encoding of the projection, scaled to coefficients of at most 1, over integer labels in a canonical
order; every read is decoded and ranked by its true gain.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

import dimod
import numpy as np

from qproj.projections import SignProjection
from qproj.projections.options import nearest
from qproj.solving import Adapter, Capabilities, EndedBy, Found, Request
from qproj.solving.sampling import Model, decode_reads, require_positive, sampled_model

PLAIN_AND_PROJECTIONS = frozenset({"projection", "bqm"})
_SAMPLING = Capabilities(forms=PLAIN_AND_PROJECTIONS, exact=False, seed=True, num_reads=True)

#: Reads drawn without num_reads and without a time limit.
DEFAULT_READS = 100


class SamplerSolver(Adapter):
    """min objective(v) by reads of a dimod sampler, on an encoding of the projection or on a plain BQM.

    Parameters
    ----------
    sampler : dimod.Sampler
    encoding : str, Encoding options
        Name of the sign projection's encoding; other projections have one only.
    encoding_options : mapping
    parameters : keyword arguments
        Passed to every ``sample`` call; checked against ``sampler.parameters``.
    """

    name: ClassVar[str] = "from_sampler"
    capabilities = _SAMPLING
    #: Names of the sampler's own parameters: (reads, seed); None where it has no such thing.
    _reads_name: str | None = "num_reads"
    _seed_name: str | None = "seed"

    def __init__(
        self,
        sampler: Any,
        *,
        encoding: str = "margin",
        encoding_options: Mapping[str, Any] | None = None,
        name: str | None = None,
        **parameters: Any,
    ) -> None:
        self.sampler = sampler
        self.encoding = encoding
        self.encoding_options = dict(encoding_options or {})
        self.parameters = parameters
        if name is not None:
            self.name = name  # type: ignore[misc]
        SignProjection([[1]], [1.0]).encode(encoding, **self.encoding_options)  # a misspelt encoding fails here

    def build(self, problem: Any, ask: Request) -> Model:
        return sampled_model(problem, self.encoding, self.encoding_options)

    def call(self, model: Model, ask: Request) -> tuple[Model, dimod.SampleSet, EndedBy]:
        sampleset, ended_by = self.sample_model(model, ask)
        return model, sampleset, ended_by

    def decode(self, raw: tuple[Model, dimod.SampleSet, EndedBy], problem: Any) -> Found:
        model, sampleset, ended_by = raw
        return decode_reads(model, sampleset, problem, ended_by)

    def sample_model(self, model: Model, ask: Request) -> tuple[dimod.SampleSet, EndedBy]:
        """Return reads of the scaled model: num_reads of them, or as many as the time limit allows."""
        if not model.bqm.num_variables:
            return dimod.SampleSet.from_samples_bqm([{}], model.bqm), EndedBy.BUDGET
        if ask.deadline is None:
            return self.sample(model.bqm, ask.num_reads or self.default_reads, _seed(ask, 0), None), EndedBy.BUDGET
        return self._until(model, ask, ask.deadline)

    @property
    def default_reads(self) -> int:
        return DEFAULT_READS

    def _until(self, model: Model, ask: Request, deadline: float) -> tuple[dimod.SampleSet, EndedBy]:
        batches: list[dimod.SampleSet] = []
        wanted, drawn, size = ask.num_reads, 0, 1
        while wanted is None or drawn < wanted:
            start = time.perf_counter()
            if batches and start >= deadline:
                break
            count = size if wanted is None else min(size, wanted - drawn)
            batches.append(self.sample(model.bqm, count, _seed(ask, len(batches)), deadline))
            drawn += count
            spent = max(time.perf_counter() - start, 1e-6)
            left = deadline - time.perf_counter()
            size = max(1, min(2 * size, int(0.5 * left / (spent / count))))
        done = wanted is not None and drawn >= wanted
        return dimod.concatenate(batches), EndedBy.BUDGET if done else EndedBy.CLOCK

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, num_reads: int, seed: int | None, deadline: float | None
    ) -> dimod.SampleSet:
        """Return `num_reads` reads of one model."""
        arguments = dict(self.parameters)
        if self._reads_name is not None:
            arguments[self._reads_name] = num_reads
        if self._seed_name is not None and seed is not None:
            arguments[self._seed_name] = seed
        if self._reads_name is not None:
            reads: dimod.SampleSet = self.sampler.sample(bqm, **arguments)
            return reads
        single: dimod.SampleSet = dimod.concatenate([self.sampler.sample(bqm, **arguments) for _ in range(num_reads)])
        return single


def _seed(ask: Request, batch: int) -> int | None:
    """A seed of its own for every batch, fixed by the request's; 31 bits, which every sampler takes."""
    if ask.seed is None:
        return None
    return int(np.random.SeedSequence([ask.seed, batch]).generate_state(1, np.uint32)[0] >> 1)


class SimulatedAnnealing(SamplerSolver):
    """Simulated annealing of dwave-samplers (``sa``).

    Parameters
    ----------
    encoding : str
        "margin" by default: its best read is far better than the slack encodings' (docs: findings).
    num_sweeps : int
        A read.
    beta_schedule_type : str
        "geometric" or "linear".
    """

    name = "sa"

    def __init__(
        self, *, encoding: str = "margin", num_sweeps: int = 1000, beta_schedule_type: str = "geometric",
        encoding_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        from dwave.samplers import SimulatedAnnealingSampler

        require_positive(num_sweeps=num_sweeps)
        if beta_schedule_type not in ("geometric", "linear"):
            raise ValueError(f"unknown beta_schedule_type {beta_schedule_type!r}; 'geometric' or 'linear'")
        super().__init__(
            SimulatedAnnealingSampler(), encoding=encoding, encoding_options=encoding_options,
            num_sweeps=num_sweeps, beta_schedule_type=beta_schedule_type,
        )  # fmt: skip

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, num_reads: int, seed: int | None, deadline: float | None
    ) -> dimod.SampleSet:
        """Return reads; a deadline stops between reads."""
        stop = None if deadline is None else lambda: time.perf_counter() >= deadline
        reads: dimod.SampleSet = self.sampler.sample(
            bqm, num_reads=num_reads, seed=seed, interrupt_function=stop, **self.parameters
        )
        return reads


class PathIntegralAnnealing(SamplerSolver):
    """Simulated quantum annealing, path-integral Monte Carlo of dwave-samplers (``sqa``).

    Parameters
    ----------
    encoding : str
    num_sweeps : int
        A read.
    """

    name = "sqa"

    def __init__(
        self,
        *,
        encoding: str = "margin",
        num_sweeps: int = 200,
        encoding_options: Mapping[str, Any] | None = None,
    ) -> None:
        from dwave.samplers import PathIntegralAnnealingSampler

        require_positive(num_sweeps=num_sweeps)
        super().__init__(
            PathIntegralAnnealingSampler(),
            encoding=encoding,
            encoding_options=encoding_options,
            num_sweeps=num_sweeps,
        )


class Tabu(SamplerSolver):
    """Tabu search of dwave-samplers (``tabu``): many short restarts, each of `restart_timeout_s`.

    A restart ends by its own clock unless `num_restarts` ends it first, so a seed repeats only on an idle machine with
    the default; give `num_restarts` for results that repeat.

    Parameters
    ----------
    encoding : str
    num_restarts : int
        Restarts a read, the work budget of a read.
    restart_timeout_s : float
        Upper limit of a read's time.
    """

    name = "tabu"

    def __init__(
        self, *, encoding: str = "margin", num_restarts: int = 10, restart_timeout_s: float = 1.0,
        encoding_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        from dwave.samplers import TabuSampler

        require_positive(num_restarts=num_restarts)
        if not restart_timeout_s > 0:
            raise ValueError(f"restart_timeout_s is {restart_timeout_s}; seconds > 0 are needed")
        super().__init__(TabuSampler(), encoding=encoding, encoding_options=encoding_options, num_restarts=num_restarts)
        self.restart_timeout_s = restart_timeout_s

    @property
    def default_reads(self) -> int:
        return 10

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, num_reads: int, seed: int | None, deadline: float | None
    ) -> dimod.SampleSet:
        """Return reads; dwave-samplers takes the timeout in milliseconds a read."""
        limit = self.restart_timeout_s
        if deadline is not None:
            limit = min(limit, max((deadline - time.perf_counter()) / num_reads, 1e-3))
        milliseconds = max(1, int(1000 * limit))
        reads: dimod.SampleSet = self.sampler.sample(
            bqm, num_reads=num_reads, seed=seed, timeout=milliseconds, **self.parameters
        )
        return reads


class Greedy(SamplerSolver):
    """Steepest descent on the encoding's energy from random states (``greedy``)."""

    name = "greedy"

    def __init__(self, *, encoding: str = "margin", encoding_options: Mapping[str, Any] | None = None) -> None:
        from dwave.samplers import SteepestDescentSampler

        super().__init__(SteepestDescentSampler(), encoding=encoding, encoding_options=encoding_options)


def from_sampler(sampler: Any, *, encoding: str = "margin", **parameters: Any) -> SamplerSolver:
    """Return any dimod sampler as a solver, on an encoding of the projection or on plain BQMs.

    Parameters
    ----------
    sampler : dimod.Sampler
        Its ``parameters`` say whether it takes num_reads and seed; what it does not take is refused or not passed on.
    encoding : str
        As in ``SignProjection.encode``.
    parameters : keyword arguments
        Passed to every ``sample`` call.

    Raises
    ------
    TypeError
        No dimod sampler, or a parameter that it does not list.
    """
    if not callable(getattr(sampler, "sample", None)) or not hasattr(sampler, "parameters"):
        raise TypeError(f"{type(sampler).__name__} is no dimod sampler: it needs sample() and parameters")
    known = set(sampler.parameters)
    for name in parameters:
        if name not in known:
            raise TypeError(f"{type(sampler).__name__} has no parameter {name!r}; {nearest(name, known)}")
    solver = SamplerSolver(sampler, encoding=encoding, name=type(sampler).__name__, **parameters)
    solver._reads_name = "num_reads" if "num_reads" in known else None
    solver._seed_name = "seed" if "seed" in known else None
    solver.capabilities = Capabilities(forms=PLAIN_AND_PROJECTIONS, exact=False, seed="seed" in known, num_reads=True)
    return solver
