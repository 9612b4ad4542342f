"""How searches of many neurons share threads, time and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba as nb
import numpy as np

#: What compiled code may assume and reorder where every number is finite.
FAST = {"nnan", "ninf", "nsz", "reassoc", "contract", "arcp", "afn"}
#: Numbers in float64 that are worked on at once beside large layers.
ENTRIES = 1 << 18


def share_of_time(deadline: float | None, share: float) -> float | None:
    """Return the instant at which a share of the time that is left to a deadline has passed; None without one."""
    if deadline is None:
        return None
    now = time.perf_counter()
    return now + (deadline - now) * min(1.0, share)


def in_threads(
    run: Callable[[int, int, int, int], int], tasks: int, first: int, last: int, threads: int | None, seconds: float
) -> int:
    """Split the tasks over threads; the kernels hold no lock, and this nests in any other pool."""
    workers = min(nb.get_num_threads() if threads is None else threads, tasks)
    if workers < 2 or seconds * tasks < 0.5e-3:
        return run(0, tasks, first, last)
    parts = min(tasks, 4 * workers)
    edges = np.linspace(0, tasks, parts + 1).astype(int).tolist()
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(lambda p: run(edges[p], edges[p + 1], first, last), range(parts)))
