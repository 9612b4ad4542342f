"""The null model of every comparison: the best of num_reads uniformly random assignments."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj.solvers.adapter import Adapter
from qproj.solvers.contract import Capabilities, Request, Termination
from qproj.solvers.found import Found
from qproj.solvers.sampling import scoring_seconds
from qproj.solvers.search_progress import SearchProgress

#: Draws without num_reads and without a time limit.
DEFAULT_READS = 100
#: Draws scored at a time: memory, not speed; and, under a time limit, about the seconds that a block takes.
_BLOCK, _BLOCK_S = 4096, 0.02


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
    """Return `count` uniform assignments, or as many as can be scored before the deadline."""
    most = count
    if deadline is not None:
        each = max(scoring_seconds(model), 1e-9)
        most = max(1, min(count, int((deadline - time.perf_counter()) / each)))
    blocks: list[NDArray[Any]] = []
    drawn = 0
    while drawn < most:
        blocks.append(draw(rng, min(_size(model), count - drawn), model))
        drawn += len(blocks[-1])
        if progress is not None:
            progress.candidates(blocks[-1])
    termination = Termination.BUDGET if most == count else Termination.CLOCK
    return Found(np.concatenate(blocks)[:most], termination, stats={"reads": most})


def best_until(model: Any, rng: np.random.Generator, deadline: float, progress: SearchProgress | None = None) -> Found:
    """Return the best of the uniform assignments that are drawn before the deadline."""
    best, best_gain, drawn, size = None, -np.inf, 0, 1
    while best is None or time.perf_counter() < deadline:
        begin = time.perf_counter()
        block = draw(rng, size, model)
        gains = model.gain(block)
        drawn += len(block)
        size = min(_size(model), 2 * size if time.perf_counter() - begin < _BLOCK_S else size)
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
