"""One layer over many processes: neurons in batches of a fixed size, so that the number of workers changes no result.

Batches go through joblib: processes of this machine, or a Dask cluster inside ``joblib.parallel_config("dask")``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from qproj.projections import SignLayer
from qproj.solving.adapter import child_seeds
from qproj.solving.contract import Solution, Timing
from qproj.solving.layer import LayerSolution

#: Neurons a batch: many enough to share the work on X, few enough to spread.
BATCH = 32


@dataclass(frozen=True)
class Joined:
    """Neuron i's solution out of those of consecutive batches."""

    parts: tuple[LayerSolution, ...]

    def __call__(self, index: int) -> Solution:
        return self.parts[index // BATCH].solution(index % BATCH)


def spread(solver: Any, layer: SignLayer, workers: int, **limits: Any) -> LayerSolution:
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
    return joined(tuple(parts))


def _batch(layer: SignLayer, solver: Any, **limits: Any) -> LayerSolution:
    from qproj.solving.project import project

    return project(layer, solver=solver, **limits)


def joined(parts: tuple[LayerSolution, ...]) -> LayerSolution:
    """Return one layer's solution from those of its batches, in order; times are sums over processes."""
    spent = [part.timing for part in parts]
    names = ("build", "embed", "queue", "solve", "decode")
    failures = [failure for part in parts for failure in part.stats.get("failures", ())]
    return LayerSolution(
        weights=np.concatenate([part.weights for part in parts]),
        gain=np.concatenate([part.gain for part in parts]),
        objective=np.concatenate([part.objective for part in parts]),
        bound=np.concatenate([part.bound for part in parts]),
        gap=np.concatenate([part.gap for part in parts]),
        endings=tuple(ending for part in parts for ending in part.endings),
        ended_by=tuple(ended for part in parts for ended in part.ended_by),
        timing=Timing(*(sum(getattr(t, name) for t in spent) for name in names)),
        solver=parts[0].solver,
        stats={"batches": len(parts), **({"failures": failures} if failures else {})},
        solution=Joined(parts),
    )
