"""Conformance kit: checks of everything that the contract promises of solvers, against ground truth."""

from qproj.testing.cases import case, cases
from qproj.testing.checked_problem import Case
from qproj.testing.checks import CHECKS, Skipped
from qproj.testing.runner import CheckResult, ConformanceError, check_solver, run_checks, solver_checks
from qproj.testing.truth import Truth, truth_of

__all__ = [
    "CHECKS",
    "Case",
    "CheckResult",
    "ConformanceError",
    "Skipped",
    "Truth",
    "case",
    "cases",
    "check_solver",
    "run_checks",
    "solver_checks",
    "truth_of",
]
