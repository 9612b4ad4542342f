"""Annealing on a softened step: for neurons whose signs cannot all be met, and for real data.

The true gain Σ_g τ_g σ(z_g) is flat almost everywhere in v. Its softening

    S_K(v) = Σ_g τ_g clip((z_g + shift) / K, −1, 1)

is linear for K ≥ max|z| (its maximiser is then signSGD's direction sign(Aᵀτ)) and equals the gain at K = 1,
for ±1 rows: there z has the parity of d, so shift = 1 for even d and 0 for odd d turns σ(0) = +1 into the
sign of an odd number. Annealing lowers K and the temperature together and keeps the best *true* gain it
meets. Later rounds reheat the incumbent a little, from a low K: at equal work that loses a third to a half of what
fresh starts lose (docs/performance.md).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.kernels.annealing_sweeps import LOGS, Block, Moves, Schedule, anneal
from qproj.solvers.builtin.kernels.descent import descend
from qproj.solvers.builtin.kernels.scoring import CountArray, check_shapes, row_sums, score
from qproj.solvers.builtin.kernels.sharing import (
    NO_LIMITS,
    Limits,
    SeedArray,
    check_seeds,
    generator_states,
    in_threads,
    random_integers,
)

K_END = 1.0  # in units of one ±1 entry: the softened step is the true step


@dataclass(frozen=True)
class Heat:
    """Where an anneal starts and ends.

    Attributes
    ----------
    k_start : float
        In units of the rms of z at random v; larger starts spend sweeps on signSGD's direction.
    start, end : float
        Temperature over the typical change of S_K by one move.
    """

    k_start: float
    start: float
    end: float


COOLING = Heat(0.6, 0.5, 0.05)
REHEAT = Heat(0.3, 0.12, 0.07)
FRESH = 8  # one of so many rounds begins at random: insurance against a poor incumbent
FIRST_ROUND = 32  # sweeps of the first, timing round of `anneal_until`
FIRST_SHARE = 0.12  # of the time is for the one full anneal of `anneal_until`
ROUND_SHARE = 0.04  # for each reheating at most
_STREAM = 1  # among the searches that draw from one neuron's seed
_TASKS = 256  # neurons whose work space is held at once
_LATE = 1 << 22  # entries of rows, all neurons': beyond, no descent is begun after the deadline


@dataclass(frozen=True, eq=False)
class Annealed:
    """Best vectors found, one row per neuron.

    Attributes
    ----------
    counts : (dout, C) int64
        c_j ∈ [0, M_j], the agreeing members of each column class (v = 2c − 1 where M_j = 1).
    gains : (dout,) float64
        Σ_g τ_g σ(z_g) of each row.
    met : (dout,) bool
        Whether every sign with τ ≠ 0 is met: the row is then optimal.
    sweeps : int
        Sweeps done, summed over neurons and starts: the work spent.
    """

    counts: CountArray
    gains: FloatArray
    met: NDArray[np.bool_]
    sweeps: int


def soft_anneal_layer(
    A: NDArray[Any],
    M: CountArray,
    Tau: FloatArray,
    *,
    seeds: SeedArray,
    sweeps: int = 400,
    starts: int = 1,
    init: CountArray | None = None,
    limits: Limits = NO_LIMITS,
) -> Annealed:
    """Seek argmax_{0 ≤ c ≤ M} Σ_g Tau[g,i] σ(Σ_j A[g,j] (2c_j − M_j)) for every neuron i.

    Parameters
    ----------
    A : (G, C)
        Row groups × column classes: ±1 of an integer dtype, or real (float; σ is then taken of float64 sums,
        no tolerance).
    M : (C,) int64
        Class sizes ≥ 1; ones for plain columns.
    Tau : (G, dout) float64
        Targets; rows with 0 do not count for that neuron.
    seeds : (dout,) uint64
        One per neuron. A neuron's result depends on its own target, seed, `init` and the work budget alone.
    sweeps, starts
        The work budget: one anneal and `starts` − 1 rounds from the incumbent, each of `sweeps` sweeps per neuron,
        fewer once its signs are all met.
    init : (dout, C), optional
        Counts to begin the first start from; the result is at least as good. Default: signSGD's direction.
    limits : Limits
        A deadline and threads.
    """
    problem = _Problem.of(A, M, Tau)
    best = problem.begin(init, check_seeds(seeds, Tau.shape[1]))
    for start in range(starts):
        best = _round(problem, best, seeds, start, sweeps, limits)
        limits.report(best.counts)
        if best.met.all() or limits.over:
            break
    return best


def anneal_until(
    A: NDArray[Any],
    M: CountArray,
    Tau: FloatArray,
    *,
    seeds: SeedArray,
    limits: Limits,
    init: CountArray | None = None,
) -> Annealed:
    """Anneal every neuron once, then reheat its incumbent again and again, until the deadline or all signs are met."""
    if limits.deadline is None:
        raise ValueError("the limits have no deadline; pass Limits(deadline=…), or use soft_anneal_layer")
    problem = _Problem.of(A, M, Tau)
    best = problem.begin(init, check_seeds(seeds, Tau.shape[1]))
    total = limits.deadline - time.perf_counter()
    share, sweeps, number = FIRST_SHARE, FIRST_ROUND, 0
    while not best.met.all():
        began = time.perf_counter()
        if began >= limits.deadline:
            break
        best = _round(problem, best, seeds, number, sweeps, limits)
        limits.report(best.counts)
        now = time.perf_counter()
        # The first rounds show what a sweep costs; a round cut short is worth little, so the last one is fitted.
        rate = sweeps / max(now - began, 1e-6)
        sweeps = max(FIRST_ROUND, int(rate * min(share * total, limits.deadline - now)))
        share, number = ROUND_SHARE, number + 1
    return best


@dataclass(frozen=True, eq=False)
class _Problem:
    """A layer made ready for sweeps: whole numbers for ±1 rows, float64 for real ones."""

    A: NDArray[Any]
    targets: FloatArray  # (dout, G) as given
    moves: Moves
    taus: NDArray[Any]  # (dout, G), each row scaled: integers for ±1 rows, ready for 16-bit multiply-add
    shift: int
    spread: float  # rms of z over random v

    @property
    def is_real(self) -> bool:
        return bool(self.A.dtype.kind == "f")

    @classmethod
    def of(cls, A: NDArray[Any], M: CountArray, Tau: FloatArray) -> _Problem:
        check_shapes(A, M, Tau)
        sizes, spread = M.astype(np.int64), float(np.sqrt(M.sum()))
        units = np.array([(j, 1 << b) for j, m in enumerate(M.tolist()) for b in range(max(1, m.bit_length() - 1))])
        targets = np.ascontiguousarray(Tau.T, np.float64)
        largest = np.abs(targets).max(axis=1, initial=0.0, keepdims=True)
        unit = targets / np.where(largest > 0, largest, 1.0)
        if A.dtype.kind == "f":
            # σ(z) does not change when a row is scaled; a power of two changes no tie either.
            rms = np.sqrt((A.astype(np.float64) ** 2 @ M) / M.sum())
            A = A * (2.0 ** -np.round(np.log2(np.where(rms > 0, rms, 1.0))))[:, None]
            return cls(A, targets, Moves(np.ascontiguousarray(A.T, np.float64), sizes, units), unit, 0, spread)
        columns = np.ascontiguousarray(A.T, np.int16 if int(M.sum()) < 1 << 13 else np.int32)
        # |K·S_K| ≤ K Σ|τ| has to fit 31 bits; a target of any size counts at least 1, so that signs are met in all rows
        room = (1 << 30) / max(1.0, COOLING.k_start * spread + 1.0)
        total = np.maximum(np.abs(unit).sum(axis=1, keepdims=True), 1.0)  # the largest is 1, or all are 0
        whole = np.sign(unit) * np.maximum(1.0, np.rint(np.abs(unit) * np.minimum(32767.0, room / total)))
        shift = 1 - int(M.sum()) % 2
        return cls(A, targets, Moves(columns, sizes, units), whole.astype(columns.dtype), shift, spread)

    def begin(self, init: CountArray | None, seeds: SeedArray) -> Annealed:
        """Return the first incumbents, (len(seeds), C): `init`, or signSGD's direction as counts."""
        sizes = self.moves.sizes
        if init is not None:
            counts = np.array(init, np.int64)
        else:
            pull = np.zeros((len(seeds), len(sizes)))
            for g, row in enumerate(self.A):  # in order: a product by BLAS may depend on the number of neurons
                pull += self.targets[:, g, None] * row
            counts = np.where(pull > 0, sizes, 0).astype(np.int64)
        gains, met = score(self.A, sizes, self.targets, counts)
        return Annealed(counts, gains, met, 0)

    def schedule(self, sweeps: int, heat: Heat) -> Schedule:
        """Return K and the temperature (over Σ|τ|²'s root) of each sweep, both falling geometrically."""
        done = (np.arange(sweeps) + 0.5) / max(sweeps, 1)
        k_end = K_END / 8 if self.is_real else K_END
        k_start = max(heat.k_start * self.spread, k_end)
        K = k_start * (k_end / k_start) ** done
        temperature = heat.start * (heat.end / heat.start) ** done
        # One move changes about a K/(K+spread) part of the rows, each by 2/K; K cancels as S is kept as
        # K·S_K.
        rounded = (K if self.is_real else np.rint(K)).astype(self.taus.dtype)
        return Schedule(rounded, temperature * 2.0 * np.sqrt(K / (K + self.spread)))

    def block(self, neurons: NDArray[np.intp], now: CountArray, states: SeedArray) -> Block:
        """Return the work space of an anneal of some neurons from the counts `now`, (k, C)."""
        taus = self.taus[neurons]
        lowest = -np.finfo(np.float64).max if self.is_real else np.iinfo(np.int32).min
        return Block(
            taus=taus,
            norms=np.sqrt((taus.astype(np.float64) ** 2).sum(axis=1)),
            now=now,
            kept=now.copy(),
            sums=np.ascontiguousarray(row_sums(self.A, self.moves.sizes, now) + self.shift, taus.dtype),
            gains=np.full(len(taus), lowest, np.float64 if self.is_real else np.int32),
            ended=np.zeros(len(taus), np.bool_),
            states=states,
        )


def _round(
    problem: _Problem, best: Annealed, seeds: SeedArray, number: int, sweeps: int, limits: Limits
) -> Annealed:  # fmt: skip
    """Anneal each neuron that is not met once, and keep what improved: the first round and every eighth in full."""
    fresh = number % FRESH == FRESH - 1
    schedule = problem.schedule(sweeps, COOLING if fresh or number == 0 else REHEAT)
    todo = np.flatnonzero(~best.met)
    counts, gains, met = best.counts.copy(), best.gains.copy(), best.met.copy()
    work = 0
    for low in range(0, len(todo), _TASKS):
        neurons = todo[low : low + _TASKS]
        part = limits.share(len(neurons) / (len(todo) - low))
        states = generator_states(seeds[neurons], _STREAM, number)
        begin = random_integers(states, problem.moves.sizes) if fresh else counts[neurons]
        block = problem.block(neurons, begin, states)
        work += _sweep(problem.moves, block, schedule, part)
        late = part.over and len(neurons) * problem.A.size > _LATE
        ends = descend(
            problem.A, problem.moves.sizes, problem.targets[neurons], block.kept, max_moves=0 if late else None
        )
        better = ends.gains > gains[neurons]
        rows = neurons[better]
        counts[rows], gains[rows], met[rows] = ends.counts[better], ends.gains[better], ends.met[better]
    return Annealed(counts, gains, met, best.sweeps + work)


def _sweep(moves: Moves, block: Block, schedule: Schedule, limits: Limits) -> int:
    """Run the schedule, chunk by chunk where there is a deadline; return the sweeps done."""
    sweeps, neurons = len(schedule.K), len(block.taus)
    # Seconds per sweep, roughly: they size the chunks, never the result.
    cost = len(moves.units) * (moves.columns.shape[1] * 0.15e-9 + 5e-9) + 1e-7
    chunk = sweeps if limits.deadline is None else max(1, int(0.01 / (cost * neurons)))
    work = 0
    for first in range(0, sweeps, chunk):
        part = (first, min(first + chunk, sweeps))

        def run(low: int, high: int, part: tuple[int, int] = part) -> int:
            return int(anneal(moves, block, schedule, LOGS, part, (low, high)))

        work += in_threads(run, neurons, limits.threads, cost * chunk)
        if block.ended.all() or limits.over:
            break
    return work
