"""The contract between problems and solvers, the registry, and one call for a layer."""

from __future__ import annotations

from qproj.projections.models import BQMProblem, CQMProblem, as_problem
from qproj.solvers.adapter import Adapter, Availability, Found, child_seeds, judge, solve_each
from qproj.solvers.contract import (
    Capabilities,
    EndedBy,
    Ending,
    MissingLicenceError,
    MissingPackageError,
    MissingTokenError,
    NoSolutionError,
    Problem,
    Request,
    Solution,
    Solver,
    Status,
    Timing,
    TooLargeError,
    check_capabilities,
    check_limits,
    verdict,
)
from qproj.solvers.layers import LayerSolution, layer_of_solutions, layer_of_weights
from qproj.solvers.project import project
from qproj.solvers.recheck import MalformedSolutionError, rechecked
from qproj.solvers.registry import SolverInfo, get_solver, list_solvers, solver_names

__all__ = [
    "Adapter",
    "Availability",
    "BQMProblem",
    "CQMProblem",
    "Capabilities",
    "EndedBy",
    "Ending",
    "Found",
    "LayerSolution",
    "MalformedSolutionError",
    "MissingLicenceError",
    "MissingPackageError",
    "MissingTokenError",
    "NoSolutionError",
    "Problem",
    "Request",
    "Solution",
    "Solver",
    "SolverInfo",
    "Status",
    "Timing",
    "TooLargeError",
    "as_problem",
    "check_capabilities",
    "check_limits",
    "child_seeds",
    "get_solver",
    "judge",
    "layer_of_solutions",
    "layer_of_weights",
    "list_solvers",
    "project",
    "rechecked",
    "solve_each",
    "solver_names",
    "verdict",
]
