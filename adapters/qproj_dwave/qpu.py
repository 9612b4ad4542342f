"""``dwave``: a D-Wave quantum annealer, through dwave-system and dwave-cloud-client's own configuration."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import dimod
import numpy as np

from qproj.solvers import Availability, Capabilities, MissingTokenError
from qproj.solvers.annealing import AnnealPath
from qproj.solvers.redact import logger, remember, scrub
from qproj_dwave.annealer import Annealer, Machine
from qproj_dwave.budget import Budget
from qproj_dwave.emulated import SIGMA_H, SIGMA_J
from qproj_dwave.faults import transient, turned_away
from qproj_dwave.schedule import check_schedule

LOG = logger()
TOKEN_REMEDY = (  # nosec B105: no token
    "run `dwave setup --auth`, or set DWAVE_API_TOKEN, or DWAVE_CONFIG_FILE to a file with a token; `dwave-emulated` "
    "needs none"
)


class DWave(Annealer):
    """min objective(v) by reads of a D-Wave quantum annealer (``dwave``).

    Before each submission the access time is estimated and held against the budget. What failed on the way is tried
    again with growing pauses; an answer that came late is fetched by its id, so that it is paid once.

    Parameters
    ----------
    config : mapping, optional
        For ``DWaveSampler``: profile, region, endpoint, token, solver (name or features), proxy, …; what is not given
        comes from dwave-cloud-client's file and environment.
    sampler : DWaveSampler, optional
        One that exists already; `config` is not used then.
    annealing_time : float, optional
        Microseconds.
    anneal_schedule : str or sequence of (µs, s), optional
        With pauses; from s = 1 a reverse anneal, which begins in the state of `hint`. As text:
        ``0:1+5:0.45+15:0.45+20:1``.
    reinitialize_state : bool
        Whether every read of a reverse anneal begins in the hint, or in the state of the read before.
    budget : Budget or float, optional
        Microseconds of QPU access that are never exceeded; a :class:`~qproj_dwave.budget.Budget` may be shared.
    tries : int
        Submissions at most, where one failed before it was accepted; and times that a late answer is asked for.
    encoding, encoding_options
        "margin" by default: d qubits' worth of variables instead of hundreds.
    chain_strength : str or float
        "uniform_torque_compensation" or "scaled" (Ocean's rules), or a number in units of the largest coefficient.
    chain_prefactor : float, optional
        Of the rule.
    spin_reversals : int
        Random gauges among which the reads are shared.
    pack : bool
        Put as many neurons of a layer on the machine as fit.
    embed_timeout_s : float
    embedding_folder : path or None
        Where embeddings are kept; "" is the cache folder, None keeps none.

    Raises
    ------
    MissingTokenError
        At construction, where no token is configured.
    BudgetExceededError
        From ``solve``, before submission.
    """

    name = "dwave"
    requires: ClassVar[tuple[str, ...]] = ("dwave.system", "minorminer", "tenacity")
    capabilities = Capabilities(
        forms=frozenset({"projection", "bqm"}), seed=False, time_limit=False, num_reads=True, thread_safe=False,
        picklable=False, note="quantum annealer, paid by access time",
    )  # fmt: skip

    def __init__(
        self, *, config: Mapping[str, Any] | None = None, sampler: Any = None, annealing_time: float | None = None,
        anneal_schedule: str | Sequence[tuple[float, float]] | None = None, reinitialize_state: bool = True,
        budget: Budget | float | None = None, tries: int = 5, encoding: str = "margin",
        encoding_options: Mapping[str, Any] | None = None,
        chain_strength: Any = "uniform_torque_compensation", chain_prefactor: float | None = None,
        spin_reversals: int = 0, pack: bool = True, embed_timeout_s: float = 30.0,
        embedding_folder: str | Path | None = "",
    ) -> None:  # fmt: skip
        if annealing_time is not None and anneal_schedule is not None:
            raise ValueError("annealing_time and anneal_schedule exclude each other; give one")
        require_mapping(config)
        if sampler is None and "token" not in (config or {}) and not token_configured():
            raise MissingTokenError(f"dwave: no API token is configured; {TOKEN_REMEDY}")
        remember((config or {}).get("token"))
        self.config, self._sampler = dict(config or {}), sampler
        self.budget = budget if isinstance(budget, Budget) else Budget(budget)
        self.tries = int(tries)
        self.parameters: dict[str, Any] = {}
        if annealing_time is not None:
            self.parameters["annealing_time"] = float(annealing_time)
        if anneal_schedule is not None:
            path = AnnealPath.of(1.0, anneal_schedule)
            self.parameters["anneal_schedule"] = list(zip(path.t.tolist(), path.s.tolist(), strict=True))
            if path.is_reverse:
                self.parameters["reinitialize_state"] = bool(reinitialize_state)
        self._machine: QPU | None = None
        super().__init__(
            encoding=encoding, encoding_options=encoding_options, chain_strength=chain_strength,
            chain_prefactor=chain_prefactor, spin_reversals=spin_reversals, pack=pack,
            embed_timeout_s=embed_timeout_s, embedding_folder=embedding_folder,
            reverse="reinitialize_state" in self.parameters,
        )  # fmt: skip

    @classmethod
    def availability(cls) -> Availability:
        """Say whether the package is installed and a token configured, without contacting anybody."""
        state = super().availability()
        if not state.installed:
            return state
        if token_configured():
            return Availability(token=True)
        return Availability(token=False, reason="no API token is configured", remedy=TOKEN_REMEDY)

    @property
    def machine(self) -> Machine:
        if self._machine is None:
            if self._sampler is None:
                from dwave.system import DWaveSampler

                self._sampler = DWaveSampler(**self.config)
            self._machine = QPU(self._sampler, self.parameters, self.budget, self.tries)
        return self._machine


class QPU:
    """One connected solver."""

    noise = (SIGMA_H, SIGMA_J)

    def __init__(self, sampler: Any, parameters: Mapping[str, Any], budget: Budget, tries: int) -> None:
        self.sampler, self.parameters, self.budget, self.tries = sampler, dict(parameters), budget, tries
        self.graph = sampler.to_networkx_graph()
        properties = sampler.properties
        self.h_range = tuple(properties.get("h_range", (-4.0, 4.0)))
        self.j_range = tuple(properties.get("extended_j_range", properties.get("j_range", (-1.0, 1.0))))
        if "anneal_schedule" in self.parameters:
            check_schedule(self.parameters, sampler)

    def estimate_us(self, num_qubits: int, num_reads: int) -> float | None:
        """Return the client's estimate of the access time; None where the solver gives none."""
        estimate = getattr(getattr(self.sampler, "solver", None), "estimate_qpu_access_time", None)
        if estimate is None:
            return None
        # the client asks that there is a state, whatever it is
        state = {"initial_state": [1]} if "reinitialize_state" in self.parameters else {}
        return float(estimate(num_qubits, num_reads=num_reads, **self.parameters, **state))

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, num_reads: int, seed: int | None, deadline: float | None,
        state: Mapping[int, int] | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Return reads; one submission is paid, whatever happens on the way back."""
        try:
            return self._sampled(bqm, num_reads, {} if state is None else {"initial_state": dict(state)})
        except Exception as error:
            scrub(error)  # the client's message may contain the token
            raise

    def _sampled(self, bqm: dimod.BinaryQuadraticModel, num_reads: int, state: dict[str, Any]) -> dimod.SampleSet:
        start = time.perf_counter()
        reads: dimod.SampleSet = self._retried(lambda: self._paid(bqm, num_reads, state))
        spent = time.perf_counter() - start
        timing = dict(reads.info.get("timing", {}))
        reads.info["queue_s"] = max(0.0, spent - 1e-6 * float(timing.get("qpu_access_time", 0.0)))
        return well_formed(reads, bqm, num_reads)

    def _paid(self, bqm: dimod.BinaryQuadraticModel, num_reads: int, state: dict[str, Any]) -> dimod.SampleSet:
        """Return one submission's answer; every try has its own reservation, so that all together keep the limit."""
        reserved = self.budget.reserve(self.estimate_us(bqm.num_variables, num_reads))
        try:
            pending = self._submit(bqm, num_reads, state)
        except BaseException:
            self.budget.release(reserved)  # the client has not sent it
            raise
        try:
            reads = self._answer(pending)
        except turned_away():
            self.budget.release(reserved)
            raise
        except BaseException:
            self.budget.settle(reserved, None)  # it may have been accepted, so it may be charged
            raise
        self.budget.settle(reserved, dict(reads.info.get("timing", {})).get("qpu_access_time"))
        return reads

    def _submit(self, bqm: dimod.BinaryQuadraticModel, num_reads: int, state: dict[str, Any]) -> dimod.SampleSet:
        pending: dimod.SampleSet = self.sampler.sample(
            bqm, num_reads=num_reads, answer_mode="histogram", label="qproj", **self.parameters, **state
        )
        return pending

    def _answer(self, pending: dimod.SampleSet) -> dimod.SampleSet:
        """Return the answer. A failure to reach the service is raised here too, since the client sends later."""
        try:
            pending.resolve()
            return pending
        except transient() as error:
            known = problem_id(pending)
            if known is None:  # it was not accepted, as far as is known
                raise
            LOG.warning("dwave: the answer of %s is late (%s); it is fetched by its id", known, error)

        def fetch() -> dimod.SampleSet:
            answer: dimod.SampleSet = self.sampler.client.retrieve_answer(known).sampleset
            answer.resolve()
            return answer

        try:
            late: dimod.SampleSet = self._retried(fetch)
        except Exception as error:  # another submission would be paid a second time
            raise LostAnswerError(f"dwave: {known} has no answer yet ({error}); fetch it later by this id") from error
        return late

    def _retried(self, attempt: Any) -> Any:
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

        retrying = Retrying(
            retry=retry_if_exception_type(transient()), stop=stop_after_attempt(self.tries), reraise=True,
            wait=wait_exponential_jitter(initial=PAUSE_S, max=60.0, jitter=PAUSE_S),
            before_sleep=lambda state: LOG.warning("dwave: %s; tried again", state.outcome.exception()),  # type: ignore[union-attr]
        )  # fmt: skip
        return retrying(attempt)


#: First pause between tries, in seconds; doubled each time.
PAUSE_S = 1.0


class LostAnswerError(RuntimeError):
    """A submission was accepted and, it seems, paid; its answer cannot be fetched now. The text has its id."""


def problem_id(pending: dimod.SampleSet) -> str | None:
    """Return the id of a submitted problem, if it has one."""
    try:
        return str(pending.wait_id(timeout=1.0))
    except Exception:
        return None


def well_formed(reads: dimod.SampleSet, bqm: dimod.BinaryQuadraticModel, num_reads: int) -> dimod.SampleSet:
    """Return the answer; RuntimeError where it is malformed: other qubits, values that are not spins, no reads."""
    if set(reads.variables) != set(bqm.variables):
        raise RuntimeError("dwave: the answer is malformed: its qubits are not those that were programmed")
    values = np.asarray(reads.record.sample)
    if not len(values) or not np.isin(values, (-1, 1)).all():
        raise RuntimeError("dwave: the answer is malformed: no reads, or values that are not ±1")
    return reads


def require_mapping(config: object) -> None:
    """Refuse a file's name in the place of the client's keywords, and name the variable that takes it."""
    if config is not None and not isinstance(config, Mapping):
        raise TypeError(
            f"config is {config!r}; a mapping of DWaveSampler's keywords is allowed: set DWAVE_CONFIG_FILE to a file"
        )


def token_configured() -> bool:
    """Tell whether dwave-cloud-client's environment or one of its files names a token, without importing it."""
    if os.environ.get("DWAVE_API_TOKEN"):
        return True
    named = os.environ.get("DWAVE_CONFIG_FILE")
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    files = (
        [Path(named)]
        if named
        else [Path("dwave.conf"), home / "dwave" / "dwave.conf", Path("/etc/xdg/dwave/dwave.conf")]
    )
    for file in files:
        try:
            lines = file.read_text().splitlines()
        except OSError:
            continue
        named_here = [
            value for line in lines if line.strip().startswith("token") and (value := line.partition("=")[2].strip())
        ]
        for value in named_here:
            remember(value)
        if named_here:
            return True
    return False
