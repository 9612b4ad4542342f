"""Between logical models and qubits: embed, scale as the machine does, and read chains back with their breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj._options import nearest
from qproj.encodings import SampledModel
from qproj_dwave.embedding import Embedding

#: Chain strengths by name; a number is in units of the largest h or J of the model's Ising form.
CHAIN_STRENGTHS = ("uniform_torque_compensation", "scaled")
ChainStrength = str | float


def check_chain_strength(value: Any) -> ChainStrength:
    """Return a known name or a positive number, or raise."""
    if isinstance(value, str):
        if value not in CHAIN_STRENGTHS:
            raise ValueError(f"unknown chain_strength {value!r}; {nearest(value, CHAIN_STRENGTHS)}, or a number > 0")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"chain_strength is {value!r}; a name of {', '.join(CHAIN_STRENGTHS)} or a number is needed")
    if not 0 < float(value) < np.inf:
        raise ValueError(f"chain_strength is {value}; a number > 0 is needed")
    return float(value)


def chain_strength_of(
    value: ChainStrength, prefactor: float | None, bqm: dimod.BinaryQuadraticModel, embedding: Embedding
) -> float:
    """Return the chain strength of one SPIN model: by Ocean's rule of that name, or so many times its largest bias."""
    if not isinstance(value, str):
        largest = max((abs(bias) for bias in [*bqm.linear.values(), *bqm.quadratic.values()]), default=0.0)
        return value * (largest or 1.0)
    from dwave.embedding import chain_strength

    rule: Callable[..., float] = getattr(chain_strength, value)
    options = {} if prefactor is None else {"prefactor": prefactor}
    strength = float(rule(bqm, embedding, **options))
    return strength if strength > 0 else 1.0


def embed(
    bqms: list[dimod.BinaryQuadraticModel], embeddings: list[Embedding], adjacency: Any, strengths: list[float]
) -> dimod.BinaryQuadraticModel:
    """Return one physical Ising model that holds all logical ones (SPIN) side by side."""
    from dwave.embedding import embed_bqm

    whole = dimod.BinaryQuadraticModel(dimod.SPIN)
    for bqm, embedding, strength in zip(bqms, embeddings, strengths, strict=True):
        whole.update(embed_bqm(bqm, embedding, adjacency, chain_strength=strength))
    return whole


def unembed(
    reads: dimod.SampleSet, embeddings: list[Embedding], bqms: list[dimod.BinaryQuadraticModel]
) -> list[dimod.SampleSet]:
    """Return the logical reads with their chain_break_fraction, chains decided by majority, ties at random."""
    from dwave.embedding import unembed_sampleset

    return [
        unembed_sampleset(reads, embedding, bqm, chain_break_fraction=True)
        for embedding, bqm in zip(embeddings, bqms, strict=True)
    ]


def chain_states(
    models: Sequence[SampledModel], embeddings: Sequence[Embedding], starts: Sequence[NDArray[np.int8] | None]
) -> dict[int, int] | None:
    """Return the ±1 state of every qubit, all of a chain alike; None where a model has none to begin in."""
    states: dict[int, int] = {}
    for model, embedding, start in zip(models, embeddings, starts, strict=True):
        if start is None:
            return None
        spins = start if model.bqm.vartype is dimod.SPIN else 2 * start - 1
        states.update({q: int(spins[v]) for v, chain in embedding.items() for q in chain})
    return states


@dataclass(frozen=True)
class Report:
    """The size and the expected cost of a submission, known before it is made.

    Attributes
    ----------
    neurons, qubits, couplers, longest_chain : int
    dynamic_range : float
        Largest over smallest non-zero logical coefficient.
    below_noise : float
        Share of physical coefficients that, after autoscale, are smaller than the control error assumed for them.
    access_us : float or None
        Estimated QPU access time.
    """

    neurons: int
    qubits: int
    couplers: int
    longest_chain: int
    dynamic_range: float
    below_noise: float
    access_us: float | None = None


def report_of(
    whole: dimod.BinaryQuadraticModel, bqms: list[dimod.BinaryQuadraticModel], embeddings: list[Embedding],
    factor: float, noise: tuple[float, float],
) -> Report:  # fmt: skip
    """Return the report of one submission; `factor` as from :func:`autoscale`, `noise` the σ of h and J."""
    logical = np.array([abs(x) for bqm in bqms for x in [*bqm.linear.values(), *bqm.quadratic.values()] if x])
    h = np.abs(np.fromiter(whole.linear.values(), np.float64)) * factor
    J = np.abs(np.fromiter(whole.quadratic.values(), np.float64)) * factor
    sigma_h, sigma_j = noise
    small = int(((h > 0) & (h < sigma_h)).sum() + ((J > 0) & (sigma_j > J)).sum())
    used = int((h > 0).sum() + (J > 0).sum())
    return Report(
        neurons=len(bqms),
        qubits=whole.num_variables,
        couplers=whole.num_interactions,
        longest_chain=max((len(c) for e in embeddings for c in e.values()), default=0),
        dynamic_range=float(logical.max() / logical.min()) if len(logical) else 1.0,
        below_noise=small / used if used else 0.0,
    )
