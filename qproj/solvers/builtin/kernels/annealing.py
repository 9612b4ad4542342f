"""Annealing on a softened step: for neurons whose signs cannot all be met, and for real data.

The true gain Σ_g τ_g σ(z_g) is flat almost everywhere in v. Its softening

    S_K(v) = Σ_g τ_g clip((z_g + shift) / K, −1, 1)

is linear for K ≥ max|z| (its maximiser is then signSGD's direction sign(Aᵀτ)) and equals the gain at K = 1,
for ±1 rows: there z has the parity of d, so shift = 1 for even d and 0 for odd d turns σ(0) = +1 into the
sign of an odd number. Annealing lowers K and the temperature together and keeps the best *true* gain it
meets. Later rounds reheat the incumbent a little, from a low K: at equal work that loses a third to a half of what
fresh starts lose (docs/performance.md).
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.kernels.descent import descend
from qproj.solvers.builtin.kernels.scoring import CountArray, row_sums, score
from qproj.solvers.builtin.kernels.sharing import (
    FAST,
    SeedArray,
    check_seeds,
    generator_states,
    in_threads,
    random_integers,
    share_of_time,
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
FRESH = 8  # every so many rounds one begins anew, at random: insurance against a poor incumbent
FIRST_ROUND = 32  # sweeps of the first, timing round of `anneal_until`
FIRST_SHARE = 0.12  # of the time goes to the one full anneal of `anneal_until`
ROUND_SHARE = 0.04  # to each reheating at most
_STREAM = 1  # among the searches that draw from one neuron's seed
_TASKS = 256  # (neuron, start) pairs held at once: bounds the memory of large layers
_LATE = 1 << 22  # entries of rows, all neurons': beyond, no descent is begun after the deadline
_LOGS = np.log((np.arange(4096) + 0.5) / 4096).astype(np.float32)  # of uniform numbers: no exp in the inner loop


@dataclass(frozen=True, eq=False)
class Annealed:
    """Best vectors found, one row a neuron.

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


def soft_anneal(
    A: NDArray[Any],
    M: CountArray,
    tau: FloatArray,
    *,
    seed: int,
    sweeps: int = 400,
    starts: int = 1,
    init: CountArray | None = None,
    deadline: float | None = None,
    threads: int | None = None,
) -> tuple[CountArray, float, bool, int]:
    """Seek argmax_{0 ≤ c ≤ M} Σ_g tau_g σ(Σ_j A[g,j] (2c_j − M_j)) for one neuron; see `soft_anneal_layer`.

    Returns
    -------
    (c, gain, met, sweeps)
        c (C,) int64, its gain, whether every sign is met, and the sweeps done.
    """
    done = soft_anneal_layer(
        A,
        M,
        tau[:, None],
        seeds=np.array([seed], np.uint64),
        sweeps=sweeps,
        starts=starts,
        init=None if init is None else init[None, :],
        deadline=deadline,
        threads=threads,
    )
    return done.counts[0], float(done.gains[0]), bool(done.met[0]), done.sweeps


def soft_anneal_layer(
    A: NDArray[Any],
    M: CountArray,
    Tau: FloatArray,
    *,
    seeds: SeedArray,
    sweeps: int = 400,
    starts: int = 1,
    init: CountArray | None = None,
    deadline: float | None = None,
    threads: int | None = None,
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
    deadline : float, optional
        `time.perf_counter()` instant at which to return the best so far. The clock is read only if given.
    threads : int, optional
        Default `numba.get_num_threads()`.
    """
    problem = _prepare(A, M, Tau)
    check_seeds(seeds, Tau.shape[1])
    counts = problem.direction() if init is None else np.array(init, np.int64)
    gains, met = problem.score(counts)
    best = Annealed(counts, gains, met, 0)
    for start in range(starts):
        best = _round(problem, best, seeds, start, sweeps, deadline, threads)
        if best.met.all() or (deadline is not None and time.perf_counter() >= deadline):
            break
    return best


def anneal_until(
    A: NDArray[Any],
    M: CountArray,
    Tau: FloatArray,
    *,
    seeds: SeedArray,
    deadline: float,
    init: CountArray | None = None,
    threads: int | None = None,
) -> Annealed:
    """Anneal every neuron once, then reheat its incumbent again and again, until a deadline or all signs are met."""
    problem = _prepare(A, M, Tau)
    check_seeds(seeds, Tau.shape[1])
    counts = problem.direction() if init is None else np.array(init, np.int64)
    gains, met = problem.score(counts)
    best = Annealed(counts, gains, met, 0)
    total = deadline - time.perf_counter()
    share, sweeps, number = FIRST_SHARE, FIRST_ROUND, 0
    while not best.met.all():
        began = time.perf_counter()
        if began >= deadline:
            break
        best = _round(problem, best, seeds, number, sweeps, deadline, threads)
        now = time.perf_counter()
        # The first rounds tell what a sweep costs; a round cut short is worth little, so the last one is fitted.
        rate = sweeps / max(now - began, 1e-6)
        sweeps = max(FIRST_ROUND, int(rate * min(share * total, deadline - now)))
        share, number = ROUND_SHARE, number + 1
    return best


@dataclass(frozen=True, eq=False)
class _Prepared:
    A: NDArray[Any]
    M: CountArray
    targets: FloatArray  # (dout, G) as given
    columns: NDArray[Any]  # (C, G) contiguous, of the sums' dtype: a move is one pass over one row
    units: CountArray  # (moves, 2): class, step
    taus: NDArray[Any]  # (dout, G), each row scaled: integers for ±1 rows, ready for 16-bit multiply-add
    kind: type  # of sums of taus
    shift: int
    spread: float  # rms of z over random v

    def direction(self) -> CountArray:
        """Return signSGD's direction as counts, (dout, C)."""
        pull = np.zeros((len(self.targets), len(self.M)))
        for g, row in enumerate(self.A):  # in order: a product by BLAS may depend on the number of neurons
            pull += self.targets[:, g, None] * row
        return np.where(pull > 0, self.M, 0).astype(np.int64)

    def score(self, counts: CountArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        return score(self.A, self.M, self.targets, counts)

    def schedule(self, sweeps: int, heat: Heat) -> tuple[NDArray[Any], FloatArray]:
        """Return K and the temperature (over Σ|τ|²'s root) of each sweep, both falling geometrically."""
        done = (np.arange(sweeps) + 0.5) / max(sweeps, 1)
        whole = self.kind is np.int32
        k_end = K_END if whole else K_END / 8
        k_start = max(heat.k_start * self.spread, k_end)
        K = k_start * (k_end / k_start) ** done
        temperature = heat.start * (heat.end / heat.start) ** done
        # One move changes about a K/(K+spread) part of the rows, each by 2/K; K cancels as S is kept as
        # K·S_K.
        rounded = (np.rint(K) if whole else K).astype(self.columns.dtype)
        return rounded, temperature * 2.0 * np.sqrt(K / (K + self.spread))


def _prepare(A: NDArray[Any], M: CountArray, Tau: FloatArray) -> _Prepared:
    G, C = A.shape
    if M.shape != (C,) or Tau.ndim != 2 or Tau.shape[0] != G:
        raise ValueError(f"A {A.shape}, M {M.shape}, Tau {Tau.shape}: pass A (G, C), M (C,), Tau (G, dout)")
    spread = float(np.sqrt(M.sum()))
    units = np.array([(j, 1 << b) for j, m in enumerate(M.tolist()) for b in range(max(1, m.bit_length() - 1))])
    targets = np.ascontiguousarray(Tau.T, np.float64)
    largest = np.abs(targets).max(axis=1, initial=0.0, keepdims=True)
    unit = targets / np.where(largest > 0, largest, 1.0)
    if A.dtype.kind == "f":
        # σ(z) does not change when a row is scaled; a power of two changes no tie either.
        rms = np.sqrt((A.astype(np.float64) ** 2 @ M) / M.sum())
        A = A * (2.0 ** -np.round(np.log2(np.where(rms > 0, rms, 1.0))))[:, None]
        columns = np.ascontiguousarray(A.T, np.float64)
        return _Prepared(A, M.astype(np.int64), targets, columns, units, unit, np.float64, 0, spread)
    columns = np.ascontiguousarray(A.T, np.int16 if int(M.sum()) < 1 << 13 else np.int32)
    # |K·S_K| ≤ K Σ|τ| has to fit 31 bits; a target of any size counts at least 1, so that signs are met in all rows
    room = (1 << 30) / max(1.0, COOLING.k_start * spread + 1.0)
    total = np.maximum(np.abs(unit).sum(axis=1, keepdims=True), 1.0)  # the largest is 1, or all are 0
    whole = np.sign(unit) * np.maximum(1.0, np.rint(np.abs(unit) * np.minimum(32767.0, room / total)))
    taus = whole.astype(columns.dtype)
    shift = 1 - int(M.sum()) % 2
    return _Prepared(A, M.astype(np.int64), targets, columns, units, taus, np.int32, shift, spread)


def _round(
    problem: _Prepared,
    best: Annealed,
    seeds: SeedArray,
    number: int,
    sweeps: int,
    deadline: float | None,
    threads: int | None,
) -> Annealed:
    """Anneal each neuron that is not met once, and keep what got better: the first round and every eighth in full."""
    fresh = number % FRESH == FRESH - 1
    schedule = problem.schedule(sweeps, COOLING if fresh or number == 0 else REHEAT)
    todo = np.flatnonzero(~best.met)
    states = generator_states(seeds, _STREAM, number)
    counts, gains, met = best.counts.copy(), best.gains.copy(), best.met.copy()
    work = 0
    for low in range(0, len(todo), _TASKS):
        block = todo[low : low + _TASKS]
        limit = share_of_time(deadline, len(block) / (len(todo) - low))
        found, done = _anneal_block(problem, block, counts[block], states[block], schedule, limit, threads, fresh)
        late = limit is not None and time.perf_counter() >= limit and len(block) * problem.A.size > _LATE
        ends = descend(problem.A, problem.M, problem.targets[block], found, max_moves=0 if late else None)
        better = ends.gains > gains[block]
        rows = block[better]
        counts[rows], gains[rows], met[rows] = ends.counts[better], ends.gains[better], ends.met[better]
        work += done
    return Annealed(counts, gains, met, best.sweeps + work)


def _anneal_block(
    problem: _Prepared,
    block: NDArray[np.intp],
    counts: CountArray,
    states: NDArray[np.uint64],
    schedule: tuple[NDArray[Any], FloatArray],
    deadline: float | None,
    threads: int | None,
    fresh: bool,
) -> tuple[CountArray, int]:
    """Return the best counts met by one anneal of each neuron in `block`, and the sweeps done."""
    taus = problem.taus[block]
    now = random_integers(states, problem.M) if fresh else counts
    z = np.ascontiguousarray(row_sums(problem.A, problem.M, now) + problem.shift, problem.columns.dtype)
    kept = now.copy()
    kept_gain: NDArray[Any] = np.full(
        len(block), np.iinfo(np.int32).min if problem.kind is np.int32 else -np.inf, problem.kind
    )
    ended = np.zeros(len(block), np.bool_)
    K, heat = schedule
    norm = np.sqrt((taus.astype(np.float64) ** 2).sum(axis=1))

    def run(low: int, high: int, first: int, last: int) -> int:
        return int(
            _sweep_tasks(
                problem.columns,
                problem.M,
                problem.units,
                taus[low:high],
                now[low:high],
                z[low:high],
                kept[low:high],
                kept_gain[low:high],
                ended[low:high],
                states[low:high],
                K[first:last],
                heat[first:last],
                norm[low:high],
                _LOGS,
                problem.kind,
            )
        )

    # Seconds a sweep, roughly: this sizes the chunks, never the result.
    cost = len(problem.units) * (problem.A.shape[0] * 0.15e-9 + 5e-9) + 1e-7
    chunk = len(K) if deadline is None else max(1, int(0.01 / (cost * len(block))))
    work = 0
    for first in range(0, len(K), chunk):
        work += in_threads(run, len(block), first, min(first + chunk, len(K)), threads, cost * chunk)
        if ended.all() or (deadline is not None and time.perf_counter() >= deadline):
            break
    return kept, work


@nb.njit(cache=True, nogil=True)
def _sweep_tasks(columns, M, units, taus, now, z, kept, kept_gain, ended, states, K, heat, norm, logs, kind):
    """Run len(K) sweeps for each task that has not ended; now … states are updated in place."""
    work = 0
    for i in range(taus.shape[0]):
        if not ended[i]:
            work += _sweeps(
                columns, M, units, taus[i], now[i], z[i], kept[i], kept_gain[i:], ended[i:], states[i:], K, heat,
                norm[i], logs, kind,
            )  # fmt: skip
    return work


@nb.njit(cache=True, nogil=True)
def _sweeps(columns, M, units, tau, now, z, kept, kept_gain, ended, state, K, heat, norm, logs, kind):
    bound = kind(0)
    for g in range(tau.size):
        bound = kind(bound + abs(tau[g]))
    x = state[0]
    for sweep in range(K.size):
        k = K[sweep]
        temperature = heat[sweep] * norm
        soft = _soft_after(z, columns, 0, z.dtype.type(0), tau, k, kind)
        for q in range(units.shape[0]):
            j, step = units[q]
            x ^= x >> np.uint64(12)  # xorshift64*, Marsaglia 2003 / Vigna 2016: one word a move, bits and uniform alike
            x ^= x << np.uint64(25)
            x ^= x >> np.uint64(27)
            word = x * np.uint64(2685821657736338717)
            if M[j] == 1:
                step = 1 - 2 * now[j]
            else:
                if word & np.uint64(1 << 20):
                    step = -step
                if now[j] + step < 0 or now[j] + step > M[j]:
                    step = -step
                if now[j] + step < 0 or now[j] + step > M[j]:
                    continue
            move = z.dtype.type(2 * step)
            after = _soft_after(z, columns, j, move, tau, k, kind)
            if after - soft < temperature * logs[word >> np.uint64(52)]:
                continue
            gain = _move(z, columns, j, move, tau, kind)
            soft = after
            now[j] += step
            if gain > kept_gain[0]:
                kept_gain[0] = gain
                kept[:] = now
                if gain >= bound - bound * 1e-5 and _met(z, tau):
                    ended[0] = True
                    state[0] = x
                    return sweep + 1
    state[0] = x
    return K.size


# The casts keep integers in 16 and 32 bits, where numba would widen to 64: this is what makes the loops fast. Columns
# are indexed, not sliced: a slice costs two atomic operations.


@nb.njit(cache=True, nogil=True, fastmath=FAST)
def _soft_after(z, columns, j, move, tau, k, kind):
    """K·S_K = Σ τ clip(z, −K, K) after a move."""
    total = kind(0)
    low = z.dtype.type(-k)
    for g in range(z.size):
        y = z.dtype.type(z[g] + z.dtype.type(move * columns[j, g]))
        if y > k:
            y = k
        if y < low:
            y = low
        total = kind(total + kind(kind(tau[g]) * kind(y)))
    return total


@nb.njit(cache=True, nogil=True, fastmath=FAST)
def _move(z, columns, j, move, tau, kind):
    """Update z in place and return the new true gain."""
    total = kind(0)
    for g in range(z.size):
        y = z.dtype.type(z[g] + z.dtype.type(move * columns[j, g]))
        z[g] = y
        total = kind(total + (kind(tau[g]) if y >= 0 else kind(-tau[g])))
    return total


@nb.njit(cache=True, nogil=True)
def _met(z, tau):
    met = True
    for g in range(z.size):
        met &= tau[g] == 0 or (z[g] >= 0) == (tau[g] > 0)
    return met
