"""The kit itself: what it reports, expected failures, cases by name; every check has its mutant."""

import sys
from dataclasses import replace

import pytest

import qproj
from qproj.solvers.contract import MissingPackageError
from qproj.testing import CHECKS, ConformanceError, case, cases, check_solver, run_checks, solver_checks
from tests.testing._liars import LIARS
from tests.testing._mutants import Wrapped
from tests.testing.test_mutants_answers import MUTANTS as WRONG_ANSWERS
from tests.testing.test_mutants_limits import MUTANTS as WRONG_LIMITS
from tests.testing.test_mutants_limits import DropsOptions
from tests.testing.test_mutants_side_effects import MUTANTS as WRONG_SIDE_EFFECTS


def test_every_check_has_a_mutant():
    mutants = [*WRONG_ANSWERS, *WRONG_LIMITS, *WRONG_SIDE_EFFECTS, *LIARS]
    assert len(mutants) >= 150
    assert set(CHECKS) - {mutant.values[1] for mutant in mutants} == {"import_is_light"}  # below


def registered(folder, monkeypatch, text):
    """Register text as the solver "heavy" of a module of its own; return its class."""
    (folder / "heavy_solver.py").write_text(text)
    info = folder / "heavy_solver-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: heavy-solver\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[qproj.solvers]\nheavy = heavy_solver:Heavy\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.delitem(sys.modules, "heavy_solver", raising=False)
    return qproj.get_solver("heavy")


SOURCE = """
{extra}
from qproj.solvers.builtin.sign_direction import Sign


class Heavy(Sign):
    name = "heavy"
    requires = {requires}

    def __init__(self, {options}):
        super().__init__()
"""


@pytest.mark.parametrize(
    ("extra", "requires", "words"),
    [
        ("import ortools", "()", "imports ortools"),
        ("import wave", '("wave",)', "imports wave"),
        ('print("hello")', "()", "prints 'hello'"),
    ],
)
def test_a_registered_solver_whose_import_is_heavy_or_loud_is_caught(tmp_path, monkeypatch, extra, requires, words):
    solver = registered(tmp_path, monkeypatch, SOURCE.format(extra=extra, requires=requires, options="*, p=1"))
    (result,) = run_checks(solver, names=["import_is_light"])
    assert (result.outcome, words in result.message) == ("failed", True), result


def test_a_registered_constructor_that_drops_options_is_caught(tmp_path, monkeypatch):
    solver = registered(tmp_path, monkeypatch, SOURCE.format(extra="", requires="()", options="**options"))
    light, refused = run_checks(solver, names=["import_is_light", "unknown_options_refused"])
    assert (light.outcome, refused.outcome) == ("passed", "failed")
    assert "get_solver" in refused.message


@solver_checks(qproj.get_solver("sign"))
def test_the_decorator_makes_one_test_a_check(check):
    check()


@solver_checks(DropsOptions(), expected_failures={"unknown_options_refused", "hints_taken_as_declared"})
def test_known_failures_are_expected(check):
    check()


def test_errors_list_every_failed_check_and_how_to_reproduce_it():
    class Bad(Wrapped):
        def spoil(self, solution, problem):
            return replace(solution, gain=None if solution.gain is None else solution.gain + 1.0)

    with pytest.raises(ConformanceError, match=r"objective_recomputed.*qproj\.testing\.case\(") as caught:
        check_solver(Bad())
    assert str(caught.value).count("\n") >= 2


def test_an_exception_of_the_solver_is_reported_with_the_smallest_case_that_raises_it():
    class Raises(Wrapped):
        def solve(self, problem, **limits):
            if len(problem.variables) >= 3:
                raise ZeroDivisionError("no scale")
            return super().solve(problem, **limits)

    for result in run_checks(Raises(), names=["objective_recomputed", "seed_reproduces", "hard_problems_not_claimed"]):
        assert result.outcome == "failed"
        assert "ZeroDivisionError: no scale" in result.message
        name = result.message.split("'")[1]
        size = 60 if "hard" in result.name else 3
        assert len(qproj.as_problem(case(name)).variables) == size


def test_a_failure_that_is_gone_is_a_failure():
    with pytest.raises(ConformanceError, match="take it off the list"):
        check_solver(qproj.get_solver("sign"), expected_failures={"timing_sane"})


def test_hard_cases_have_a_best_known_gain():
    from qproj.testing import cases
    from qproj.testing.time_outs import BEST_KNOWN

    assert {each.name for each in cases(hard=True) if "hard" in each.tags} == set(BEST_KNOWN)


def test_names_of_checks_are_checked():
    with pytest.raises(ValueError, match="did you mean 'timing_sane'"):
        run_checks(qproj.get_solver("sign"), names=["timing_sain"])
    with pytest.raises(ValueError, match="unknown check"):
        solver_checks(qproj.get_solver("sign"), expected_failures={"nothing"})


def test_cases_can_be_made_by_name_and_are_new_each_time():
    names = [each.name for each in cases(hard=True)]
    assert len(names) == len(set(names)) >= 30
    assert case("binary model") is not case("binary model")
    assert case("a market split").num_constraints() == 5
    with pytest.raises(ValueError, match="unknown case"):
        case("nothing")


def test_a_solver_that_takes_nothing_shows_nothing():
    class Nothing(Wrapped):
        changes = {"max_variables": -1}  # noqa: RUF012

    with pytest.raises(ConformanceError):
        check_solver(Nothing())


def test_without_pytest_the_decorator_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(MissingPackageError, match="pip install pytest, or use check_solver"):
        solver_checks(qproj.get_solver("sign"))
