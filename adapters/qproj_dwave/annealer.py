"""What the real machine and the emulated one share: embed once, pack neurons, sample, read chains, decode."""

from __future__ import annotations

import itertools
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj.encodings import SampledModel
from qproj.projections import Layer
from qproj.solvers import Found, LayerRequest, Reads, Request, SamplingAdapter, Termination, as_problem, child_seeds
from qproj.solvers.annealing import autoscale
from qproj.solvers.contract import check_positive
from qproj.solvers.redact import logger
from qproj.solvers.sampling import initial_state
from qproj_dwave.embedding import Embedder, Embedding, default_folder
from qproj_dwave.physical import (
    Report,
    chain_states,
    chain_strength_of,
    check_chain_strength,
    embed,
    report_of,
    unembed,
)
from qproj_dwave.structure import structure_of

LOG = logger()
#: The remainder of sums of coefficients that should cancel, relative to the largest.
ROUNDING = 1e-12


#: A model's state in its own vartype, (N,), which a reverse anneal begins in.
Start = NDArray[np.int8] | None


class Machine(Protocol):
    """A set of qubits that anneals: D-Wave's, or one emulated here."""

    graph: Any
    h_range: tuple[float, float]
    j_range: tuple[float, float]
    noise: tuple[float, float]

    def estimate_us(self, num_qubits: int, num_reads: int) -> float | None: ...
    def sample(
        self, bqm: dimod.BinaryQuadraticModel, num_reads: int, seed: int | None, deadline: float | None,
        state: Mapping[int, int] | None = None,
    ) -> dimod.SampleSet: ...  # fmt: skip


class Annealer(SamplingAdapter):
    """min objective(v) by reads of an annealer that is given an embedded encoding; see its two subclasses."""

    name = "annealer"
    searches_jointly = True
    extra: ClassVar[str] = "dwave"
    requires: ClassVar[tuple[str, ...]] = ("dwave.system", "minorminer")

    def __init__(
        self, *, encoding: str = "margin", encoding_options: Mapping[str, Any] | None = None,
        chain_strength: Any = "uniform_torque_compensation", chain_prefactor: float | None = None,
        spin_reversals: int = 0, pack: bool = True, embed_timeout_s: float = 30.0,
        embedding_folder: str | Path | None = "", reverse: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(encoding=encoding, encoding_options=encoding_options)
        self.reverse = reverse
        if reverse:
            self.capabilities = replace(self.capabilities, hint=True)
        self.chain_strength, self.chain_prefactor = check_chain_strength(chain_strength), chain_prefactor
        if spin_reversals:
            check_positive(spin_reversals=spin_reversals)
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

    def check(self, problem: Any, request: Request) -> None:
        """Refuse a reverse anneal without the state that it begins in."""
        self._require_hint(request.hint)

    def _require_hint(self, hint: Any) -> None:
        if self.reverse and hint is None:
            raise ValueError("anneal_schedule begins at s = 1, a reverse anneal: pass hint, the state to begin in")

    def call(self, model: SampledModel, request: Request) -> Reads:
        return self._anneal([model], request, [initial_state(model, request)])[0]

    def search_layer(self, layer: Layer, request: LayerRequest) -> list[Found] | None:
        """Return the reads of all neurons from as few calls as fit: one embedding, packed side by side."""
        hints = request.hints
        if not self.pack or (hints is not None and not self.capabilities.hint):
            return None
        self._require_hint(hints)
        rest = iter(layer.sampled_models(self.encoding, self.encoding_options))
        models = list(itertools.islice(rest, 1))
        if models:
            self.embedder.require_room(structure_of(models[0]))  # before all models are built
        models += rest
        joint = Request(seed=request.seeds[0], num_reads=request.num_reads, deadline=request.deadline)
        each = [Request(seed=seed, hint=None if hints is None else hints[i]) for i, seed in enumerate(request.seeds)]
        starts = [initial_state(model, own) for model, own in zip(models, each, strict=True)]
        return [self.decode(reads, p) for p, reads in zip(layer, self._anneal(models, joint, starts), strict=True)]

    def report(self, problem: Any, num_reads: int = 100) -> Report:
        """Return what one neuron's submission would amount to, without making it."""
        model = self.build(as_problem(problem), Request())
        (embedding,) = self.embedder.find(structure_of(model), 1)
        return self._embedded([model], [embedding], num_reads)[2]

    def _anneal(self, models: list[SampledModel], request: Request, starts: Sequence[Start]) -> list[Reads]:
        """Return the reads of every model; all models have one structure, `starts` what reverse anneals begin in."""
        if not models[0].bqm.num_variables:
            empty = dimod.SampleSet.from_samples_bqm([{}], models[0].bqm)
            return [Reads(model, empty, stats={"chain_break_fraction": 0.0}) for model in models]
        begin = time.perf_counter()
        places = self.embedder.find(structure_of(models[0]), len(models), deadline=request.deadline)
        embed_s = (time.perf_counter() - begin) / len(models)
        out: list[Reads] = []
        calls = range(0, len(models), len(places))
        for first, child in zip(calls, child_seeds(request.seed, len(calls)), strict=True):
            part = models[first : first + len(places)]
            own = starts[first : first + len(places)]
            out += self._submit(part, places[: len(part)], replace(request, seed=child), embed_s, own)
        return out

    def _embedded(
        self, models: list[SampledModel], places: list[Embedding], num_reads: int
    ) -> tuple[list[dimod.BinaryQuadraticModel], dimod.BinaryQuadraticModel, Report]:
        machine = self.machine
        spins = [_without_zeros(m.bqm.change_vartype(dimod.SPIN, inplace=False)) for m in models]
        strengths = [
            chain_strength_of(self.chain_strength, self.chain_prefactor, bqm, place)
            for bqm, place in zip(spins, places, strict=True)
        ]
        whole = embed(spins, places, machine.graph.adj, strengths)
        factor = autoscale(whole, machine.h_range, machine.j_range)
        report = report_of(whole, spins, places, factor, machine.noise)
        charges = [machine.estimate_us(report.qubits, len(share)) for share in self._shares(num_reads)]
        known = [charge for charge in charges if charge is not None]
        return spins, whole, replace(report, access_us=sum(known) if len(known) == len(charges) else None)

    def _shares(self, num_reads: int) -> list[NDArray[np.intp]]:
        """Return the reads of each programming: every spin-reversal transform programs the machine again."""
        return np.array_split(np.arange(num_reads), max(1, min(self.spin_reversals, num_reads)))

    def _submit(
        self, models: list[SampledModel], places: list[Embedding], request: Request, embed_s: float,
        starts: Sequence[Start],
    ) -> list[Reads]:  # fmt: skip
        num_reads = request.num_reads or self.default_reads
        spins, whole, report = self._embedded(models, places, num_reads)
        LOG.info("%s: %s", self.name, report)
        begin = time.perf_counter()
        state = chain_states(models, places, starts)
        physical = self._reads(whole, num_reads, request.seed, request.deadline, state)
        solve_s = time.perf_counter() - begin
        late = request.deadline is not None and time.perf_counter() >= request.deadline
        queue_s = float(physical.info.get("queue_s", 0.0))
        stats = {
            **asdict(report), "solve_s": (solve_s - queue_s) / len(models),
            "calls": len(self._shares(num_reads)) / len(models),
            **{k: v for k, v in physical.info.items() if k in ("problem_id", "timing", "emulated")},
        }  # fmt: skip
        termination = Termination.CLOCK if late else Termination.BUDGET
        return [
            Reads(
                model,
                logical,
                termination,
                {**stats, "chain_break_fraction": chain_break_fraction(logical)},
                embed_s,
                queue_s / len(models),
            )
            for model, logical in zip(models, unembed(physical, places, spins), strict=True)
        ]

    def _reads(
        self, whole: dimod.BinaryQuadraticModel, num_reads: int, seed: int | None, deadline: float | None,
        state: dict[int, int] | None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Return `num_reads` physical reads, shared among spin-reversal transforms if there are any."""
        if not self.spin_reversals:
            return self.machine.sample(whole, num_reads, seed, deadline, state)
        rng = np.random.default_rng(seed)
        parts, infos = [], []
        for share in self._shares(num_reads):
            flipped = whole.copy()
            chosen = [q for q in whole.variables if rng.random() < 0.5]
            for q in chosen:  # h_q → −h_q, J_qp → −J_qp: errors of fixed sign average out
                flipped.flip_variable(q)
            turned = None if state is None else {q: -spin if q in chosen else spin for q, spin in state.items()}
            child = None if seed is None else int(rng.integers(2**31))
            reads = self.machine.sample(flipped, len(share), child, deadline, turned)
            infos.append(reads.info)
            columns = [reads.variables.index(q) for q in chosen]
            reads.record.sample[:, columns] *= -1
            parts.append(dimod.SampleSet.from_samples_bqm(
                (reads.record.sample, reads.variables), whole, num_occurrences=reads.record.num_occurrences
            ))  # fmt: skip
        whole_set: dimod.SampleSet = dimod.concatenate(parts)
        whole_set.info.update(summed_info(infos))
        return whole_set


def summed_info(infos: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what several programmings report together: times add up, the rest is the last one's."""
    whole = dict(infos[-1])
    for name in ("queue_s", "solve_s"):
        if name in whole:
            whole[name] = sum(float(info.get(name, 0.0)) for info in infos)
    if "timing" in whole:
        timings = [dict(info.get("timing", {})) for info in infos]
        whole["timing"] = {
            name: value if "per_sample" in name else sum(float(timing.get(name, 0.0)) for timing in timings)
            for name, value in dict(whole["timing"]).items()
        }
    return whole


def chain_break_fraction(reads: dimod.SampleSet) -> float:
    """Return the share of broken chains, averaged over the reads by num_occurrences."""
    weights = np.asarray(reads.record.num_occurrences, np.float64)
    return float(np.average(reads.record.chain_break_fraction, weights=weights)) if weights.sum() else 0.0


def _without_zeros(bqm: dimod.BinaryQuadraticModel) -> dimod.BinaryQuadraticModel:
    """Drop interactions that are 0 up to rounding: no coupler is needed for them, and none is programmed."""
    largest = max((abs(bias) for bias in [*bqm.linear.values(), *bqm.quadratic.values()]), default=0.0)
    for (u, v), bias in list(bqm.quadratic.items()):
        if abs(bias) <= ROUNDING * largest:
            bqm.remove_interaction(u, v)
    for v, bias in list(bqm.linear.items()):
        if abs(bias) <= ROUNDING * largest:
            bqm.set_linear(v, 0.0)
    return bqm
