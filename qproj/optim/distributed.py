"""torch.distributed: rows of all ranks are gathered, each rank projects its share of the neurons, all get all of V."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.distributed as dist
from numpy.typing import NDArray

from qproj.optim.kinds import Projected


def world(group: Any) -> tuple[int, int]:
    """Return (rank, number of ranks) of the process group: (0, 1) where none was set up."""
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(group), dist.get_world_size(group)


def gather_rows(*arrays: NDArray[Any], group: Any) -> tuple[NDArray[Any], ...]:
    """Return each array with the rows of all ranks below one another, in rank order; their counts may differ."""
    count = world(group)[1]
    if count == 1:
        return arrays
    parts: list[Any] = [None] * count
    dist.all_gather_object(parts, arrays, group=group)
    return tuple(np.concatenate([part[i] for part in parts]) for i in range(len(arrays)))


def my_share(neurons: int, group: Any) -> NDArray[np.intp]:
    """Return the neurons that this rank projects: every world-size-th."""
    rank, count = world(group)
    return np.arange(rank, neurons, count)


def join(mine: Projected | None, neurons: int, group: Any) -> Projected:
    """Return the projection of all neurons from every rank's share; None stands for an empty one."""
    count = world(group)[1]
    if count == 1 and mine is not None:
        return mine
    parts: list[Any] = [None] * count
    dist.all_gather_object(parts, mine, group=group)
    first = next(part for part in parts if part is not None)
    joined: dict[str, Any] = {}
    for name in ("V", "objective", "bound", "gap", "proved"):
        sample = getattr(first, name)
        whole = np.empty((neurons, *sample.shape[1:]), sample.dtype)
        for rank, part in enumerate(parts):
            if part is not None:
                whole[rank::count] = getattr(part, name)
        joined[name] = whole
    return Projected(**joined)
