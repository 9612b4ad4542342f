"""Annealing with a transverse field, by Monte Carlo: path integrals (``sqa``) and classical rotors (``svmc``)."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import dimod
import numpy as np
from numpy.typing import NDArray

from qproj.encodings import SampledModel
from qproj.solvers.annealing import AnnealPath, AnnealSchedule, check_temperature, custom_fields, programmed
from qproj.solvers.builtin.samplers import WATCHED, SamplerSolver
from qproj.solvers.contract import Request, check_positive
from qproj.solvers.interrupt import polled

#: Of a dilution refrigerator.
TEMPERATURE_MK = 15.0


class TransverseFieldSampler(SamplerSolver):
    """min objective(v) by Monte Carlo of a transverse-field anneal; subclasses name dwave-samplers' sampler.

    Without a schedule, dwave-samplers' own fields and temperatures are used. With one, h and J are scaled into a
    machine's ranges and A(s), B(s) follow `anneal_schedule` at a temperature in millikelvin. A reverse anneal, which
    begins at s = 1, begins in the state that `hint` gives.

    dwave-samplers end between reads. Where one read would take longer than the time that is left, it has fewer sweeps.
    """

    capabilities = WATCHED
    #: Seconds of one sweep per spin and neighbour, measured on dense models of 100 to 1,024 spins.
    sweep_s: float

    def __init__(
        self, *, encoding: str = "margin", num_sweeps: int, schedule: Any = None,
        anneal_schedule: str | Sequence[tuple[float, float]] | None = None, temperature_mk: float = TEMPERATURE_MK,
        encoding_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        check_positive(num_sweeps=num_sweeps)
        super().__init__(self.make_sampler(), encoding=encoding, encoding_options=encoding_options)
        self.num_sweeps, self.temperature_mk = int(num_sweeps), check_temperature(temperature_mk)
        if anneal_schedule is not None and schedule is None:
            schedule = "linear"
        self.schedule = None if schedule is None else AnnealSchedule.of(schedule)
        self.path = AnnealPath.of(1.0, anneal_schedule)
        if self.path.is_reverse:
            self.capabilities = replace(WATCHED, hint=True)

    @staticmethod
    @abstractmethod
    def make_sampler() -> Any:
        """Return dwave-samplers' sampler."""

    def check(self, problem: Any, request: Request) -> None:
        """Refuse a reverse anneal without the state that it begins in."""
        if self.path.is_reverse and request.hint is None:
            raise ValueError("anneal_schedule begins at s = 1, a reverse anneal: pass hint, the state to begin in")

    def sample(
        self, model: SampledModel, num_reads: int, seed: int | None, deadline: float | None,
        start: NDArray[np.int8] | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Return reads; a deadline stops between reads, and shortens one that is longer."""
        bqm, arguments = model.bqm, dict(self.parameters)
        sweeps = self._sweeps_in_time(bqm, deadline)
        if self.schedule is None:
            arguments["num_sweeps"] = sweeps
        else:
            bqm = programmed(model.bqm)
            arguments |= custom_fields(self.schedule, self.path, sweeps, self.temperature_mk)
        if start is not None:
            spins = start if model.bqm.vartype is bqm.vartype else 2 * start - 1
            arguments |= {"initial_states": (spins[None, :], range(len(spins))), "initial_states_generator": "tile"}
        with polled(deadline) as stop:
            reads: dimod.SampleSet = self.sampler.sample(
                bqm, num_reads=num_reads, seed=seed, interrupt_function=stop, **arguments
            )
        return reads

    def _sweeps_in_time(self, bqm: dimod.BinaryQuadraticModel, deadline: float | None) -> int:
        """Return how many of the sweeps of one read there is time for, one at least."""
        if deadline is None:
            return self.num_sweeps
        one_s = self.sweep_s * (2 * bqm.num_interactions + bqm.num_variables)
        return max(1, min(self.num_sweeps, int((deadline - time.perf_counter()) / one_s)))


class PathIntegralAnnealing(TransverseFieldSampler):
    """Simulated quantum annealing, path-integral Monte Carlo of dwave-samplers (``sqa``).

    Parameters
    ----------
    encoding : str
    num_sweeps : int
        Per read.
    schedule : str, (points, 3) array_like or path, optional
        "linear", "quadratic", numbers (s, A, B) in GHz, or a CSV file of them; None: dwave-samplers' own fields.
    anneal_schedule : str or sequence of (time, s), optional
        Pauses or a reverse anneal; `num_sweeps` are spread over its times, whose unit does not matter.
    temperature_mk : float
        Millikelvin, with a schedule.
    """

    name = "sqa"
    sweep_s = 4e-8

    def __init__(
        self, *, encoding: str = "margin", num_sweeps: int = 50, schedule: Any = None,
        anneal_schedule: str | Sequence[tuple[float, float]] | None = None, temperature_mk: float = TEMPERATURE_MK,
        encoding_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            encoding=encoding, num_sweeps=num_sweeps, schedule=schedule, anneal_schedule=anneal_schedule,
            temperature_mk=temperature_mk, encoding_options=encoding_options,
        )  # fmt: skip

    @staticmethod
    def make_sampler() -> Any:
        from dwave.samplers import PathIntegralAnnealingSampler

        return PathIntegralAnnealingSampler()


class SpinVectorAnnealing(TransverseFieldSampler):
    """Spin-vector Monte Carlo, classical rotors in a transverse field, of dwave-samplers (``svmc``).

    A qubit is an angle (Shin, Smith, Smolin, Vazirani, arXiv 1401.7087): the classical model that quantum annealers
    are compared with.

    Parameters
    ----------
    encoding : str
    num_sweeps : int
        Per read.
    proposal : {"uniform", "transverse"}
        Angles proposed uniformly, or within a range that narrows with the transverse field (SVMC-TF, arXiv 2008.09913).
    schedule, anneal_schedule, temperature_mk
        As for ``sqa``.
    """

    name = "svmc"
    sweep_s = 5e-9
    _PROPOSALS = {"uniform": "MetropolisUniform", "transverse": "MetropolisTF"}  # noqa: RUF012

    def __init__(
        self, *, encoding: str = "margin", num_sweeps: int = 200, proposal: str = "uniform", schedule: Any = None,
        anneal_schedule: str | Sequence[tuple[float, float]] | None = None, temperature_mk: float = TEMPERATURE_MK,
        encoding_options: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        if proposal not in self._PROPOSALS:
            raise ValueError(f"unknown proposal {proposal!r}; 'uniform' or 'transverse'")
        super().__init__(
            encoding=encoding, num_sweeps=num_sweeps, schedule=schedule, anneal_schedule=anneal_schedule,
            temperature_mk=temperature_mk, encoding_options=encoding_options,
        )  # fmt: skip
        self.parameters["proposal_acceptance_criteria"] = self._PROPOSALS[proposal]

    @staticmethod
    def make_sampler() -> Any:
        from dwave.samplers import RotorModelAnnealingSampler

        return RotorModelAnnealingSampler()
