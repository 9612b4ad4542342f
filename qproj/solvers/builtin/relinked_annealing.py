"""Relinked annealing, which `auto` asks on sparse models: short anneals whose states are recombined.

One anneal of a sparse model ends with many small regions wrong, and the next one with others. Every state that an
anneal ends in therefore takes over from the earlier ones whatever lowers its energy, component by component; most of
the anneals begin at one of the best states so far, at a middling temperature. Once nothing has become better for a
while, all of it begins again with longer anneals, since such a population ends up in one region.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.encodings import SampledModel
from qproj.solvers.builtin.large_models import reads_of
from qproj.solvers.builtin.samplers import WATCHED
from qproj.solvers.contract import Request, Termination
from qproj.solvers.interrupt import polled
from qproj.solvers.sampling import Reads, SamplingAdapter, decode_reads, initial_state

#: Sweeps of the anneals of one population after the other.
SWEEPS = (1000, 2000, 4000)
#: States that are recombined with, best states that anneals begin at, and anneals without an improvement that end a
#: population.
_POOL, _ELITE, _PATIENCE = 64, 8, 100
#: Share of anneals that begin at one of the best states, and where in the schedule they do.
_REHEATED, _FROM, _TO = 0.8, 0.25, 0.6
#: First and last temperature: 3 typical fields; a flip against one typical coupling is taken once in 80 times.
_FIRST, _LAST, _LAST_FIELD = 1 / 3.0, 2.2, 15.0
#: Spin updates between two looks at the clock.
_LOOK = 1_000_000


class RelinkedAnnealing(SamplingAdapter):
    """min objective(v) by anneals that take over parts of each other's states; a read is one anneal.

    The reads that come back are the best state of every population. Populations do not depend on the clock: a time
    limit ends a search that a seed determines.
    """

    name = "relinked-annealing"
    capabilities = replace(WATCHED, hint=True)

    def call(self, model: SampledModel, request: Request) -> Reads:
        """Return the best state of every population, the best of all first."""
        wanted = request.num_reads or (self.default_reads if request.deadline is None else np.inf)
        start, seen = initial_state(model, request), np.inf
        with polled(request.deadline) as stop:
            search = Search.of(model, request.rng(), None if start is None else np.where(start > 0, 1, -1))
            while search.rounds < wanted and not (search.rounds and stop()):
                search.step(stop)
                if request.progress is not None and search.lowest < seen:
                    reads = Reads(model, reads_of(model.bqm, search.champions[:1]))
                    request.progress.candidates(decode_reads(reads, request.progress.problem).candidates)
                seen = search.lowest
        ended = Termination.BUDGET if search.rounds >= wanted else Termination.CLOCK
        return Reads(model, reads_of(model.bqm, search.champions), ended, {"anneals": search.rounds})


@dataclass
class Search:
    """A search that goes on anneal by anneal.

    Attributes
    ----------
    model : Ising
    rng : numpy.random.Generator
    start : (N,) of ±1, optional
        Among the best states of the first population.
    rounds : int
        Anneals done.
    """

    model: Any
    rng: np.random.Generator
    start: NDArray[Any] | None
    betas: tuple[float, float]
    rounds: int = 0
    _turnable: bool = field(init=False)
    _pool: NDArray[np.int8] = field(init=False)
    _count: int = field(init=False, default=0)
    _since: int = field(init=False, default=0)
    _elite: list[tuple[float, NDArray[np.int8]]] = field(init=False, default_factory=list)
    _ended: list[tuple[float, NDArray[np.int8]]] = field(init=False, default_factory=list)

    @staticmethod
    def of(model: SampledModel, rng: np.random.Generator, start: NDArray[Any] | None = None) -> Search:
        """Return a search of a scaled model that has not begun."""
        from qproj.solvers.builtin.kernels.ising import Ising

        ising = Ising.of(model.bqm)
        return Search(ising, rng, start, _inverse_temperatures(ising))

    def __post_init__(self) -> None:
        self._turnable = not self.model.h.any()
        self._pool = np.empty((_POOL, len(self.model.h)), np.int8)
        if self.start is not None:
            self._take(self.start.astype(np.float64))

    @property
    def lowest(self) -> float:
        """The lowest energy so far, without the model's offset; infinite before the first anneal."""
        return min((energy for energy, _ in (*self._ended, *self._elite)), default=np.inf)

    @property
    def champions(self) -> NDArray[np.int8]:
        """The best state of every population, (k, N) int8, the best first."""
        best = [*self._ended, *(sorted(self._elite, key=_energy)[:1])]
        return np.stack([spins for _, spins in sorted(best, key=_energy)])

    def step(self, stop: Callable[[], bool]) -> None:
        """Do one anneal, recombine its best state with the earlier ones, and keep both."""
        from qproj.solvers.builtin.kernels.relinking import LOWER

        spins = self._annealed(stop)
        raw = spins.astype(np.int8)
        self._relink(spins, self._pool, min(self._count, _POOL))
        before = min(self._elite, key=_energy)[0] if self._elite else np.inf
        energy = self._take(spins)
        self._pool[self._count % _POOL] = raw
        self._count += 1
        self.rounds += 1
        self._since = 0 if energy < before - LOWER else self._since + 1
        if self._since >= _PATIENCE:
            self._begin_again()

    def _annealed(self, stop: Callable[[], bool]) -> FloatArray:
        """Return the best state of one anneal, (N,) of ±1."""
        from qproj.solvers.builtin.kernels.relinking import anneal

        rng, N = self.rng, len(self.model.h)
        betas = np.linspace(*self.betas, SWEEPS[len(self._ended) % len(SWEEPS)])
        if self._elite and rng.random() < _REHEATED:
            spins = self._elite[int(rng.integers(len(self._elite)))][1].astype(np.float64)
            betas = betas[int(rng.uniform(_FROM, _TO) * len(betas)) :]
        else:
            spins = rng.choice(np.array([-1.0, 1.0]), N)
        fields, best = self.model.h + self.model.pulls(spins), spins.copy()
        energies = np.full(2, 0.5 * spins @ (fields + self.model.h))
        states = rng.integers(1, 2**63, 1, dtype=np.uint64)
        chunk = max(1, _LOOK // max(N, 1))
        for first in range(0, len(betas), chunk):
            if first and stop():
                break
            anneal(self.model, betas[first : first + chunk], states, spins, fields, energies, best)
        return best

    def _relink(self, spins: FloatArray, others: NDArray[np.int8], count: int) -> None:
        from qproj.solvers.builtin.kernels.relinking import relink

        N = len(spins)
        states = self.rng.integers(1, 2**63, 1, dtype=np.uint64)
        room = np.zeros((2, N), np.int64)
        relink(self.model, spins, others, count, self._turnable, states, room[0], room[1])

    def _take(self, spins: FloatArray) -> float:
        """Keep a state among the best ones, if it is, and return its energy."""
        energy = float(0.5 * spins @ (self.model.h + self.model.pulls(spins) + self.model.h))
        state = (spins * spins[0] if self._turnable else spins).astype(np.int8)
        if any((state == kept).all() for _, kept in self._elite):
            return energy
        self._elite.append((energy, state))
        if len(self._elite) > _ELITE:
            del self._elite[max(range(len(self._elite)), key=lambda i: self._elite[i][0])]
        return energy

    def _begin_again(self) -> None:
        """End a population: its best state takes over from those of earlier ones, and all else is forgotten."""
        spins = min(self._elite, key=_energy)[1].astype(np.float64)
        self._elite.clear()
        if self._ended:
            self._relink(spins, np.stack([state for _, state in self._ended]), len(self._ended))
        energy = self._take(spins)
        self._ended.append((energy, spins.astype(np.int8)))
        self._elite.clear()
        self._count = self._since = 0


def _energy(kept: tuple[float, NDArray[np.int8]]) -> float:
    return kept[0]


def _inverse_temperatures(model: Any) -> tuple[float, float]:
    """Return the first and the last inverse temperature of an anneal: hot against fields, cold against couplings."""
    sizes = model.rms[model.rms > 0]
    field_size = float(np.median(sizes)) if len(sizes) else 1.0
    couplings = np.abs(model.J[model.J != 0])
    coupling = float(np.median(couplings)) if len(couplings) else field_size
    first = _FIRST / field_size
    return first, max(4.0 * first, min(_LAST / coupling, _LAST_FIELD / field_size))
