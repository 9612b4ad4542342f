"""torch.distributed: sums and gathers over all ranks; in a single process both return the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed.algorithms.join import JoinHook

from qproj.solvers import LayerSolution


def world(group: Any) -> tuple[int, int]:
    """Return (rank, number of ranks) of the process group: (0, 1) where none was set up."""
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(group), dist.get_world_size(group)


def sum_over_ranks(*tensors: Tensor, group: Any) -> None:
    """Replace each tensor by its sum over all ranks, in place."""
    if world(group)[1] > 1:
        for tensor in tensors:
            dist.all_reduce(tensor, group=group)


def gather_rows(*arrays: NDArray[Any], group: Any) -> tuple[NDArray[Any], ...]:
    """Return each array with the rows of all ranks below one another, in rank order; their counts may differ."""
    count = world(group)[1]
    if count == 1:
        return arrays
    parts: list[Any] = [None] * count
    dist.all_gather_object(parts, arrays, group=group)
    return tuple(np.concatenate([part[i] for part in parts]) for i in range(len(arrays)))


def own_share(neurons: int, group: Any) -> NDArray[np.intp]:
    """Return the neurons that this rank projects: every world-size-th."""
    rank, count = world(group)
    return np.arange(rank, neurons, count)


def join(own: LayerSolution | None, neurons: int, group: Any) -> LayerSolution:
    """Return the solution of all neurons from every rank's share; None stands for an empty one."""
    count = world(group)[1]
    if count == 1 and own is not None:
        return own
    parts: list[Any] = [None] * count
    arrays = None if own is None else own.arrays()
    dist.all_gather_object(parts, arrays, group=group)
    first = next(part for part in parts if part is not None)
    joined = {name: np.empty((neurons, *value.shape[1:]), value.dtype) for name, value in first.items()}
    for rank, part in enumerate(parts):
        for name, value in ({} if part is None else part).items():
            joined[name][rank::count] = value
    return LayerSolution.of_arrays(joined)


class UnevenBatches(JoinHook):
    """What a rank does that has no batch left while others have: it follows their sums, and takes over their state.

    Parameters
    ----------
    follow : callable
        Does one step's sums over ranks, with nothing to add.
    state : callable
        Returns the tensors that a step changes, in the same order on every rank.
    """

    def __init__(self, follow: Callable[[], None], state: Callable[[], Iterable[Tensor]], group: Any) -> None:
        self._follow, self._state, self._group = follow, state, group

    def main_hook(self) -> None:
        """Follow one step of the other ranks."""
        self._follow()

    def post_hook(self, is_last_joiner: bool) -> None:
        """Take over the state of a rank that had the most batches."""
        rank, count = world(self._group)
        if count == 1:
            return
        tensors = list(self._state())
        last = torch.tensor([rank if is_last_joiner else -1], device=tensors[0].device if tensors else None)
        dist.all_reduce(last, op=dist.ReduceOp.MAX, group=self._group)
        for tensor in tensors:
            dist.broadcast(tensor, int(last), group=self._group)
