"""Every seed that is derived from another one: per problem, per batch of reads, per step and layer of a training.

All go through :class:`numpy.random.SeedSequence`, so what one problem draws does not depend on how many there are, in
which order they are solved, or on how many workers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def child_seeds(seed: int | None, count: int) -> list[int | None]:
    """Return one independent seed per problem; the first k do not depend on `count`, and None stays None."""
    if seed is None:
        return [None] * count
    seeds: list[int | None] = (np.random.SeedSequence(seed).generate_state(count, np.uint32) >> 1).tolist()
    return seeds


def derived_seed(*entropy: int) -> int:
    """Return a seed fixed by several numbers; 31 bits, which every backend takes."""
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint32)[0] >> 1)


def kernel_seeds(seeds: Sequence[int | None]) -> NDArray[np.uint64]:
    """Return the 64-bit seed of each problem for compiled searches; one without a seed draws a fresh one."""
    states = [np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] for seed in seeds]
    return np.array(states, np.uint64)


def neuron_seeds(seed: int | None, count: int) -> NDArray[np.uint64]:
    """Return one 64-bit seed per neuron of a layer: seed i follows from `seed` and i alone, whatever the count."""
    return np.random.SeedSequence(seed).generate_state(count, np.uint64).astype(np.uint64, copy=False)
