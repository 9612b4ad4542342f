"""The classical rivals of annealers: parallel tempering (``pt``) and simulated bifurcation (``sb``)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.encodings import SampledModel
from qproj.solvers.builtin.large_models import reads_of
from qproj.solvers.builtin.samplers import WATCHED, SamplerSolver
from qproj.solvers.contract import check_positive
from qproj.solvers.interrupt import polled

#: Seconds of work between two looks at the clock, about, and the couplings that are looked at in one.
_LOOK_S, _RATE = 0.02, 3e8


class IsingSampler(SamplerSolver):
    """A sampler of our own: reads of a scaled model by a compiled kernel, seeded read by read."""

    capabilities = WATCHED

    def __init__(self, *, encoding: str = "margin", encoding_options: Mapping[str, Any] | None = None) -> None:
        super().__init__(None, encoding=encoding, encoding_options=encoding_options)

    def sample(
        self, model: SampledModel, num_reads: int, seed: int | None, deadline: float | None,
        start: NDArray[np.int8] | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Return reads; at a deadline those that are done, one at least."""
        from qproj.solvers.builtin.kernels.ising import Ising

        with polled(deadline) as stop:
            spins = self._draw(Ising.of(model.bqm), model.exact, num_reads, np.random.default_rng(seed), stop)
        return reads_of(model.bqm, spins)

    @abstractmethod
    def _draw(self, model: Any, exact: bool, num_reads: int, rng: np.random.Generator, stop: Any) -> Any:
        """Return ±1 reads, (k, N) int8."""


class ParallelTempering(IsingSampler):
    """Parallel tempering: Metropolis at several temperatures, neighbours exchanged after every sweep (``pt``).

    A read is the best state that an independent run of all replicas has seen (Swendsen and Wang 1986; Geyer 1991;
    Hukushima and Nemoto 1996). On an inexact encoding, whose minimum need not be the projection, the replicas of a run
    end as one read each, the coldest first. Temperatures are geometric between `hot` and `cold`, in units of the root
    mean square of the spins' fields.

    Parameters
    ----------
    num_sweeps : int
        Per replica and read.
    num_replicas : int
    hot, cold : float
    encoding, encoding_options
        As in ``SignProjection.encode``.
    """

    name = "pt"
    default_reads = 10

    def __init__(
        self, *, num_sweeps: int = 200, num_replicas: int = 16, hot: float = 2.0, cold: float = 0.15,
        encoding: str = "margin", encoding_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        check_positive(num_sweeps=num_sweeps, num_replicas=num_replicas)
        if not 0 < cold <= hot < np.inf:
            raise ValueError(f"cold is {cold} and hot is {hot}; 0 < cold ≤ hot is needed")
        super().__init__(encoding=encoding, encoding_options=encoding_options)
        self.num_sweeps, self.num_replicas = int(num_sweeps), int(num_replicas)
        self.hot, self.cold = float(hot), float(cold)

    def _draw(self, model: Any, exact: bool, num_reads: int, rng: np.random.Generator, stop: Any) -> Any:
        from qproj.solvers.builtin.kernels.ising import temper

        rms = model.rms[model.rms > 0]
        unit = float(np.sqrt(np.mean(rms**2))) if len(rms) else 1.0
        betas = 1.0 / (unit * np.geomspace(self.hot, self.cold, self.num_replicas))
        N, work = len(model.h), self.num_replicas * (len(model.J) + len(model.h) + 1)
        chunk = max(1, int(_LOOK_S * _RATE / work))
        found: list[FloatArray] = []
        while len(found) < num_reads and not (found and stop()):
            spins = rng.choice(np.array([-1.0, 1.0]), (self.num_replicas, N))
            fields = model.pulls(spins)
            energies = (spins * (model.h + 0.5 * fields)).sum(axis=1)
            best = np.append(spins[int(np.argmin(energies))], energies.min())
            states, swaps = rng.integers(1, 2**63, 1, dtype=np.uint64), np.zeros(2, np.int64)
            done = 0
            while done < self.num_sweeps and not (done and stop()):
                count = min(chunk, self.num_sweeps - done)
                temper(model, betas, count, states, spins, fields, energies, best, swaps)
                done += count
            found += [best[:N]] if exact else list(spins[::-1])
        return np.stack(found[:num_reads]).astype(np.int8)


class SimulatedBifurcation(IsingSampler):
    """Simulated bifurcation of Kerr oscillators, ballistic or discrete (``sb``).

    bSB and dSB of Goto et al. (Science Advances 7 (2021) eabe7953): positions follow Hamilton's equations while a
    pressure grows from 0 to 1, between walls at ±1; signs are the spins. The coupling is ½√(N−1)/‖J‖ as there, a field
    being a coupling to one more spin.

    Parameters
    ----------
    mode : {"discrete", "ballistic"}
    num_steps : int
    step : float
        Of time, in units of the oscillators' own.
    encoding, encoding_options
        As in ``SignProjection.encode``.
    """

    name = "sb"

    def __init__(
        self, *, mode: str = "discrete", num_steps: int = 500, step: float = 0.5, encoding: str = "margin",
        encoding_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        if mode not in ("ballistic", "discrete"):
            raise ValueError(f"unknown mode {mode!r}; 'ballistic' or 'discrete'")
        check_positive(num_steps=num_steps)
        if not 0 < step < 2:
            raise ValueError(f"step is {step}; a number in (0, 2) is needed, beyond which the integration is unstable")
        super().__init__(encoding=encoding, encoding_options=encoding_options)
        self.mode, self.num_steps, self.step = mode, int(num_steps), float(step)

    def _draw(self, model: Any, exact: bool, num_reads: int, rng: np.random.Generator, stop: Any) -> Any:
        from qproj.solvers.builtin.kernels.ising import bifurcate

        N = len(model.h)
        square = float((model.J**2).sum() + 2.0 * (model.h**2).sum())
        coupling = 0.5 * np.sqrt(max(N, 1) / square) if square else 0.0
        x, y = rng.uniform(-0.1, 0.1, (2, N, num_reads))
        pressures = np.arange(self.num_steps) / self.num_steps
        chunk = max(1, int(_LOOK_S * _RATE * 4 / (num_reads * (len(model.J) + N + 1))))
        for first in range(0, self.num_steps, chunk):
            part = pressures[first : first + chunk]
            bifurcate(model, x, y, np.empty_like(x), coupling, part, self.step, self.mode == "discrete")
            if stop():
                break
        return np.where(x >= 0, 1, -1).astype(np.int8).T
