"""One layer in parts: batches over many processes, or block after block in this one, where memory asks for it.

Batches have a fixed size, so that the number of workers changes no result. They go through joblib: processes of this
machine, or a Dask cluster inside ``joblib.parallel_config("dask")``.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qproj._arrays import SignArray
from qproj.projections import LayerProjection
from qproj.solvers.adapter import child_seeds
from qproj.solvers.contract import Solution, Timing
from qproj.solvers.layers import BLOCK, Judged, LayerSolution

#: Neurons a batch: many enough to share the work on X, few enough to spread.
BATCH = 32


@dataclass(frozen=True)
class Joined:
    """Neuron i's solution out of those of consecutive batches."""

    parts: tuple[LayerSolution, ...]
    size: int

    def __call__(self, index: int) -> Solution:
        return self.parts[index // self.size].solution(index % self.size)


def block_of(layer: LayerProjection) -> int:
    """Return how many neurons are searched at once, so that the work space stays small beside a large layer."""
    return max(BATCH, BLOCK // max(layer.num_weights, len(layer.T)))


def in_blocks(solver: Any, layer: LayerProjection, **limits: Any) -> LayerSolution:
    """Return the layer's solution, searched block after block; each gets its share of the time that is left."""
    size = block_of(layer)
    starts = range(0, len(layer), size)
    seeds = child_seeds(limits.pop("seed"), len(starts))
    hints, time_limit_s = limits.pop("hints", None), limits.pop("time_limit_s")
    end = None if time_limit_s is None else time.perf_counter() + time_limit_s
    parts = []
    weights = np.empty((len(layer), layer.num_weights), np.int8)
    for start, seed in zip(starts, seeds, strict=True):
        if end is not None:
            left = (end - time.perf_counter()) * size / (len(layer) - start)
            limits["time_limit_s"] = max(min(left, end - time.perf_counter()), 1e-3)
        if hints is not None:
            limits["hints"] = hints[start : start + size]
        part = _batch(layer.part(start, start + size), solver, seed=seed, **limits)
        own = weights[start : start + size]  # one copy of the weights, not a block's and the layer's
        own[:] = part.weights
        own.setflags(write=False)
        judged = part.solution
        if isinstance(judged, Judged):  # a part anew: the searched one keeps merged rows of its own
            judged = replace(judged, weights=own, layer=layer.part(start, start + size))
        parts.append(replace(part, weights=own, solution=judged))
    return joined(tuple(parts), size, weights)


def spread(solver: Any, layer: LayerProjection, workers: int, **limits: Any) -> LayerSolution:
    """Return the layer's solution, its batches of neurons solved by up to `workers` processes.

    The time limit is the layer's: a batch gets its share, at most all of it.
    """
    from joblib import Parallel, delayed, effective_n_jobs

    starts = range(0, len(layer), BATCH)
    seeds = child_seeds(limits.pop("seed"), len(starts))
    hints, time_limit_s = limits.pop("hints", None), limits.pop("time_limit_s")
    if time_limit_s is not None:
        limits["time_limit_s"] = time_limit_s / math.ceil(len(starts) / max(1, effective_n_jobs(workers)))
    parts = Parallel(n_jobs=workers)(
        delayed(_batch)(
            layer.part(start, start + BATCH),
            solver,
            seed=seed,
            hints=None if hints is None else hints[start : start + BATCH],
            **limits,
        )
        for start, seed in zip(starts, seeds, strict=True)
    )
    return joined(tuple(parts), BATCH)


def _batch(layer: LayerProjection, solver: Any, **limits: Any) -> LayerSolution:
    from qproj.solvers.project import project

    return project(layer, solver=solver, **limits)


def joined(parts: tuple[LayerSolution, ...], size: int, weights: SignArray | None = None) -> LayerSolution:
    """Return one layer's solution from those of its batches, in order; times are sums over processes."""
    spent = [part.timing for part in parts]
    names = ("build", "embed", "queue", "solve", "decode")
    failures = [failure for part in parts for failure in part.stats.get("failures", ())]
    whole = np.concatenate([part.weights for part in parts]) if weights is None else weights
    whole.setflags(write=False)
    return LayerSolution(
        weights=whole,
        gain=np.concatenate([part.gain for part in parts]),
        objective=np.concatenate([part.objective for part in parts]),
        bound=np.concatenate([part.bound for part in parts]),
        gap=np.concatenate([part.gap for part in parts]),
        endings=tuple(ending for part in parts for ending in part.endings),
        ended_by=tuple(ended for part in parts for ended in part.ended_by),
        timing=Timing(*(sum(getattr(t, name) for t in spent) for name in names)),
        solver=parts[0].solver,
        stats={"batches": len(parts), **({"failures": failures} if failures else {})},
        solution=Joined(parts, size),
    )
