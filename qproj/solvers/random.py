"""The null model of every comparison: the best of num_reads uniformly random assignments."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qproj.solving import Adapter, Capabilities, EndedBy, Ending, Found, Request

#: Draws scored at a time: memory, not speed.
_BLOCK = 4096


class Random(Adapter):
    """The best of num_reads (default 100) uniform v ∈ {±1}^d, or of as many as the time limit allows (``random``)."""

    name: ClassVar[str] = "random"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm"}), exact=False, seed=True, num_reads=True)

    def build(self, problem: Any, ask: Request) -> Any:
        return problem

    def call(self, model: Any, ask: Request) -> tuple[NDArray[Any], int, EndedBy]:
        rng = ask.rng()
        low = 0 if model.kind == "bqm" and model.bqm.vartype.name == "BINARY" else -1
        if ask.deadline is None or ask.num_reads is not None:
            count = ask.num_reads or 100
            return draw(rng, count, model.num_variables, low), count, EndedBy.BUDGET
        best, best_gain, drawn = None, -np.inf, 0
        while best is None or time.perf_counter() < ask.deadline:
            block = draw(rng, min(_BLOCK, max(1, 2**20 // max(1, model.num_variables))), model.num_variables, low)
            gains = model.gain(block)
            drawn += len(block)
            if gains.max() > best_gain:
                best, best_gain = block[[int(gains.argmax())]], float(gains.max())
        return best, drawn, EndedBy.CLOCK

    def decode(self, raw: tuple[NDArray[Any], int, EndedBy], problem: Any) -> Found:
        candidates, reads, ended_by = raw
        return Found(candidates, Ending.STOPPED, ended_by, stats={"reads": reads})


def draw(rng: np.random.Generator, count: int, variables: int, low: int) -> NDArray[np.int8]:
    """Return `count` uniform assignments with entries `low` (0 or −1) and 1."""
    bits = rng.integers(0, 2, (count, variables), dtype=np.int8)
    return bits if low == 0 else (2 * bits - 1).astype(np.int8)
