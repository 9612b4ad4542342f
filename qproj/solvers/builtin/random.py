"""The null model of every comparison: the best of num_reads uniformly random assignments."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj.solvers.adapter import Adapter
from qproj.solvers.contract import Capabilities, Request, Termination
from qproj.solvers.found import Found
from qproj.solvers.search_progress import SearchProgress

#: Draws without num_reads and without a time limit.
DEFAULT_READS = 100
#: Draws scored at a time: memory, not speed.
_BLOCK = 4096


class Random(Adapter[Any, Found]):
    """The best of num_reads (default 100) uniform v ∈ {±1}^d, or of as many as the time limit allows (``random``)."""

    name = "random"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm"}), num_reads=True, progress=True)

    def call(self, model: Any, request: Request) -> Found:
        if request.num_reads is None and request.deadline is not None:
            return best_until(model, request.rng(), request.deadline, request.progress)
        return draws(model, request.rng(), request.num_reads or DEFAULT_READS, request.deadline, request.progress)


def draws(
    model: Any, rng: np.random.Generator, count: int, deadline: float | None, progress: SearchProgress | None = None
) -> Found:
    """Return `count` uniform assignments, or as many as can be drawn, and scored twice, before the deadline."""
    blocks: list[NDArray[Any]] = []
    drawn, scoring = 0, 0.0
    while drawn < count:
        now = time.perf_counter()
        if deadline is not None and blocks and now + scoring >= deadline:
            return Found(np.concatenate(blocks), Termination.CLOCK, stats={"reads": drawn})
        blocks.append(draw(rng, min(_size(model), count - drawn), model))
        drawn += len(blocks[-1])
        if deadline is not None:
            model.gain(blocks[-1])
            scoring += time.perf_counter() - now
        if progress is not None:
            progress.candidates(blocks[-1])
    return Found(np.concatenate(blocks), stats={"reads": drawn})


def best_until(model: Any, rng: np.random.Generator, deadline: float, progress: SearchProgress | None = None) -> Found:
    """Return the best of the uniform assignments that are drawn before the deadline."""
    best, best_gain, drawn = None, -np.inf, 0
    while best is None or time.perf_counter() < deadline:
        block = draw(rng, _size(model), model)
        gains = model.gain(block)
        drawn += len(block)
        if gains.max() > best_gain:
            best, best_gain = block[[int(gains.argmax())]], float(gains.max())
            if progress is not None:
                progress.improve(best_gain, None)
    assert best is not None
    return Found(best, Termination.CLOCK, stats={"reads": drawn})


def draw(rng: np.random.Generator, count: int, model: Any) -> NDArray[np.int8]:
    """Return `count` uniform assignments of a problem, (count, num_variables), in its own vartype."""
    bits = rng.integers(0, 2, (count, model.num_variables), dtype=np.int8)
    binary = model.kind == "bqm" and model.bqm.vartype.name == "BINARY"
    return bits if binary else (2 * bits - 1).astype(np.int8)


def _size(model: Any) -> int:
    return min(_BLOCK, max(1, 2**20 // max(1, int(model.num_variables))))
