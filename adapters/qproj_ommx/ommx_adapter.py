"""Our solvers as an adapter of OMMX: ``QprojAdapter.solve(instance, solver="cpsat")``."""

from __future__ import annotations

from typing import Any

from ommx.adapter import InfeasibleDetected, NoSolutionReturned, SamplerAdapter
from ommx.v1 import Instance, SampleSet
from ommx.v1 import Solution as OMMXSolution

from qproj.solvers import Solution, Status, Termination, as_problem, get_solver


class QprojAdapter(SamplerAdapter):
    """An OMMX adapter that solves and samples instances by any solver of ours.

    Raises
    ------
    ValueError
        The instance holds what a BQM or CQM does not represent (``as_problem`` names it).
    """

    def __init__(self, ommx_instance: Instance) -> None:
        self.instance, self.problem = ommx_instance, as_problem(ommx_instance)

    @classmethod
    def solve(cls, ommx_instance: Instance, *, solver: Any = "auto", **limits: Any) -> OMMXSolution:
        """Return the best assignment, with ``OPTIMAL`` where it is proved; `limits` as for ``Solver.solve``.

        Raises
        ------
        InfeasibleDetected, NoSolutionReturned
        """
        adapter = cls(ommx_instance)
        return adapter.decode(get_solver(solver).solve(adapter.problem, **limits))

    @classmethod
    def sample(cls, ommx_instance: Instance, *, solver: Any = "sa", **limits: Any) -> SampleSet:
        """Return all candidates, best first; `limits` as for ``Solver.solve``."""
        adapter = cls(ommx_instance)
        return adapter.decode_to_sampleset(get_solver(solver).solve(adapter.problem, **limits))

    @property
    def solver_input(self) -> Any:
        """The problem that is solved."""
        return self.problem

    @property
    def sampler_input(self) -> Any:
        """The problem that is sampled."""
        return self.problem

    def decode(self, data: Solution) -> OMMXSolution:
        """Return one of our solutions as one of OMMX's."""
        if data.termination is Termination.REFUTED:
            raise InfeasibleDetected(data.message or "proved infeasible")
        if data.best is None:
            raise NoSolutionReturned(data.status.remedy)
        found = self.instance.evaluate(self._state(data.best))
        proved = data.status is Status.OPTIMAL
        found.optimality = found.OPTIMAL if proved else found.NOT_OPTIMAL  # type: ignore[misc]
        found.solver = f"qproj:{data.solver}"
        return found

    def decode_to_sampleset(self, data: Solution) -> SampleSet:
        """Return all candidates of one of our solutions as a sample set of OMMX."""
        if data.best is None:
            raise NoSolutionReturned(data.status.remedy)
        return self.instance.evaluate_samples({i: self._state(row) for i, row in enumerate(data.candidates)})

    def _state(self, assignment: Any) -> dict[int, float]:
        """Return the values of the instance's own variables; those of a reduction stay out."""
        pairs = zip(self.problem.variables, assignment.tolist(), strict=True)
        given = {v.id: v.substituted_value for v in self.instance.decision_variables if v.substituted_value is not None}
        return {**given, **{label: float(value) for label, value in pairs if isinstance(label, int)}}
