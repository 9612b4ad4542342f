"""Solvers and samplers of OMMX's adapters behind our contract."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import dimod
import numpy as np

from qproj._arrays import FloatArray
from qproj.encodings import SampledModel
from qproj.encodings.linear_model import LinearModel
from qproj.solvers import Capabilities, Found, Reads, Request, SamplingAdapter, Termination
from qproj.solvers.mip import MIPAdapter, mip_found
from qproj.solvers.mip_watch import LinearWatch
from qproj_ommx.ommx_models import of_linear_model, to_ommx


def from_ommx_adapter(adapter: type, **parameters: Any) -> OMMXSolver | OMMXSampler:
    """Return the solver or the sampler of an OMMX adapter class as a Solver.

    Raises
    ------
    TypeError
        Neither a SolverAdapter nor a SamplerAdapter.
    """
    from ommx.adapter import SamplerAdapter, SolverAdapter

    if isinstance(adapter, type) and issubclass(adapter, SamplerAdapter):
        return OMMXSampler(adapter, **parameters)
    if isinstance(adapter, type) and issubclass(adapter, SolverAdapter):
        return OMMXSolver(adapter, **parameters)
    raise TypeError(f"{adapter!r} is not an adapter of OMMX; pass one derived from ommx.adapter.SolverAdapter")


class OMMXSolver(MIPAdapter):
    """argmin objective(v) by the solver of an OMMX adapter, on the linear model.

    OMMX reports no bound, and a backend's gap may be what it likes: an optimum counts once CP-SAT has confirmed it in
    whole numbers, and is an incumbent otherwise.

    Parameters
    ----------
    adapter : type
        A class derived from ``ommx.adapter.SolverAdapter``.
    time_keyword : str, optional
        The keyword of its ``solve`` that takes a limit in seconds. Without one the time limit of our ``solve`` does not
        reach it, and the capabilities say so.
    parameters : keyword arguments
        Passed to its ``solve``.
    """

    name = "ommx"
    capabilities = Capabilities(
        forms=frozenset({"projection", "bqm", "cqm"}), exact=True, seed=False, time_limit=False, picklable=False,
        stops=False, note="the adapter's own seed; its limit does not cover the conversion",
    )  # fmt: skip
    extra: ClassVar[str] = "ommx"
    requires: ClassVar[tuple[str, ...]] = ("ommx",)
    doubted = True

    def __init__(self, adapter: type, *, time_keyword: str | None = None, **parameters: Any) -> None:
        self.require_backend()
        self.adapter, self.parameters, self.time_keyword = adapter, parameters, time_keyword
        if time_keyword is not None:
            self.capabilities = replace(self.capabilities, time_limit=True, stops=True)
        self.name = f"ommx({adapter.__name__})"

    def optimise(
        self, model: LinearModel, *, start: FloatArray | None, seed: int | None, deadline: float | None,
        watch: LinearWatch | None = None,
    ) -> Found:  # fmt: skip
        from ommx.adapter import InfeasibleDetected, NoSolutionReturned, UnboundedDetected

        name, adapter, parameters = self.name, self.adapter, dict(self.parameters)
        instance, limited = of_linear_model(model), self.time_keyword is not None and deadline is not None
        if self.time_keyword is not None and deadline is not None:
            parameters[self.time_keyword] = max(deadline - time.perf_counter(), 1e-3)
        stopped = Termination.CLOCK if limited else Termination.BUDGET
        try:
            solution = adapter.solve(instance, **parameters)  # type: ignore[attr-defined]
        except InfeasibleDetected as error:
            return mip_found(model, Termination.REFUTED, None, -np.inf, f"{name}: {error}", {})
        except NoSolutionReturned as error:
            return mip_found(model, stopped, None, -np.inf, f"{name}: {error}", {})
        except UnboundedDetected as error:
            return mip_found(model, Termination.FAILED, None, -np.inf, f"{name}: {error}", {})
        entries = solution.state.entries
        values = np.array([entries.get(j, 0.0) for j in range(len(model.cost))], np.float64)
        proved = solution.optimality == solution.OPTIMAL
        termination = Termination.PROVED if proved else stopped
        return mip_found(model, termination, values, -np.inf, f"{name}: {solution.optimality}", {})


class OMMXSampler(SamplingAdapter):
    """min objective(v) by the sampler of an OMMX adapter, on an encoding's BQM.

    Parameters
    ----------
    adapter : type
        A class derived from ``ommx.adapter.SamplerAdapter``.
    encoding, encoding_options
        As in ``SignProjection.encode``.
    parameters : keyword arguments
        Passed to its ``sample``: reads, seeds and limits have the adapter's own names.
    """

    name = "ommx"
    capabilities = Capabilities(
        forms=frozenset({"projection", "bqm"}), seed=False, time_limit=False, picklable=False, stops=False,
        note="the adapter's own reads, seed and limits",
    )  # fmt: skip
    extra: ClassVar[str] = "ommx"
    requires: ClassVar[tuple[str, ...]] = ("ommx",)

    def __init__(
        self, adapter: type, *, encoding: str = "margin", encoding_options: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> None:  # fmt: skip
        super().__init__(encoding=encoding, encoding_options=encoding_options)
        self.adapter, self.parameters = adapter, parameters
        self.name = f"ommx({adapter.__name__})"

    def call(self, model: SampledModel, request: Request) -> Reads:
        if not model.bqm.num_variables:
            return Reads(model, dimod.SampleSet.from_samples_bqm([{}], model.bqm))
        instance, labels = to_ommx(model.bqm)
        found = self.adapter.sample(instance, **self.parameters)  # type: ignore[attr-defined]
        rows = [found.get(sample).state.entries for sample in found.sample_ids]
        bits = np.array([[round(row.get(i, 0.0)) for i in range(len(labels))] for row in rows], np.int8)
        values = bits if model.bqm.vartype is dimod.BINARY else (2 * bits - 1).astype(np.int8)
        reads = dimod.SampleSet.from_samples_bqm((values.reshape(-1, len(labels)), labels), model.bqm)
        return Reads(model, reads)
