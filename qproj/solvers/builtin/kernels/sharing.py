"""How searches of many neurons share time, threads, memory and random numbers.

Every neuron has its own seed, a 64-bit word, and every random number of a search follows from that seed, the search and
the number of its round. A neuron's result therefore depends neither on the neurons that are searched beside it nor on
their order, on threads or on blocks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numba as nb
import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray
from qproj._compiled import linked

#: Numbers in float64 that are worked on at once beside large layers.
ENTRIES = 1 << 18

SeedArray = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio, SplitMix64's step


def check_seeds(seeds: SeedArray, count: int) -> SeedArray:
    """Return the seeds, or raise ValueError where they are not one uint64 per neuron."""
    if not isinstance(seeds, np.ndarray) or seeds.dtype != np.uint64 or seeds.shape != (count,):
        got = f"{seeds.dtype} of shape {seeds.shape}" if isinstance(seeds, np.ndarray) else type(seeds).__name__
        raise ValueError(
            f"seeds are {got}; one uint64 per neuron is needed, ({count},): pass neuron_seeds(seed, {count})"
        )
    return seeds


def derived_seeds(seeds: SeedArray, *numbers: ArrayLike) -> SeedArray:
    """Return a new seed for each of `seeds` and a sequence of numbers ≥ 0, such as a search and its round.

    For each number k the seed becomes output k + 1 of SplitMix64 (Steele, Lea, Flood 2014) started at the seed: k + 1
    steps of 2^64 over the golden ratio are added, and the sum is mixed by a bijection of 64-bit words.
    """
    for number in numbers:
        z = seeds + (np.atleast_1d(np.asarray(number, np.uint64)) + np.uint64(1)) * np.uint64(_GOLDEN)  # modulo 2^64
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        seeds = z ^ (z >> np.uint64(31))
    return seeds


def generator_states(seeds: SeedArray, *numbers: int) -> SeedArray:
    """Return states of xorshift64*, which must not be 0, from derived seeds."""
    return derived_seeds(seeds, *numbers) | np.uint64(1)


def random_words(seeds: SeedArray, count: int) -> SeedArray:
    """Return random 64-bit words, (len(seeds), count): row i holds SplitMix64's first outputs from seed i."""
    return derived_seeds(seeds[:, None], np.arange(count))


def random_integers(seeds: SeedArray, most: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return uniform integers from 0 to most[j] < 2^32 inclusive, (len(seeds), len(most)) int64."""
    words = random_words(seeds, len(most)) >> np.uint64(32)
    integers: NDArray[np.int64] = (words * (most + 1).astype(np.uint64) >> np.uint64(32)).astype(np.int64)
    return integers


def random_reals(seeds: SeedArray, count: int) -> FloatArray:
    """Return uniform numbers between −1 and 1, (len(seeds), count)."""
    return (random_words(seeds, count) >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0


@linked()
def next_state(x: Any) -> Any:
    """The next state of xorshift64* (Marsaglia 2003, Vigna 2016)."""
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    return x ^ (x >> np.uint64(27))


@linked()
def word_of(x: Any) -> Any:
    """The random word of a state of xorshift64*; its high bits are the best."""
    return x * np.uint64(2685821657736338717)


@linked()
def below(x: Any, n: Any) -> Any:
    """A number from 0 to n − 1, n < 2^32, of a state of xorshift64*."""
    return np.int64(((word_of(x) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@linked()
def copy_to(target: Any, source: Any) -> None:
    """Copy a vector. With target[:] = source numba would also compile the message of an error about shapes."""
    for j in range(target.size):
        target[j] = source[j]


class Limits(NamedTuple):
    """What a search may use.

    Attributes
    ----------
    deadline : float, optional
        `time.perf_counter()` instant at which to return the best so far. The clock is read only if given.
    threads : int, optional
        Default `numba.get_num_threads()`. Their number changes no result.
    stop : callable, optional
        Asked now and then where there is a deadline; True ends the search.
    watch : callable, optional
        Called with all incumbents between the parts of a search.
    """

    deadline: float | None = None
    threads: int | None = None
    stop: Callable[[], bool] | None = None
    watch: Callable[[NDArray[Any]], object] | None = None

    def report(self, incumbents: NDArray[Any]) -> None:
        """Pass the incumbents on, (dout, C) counts or (dout, d) weights, where somebody listens."""
        if self.watch is not None:
            self.watch(incumbents)

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.perf_counter() >= self.deadline

    def share(self, share: float) -> Limits:
        """Return limits that end when a share of the time that is left has passed."""
        if self.deadline is None:
            return self
        now = time.perf_counter()
        return self._replace(deadline=now + (self.deadline - now) * min(1.0, share))


#: No deadline, and all of numba's threads.
NO_LIMITS = Limits()


def in_threads(run: Callable[[int, int], int], tasks: int, threads: int | None, seconds: float) -> int:
    """Return the sum of run(low, high) over parts of the tasks, shared among threads where that is worth their start.

    `seconds` is what one task takes, roughly. Kernels hold no lock, and this nests in any other pool.
    """
    workers = min(nb.get_num_threads() if threads is None else threads, tasks)
    if workers < 2 or seconds * tasks < 0.5e-3:
        return run(0, tasks)
    edges = np.linspace(0, tasks, min(tasks, 4 * workers) + 1).astype(int).tolist()
    todo = deque(pairwise(edges))

    def work() -> int:
        done = 0
        while True:
            try:
                low, high = todo.popleft()
            except IndexError:
                return done
            done += run(low, high)

    pool = ThreadPoolExecutor(workers - 1)
    try:  # a Ctrl-C may come while a thread is started
        helpers = [pool.submit(work) for _ in range(workers - 1)]
        return work() + sum(helper.result() for helper in helpers if not helper.cancel())
    finally:  # of a thread that was not started in time, as beside other work, nobody waits for the end
        todo.clear()
        pool.shutdown(wait=False)
