"""``dwave-hybrid``: Leap's hybrid solvers, BQM and CQM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import dimod
import numpy as np

from qproj.projections import SignProjection
from qproj.solvers import Adapter, Availability, Capabilities, Found, MissingTokenError, Request
from qproj_dwave.qpu import TOKEN_REMEDY, require_mapping, token_configured


class DWaveHybrid(Adapter[Any, dimod.SampleSet]):
    """min objective(v) by a hybrid solver of Leap (``dwave-hybrid``), whose answer proves nothing.

    Sign projections go as the one-sided constrained model, which is exact, to the CQM solver; other projections and
    BQMs to the BQM solver.

    Parameters
    ----------
    config : mapping, optional
        For Ocean's ``LeapHybrid…Sampler``: profile, region, token, solver, ….
    bqm_sampler, cqm_sampler : optional
        Samplers that exist already.

    Raises
    ------
    MissingTokenError
        At construction, where no token is configured.
    """

    name = "dwave-hybrid"
    extra: ClassVar[str] = "dwave"
    requires: ClassVar[tuple[str, ...]] = ("dwave.system",)
    capabilities = Capabilities(
        forms=frozenset({"projection", "bqm", "cqm"}), seed=False, thread_safe=False, picklable=False,
        note="Leap hybrid, paid by time limit",
    )  # fmt: skip

    def __init__(
        self, *, config: Mapping[str, Any] | None = None, bqm_sampler: Any = None, cqm_sampler: Any = None
    ) -> None:
        require_mapping(config)
        if bqm_sampler is None and cqm_sampler is None and "token" not in (config or {}) and not token_configured():
            raise MissingTokenError(f"dwave-hybrid: no API token is configured; {TOKEN_REMEDY}")
        self.config, self._bqm_sampler, self._cqm_sampler = dict(config or {}), bqm_sampler, cqm_sampler

    @classmethod
    def availability(cls) -> Availability:
        """Say whether the package is installed and a token configured, without contacting anybody."""
        state = super().availability()
        if not state.installed or token_configured():
            return Availability(token=True) if state.installed else state
        return Availability(token=False, reason="no API token is configured", remedy=TOKEN_REMEDY)

    def build(self, problem: Any, request: Request) -> Any:
        one_sided = isinstance(problem, SignProjection) and problem.inputs.is_binary
        model: Any = problem.cqm if one_sided or problem.kind == "cqm" else problem.bqm
        if request.time_limit_s is not None and model.variables:
            least = float(self._sampler(model).min_time_limit(model))
            if request.time_limit_s < least:
                raise ValueError(
                    f"time_limit_s is {request.time_limit_s}; "
                    f"Leap's hybrid solver needs {least:g} s or more for this model"
                )
        return model

    def call(self, model: Any, request: Request) -> dimod.SampleSet:
        if not model.variables:  # nothing to pay for
            kind = "from_samples_bqm" if isinstance(model, dimod.BinaryQuadraticModel) else "from_samples_cqm"
            only: dimod.SampleSet = getattr(dimod.SampleSet, kind)((np.empty((1, 0), np.int8), []), model)
            return only
        sampler = self._sampler(model)
        send = sampler.sample if isinstance(model, dimod.BinaryQuadraticModel) else sampler.sample_cqm
        limit = {} if request.time_limit_s is None else {"time_limit": request.time_limit_s}
        reads: dimod.SampleSet = send(model, label="qproj", **limit)
        reads.resolve()
        return reads

    def decode(self, raw: dimod.SampleSet, problem: Any) -> Found:
        reads = raw.filter(lambda row: row.is_feasible) if "is_feasible" in raw.record.dtype.names else raw
        message = "" if len(reads) else "no feasible read"
        if not len(reads):
            return Found(np.empty((0, problem.num_variables)), message=message)
        if problem.kind == "projection":
            candidates: Any = problem.decode(reads)
        else:
            order = [reads.variables.index(v) for v in problem.variables]
            candidates = np.asarray(reads.record.sample)[:, order]
        energies = np.asarray(reads.record.energy, np.float64)
        return Found(candidates, energies=energies, sampleset=reads)

    def _sampler(self, model: Any) -> Any:
        if isinstance(model, dimod.BinaryQuadraticModel):
            if self._bqm_sampler is None:
                from dwave.system import LeapHybridSampler

                self._bqm_sampler = LeapHybridSampler(**self.config)
            return self._bqm_sampler
        if self._cqm_sampler is None:
            from dwave.system import LeapHybridCQMSampler

            self._cqm_sampler = LeapHybridCQMSampler(**self.config)
        return self._cqm_sampler
