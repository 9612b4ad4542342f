"""Studies that compare solvers on the same projections: plan, runs, store, metrics, report."""

from qproj.solvers.specs import SolverSpec, parse_solver, parse_solvers

__all__ = ["SolverSpec", "parse_solver", "parse_solvers"]
