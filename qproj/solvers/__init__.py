"""The contract between problems and solvers, the bases of adapters, the registry, and one call for many problems."""

from __future__ import annotations

from qproj._seeds import child_seeds
from qproj.projections import Problem, as_problem
from qproj.solvers.adapter import Adapter, Availability
from qproj.solvers.contract import (
    Capabilities,
    MalformedSolutionError,
    MissingLicenceError,
    MissingPackageError,
    MissingTokenError,
    NoSolutionError,
    Request,
    Solution,
    Solver,
    Status,
    Termination,
    Timing,
    TooLargeError,
    check_positive,
)
from qproj.solvers.found import Found, LayerFound, rescored, scored
from qproj.solvers.layer_solution import LayerSolution
from qproj.solvers.layers import LayerRequest, project, solve_many
from qproj.solvers.registry import SolverInfo, get_solver, list_solvers, solver_names
from qproj.solvers.sampling import Reads, SamplingAdapter, decode_reads, sampled_model
from qproj.solvers.search_progress import ProgressEvent, SearchProgress

__all__ = [
    "Adapter",
    "Availability",
    "Capabilities",
    "Found",
    "LayerFound",
    "LayerRequest",
    "LayerSolution",
    "MalformedSolutionError",
    "MissingLicenceError",
    "MissingPackageError",
    "MissingTokenError",
    "NoSolutionError",
    "Problem",
    "ProgressEvent",
    "Reads",
    "Request",
    "SamplingAdapter",
    "SearchProgress",
    "Solution",
    "Solver",
    "SolverInfo",
    "Status",
    "Termination",
    "Timing",
    "TooLargeError",
    "as_problem",
    "check_positive",
    "child_seeds",
    "decode_reads",
    "get_solver",
    "list_solvers",
    "project",
    "rescored",
    "sampled_model",
    "scored",
    "solve_many",
    "solver_names",
]
