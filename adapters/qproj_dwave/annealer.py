"""What the real machine and the emulated one share: embed once, pack neurons, sample, read chains, decode."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import dimod
import numpy as np
from numpy.typing import ArrayLike

from qproj.projections import LayerProjection, SignProjection
from qproj.solvers import Adapter, Capabilities, EndedBy, Found, Request, Solution, child_seeds, judge
from qproj.solvers.contract import Timing, check_limits
from qproj.solvers.redact import logger
from qproj.solvers.sampling import Model, decode_reads, encoded_model, require_positive, sampled_model
from qproj_dwave.embedding import Embedder, Embedding, default_folder
from qproj_dwave.physical import (
    Read,
    Report,
    autoscale,
    chain_strength_of,
    check_chain_strength,
    embed,
    report_of,
    unembed,
)
from qproj_dwave.structure import structure_of

LOG = logger()
DEFAULT_READS = 100
#: What sums of coefficients leave where they should cancel, relative to the largest.
ROUNDING = 1e-12


class Machine(Protocol):
    """A set of qubits that anneals: D-Wave's, or one emulated here."""

    graph: Any
    h_range: tuple[float, float]
    j_range: tuple[float, float]
    noise: tuple[float, float]

    def estimate_us(self, num_qubits: int, num_reads: int) -> float | None: ...
    def sample(
        self, bqm: dimod.BinaryQuadraticModel, num_reads: int, seed: int | None, deadline: float | None
    ) -> dimod.SampleSet: ...


@dataclass(frozen=True, eq=False)
class Annealed:
    """One neuron's reads and what the call said about them."""

    model: Model
    read: Read
    ended_by: EndedBy
    stats: dict[str, Any]
    embed_s: float
    queue_s: float

    def found(self, problem: Any) -> Found:
        """Return the reads in the problem's terms."""
        found = decode_reads(self.model, self.read.sampleset, problem, self.ended_by)
        weights = np.asarray(self.read.sampleset.record.num_occurrences, np.float64)
        breaks = float(np.average(self.read.chain_breaks, weights=weights)) if weights.sum() else 0.0
        found.stats.update(self.stats, chain_break_fraction=breaks)
        return replace(found, embed_s=self.embed_s, queue_s=self.queue_s)


class Annealer(Adapter):
    """min objective(v) by reads of an annealer that sees an embedded encoding; see its two subclasses."""

    name: ClassVar[str] = "annealer"
    extra: ClassVar[str] = "dwave"
    requires: ClassVar[tuple[str, ...]] = ("dwave.system", "minorminer")
    capabilities = Capabilities(forms=frozenset({"projection", "bqm"}), seed=True, num_reads=True)

    def __init__(
        self, *, encoding: str = "margin", encoding_options: Mapping[str, Any] | None = None,
        chain_strength: Any = "uniform_torque_compensation", chain_prefactor: float | None = None,
        spin_reversals: int = 0, pack: bool = True, embed_timeout_s: float = 30.0,
        embedding_folder: str | Path | None = "",
    ) -> None:  # fmt: skip
        self.encoding, self.encoding_options = encoding, dict(encoding_options or {})
        SignProjection([[1]], [1.0]).encode(encoding, **self.encoding_options)  # a misspelt encoding fails here
        self.chain_strength, self.chain_prefactor = check_chain_strength(chain_strength), chain_prefactor
        if spin_reversals:
            require_positive(spin_reversals=spin_reversals)
        if not 0 < embed_timeout_s < np.inf:
            raise ValueError(f"embed_timeout_s is {embed_timeout_s}; seconds > 0 are needed")
        self.spin_reversals, self.pack, self.embed_timeout_s = int(spin_reversals), bool(pack), float(embed_timeout_s)
        self.embedding_folder = default_folder() if embedding_folder == "" else embedding_folder
        self._embedder: Embedder | None = None

    @property
    @abstractmethod
    def machine(self) -> Machine:
        """The machine, connected or made at first use."""

    @property
    def embedder(self) -> Embedder:
        """Embeddings in this machine's graph."""
        if self._embedder is None:
            folder = None if self.embedding_folder is None else Path(self.embedding_folder)
            self._embedder = Embedder(self.machine.graph, folder, self.embed_timeout_s)
        return self._embedder

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_embedder": None}

    def build(self, problem: Any, ask: Request) -> Model:
        return sampled_model(problem, self.encoding, self.encoding_options)

    def call(self, model: Model, ask: Request) -> Annealed:
        return self._anneal([model], ask)[0]

    def decode(self, raw: Annealed, problem: Any) -> Found:
        return raw.found(problem)

    @property
    def default_reads(self) -> int:
        """Reads without num_reads."""
        return DEFAULT_READS

    def sample_model(self, model: Model, ask: Request) -> tuple[dimod.SampleSet, EndedBy]:
        """Return reads of one scaled model, as the rounds of a refinement ask for them."""
        annealed = self._anneal([model], ask)[0]
        return annealed.read.sampleset, annealed.ended_by

    def report(self, problem: Any, num_reads: int = DEFAULT_READS) -> Report:
        """Return what one neuron's submission would amount to, without making it."""
        from qproj.solvers import as_problem

        model = self.build(as_problem(problem), Request())
        (embedding,) = self.embedder.find(structure_of(model), 1)
        return self._embedded([model], [embedding], num_reads)[2]

    def solve_many(
        self,
        problems: Iterable[Any],
        *,
        time_limit_s: float | None = None,
        seed: int | None = None,
        num_reads: int | None = None,
        hints: Sequence[ArrayLike] | None = None,
    ) -> Sequence[Solution]:
        """Return all neurons of a layer from as few calls as fit: one embedding, packed side by side."""
        limits: dict[str, Any] = {"time_limit_s": time_limit_s, "seed": seed, "num_reads": num_reads}
        if not isinstance(problems, LayerProjection) or not self.pack or hints is not None:
            return super().solve_many(problems, hints=hints, **limits)
        check_limits(time_limit_s, seed, num_reads)
        start = time.perf_counter()
        models = [encoded_model(e) for e in problems.encode(self.encoding, **self.encoding_options)]
        ask = Request(time_limit_s, seed, num_reads, deadline=None if time_limit_s is None else start + time_limit_s)
        built = (time.perf_counter() - start) / max(len(models), 1)
        out = []
        for problem, annealed in zip(problems, self._anneal(models, ask), strict=True):
            begin = time.perf_counter()
            solution = judge(problem, annealed.found(problem), self.name)
            spent = Timing(
                built, annealed.embed_s, annealed.queue_s, annealed.stats["solve_s"], time.perf_counter() - begin
            )
            out.append(replace(solution, timing=spent))
        return out

    def _anneal(self, models: list[Model], ask: Request) -> list[Annealed]:
        """Return every model's reads; all models have one structure."""
        if not models[0].bqm.num_variables:
            empty = dimod.SampleSet.from_samples_bqm([{}], models[0].bqm)
            return [Annealed(m, Read(empty, np.zeros(1)), EndedBy.BUDGET, {"solve_s": 0.0}, 0.0, 0.0) for m in models]
        begin = time.perf_counter()
        places = self.embedder.find(structure_of(models[0]), len(models), deadline=ask.deadline)
        embed_s = (time.perf_counter() - begin) / len(models)
        out: list[Annealed] = []
        calls = range(0, len(models), len(places))
        for first, child in zip(calls, child_seeds(ask.seed, len(calls)), strict=True):
            part = models[first : first + len(places)]
            out += self._submit(part, places[: len(part)], ask, child, embed_s)
        return out

    def _embedded(
        self, models: list[Model], places: list[Embedding], num_reads: int
    ) -> tuple[list[dimod.BinaryQuadraticModel], dimod.BinaryQuadraticModel, Report]:
        machine = self.machine
        spins = [_complete(m.bqm.change_vartype(dimod.SPIN, inplace=False)) for m in models]
        strengths = [
            chain_strength_of(self.chain_strength, self.chain_prefactor, bqm, place)
            for bqm, place in zip(spins, places, strict=True)
        ]
        whole = embed(spins, places, machine.graph.adj, strengths)
        factor = autoscale(whole, machine.h_range, machine.j_range)
        report = report_of(whole, spins, places, factor, machine.noise)
        return spins, whole, replace(report, access_us=machine.estimate_us(report.qubits, num_reads))

    def _submit(
        self, models: list[Model], places: list[Embedding], ask: Request, seed: int | None, embed_s: float
    ) -> list[Annealed]:
        num_reads = ask.num_reads or DEFAULT_READS
        spins, whole, report = self._embedded(models, places, num_reads)
        LOG.info("%s: %s", self.name, report)
        begin = time.perf_counter()
        reads = self._reads(whole, num_reads, seed, ask.deadline)
        solve_s = time.perf_counter() - begin
        late = ask.deadline is not None and time.perf_counter() >= ask.deadline
        queue_s = float(reads.info.get("queue_s", 0.0))
        stats = {
            **asdict(report), "solve_s": (solve_s - queue_s) / len(models), "calls": 1 / len(models),
            **{k: v for k, v in reads.info.items() if k in ("problem_id", "timing", "emulated")},
        }  # fmt: skip
        ended_by = EndedBy.CLOCK if late else EndedBy.BUDGET
        return [
            Annealed(model, read, ended_by, dict(stats), embed_s, queue_s / len(models))
            for model, read in zip(models, unembed(reads, places, spins), strict=True)
        ]

    def _reads(
        self, whole: dimod.BinaryQuadraticModel, num_reads: int, seed: int | None, deadline: float | None
    ) -> dimod.SampleSet:
        """Return `num_reads` physical reads, shared among spin-reversal transforms if there are any."""
        if not self.spin_reversals:
            return self.machine.sample(whole, num_reads, seed, deadline)
        rng = np.random.default_rng(seed)
        parts = []
        for share in np.array_split(np.arange(num_reads), min(self.spin_reversals, num_reads)):
            flipped = whole.copy()
            chosen = [q for q in whole.variables if rng.random() < 0.5]
            for q in chosen:  # h_q → −h_q, J_qp → −J_qp: errors of fixed sign average out
                flipped.flip_variable(q)
            child = None if seed is None else int(rng.integers(2**31))
            reads = self.machine.sample(flipped, len(share), child, deadline)
            columns = [reads.variables.index(q) for q in chosen]
            reads.record.sample[:, columns] *= -1
            parts.append(dimod.SampleSet.from_samples_bqm(
                (reads.record.sample, reads.variables), whole, num_occurrences=reads.record.num_occurrences
            ))  # fmt: skip
        whole_set: dimod.SampleSet = dimod.concatenate(parts)
        whole_set.info.update(reads.info)
        return whole_set


def _complete(bqm: dimod.BinaryQuadraticModel) -> dimod.BinaryQuadraticModel:
    """Drop interactions that are 0 up to rounding: no coupler is needed for them, and none is programmed."""
    largest = max((abs(bias) for bias in [*bqm.linear.values(), *bqm.quadratic.values()]), default=0.0)
    for (u, v), bias in list(bqm.quadratic.items()):
        if abs(bias) <= ROUNDING * largest:
            bqm.remove_interaction(u, v)
    for v, bias in list(bqm.linear.items()):
        if abs(bias) <= ROUNDING * largest:
            bqm.set_linear(v, 0.0)
    return bqm
