"""The null model of every comparison: the best of num_reads uniformly random assignments."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qproj.solvers import Adapter, Capabilities, EndedBy, Ending, Found, Request

#: Draws without num_reads and without a time limit.
DEFAULT_READS = 100
#: Draws scored at a time: memory, not speed.
_BLOCK = 4096

Drawn = tuple[NDArray[Any], int, EndedBy]


class Random(Adapter):
    """The best of num_reads (default 100) uniform v ∈ {±1}^d, or of as many as the time limit allows (``random``)."""

    name: ClassVar[str] = "random"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm"}), exact=False, seed=True, num_reads=True)

    def build(self, problem: Any, ask: Request) -> Any:
        return problem

    def call(self, model: Any, ask: Request) -> Drawn:
        if ask.num_reads is None and ask.deadline is not None:
            return best_until(model, ask.rng(), ask.deadline)
        return draws(model, ask.rng(), ask.num_reads or DEFAULT_READS, ask.deadline)

    def decode(self, raw: Drawn, problem: Any) -> Found:
        candidates, reads, ended_by = raw
        return Found(candidates, Ending.STOPPED, ended_by, stats={"reads": reads})


def draws(model: Any, rng: np.random.Generator, count: int, deadline: float | None) -> Drawn:
    """Return `count` uniform assignments, or as many as can be drawn, and scored twice, before the deadline."""
    blocks: list[NDArray[Any]] = []
    drawn, scoring = 0, 0.0
    while drawn < count:
        now = time.perf_counter()
        if deadline is not None and blocks and now + scoring >= deadline:
            return np.concatenate(blocks), drawn, EndedBy.CLOCK
        blocks.append(draw(rng, min(_size(model), count - drawn), model))
        drawn += len(blocks[-1])
        if deadline is not None:
            model.gain(blocks[-1])
            scoring += time.perf_counter() - now
    return np.concatenate(blocks), drawn, EndedBy.BUDGET


def best_until(model: Any, rng: np.random.Generator, deadline: float) -> Drawn:
    """Return the best of the uniform assignments that are drawn before the deadline."""
    best, best_gain, drawn = None, -np.inf, 0
    while best is None or time.perf_counter() < deadline:
        block = draw(rng, _size(model), model)
        gains = model.gain(block)
        drawn += len(block)
        if gains.max() > best_gain:
            best, best_gain = block[[int(gains.argmax())]], float(gains.max())
    return best, drawn, EndedBy.CLOCK


def draw(rng: np.random.Generator, count: int, model: Any) -> NDArray[np.int8]:
    """Return `count` uniform assignments of a problem, (count, num_variables), in its own vartype."""
    bits = rng.integers(0, 2, (count, model.num_variables), dtype=np.int8)
    binary = model.kind == "bqm" and model.bqm.vartype.name == "BINARY"
    return bits if binary else (2 * bits - 1).astype(np.int8)


def _size(model: Any) -> int:
    return min(_BLOCK, max(1, 2**20 // max(1, int(model.num_variables))))
