"""A solver as a dimod sampler: so that composites, and code that expects Ocean, can use it."""

from __future__ import annotations

from typing import Any

import dimod
import dimod.core.sampler
import numpy as np

from qproj._options import nearest
from qproj.solvers.found import solved
from qproj.solvers.registry import get_solver


class SolverSampler(dimod.core.sampler.Sampler):
    """argmin of a BQM by a qproj solver, as a dimod sampler.

    ``sample`` takes the solver's own limits (time_limit_s, seed, and num_reads where it samples) and refuses others.
    """

    def __init__(self, solver: Any) -> None:
        self.solver = solver
        limits = ["time_limit_s", "seed"] + (["num_reads"] if solver.capabilities.num_reads else [])
        self._parameters: dict[str, list[str]] = {name: [] for name in limits}

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The keywords of ``sample``."""
        return self._parameters

    @property
    def properties(self) -> dict[str, Any]:
        """The solver's declared capabilities."""
        return {"capabilities": self.solver.capabilities}

    def sample(self, bqm: dimod.BinaryQuadraticModel, **parameters: Any) -> dimod.SampleSet:
        """Return the solver's candidates as a sample set, lowest energy first; empty without an incumbent.

        Raises
        ------
        TypeError
            A keyword that the solver does not take; the nearest is offered.
        """
        for name in parameters:
            if name == "num_reads" and name not in self._parameters:
                raise TypeError(f"{self.solver.name} has no num_reads, since it does not sample; leave it out")
            if name not in self._parameters:
                raise TypeError(
                    f"{type(self.solver).__name__} has no parameter {name!r}; {nearest(name, self._parameters)}"
                )
        if not bqm.num_variables:
            nothing: dimod.SampleSet = dimod.SampleSet.from_samples_bqm([{}], bqm)
            return nothing
        solution = solved(self.solver, bqm, **parameters)
        samples = (np.asarray(solution.candidates), list(bqm.variables))
        info = {"status": str(solution.status), "bound": solution.bound, "message": solution.message}
        found: dimod.SampleSet = dimod.SampleSet.from_samples_bqm(samples, bqm, info=info)
        return found


def as_sampler(solver: Any) -> SolverSampler:
    """Return a solver, or the solver of a name, as a dimod sampler.

    Raises
    ------
    TypeError
        A solver that does not take BQMs.
    """
    chosen = get_solver(solver)
    if "bqm" not in chosen.capabilities.forms:
        raise TypeError(f"{type(chosen).__name__} does not take BQMs; use 'auto', 'cpsat', 'sa' or 'tabu'")
    return SolverSampler(chosen)
