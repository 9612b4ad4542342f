"""Running the checks: all of them on one solver, or each as a test of its own under pytest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from qproj._options import nearest
from qproj.solvers.contract import MissingPackageError
from qproj.testing.checks import ANSWERS, CHECKS, Skipped


class ConformanceError(AssertionError):
    """A solver does not keep the contract; the text lists every failed check."""


@dataclass(frozen=True)
class CheckResult:
    """One check's outcome: "passed", "failed", "skipped", "expected" (a known failure), "fixed" (one that is gone)."""

    name: str
    outcome: str
    message: str = ""
    seconds: float = 0.0

    @property
    def is_failure(self) -> bool:
        """Whether the check failed, or passed although it was expected to fail."""
        return self.outcome in ("failed", "fixed")


def run_checks(
    solver: Any, *, expected_failures: Iterable[str] = (), names: Iterable[str] | None = None
) -> list[CheckResult]:
    """Run the named checks, or all, and return their outcomes; nothing that a solver does ends the run.

    Raises
    ------
    ValueError
        A name that is not a check; the nearest is offered.
    """
    expected, chosen = set(known_names(expected_failures)), known_names(CHECKS if names is None else names)
    token = ANSWERS.set({})
    try:
        return [_run(name, solver, expected=name in expected) for name in chosen]
    finally:
        ANSWERS.reset(token)


def known_names(names: Iterable[str]) -> list[str]:
    """Return names of checks as they are listed; those of the functions, with ``check_``, are understood too."""
    short = [name.removeprefix("check_") for name in names]
    for name in short:
        if name not in CHECKS:
            raise ValueError(f"unknown check {name!r}; {nearest(name, CHECKS)}")
    return short


def _run(name: str, solver: Any, *, expected: bool) -> CheckResult:
    start = time.perf_counter()
    outcome, message = "passed", ""
    try:
        with np.errstate():  # a solver that changes numpy's handling of errors changes it for no later check
            CHECKS[name](solver)
    except Skipped as reason:
        outcome, message = "skipped", str(reason)
    except AssertionError as error:
        outcome, message = "failed", str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a solver that calls sys.exit() fails the check, not the kit
        outcome, message = "failed", f"{type(error).__name__}: {error}"
    if expected and outcome == "failed":
        outcome = "expected"
    elif expected and outcome == "passed":
        outcome, message = "fixed", "this was expected to fail, and passes: take it off the list"
    return CheckResult(name, outcome, message, time.perf_counter() - start)


def check_solver(solver: Any, *, expected_failures: Iterable[str] = ()) -> list[CheckResult]:
    """Check a solver against the whole contract and return the outcomes.

    Ground truth is enumeration, so a pass means that small problems of every declared form were solved, scored and
    bounded rightly; see the reference page on conformance for the list.

    Parameters
    ----------
    solver : Solver
        An instance; what it declares in ``capabilities`` decides what is asked of it.
    expected_failures : iterable of str
        Names of checks that are known to fail; one that passes then is a failure.

    Raises
    ------
    ConformanceError
        Lists every failed check, each with the smallest problem it failed on.

    Examples
    --------
    >>> import qproj
    >>> results = check_solver(qproj.get_solver("exhaustive"))
    >>> sorted({r.outcome for r in results})
    ['passed', 'skipped']
    """
    results = run_checks(solver, expected_failures=expected_failures)
    failed = [r for r in results if r.is_failure]
    name = getattr(solver, "name", type(solver).__name__)
    if not any(r.outcome in ("passed", "expected", "failed") for r in results):
        raise ConformanceError(f"{name}: every check was skipped, so nothing was shown")
    if failed:
        lines = [f"  {r.name}: {r.message}" for r in failed]
        raise ConformanceError(f"{name} fails {len(failed)} of {len(results)} checks:\n" + "\n".join(lines))
    return results


def solver_checks(solver: Any, *, expected_failures: Iterable[str] = ()) -> Callable[[Any], Any]:
    """Return a pytest decorator: one test a check, called as ``check()`` in the decorated function.

    Raises
    ------
    ValueError
        An expected failure that does not name a check.
    MissingPackageError
        pytest is not installed; :func:`check_solver` does without it.

    Examples
    --------
    >>> import qproj
    >>> @solver_checks(qproj.get_solver("sign"))
    ... def test_my_solver(check):
    ...     check()
    """
    try:
        import pytest
    except ImportError as error:
        raise MissingPackageError("solver_checks makes tests; pip install pytest, or use check_solver") from error
    expected = set(known_names(expected_failures))
    answers: dict[str, Any] = {}

    def bound(name: str) -> Callable[[], None]:
        def check() -> None:
            token = ANSWERS.set(answers)
            try:
                with np.errstate():
                    CHECKS[name](solver)
            except Skipped as reason:
                pytest.skip(str(reason))
            finally:
                ANSWERS.reset(token)

        return check

    parameters = [
        pytest.param(bound(name), id=name, marks=[pytest.mark.xfail(strict=True)] if name in expected else [])
        for name in CHECKS
    ]
    return pytest.mark.parametrize("check", parameters)
