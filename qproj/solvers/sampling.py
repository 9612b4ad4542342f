"""The base of solvers that sample a BQM: encoding → scaled model → reads → candidates in the problem's terms."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj.encodings import SampledModel
from qproj.projections import Layer, SignProjection
from qproj.projections.models import hook, is_spin, labelled
from qproj.solvers.adapter import Adapter
from qproj.solvers.contract import Capabilities, Request, Termination
from qproj.solvers.found import Found
from qproj.solvers.layers import LayerRequest

#: Capabilities of a sampler: reads of an encoding, or of a plain BQM.
SAMPLING = Capabilities(forms=frozenset({"projection", "bqm"}), num_reads=True)
#: Reads without num_reads and without a time limit.
DEFAULT_READS = 100
#: Seconds per row and pair of weights of a model, with its first read: measured at 1024 rows of 1024 weights.
TERM_S = 2.5e-10


@dataclass(frozen=True, eq=False)
class Reads:
    """Reads of a sampled model, and what the call reported about them.

    Attributes
    ----------
    sampleset : dimod.SampleSet
        Over the variables 0…N−1 of ``model.bqm``.
    termination : Termination
        BUDGET where all reads were drawn, CLOCK where the time limit came first.
    stats : dict
    embed_s, queue_s : float
        Seconds of the call that were spent embedding or waiting.
    """

    model: SampledModel
    sampleset: dimod.SampleSet
    termination: Termination = Termination.BUDGET
    stats: dict[str, Any] = field(default_factory=dict)
    embed_s: float = 0.0
    queue_s: float = 0.0


class SamplingAdapter(Adapter[SampledModel, Reads]):
    """min objective(v) by reads of a sampler; a subclass writes ``call``, from a scaled model to :class:`Reads`.

    Parameters
    ----------
    encoding : str
        Name of the sign projection's encoding; other projections have one only, and a plain BQM is sampled itself.
    encoding_options : mapping, optional
    """

    capabilities = SAMPLING
    #: Reads without num_reads and without a time limit.
    default_reads = DEFAULT_READS

    def __init__(self, *, encoding: str = "margin", encoding_options: Mapping[str, Any] | None = None) -> None:
        self.encoding, self.encoding_options = encoding, check_encoding(encoding, encoding_options)

    def build(self, problem: Any, request: Request) -> SampledModel:
        model = sampled_model(problem, self.encoding, self.encoding_options)
        return model if request.deadline is None else replace(model, scoring_s=scoring_seconds(problem))

    def decode(self, raw: Reads, problem: Any) -> Found:
        return decode_reads(raw, problem)

    def least_seconds(self, problem: Any) -> float:
        """Return about what the products of a sign projection's columns and a first read take."""
        if not isinstance(problem, SignProjection):
            return 0.0
        return TERM_S * len(problem.inputs.groups.first) * problem.num_weights**2

    def search_layer(self, layer: Layer, request: LayerRequest) -> Sequence[Found] | None:
        """Return the reads of all neurons where their models differ in linear biases only: one quadratic part is built.

        Other layers are sampled neuron by neuron.
        """
        if not layer.shares_quadratic or request.hints is not None:
            return None
        models = layer.sampled_models(self.encoding, self.encoding_options)
        return [self.decode(self.call(model, request.of_neuron(i)), layer[i]) for i, model in enumerate(models)]


def scoring_seconds(problem: Any, most: int = 4) -> float:
    """Return how long scoring one assignment takes, which a sampler has to leave time for."""
    low = 0 if problem.kind == "bqm" and not is_spin(problem) else -1
    block = np.ones((most, problem.num_variables), np.int8)
    block[1::2] = low
    problem.gain(block[:1])  # what is computed once
    begin = time.perf_counter()
    problem.gain(block)
    return (time.perf_counter() - begin) / most


def check_encoding(encoding: str, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options as a dict, or refuse an encoding or an option that sign projections do not have."""
    chosen = dict(options or {})
    SignProjection.check_encoding(encoding, chosen)
    return chosen


def sampled_model(problem: Any, encoding: str, options: Mapping[str, Any] | None = None) -> SampledModel:
    """Return the scaled BQM of a problem for a sampler; see :class:`SamplingAdapter` for the parameters."""
    model: SampledModel = hook(problem, "sampled_model")(encoding, options or {})
    return model


def initial_state(model: SampledModel, request: Request) -> NDArray[np.int8] | None:
    """Return the state, (N,) in the model's vartype, that a hint stands for; slack variables are drawn at random."""
    if request.hint is None:
        return None
    bits = model.bits(request.hint)
    rest = request.rng().integers(0, 2, model.bqm.num_variables - len(bits), dtype=np.int8)
    state: NDArray[np.int8] = np.concatenate([bits, rest]).astype(np.int8)
    return state if model.bqm.vartype is dimod.BINARY else (2 * state - 1).astype(np.int8)


def decode_reads(reads: Reads, problem: Any) -> Found:
    """Return reads as candidates in the problem's terms, with num_occurrences kept.

    Nothing but the weight bits is trusted. The sample set comes back in the encoding's labels, with energies in the
    problem's own units.
    """
    model, sampleset = reads.model, reads.sampleset
    # as from most samplers: sets of labels weigh more than a chain
    in_order = sampleset.variables == model.bqm.variables == range(len(model.labels))
    if not len(sampleset) or not (in_order or set(sampleset.variables) == set(model.bqm.variables)):
        empty = not len(sampleset)
        return Found(
            np.empty((0, problem.num_variables)),
            reads.termination if empty else Termination.FAILED,
            message="the sampler returned no reads" if empty else "the sampler's answer lacks variables of the model",
            stats=reads.stats,
        )
    record = sampleset.record
    samples: NDArray[Any] = np.asarray(record.sample)
    if not in_order:
        samples = samples[:, [sampleset.variables.index(i) for i in range(len(model.labels))]]
    if sampleset.vartype is not model.bqm.vartype:
        samples = 2 * samples - 1 if model.bqm.vartype is dimod.SPIN else (samples + 1) // 2
    # without the offset, beside which the energies of tiny or huge targets would all round to the same number
    bare = np.asarray(model.bqm.energies((samples, range(samples.shape[1]))), np.float64)
    known = "chain_break_fraction" in (record.dtype.names or ())
    chains = {"chain_break_fraction": record.chain_break_fraction} if known else {}
    sampled = dimod.SampleSet.from_samples(
        labelled(samples, model.labels),
        energy=bare * model.scale + model.offset,
        vartype=model.bqm.vartype,
        num_occurrences=record.num_occurrences,
        sort_labels=False,
        info=dict(sampleset.info),
        **chains,
    )
    return Found(
        model.assignments(samples),
        reads.termination,
        energies=bare,
        sampleset=sampled,
        stats={"reads": int(record.num_occurrences.sum()), **model.size, **reads.stats},
        queue_s=reads.queue_s,
        embed_s=reads.embed_s,
    )
