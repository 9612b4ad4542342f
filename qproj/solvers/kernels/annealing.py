"""Annealing on a softened step: for neurons whose signs cannot all be met, and for real data.

The true gain Σ_g τ_g σ(z_g) is flat almost everywhere in v. Its softening

    S_K(v) = Σ_g τ_g clip((z_g + shift) / K, −1, 1)

is linear for K ≥ max|z| (its maximiser is then signSGD's direction sign(Aᵀτ)) and equals the gain at K = 1,
for ±1 rows: there z has the parity of d, so shift = 1 for even d and 0 for odd d turns σ(0) = +1 into the
sign of an odd number. Annealing lowers K and the temperature together and keeps the best *true* gain it
meets.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.kernels.descent import CountArray, descend, score

K_START = 1.0  # in units of the rms of z at random v; larger starts spend sweeps on signSGD's direction
K_END = 1.0  # in units of one ±1 entry: the softened step is the true step
HEAT_START = 0.5  # temperature over the typical change of S_K by one move
HEAT_END = 0.05
FIRST_ROUND = 32  # sweeps of the first, timing round of `anneal_until`
_TASKS = 256  # (neuron, start) pairs held at once: bounds the memory of large layers
_FAST = {"nnan", "ninf", "nsz", "reassoc", "contract", "arcp", "afn"}  # every number here is finite


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
        seed=seed,
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
    seed: int,
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
    seed, sweeps, starts
        The work budget: `starts` anneals of `sweeps` sweeps a neuron, fewer once its signs are all met.
        Ended by it, the result depends on the seed alone, not on `threads`.
    init : (dout, C), optional
        Counts to begin the first start from; the result is at least as good. Default: signSGD's direction.
    deadline : float, optional
        `time.perf_counter()` instant at which to return the best so far. The clock is read only if given.
    threads : int, optional
        Default `numba.get_num_threads()`.
    """
    problem = _prepare(A, M, Tau)
    counts = problem.direction() if init is None else np.array(init, np.int64)
    gains, met = problem.score(counts)
    best = Annealed(counts, gains, met, 0)
    schedule = problem.schedule(sweeps)
    for start in range(starts):
        best = _round(problem, best, schedule, (seed, start), deadline, threads, fresh=start > 0)
        if best.met.all() or (deadline is not None and time.perf_counter() >= deadline):
            break
    return best


def anneal_until(
    A: NDArray[Any],
    M: CountArray,
    Tau: FloatArray,
    *,
    seed: int,
    deadline: float,
    init: CountArray | None = None,
    threads: int | None = None,
) -> Annealed:
    """Anneal every neuron again and again, each time twice as long, until a deadline or all signs are met."""
    problem = _prepare(A, M, Tau)
    counts = problem.direction() if init is None else np.array(init, np.int64)
    gains, met = problem.score(counts)
    best = Annealed(counts, gains, met, 0)
    sweeps, number = FIRST_ROUND, 0
    while not best.met.all():
        began = time.perf_counter()
        if began >= deadline:
            break
        best = _round(problem, best, problem.schedule(sweeps), (seed, number), deadline, threads, fresh=number > 0)
        now = time.perf_counter()
        room = int((deadline - now) / max(now - began, 1e-6) * sweeps)
        # An anneal cut short is worth little: the last one is fitted to the time that is left.
        sweeps, number = (max(1, room) if room < 3 * sweeps else 2 * sweeps), number + 1
    return best


@dataclass(frozen=True, eq=False)
class _Prepared:
    A: NDArray[Any]
    M: CountArray
    Tau: FloatArray
    columns: NDArray[Any]  # (C, G) contiguous: a move is one pass over one row
    units: CountArray  # (moves, 2): class, step
    taus: NDArray[np.float32]  # (dout, G), each row scaled by a power of two
    shift: int
    spread: float  # rms of z over random v

    def direction(self) -> CountArray:
        """Return signSGD's direction as counts, (dout, C)."""
        return np.where(self.Tau.T @ self.A > 0, self.M, 0).astype(np.int64)

    def score(self, counts: CountArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        return score(self.A, self.M, self.Tau.T, counts)

    def schedule(self, sweeps: int) -> tuple[NDArray[np.float32], FloatArray]:
        """Return K and the temperature (over Σ|τ|²'s root) of each sweep, both falling geometrically."""
        done = (np.arange(sweeps) + 0.5) / max(sweeps, 1)
        k_end = K_END if self.columns.dtype == np.int8 else K_END / 8
        k_start = max(K_START * self.spread, k_end)
        K = k_start * (k_end / k_start) ** done
        heat = HEAT_START * (HEAT_END / HEAT_START) ** done
        # One move changes about a K/(K+spread) part of the rows, each by 2/K; K cancels as S is kept as
        # K·S_K.
        return K.astype(np.float32), heat * 2.0 * np.sqrt(K / (K + self.spread))


def _prepare(A: NDArray[Any], M: CountArray, Tau: FloatArray) -> _Prepared:
    G, C = A.shape
    if M.shape != (C,) or Tau.ndim != 2 or Tau.shape[0] != G:
        raise ValueError(f"A {A.shape}, M {M.shape}, Tau {Tau.shape}: pass A (G, C), M (C,), Tau (G, dout)")
    if A.dtype.kind == "f":
        # σ(z) does not change when a row is scaled; a power of two changes no tie either.
        rms = np.sqrt((A.astype(np.float64) ** 2 @ M) / M.sum())
        A = A * (2.0 ** -np.round(np.log2(np.where(rms > 0, rms, 1.0))))[:, None]
        columns, shift = np.ascontiguousarray(A.T, np.float64), 0
    else:
        columns, shift = np.ascontiguousarray(A.T, np.int8), 1 - int(M.sum()) % 2
    largest = np.abs(Tau).max(axis=0, initial=0.0)
    scale = 2.0 ** -np.floor(np.log2(np.where(largest > 0, largest, 1.0)))
    taus = np.ascontiguousarray((Tau * scale).T, np.float32)
    units = np.array([(j, 1 << b) for j, m in enumerate(M.tolist()) for b in range(max(1, m.bit_length() - 1))])
    return _Prepared(A, M.astype(np.int64), Tau, columns, units, taus, shift, float(np.sqrt(M.sum())))


def _round(
    problem: _Prepared,
    best: Annealed,
    schedule: tuple[NDArray[np.float32], FloatArray],
    seed: tuple[int, int],
    deadline: float | None,
    threads: int | None,
    *,
    fresh: bool,
) -> Annealed:
    """Anneal each neuron that is not met once, and keep what got better."""
    todo = np.flatnonzero(~best.met)
    states = np.random.SeedSequence(seed).generate_state(len(best.met), np.uint64) | np.uint64(1)
    counts, gains, met = best.counts.copy(), best.gains.copy(), best.met.copy()
    work = 0
    for low in range(0, len(todo), _TASKS):
        block = todo[low : low + _TASKS]
        limit = deadline
        if deadline is not None:  # blocks share the time that is left
            now = time.perf_counter()
            limit = now + (deadline - now) * len(block) / (len(todo) - low)
        found, done = _anneal_block(problem, block, counts[block], states[block], schedule, limit, threads, fresh)
        ends = descend(problem.A, problem.M, problem.Tau.T[block], found)
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
    schedule: tuple[NDArray[np.float32], FloatArray],
    deadline: float | None,
    threads: int | None,
    fresh: bool,
) -> tuple[CountArray, int]:
    """Return the best counts met by one anneal of each neuron in `block`, and the sweeps done."""
    taus = problem.taus[block]
    now = _random_counts(problem.M, states) if fresh else counts
    z = (2 * now - problem.M) @ problem.A.T.astype(np.float64) + problem.shift
    z = np.ascontiguousarray(z, np.float32 if problem.columns.dtype == np.int8 else np.float64)
    kept, kept_gain = now.copy(), np.full(len(block), -np.inf, np.float32)
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
            )
        )

    # Seconds a sweep, roughly: this sizes the chunks, never the result.
    cost = len(problem.units) * problem.A.shape[0] * 0.4e-9 + 1e-6
    chunk = len(K) if deadline is None else max(1, int(0.01 / (cost * len(block))))
    work = 0
    for first in range(0, len(K), chunk):
        work += _in_threads(run, len(block), first, min(first + chunk, len(K)), threads, cost * chunk)
        if ended.all() or (deadline is not None and time.perf_counter() >= deadline):
            break
    return kept, work


def _in_threads(
    run: Callable[[int, int, int, int], int],
    tasks: int,
    first: int,
    last: int,
    threads: int | None,
    seconds: float,
) -> int:
    """Split the tasks over threads; the kernels hold no lock, and this nests in any other pool."""
    workers = min(nb.get_num_threads() if threads is None else threads, tasks)
    if workers < 2 or seconds * tasks < 0.5e-3:
        return run(0, tasks, first, last)
    parts = min(tasks, 4 * workers)
    edges = np.linspace(0, tasks, parts + 1).astype(int).tolist()
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(lambda p: run(edges[p], edges[p + 1], first, last), range(parts)))


def _random_counts(M: CountArray, states: NDArray[np.uint64]) -> CountArray:
    return np.stack([np.random.default_rng(int(state)).integers(0, M + 1) for state in states])


@nb.njit(cache=True, nogil=True)
def _sweep_tasks(columns, M, units, taus, now, z, kept, kept_gain, ended, states, K, heat, norm):
    """Run len(K) sweeps for each task that has not ended; now … states are updated in place."""
    work = 0
    for i in range(taus.shape[0]):
        if not ended[i]:
            work += _sweeps(
                columns,
                M,
                units,
                taus[i],
                now[i],
                z[i],
                kept[i],
                kept_gain[i:],
                ended[i:],
                states[i:],
                K,
                heat,
                norm[i],
            )
    return work


@nb.njit(cache=True, nogil=True)
def _sweeps(columns, M, units, tau, now, z, kept, kept_gain, ended, state, K, heat, norm):
    bound = np.float32(0)
    for g in range(tau.size):
        bound += abs(tau[g])
    x = state[0]
    for sweep in range(K.size):
        k = z.dtype.type(K[sweep])
        temperature = heat[sweep] * norm
        soft = _soft(z, tau, k)
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
            column = columns[j]
            move = z.dtype.type(2 * step)
            after = _soft_after(z, column, move, tau, k)
            change = after - soft
            if change < 0:
                if change < -16.0 * temperature:
                    continue
                if np.exp(change / temperature) * 16777216.0 <= np.float64(word >> np.uint64(40)):
                    continue
            gain = _move(z, column, move, tau)
            soft = after
            now[j] += step
            if gain > kept_gain[0]:
                kept_gain[0] = gain
                kept[:] = now
                if gain >= bound * np.float32(1 - 1e-5) and _met(z, tau):
                    ended[0] = True
                    state[0] = x
                    return sweep + 1
    state[0] = x
    return K.size


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def _soft(z, tau, k):
    """K·S_K = Σ τ clip(z, −K, K)."""
    total = z.dtype.type(0)
    for g in range(z.size):
        total += tau[g] * min(max(z[g], -k), k)
    return total


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def _soft_after(z, column, move, tau, k):
    total = z.dtype.type(0)
    for g in range(z.size):
        total += tau[g] * min(max(z[g] + move * z.dtype.type(column[g]), -k), k)
    return total


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def _move(z, column, move, tau):
    """Update z in place and return the new true gain."""
    total = np.float32(0)
    for g in range(z.size):
        y = z[g] + move * z.dtype.type(column[g])
        z[g] = y
        total += tau[g] if y >= 0 else -tau[g]
    return total


@nb.njit(cache=True, nogil=True)
def _met(z, tau):
    met = True
    for g in range(z.size):
        met &= tau[g] == 0 or (z[g] >= 0) == (tau[g] > 0)
    return met
