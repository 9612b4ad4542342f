"""dimod samplers as solvers: simulated annealing, tabu, steepest descent, and any other sampler in one line."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj._options import nearest
from qproj._seeds import derived_seed
from qproj.encodings import SampledModel
from qproj.solvers.builtin.large_models import FLIPS_PER_SECOND, annealed, is_long, is_too_sparse, tabu_searched
from qproj.solvers.contract import Capabilities, Request, Termination, check_positive
from qproj.solvers.interrupt import polled
from qproj.solvers.sampling import (
    DEFAULT_READS,
    SAMPLING,
    Reads,
    SamplingAdapter,
    decode_reads,
    initial_state,
    sampled_model,
)

#: Reads drawn at most until a time limit: scoring more of them would overrun it.
MOST_READS = 20_000
#: Sweeps per read of ``sa``: surrogates have no slack to settle, and more sweeps only repeat their minimum.
SWEEPS, SURROGATE_SWEEPS = 1000, 100
#: Samplers that draw batch after batch until a time limit, and report each.
WATCHED = replace(SAMPLING, progress=True)
#: First inverse temperature of warm reads: nearly every flip is taken.
WARM_START = 0.05


class SamplerSolver(SamplingAdapter):
    """min objective(v) by reads of a dimod sampler, on an encoding of the projection or on a plain BQM.

    Parameters
    ----------
    sampler : dimod.Sampler
    encoding, encoding_options
        As for :class:`qproj.solvers.sampling.SamplingAdapter`.
    parameters : keyword arguments
        Passed to every ``sample`` call.
    """

    name = "from_sampler"
    #: Names of the sampler's own parameters for reads and seed; None where it has no such parameter.
    _reads_name: str | None = "num_reads"
    _seed_name: str | None = "seed"
    capabilities = replace(WATCHED, hint=True)

    def __init__(
        self,
        sampler: Any,
        *,
        encoding: str = "margin",
        encoding_options: Mapping[str, Any] | None = None,
        name: str | None = None,
        **parameters: Any,
    ) -> None:
        super().__init__(encoding=encoding, encoding_options=encoding_options)
        self.sampler, self.parameters = sampler, parameters
        if name is not None:
            self.name = name

    def call(self, model: SampledModel, request: Request) -> Reads:
        """Return num_reads reads of the scaled model, or as many as the time limit allows."""
        if not model.bqm.num_variables:
            return Reads(model, dimod.SampleSet.from_samples_bqm([{}], model.bqm))
        deadline, start = request.deadline, initial_state(model, request)
        batches: list[dimod.SampleSet] = []
        if deadline is None:
            seed = None if request.seed is None else derived_seed(request.seed, 0)
            return Reads(model, self.sample(model, request.num_reads or self.default_reads, seed, None, start))
        wanted, drawn, size = request.num_reads or MOST_READS, 0, 1
        while drawn < wanted:
            begin = time.perf_counter()
            if batches and begin + drawn * model.scoring_s >= deadline:
                break
            count = min(size, wanted - drawn)
            seed = None if request.seed is None else derived_seed(request.seed, len(batches))
            batches.append(self.sample(model, count, seed, deadline, start))
            if request.progress is not None:
                request.progress.candidates(
                    decode_reads(Reads(model, batches[-1]), request.progress.problem).candidates
                )
            drawn += max(count, len(batches[-1]))  # a call may return more rows than it is asked for
            spent = max(time.perf_counter() - begin, 1e-6)
            left = deadline - time.perf_counter() - drawn * model.scoring_s
            size = max(1, min(2 * size, int(0.5 * left / (spent / count + model.scoring_s))))
        return Reads(model, dimod.concatenate(batches), Termination.BUDGET if drawn >= wanted else Termination.CLOCK)

    def sample(
        self, model: SampledModel, num_reads: int, seed: int | None, deadline: float | None,
        start: NDArray[np.int8] | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Return `num_reads` reads of one model, or more where the sampler decides how many a call returns.

        One read begins at `start`, (N,) in the model's vartype, the others where the sampler begins.
        """
        arguments = dict(self.parameters)
        if start is not None:
            arguments["initial_states"] = (start[None, :], range(len(start)))
        if self._reads_name is not None:
            arguments[self._reads_name] = num_reads
        batches: list[dimod.SampleSet] = []
        rows = 0
        while rows < num_reads and (deadline is None or not batches or time.perf_counter() < deadline):
            if self._seed_name is not None and seed is not None:
                arguments[self._seed_name] = seed if not batches else derived_seed(seed, len(batches))
            batches.append(self.sampler.sample(model.bqm, **arguments))
            rows += len(batches[-1])
            if self._reads_name is not None or not rows:
                break
        reads: dimod.SampleSet = dimod.concatenate(batches)
        return reads


class SimulatedAnnealing(SamplerSolver):
    """Simulated annealing of dwave-samplers (``sa``).

    On an inexact encoding a read that ends cold returns the surrogate's own minimum again and again, while the optimum
    is among its low states. So a share of the reads ends warm, at a temperature of 1/N of the largest coefficient, and
    ranking by gain picks the best (docs: findings).

    Where one read takes a second or more, it is annealed by a kernel of our own, which ends between sweeps: a time
    limit then shortens the schedule.

    Parameters
    ----------
    encoding : str
        "margin" by default: its best read is far better than the slack encodings' (docs: findings).
    num_sweeps : int
        Per read.
    beta_schedule_type : str
        "geometric" or "linear".
    warm_share : float
        Share of reads that end warm on inexact encodings, in [0, 1]; exact encodings and plain models end cold.
    beta_range : (float, float), optional
        Inverse temperatures, in units of 1 over the largest coefficient, of all reads; overrides `warm_share`.
    """

    name = "sa"

    def __init__(
        self, *, encoding: str = "margin", num_sweeps: int | None = None, beta_schedule_type: str = "geometric",
        warm_share: float = 0.5, beta_range: tuple[float, float] | None = None,
        encoding_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        from dwave.samplers import SimulatedAnnealingSampler

        if num_sweeps is not None:
            check_positive(num_sweeps=num_sweeps)
        if beta_schedule_type not in ("geometric", "linear"):
            raise ValueError(f"unknown beta_schedule_type {beta_schedule_type!r}; 'geometric' or 'linear'")
        if not 0.0 <= warm_share <= 1.0:
            raise ValueError(f"warm_share is {warm_share}; a share in [0, 1] is needed")
        if beta_range is not None and not (len(beta_range) == 2 and 0 < beta_range[0] <= beta_range[1] < np.inf):
            raise ValueError(f"beta_range is {beta_range}; two numbers 0 < first ≤ last are needed")
        super().__init__(
            SimulatedAnnealingSampler(), encoding=encoding, encoding_options=encoding_options,
            beta_schedule_type=beta_schedule_type,
        )  # fmt: skip
        if num_sweeps is not None:
            self.parameters["num_sweeps"] = num_sweeps
        self.warm_share, self.beta_range = float(warm_share), beta_range

    def sample(
        self, model: SampledModel, num_reads: int, seed: int | None, deadline: float | None,
        start: NDArray[np.int8] | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Return reads; a deadline stops between reads.

        With `start`, every read begins there, in the middle of the usual range of temperatures: hotter ones forget it.
        """
        warm = 0 if model.exact or self.beta_range is not None else round(self.warm_share * num_reads)
        ranges: list[tuple[int, tuple[float, float] | None]] = []
        if warm:
            ranges.append((warm, (WARM_START, max(float(model.bqm.num_variables), 4 * WARM_START))))
        if warm < num_reads:
            ranges.append((num_reads - warm, self.beta_range))
        parameters = {"num_sweeps": SWEEPS if model.exact else SURROGATE_SWEEPS} | self.parameters
        parts = []
        with polled(deadline) as stop:
            for count, beta_range in ranges:
                own = seed
                if seed is not None and beta_range is self.beta_range:
                    own = seed ^ 0x5BD1E995 & 0x7FFFFFFF
                if start is not None:
                    parameters |= {
                        "initial_states": (start[None, :], range(len(start))),
                        "initial_states_generator": "tile",
                    }
                    beta_range = beta_range if self.beta_range else second_half(beta_range or usual_range(model.bqm))
                beta_range = beta_range or usual_range(model.bqm)
                if beta_range is not None and is_long(model.bqm, parameters["num_sweeps"]):
                    spaced = np.geomspace if parameters["beta_schedule_type"] == "geometric" else np.linspace
                    betas = np.asarray(spaced(*beta_range, parameters["num_sweeps"]), np.float64)
                    rng = np.random.default_rng(own)
                    parts.append(annealed(model.bqm, count, betas, rng, stop, deadline, start))
                    continue
                parts.append(
                    self.sampler.sample(
                        model.bqm, num_reads=count, seed=own, interrupt_function=stop, beta_range=beta_range,
                        **parameters,
                    )
                )  # fmt: skip
        reads: dimod.SampleSet = dimod.concatenate(parts)
        return reads


class Tabu(SamplerSolver):
    """Tabu search of dwave-samplers (``tabu``): many short searches.

    A read ends by its work budget, so that a seed repeats, unless `read_timeout_s` or the call's time limit is shorter.

    Parameters
    ----------
    encoding : str
    num_restarts : int
        Restarts per read.
    updates_per_variable : int
        Variable updates per search and variable. The least that dwave-samplers takes by default is 500,000 updates in
        all, which small models do not need.
    read_timeout_s : float
        Upper limit of the time per read. Large sparse models, for which dwave-samplers' dense matrix would take more
        than ten times the model's memory, are searched by a kernel of our own, where a second counts as a million
        updates.
    """

    name = "tabu"
    default_reads = 10

    def __init__(
        self, *, encoding: str = "margin", num_restarts: int = 10, updates_per_variable: int = 500,
        read_timeout_s: float = 1.0, encoding_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        from dwave.samplers import TabuSampler

        check_positive(num_restarts=num_restarts, updates_per_variable=updates_per_variable)
        if not 0 < read_timeout_s < np.inf:
            raise ValueError(f"read_timeout_s is {read_timeout_s}; seconds > 0 are needed")
        super().__init__(
            TabuSampler(), encoding=encoding, encoding_options=encoding_options, num_restarts=num_restarts,
            coefficient_z_first=updates_per_variable, coefficient_z_restart=updates_per_variable, lower_bound_z=1,
        )  # fmt: skip
        self.read_timeout_s = read_timeout_s

    def sample(
        self, model: SampledModel, num_reads: int, seed: int | None, deadline: float | None,
        start: NDArray[np.int8] | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Return reads; dwave-samplers takes the timeout in milliseconds per read."""
        limit = self.read_timeout_s
        if is_too_sparse(model.bqm):
            searches, updates = 1 + self.parameters["num_restarts"], self.parameters["coefficient_z_first"]
            flips = min(searches * updates * model.bqm.num_variables, max(1, int(FLIPS_PER_SECOND * limit)))
            with polled(deadline) as stop:
                return tabu_searched(model.bqm, num_reads, flips, np.random.default_rng(seed), stop, start)
        if deadline is not None:
            limit = min(limit, max((deadline - time.perf_counter()) / num_reads, 1e-3))
        states = {} if start is None else {"initial_states": (start[None, :], range(len(start)))}
        milliseconds = max(1, int(1000 * limit))
        reads: dimod.SampleSet = self.sampler.sample(
            model.bqm, num_reads=num_reads, seed=seed, timeout=milliseconds, **states, **self.parameters
        )
        return reads


class Greedy(SamplerSolver):
    """Steepest descent on the encoding's energy from random states (``greedy``)."""

    name = "greedy"

    def __init__(self, *, encoding: str = "margin", encoding_options: Mapping[str, Any] | None = None) -> None:
        from dwave.samplers import SteepestDescentSampler

        super().__init__(SteepestDescentSampler(), encoding=encoding, encoding_options=encoding_options)

    def sample(
        self, model: SampledModel, num_reads: int, seed: int | None, deadline: float | None,
        start: NDArray[np.int8] | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Return local minima; large sparse models take the flip of steepest descent from a tree instead of a list."""
        start_at = {} if start is None else {"initial_states": (start[None, :], range(len(start)))}
        reads: dimod.SampleSet = self.sampler.sample(
            model.bqm, num_reads=num_reads, seed=seed, large_sparse_opt=is_too_sparse(model.bqm), **start_at
        )
        return reads


def from_sampler(sampler: Any, *, encoding: str = "margin", **parameters: Any) -> SamplerSolver:
    """Return a solver that calls any dimod sampler, on an encoding of the projection or on plain BQMs.

    Parameters
    ----------
    sampler : dimod.Sampler
        Its ``parameters``, or the names in the signature of its ``sample`` (OpenJij lists few of its own), decide
        whether it takes num_reads and seed; what it does not take is refused or not passed on.
    encoding : str
        As in ``SignProjection.encode``.
    parameters : keyword arguments
        Passed to every ``sample`` call.

    Raises
    ------
    TypeError
        Not a dimod sampler, or a parameter that it does not list.
    """
    if not callable(getattr(sampler, "sample", None)) or not hasattr(sampler, "parameters"):
        raise TypeError(f"{type(sampler).__name__} is not a dimod sampler: it needs sample() and parameters")
    known = set(sampler.parameters) | _keywords(sampler.sample)
    for name in parameters:
        if name not in known:
            raise TypeError(f"{type(sampler).__name__} has no parameter {name!r}; {nearest(name, known)}")
    solver = SamplerSolver(sampler, encoding=encoding, name=type(sampler).__name__, **parameters)
    solver._reads_name = "num_reads" if "num_reads" in known else None
    solver._seed_name = "seed" if "seed" in known else None
    solver.default_reads = 1 if solver._reads_name is None else DEFAULT_READS
    solver.capabilities = Capabilities(
        forms=solver.capabilities.forms,
        progress=True,
        seed="seed" in known,
        num_reads=True,
        hint="initial_states" in known,
    )
    return solver


def descended(problem: Any, candidates: NDArray[Any]) -> NDArray[Any]:
    """Return assignments, (k, n), after steepest single-flip descent on the problem's own quadratic model."""
    from dwave.samplers import SteepestDescentSampler

    model = sampled_model(problem, "margin")
    if not model.bqm.num_variables or not model.exact or len(model.labels) != candidates.shape[1]:
        return candidates
    states = candidates if model.columns is None else np.stack([model.bits(one) for one in candidates])
    reads = SteepestDescentSampler().sample(
        model.bqm, initial_states=(states, range(states.shape[1])), large_sparse_opt=is_too_sparse(model.bqm)
    )
    order = [reads.variables.index(i) for i in range(states.shape[1])]
    assignments: NDArray[Any] = model.assignments(np.asarray(reads.record.sample)[:, order])
    return assignments


def usual_range(bqm: dimod.BinaryQuadraticModel) -> tuple[float, float] | None:
    """Return the (hot, cold) inverse temperatures that dwave-samplers takes by default; None where all biases are 0.

    Hot: a spin flips with probability ½ against the largest |h_i| + Σ_j |J_ij|. Cold: 1 % of a sweep flips any of the
    spins whose smallest bias is the smallest of all. dwave-samplers' own loop over the biases takes longer than reads
    of a small model.
    """
    linear, (first, second, quadratic), *_ = bqm.change_vartype(dimod.SPIN, inplace=False).to_numpy_vectors()
    spin = np.concatenate([np.arange(len(linear)), np.stack([first, second], axis=1).ravel()])
    size = np.abs(np.concatenate([linear, np.repeat(quadratic, 2)]))
    if not size.any():
        return None
    least = np.full(len(linear), np.inf)
    np.minimum.at(least, spin[size > 0], size[size > 0])
    smallest = least.min()
    cold = np.log((least == smallest).sum() / 0.01) / (2.0 * smallest)
    return float(np.log(2.0) / (2.0 * np.bincount(spin, size).max())), float(cold)


def second_half(beta_range: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the colder half, on a logarithmic scale, of a range of inverse temperatures."""
    if beta_range is None:
        return None
    hot, cold = beta_range
    return float(np.sqrt(hot * cold)), float(cold)


def _keywords(sample: Any) -> set[str]:
    """The names that a sampler's ``sample`` spells out, but for the model's."""
    named = [
        p for p in inspect.signature(sample).parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    return {p.name for p in named[1:]}
