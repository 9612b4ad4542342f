"""Checks of how a solver behaves: inputs, labels, state between calls, threads, processes, traces that it leaves."""

from __future__ import annotations

import pickle  # nosec B403: only what this process made itself is read back
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dimod
import numpy as np

from qproj.projections import SignProjection
from qproj.solvers import Capabilities, as_problem
from qproj.testing.checked_problem import Case
from qproj.testing.checks import (
    TOLERANCE,
    Skipped,
    answered,
    asked_once,
    check,
    enough,
    handed,
    solved,
    taken,
    well_formed,
    where,
)
from qproj.testing.truth import truth_of

_FORMS = {"projection", "bqm", "cqm"}


@check
def check_capabilities_declared(solver: Any) -> None:
    """The instance declares what it takes."""
    capabilities = solver.capabilities
    assert isinstance(capabilities, Capabilities), f"capabilities is {type(capabilities).__name__}"
    forms = set(capabilities.forms)
    assert forms, "capabilities.forms is empty: it takes nothing"
    assert forms <= _FORMS, f"capabilities.forms names {sorted(forms - _FORMS)}; {sorted(_FORMS)} exist"
    for name in ("exact", "seed", "time_limit", "num_reads", "hint", "thread_safe", "picklable"):
        value = getattr(capabilities, name)
        assert isinstance(value, bool), f"capabilities.{name} is {value!r}, neither True nor False"
    largest = capabilities.max_variables
    assert largest is None or (isinstance(largest, int) and largest >= 1), f"capabilities.max_variables is {largest!r}"


@check
def check_declared_forms_taken(solver: Any) -> None:
    """Of every form that is declared at least one small problem is solved."""
    for form in sorted(solver.capabilities.forms):
        list(answered(solver, [c for c in taken(solver) if c.kind == form]))


@check
def check_degenerate_problems(solver: Any) -> None:
    """No variables, one variable, a constant, one row, all targets zero: ordinary input."""
    for each, _, solution in answered(solver, taken(solver, "degenerate")):
        assert solution.best is not None, f"{where(each)}: no incumbent, status {solution.status}"


@check
def check_labels_do_not_matter(solver: Any) -> None:
    """Labels of any hashable type and variables in any order give the same quality of answer."""
    found = [each for each in taken(solver) if each.kind in ("bqm", "cqm")]
    if not found:
        raise Skipped("it takes no labelled models")
    for each, problem, solution in answered(solver, found):
        if solution.best is None:
            continue
        truth, gain = truth_of(problem), float(problem.gain(solution.best))
        assert abs(gain - float(solution.gain or 0.0)) <= TOLERANCE * truth.scale, (
            f"{where(each)}: best is not in the order of the model's variables {list(problem.variables)[:4]}…"
        )
        if each.kind != "bqm":
            continue
        names = list(problem.variables)
        mirrored = dimod.BinaryQuadraticModel(problem.bqm.vartype)
        for v in reversed(names):
            mirrored.add_linear(("z", str(v)), problem.bqm.get_linear(v))
        for (u, v), bias in problem.bqm.quadratic.items():
            mirrored.add_quadratic(("z", str(u)), ("z", str(v)), bias)
        mirrored.offset = problem.bqm.offset
        other = well_formed(solver.solve(mirrored, seed=1, **enough(solver)), as_problem(mirrored), each)
        assert other.best is not None, f"{where(each)}: reversed and relabelled, no incumbent"
        told = float(as_problem(mirrored).gain(other.best))
        assert abs(float(other.gain or 0.0) - told) <= TOLERANCE * truth.scale, (
            f"{where(each)}: reversed and relabelled, gain is off"
        )
        if solver.capabilities.exact:
            assert truth.gain is not None
            assert told >= truth.gain - TOLERANCE * truth.scale, f"{where(each)}: reversed, the optimum is missed"


@check
def check_inputs_not_mutated(solver: Any) -> None:
    """Models and arrays are the same afterwards, and so is their order."""
    for answer in asked_once(solver, taken(solver)):
        changed = _fingerprint(handed(answer.handed)) != _fingerprint(answer.case.make())
        assert not changed, f"{where(answer.case)}: the problem was changed by solve()"


def _fingerprint(problem: Any) -> Any:
    if isinstance(problem, dimod.BinaryQuadraticModel):
        quadratic = sorted((sorted((repr(u), repr(v))), bias) for (u, v), bias in problem.quadratic.items())
        return list(problem.variables), dict(problem.linear), quadratic, problem.offset, problem.vartype
    if isinstance(problem, dimod.ConstrainedQuadraticModel):
        return list(problem.variables), str(problem)
    arrays = [getattr(problem, name) for name in ("X", "t", "M", "g") if hasattr(problem, name)]
    return [np.asarray(a).tobytes() for a in arrays], problem.key


@check
def check_nothing_kept_between_calls(solver: Any) -> None:
    """Other problems of the same size, made where the last one lay in memory, get answers of their own."""
    limit = solver.capabilities.max_variables
    forms = [form for form in ("bqm", "projection") if form in solver.capabilities.forms]
    if not forms or (limit is not None and limit < 5):
        raise Skipped("it takes neither small projections nor BQMs")
    for form in forms:
        rng = np.random.default_rng(0)
        for number in range(12):
            if form == "bqm":
                linear = {i: float(rng.normal()) for i in range(5)}
                quadratic = {(i, j): float(rng.normal()) for i in range(5) for j in range(i)}
                given: Any = dimod.BinaryQuadraticModel(linear, quadratic, 0.0, "BINARY")
            else:
                given = SignProjection(rng.choice([-1, 1], (9, 5)), rng.normal(size=9))
            problem = as_problem(given)
            try:
                solution = solver.solve(given, seed=1, **enough(solver))
            except TypeError:
                if form == "bqm":
                    raise
                break  # it takes projections of another kind
            told = f"problem {number} of 12 ({form})"
            assert solution.best is not None, f"{told}: no incumbent"
            truth, gain = truth_of(problem), float(problem.gain(solution.best))
            assert abs(gain - float(solution.gain or 0.0)) <= TOLERANCE * truth.scale, f"{told} gets another's answer"
            if solver.capabilities.exact:
                assert truth.gain is not None
                assert gain >= truth.gain - TOLERANCE * truth.scale, f"{told} gets another's answer"
            del given, problem, solution


@check
def check_threads(solver: Any) -> None:
    """Declared thread-safe: four threads give what one gives."""
    if not solver.capabilities.thread_safe:
        raise Skipped("it declares that it is not thread-safe")
    found = [each for each in taken(solver) if each.size >= 3][:6]
    alone = {each.name: solution for each, _, solution in solved(solver, found, seed=4)}
    todo = [each for each in found if each.name in alone] * 4
    problems = [as_problem(each.make()) for each in todo]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # makes faults of shared state more likely
    try:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda problem: solver.solve(handed(problem), seed=4), problems))
    finally:
        sys.setswitchinterval(interval)
    for each, problem, answer in zip(todo, problems, answers, strict=True):
        solution = well_formed(answer, problem, each)
        if solution.best is not None:
            gain = float(problem.gain(solution.best))
            assert abs(gain - float(solution.gain or 0.0)) <= TOLERANCE * truth_of(problem).scale, (
                f"{where(each)}: in threads the answer is another problem's"
            )
        if "clock" in (solution.termination, alone[each.name].termination):
            continue
        if solver.capabilities.exact:
            assert solution.status is alone[each.name].status, f"{where(each)}: in threads the status is another one"
        if solver.capabilities.seed:
            assert np.array_equal(np.asarray(solution.best), np.asarray(alone[each.name].best)), (
                f"{where(each)}: in threads the answer is another one"
            )


@check
def check_pickling(solver: Any) -> None:
    """Declared picklable: a copy from another process's point of view gives the same; solutions travel too."""
    if not solver.capabilities.picklable:
        raise Skipped("it declares that it cannot be pickled")
    copy = pickle.loads(pickle.dumps(solver))  # nosec B301: made one line above
    assert copy.capabilities == solver.capabilities, "a copy declares other capabilities"
    found = [each for each in taken(solver) if each.size >= 3][:3]
    _copies_agree(solver, copy, found)
    if solver.capabilities.seed and not solver.capabilities.exact:  # on small ones all parameters find the same
        try:
            reads: dict[str, Any] = {"num_reads": 2} if solver.capabilities.num_reads else {}
            _copies_agree(solver, copy, taken(solver, hard=True), **reads)
        except Skipped:
            return


def _copies_agree(solver: Any, copy: Any, found: list[Case], **asked: Any) -> None:
    mine = [(each, solution) for each, _, solution in solved(solver, found, seed=4, **asked)]
    theirs = {each.name: other for each, _, other in solved(copy, [each for each, _ in mine], seed=4, **asked)}
    for each, solution in mine:
        pickle.loads(pickle.dumps(solution))  # nosec B301: made by the line itself
        other = theirs.get(each.name)
        if other is None or not solver.capabilities.seed or "clock" in (solution.termination, other.termination):
            continue
        same = np.array_equal(np.asarray(solution.candidates), np.asarray(other.candidates))
        assert same, f"{where(each)}: a copy differs; are its parameters lost?"
