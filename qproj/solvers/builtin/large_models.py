"""Annealing and tabu search for large sparse models: memory in proportion to the couplings, and ends between sweeps.

dwave-samplers end a read of ``sa`` only when it is done, which takes seconds on a hundred thousand variables, and keep
a dense matrix for ``tabu``, which takes gigabytes on twenty thousand. Such models go to kernels of our own, which do
the same moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray

#: Spin updates of one read from which annealing is ours: about a second of work.
LONG_READ = 200_000_000
#: Bytes that dwave-samplers' tabu search takes per pair of variables, as measured, and the most that it may take: this
#: many, or ten times the model.
PAIR_BYTES, FREE_BYTES, TIMES_MODEL = 38, 40_000_000, 10
#: Tabu flips that count as a second of ``read_timeout_s``, so that a seed repeats on every machine.
FLIPS_PER_SECOND = 1_000_000
#: Share of the time left that one anneal is planned for, and tabu flips between two looks at the clock.
_SHARE, _LOOK = 0.7, 20_000
#: Share of spins that a restart of tabu search flips, and the least tenure.
_KICK, _TENURE = 0.1, 20


def is_long(bqm: dimod.BinaryQuadraticModel, sweeps: int) -> bool:
    """Return whether one read of so many sweeps takes about a second or more."""
    return sweeps * (bqm.num_variables + bqm.num_interactions) > LONG_READ


def is_too_sparse(bqm: dimod.BinaryQuadraticModel) -> bool:
    """Return whether a dense matrix of the model would take much more memory than the model."""
    return PAIR_BYTES * bqm.num_variables**2 > max(FREE_BYTES, TIMES_MODEL * int(bqm.nbytes()))


def annealed(
    bqm: dimod.BinaryQuadraticModel,
    num_reads: int,
    betas: FloatArray,
    rng: np.random.Generator,
    stop: Callable[[], bool],
    deadline: float | None,
    start: NDArray[np.int8] | None = None,
) -> dimod.SampleSet:
    """Return the best states that anneals at the given inverse temperatures see, one per read.

    Under a deadline an anneal takes as many of the temperatures, evenly spread, as there is time for; once `stop`
    returns true it ends between two sweeps.

    Parameters
    ----------
    betas : (sweeps,) float64
        In the order of the anneal.
    start : (N,) int8, optional
        Where every read begins, in the model's vartype.
    """
    from qproj.solvers.builtin.kernels.ising import Ising, temper

    model = Ising.of(bqm)
    N = len(model.h)
    found: list[NDArray[np.int8]] = []
    while len(found) < num_reads and not (found and stop()):
        spins = rng.choice(np.array([-1.0, 1.0]), (1, N)) if start is None else _signs(start)[None, :]
        fields = model.pulls(spins)
        energies = np.array([spins[0] @ (model.h + 0.5 * fields[0])])
        best = np.append(spins[0], energies)
        states, swaps = rng.integers(1, 2**63, 1, dtype=np.uint64), np.zeros(2, np.int64)
        chosen, done = betas, 0
        while done < len(chosen) and not stop():
            begin = time.perf_counter()
            temper(model, chosen[done : done + 1], 1, states, spins, fields, energies, best, swaps)
            done += 1
            if done == 2 and deadline is not None:  # the first may have compiled, and both are hot, hence long
                now = time.perf_counter()
                left = max(2, int(_SHARE * (deadline - now) / max(now - begin, 1e-9)))
                if left < len(betas):
                    chosen = betas[np.linspace(0, len(betas) - 1, left).astype(np.intp)]
        found.append(best[:N].astype(np.int8))
    return reads_of(bqm, np.stack(found))


def tabu_searched(
    bqm: dimod.BinaryQuadraticModel,
    num_reads: int,
    flips: int,
    rng: np.random.Generator,
    stop: Callable[[], bool],
    start: NDArray[np.int8] | None = None,
) -> dimod.SampleSet:
    """Return the best states of tabu searches, one per read of at most so many flips.

    A read is a sequence of short searches, N flips the first and N/2 each later one, which begins a kick away from the
    best state: one long walk on a large sparse model stays where it first ends up.
    """
    from qproj.solvers.builtin.kernels.ising import Ising
    from qproj.solvers.builtin.kernels.sparse_tabu import TabuWalk, walk_on

    model = Ising.of(bqm)
    N = len(model.h)
    tenure = max(1, min(N // 4, max(_TENURE, N // 100)))
    found: list[NDArray[np.int8]] = []
    while len(found) < num_reads and not (found and stop()):
        best = rng.choice(np.array([-1.0, 1.0]), N) if start is None else _signs(start)
        left, lowest, over = flips, np.inf, False
        while left > 0 and not over:
            kicked = best if left == flips else best * np.where(rng.random(N) < _KICK, -1.0, 1.0)
            walk, steps = TabuWalk.begin(model, kicked, tenure), min(left, N if left == flips else max(1, N // 2))
            left -= steps
            while steps > 0 and not over:
                walk_on(model, walk, min(steps, _LOOK))
                steps, over = steps - _LOOK, stop()
            if walk.energies[1] < lowest:
                best, lowest = walk.found(), float(walk.energies[1])
        found.append(best.astype(np.int8))
    return reads_of(bqm, np.stack(found))


def _signs(state: NDArray[np.int8]) -> FloatArray:
    return np.where(state > 0, 1.0, -1.0)


def reads_of(bqm: dimod.BinaryQuadraticModel, spins: NDArray[np.int8]) -> dimod.SampleSet:
    """Return ±1 states, (k, N), as reads of a model over 0…N−1 in its own vartype."""
    values = spins if bqm.vartype is dimod.SPIN else ((spins + 1) // 2).astype(np.int8)
    labelled = (values, range(values.shape[1]))
    reads: dimod.SampleSet = dimod.SampleSet.from_samples_bqm(labelled, bqm, sort_labels=False)
    return reads
