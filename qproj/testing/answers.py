"""Checks of what a solver says: objectives, energies, bounds, proofs, infeasibility."""

from __future__ import annotations

from itertools import chain
from typing import Any

import dimod
import numpy as np

from qproj.solvers import Status, Termination
from qproj.testing.checks import TOLERANCE, Skipped, answered, assignment, check, solved, taken, where
from qproj.testing.truth import truth_of

#: Cases of middle size are asked where truth matters; the other checks are quick without them.
UNSOLVABLE = ("infeasible",)


@check
def check_objective_recomputed(solver: Any) -> None:
    """Gain and objective are those of `best`, by the problem's definition."""
    for each, problem, solution in answered(solver, taken(solver, without=UNSOLVABLE)):
        if solution.best is None:
            continue
        gain, objective = float(problem.gain(solution.best)), float(problem.objective(solution.best))
        scale = truth_of(problem).scale
        assert np.isfinite(solution.gain), f"{where(each)}: gain is {solution.gain}"
        assert abs(solution.gain - gain) <= TOLERANCE * scale, (
            f"{where(each)}: gain is {solution.gain!r}, the definition gives {gain!r}"
        )
        assert abs(solution.objective - objective) <= TOLERANCE * max(abs(objective), scale), (
            f"{where(each)}: objective is {solution.objective!r}, the definition gives {objective!r}"
        )


@check
def check_an_incumbent_is_found(solver: Any) -> None:
    """Small feasible problems end with an incumbent."""
    for each, problem, solution in answered(solver, taken(solver)):
        exact = solver.capabilities.exact or problem.kind != "cqm"
        assert solution.best is not None or not exact, f"{where(each)}: no incumbent, status {solution.status}"


@check
def check_candidates_ranked_by_gain(solver: Any) -> None:
    """`best` is the candidate of highest gain; candidates are sorted; there is one wherever there is an incumbent."""
    for each, problem, solution in answered(solver, taken(solver)):
        if solution.best is None:
            assert not len(solution.candidates), f"{where(each)}: candidates without an incumbent"
            continue
        candidates = solution.candidates
        assert len(candidates), f"{where(each)}: an incumbent without candidates"
        assignment("candidates", candidates, problem, each, ndim=2)
        gains = np.asarray(problem.gain(candidates), np.float64)
        tolerance = TOLERANCE * truth_of(problem).scale
        assert solution.gain >= gains.max() - tolerance, f"{where(each)}: a candidate is better than best"
        assert gains[0] >= gains.max() - tolerance, f"{where(each)}: the first candidate is not the best one"
        assert not (np.diff(gains) > tolerance).any(), f"{where(each)}: candidates are not in the order of their gains"
        assert (candidates == solution.best).all(axis=1).any(), f"{where(each)}: best is none of the candidates"


@check
def check_sampleset_energies(solver: Any) -> None:
    """There is a sample set with every incumbent; over a plain BQM its energies are the model's, offset included."""
    for each, problem, solution in answered(solver, taken(solver)):
        if solution.best is None:
            continue
        reads = solution.sampleset
        assert isinstance(reads, dimod.SampleSet), f"{where(each)}: sampleset is {type(reads).__name__}"
        if not len(reads) and not problem.num_variables:
            continue  # what dimod makes of an empty sample
        assert len(reads), f"{where(each)}: the sample set is empty"
        energies = np.asarray(reads.record.energy, np.float64)
        assert np.isfinite(energies).all(), f"{where(each)}: an energy is NaN or infinite"
        assert (reads.record.num_occurrences >= 1).all(), f"{where(each)}: a sample that never occurred"
        if each.kind != "bqm":
            continue
        missing = [v for v in problem.variables if v not in reads.variables]
        assert not missing, f"{where(each)}: reads lack variables {missing[:4]} of the model"
        lowest, scale = float(energies.min()), truth_of(problem).scale
        assert solution.objective <= lowest + TOLERANCE * max(abs(lowest), scale), (
            f"{where(each)}: a read of energy {lowest!r} is better than best, {solution.objective!r}"
        )
        if len(reads.variables) != problem.num_variables:
            continue
        assert reads.vartype is problem.bqm.vartype, f"{where(each)}: reads are {reads.vartype}, the model is not"
        expected = problem.bqm.energies(reads)
        # float64 sums in another order; float32 would be off by 1e-7
        assert np.allclose(energies, expected, rtol=TOLERANCE, atol=TOLERANCE * truth_of(problem).scale), (
            f"{where(each)}: energies {energies[:3]} are not the model's {expected[:3]}"
        )


@check
def check_optimum_reached(solver: Any) -> None:
    """A solver that claims exactness ends small problems with a proved optimum."""
    if not solver.capabilities.exact:
        raise Skipped("it does not claim to be exact")
    for each, problem, solution in answered(solver, taken(solver, without=UNSOLVABLE)):
        truth = truth_of(problem)
        assert truth.gain is not None, f"{where(each)}: the case itself is infeasible"
        assert solution.status is Status.OPTIMAL, f"{where(each)}: status is {solution.status}, not optimal"
        assert solution.gain >= truth.gain - TOLERANCE * truth.scale, (
            f"{where(each)}: gain {solution.gain!r}, the best there is has {truth.gain!r}"
        )


@check
def check_proved_only_if_true(solver: Any) -> None:
    """The status is `optimal` for optima only."""
    again = taken(solver, "reads")
    another = solved(solver, again, seed=3) if again else ()
    for each, problem, solution in chain(answered(solver, taken(solver, without=UNSOLVABLE)), another):
        if solution.status is Status.OPTIMAL:
            truth, gain = truth_of(problem), float(problem.gain(solution.best))
            assert truth.gain is not None, f"{where(each)}: claimed optimal, and nothing is feasible"
            assert gain >= truth.gain - TOLERANCE * truth.scale, (
                f"{where(each)}: claimed optimal at gain {gain!r}, the best there is has {truth.gain!r}"
            )


@check
def check_bound_valid(solver: Any) -> None:
    """`bound` is below every objective there is, and `gain_bound` above every gain, if only by rounding."""
    seen = 0
    for each, problem, solution in answered(solver, taken(solver, without=UNSOLVABLE)):
        truth = truth_of(problem)
        if truth.objective is None or truth.gain is None:
            continue
        if solution.bound is not None:
            seen += 1
            assert not np.isnan(solution.bound), f"{where(each)}: the bound is NaN"
            slack = 1e-13 * max(abs(truth.objective), truth.scale)
            assert solution.bound <= truth.objective + slack, (
                f"{where(each)}: bound {solution.bound!r} is above the optimum {truth.objective!r}"
            )
        if solution.gain_bound is not None:
            seen += 1
            assert solution.gain_bound >= truth.gain - 1e-13 * truth.scale, (
                f"{where(each)}: gain_bound {solution.gain_bound!r} is below the optimum's gain {truth.gain!r}"
            )
        gap = solution.gap
        assert gap is None or 0 <= gap < np.inf, f"{where(each)}: the gap is {gap}"
        if solution.gap_scale is not None and solution.objective is not None:
            scale = float(problem.gap_scale(solution.objective))
            assert np.isclose(solution.gap_scale, scale, rtol=1e-6, atol=0.0), (
                f"{where(each)}: the gap is measured by {solution.gap_scale!r} instead of {scale!r}"
            )
    if not seen:
        raise Skipped("it gives no bounds")


@check
def check_infeasible_distinguished_from_gave_up(solver: Any) -> None:
    """The status is `infeasible` where nothing is feasible, and nowhere else; no incumbent breaks a constraint."""
    for each, problem, solution in answered(solver, taken(solver, without=("middle",))):
        feasible = truth_of(problem).gain is not None
        if feasible:
            assert solution.termination is not Termination.REFUTED, (
                f"{where(each)}: said to be infeasible, and it is feasible"
            )
            assert solution.status is not Status.INFEASIBLE, f"{where(each)}: said to be infeasible"
        else:
            assert solution.best is None, f"{where(each)}: an incumbent where none is feasible"
            exact = solver.capabilities.exact
            assert solution.status is Status.INFEASIBLE or not exact, f"{where(each)}: status is {solution.status}"
