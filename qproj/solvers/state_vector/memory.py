"""Whether a state fits into memory, and its reads as a sample set; needs neither numba nor a backend."""

from __future__ import annotations

import math
import os
from typing import Any

import dimod

from qproj.encodings import SampledModel
from qproj.solvers.contract import TooLargeError


def require_memory(name: str, qubits: int, bytes_per_state: int, max_bytes: int | None) -> None:
    """Refuse a state that does not fit, with the figure and what can be used instead."""
    limit = max_bytes if max_bytes is not None else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    exponent = qubits + math.log2(bytes_per_state)  # the number itself may exceed float64
    if exponent > math.log2(limit):
        need = f"{2.0 ** (exponent - 30):.3g}" if exponent < 1000 else f"2^{exponent - 30:.0f}"
        raise TooLargeError(
            f"{name} would simulate {qubits} qubits in {need} GiB; {limit / 2**30:.3g} GiB are allowed: "
            "use encoding='margin' (one qubit a weight), 'sa' or 'auto'"
        )


def sampleset_of_bits(model: SampledModel, bits: Any) -> dimod.SampleSet:
    """Return 0/1 reads (k, N) as a sample set of the scaled model, in its own vartype."""
    samples = bits if model.bqm.vartype is dimod.BINARY else 2 * bits - 1
    reads: dimod.SampleSet = dimod.SampleSet.from_samples_bqm((samples, list(range(bits.shape[1]))), model.bqm)
    return reads
