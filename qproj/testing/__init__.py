"""Is a solver right? Checks of everything the contract promises, against ground truth."""

from qproj.testing.cases import Case, case, cases
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
