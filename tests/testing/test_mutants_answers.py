"""Solvers whose answers are wrong on purpose: each is caught by the check meant for it."""

import math
from dataclasses import replace

import dimod
import numpy as np
import pytest

from qproj.solvers import Termination, Timing, as_problem
from qproj.testing import CHECKS
from tests.testing._mutants import (
    Wrapped,
    caught,
    empty_handed,
    flipped,
    is_bqm,
    is_cqm,
    low,
    mutant,
    sampled,
    sorted_by_name,
    told,
)

FIGURES = [
    mutant("sign flipped", "objective_recomputed", lambda s, p: replace(s, gain=-s.gain, objective=-s.objective)),
    mutant("gain is the energy", "objective_recomputed", lambda s, p: replace(s, gain=-s.gain) if is_bqm(p) else s),
    mutant("gain off by a hair, objective right", "objective_recomputed",
           lambda s, p: replace(s, gain=s.gain * (1 + 1e-6))),
    mutant("gain in float32", "objective_recomputed", lambda s, p: replace(s, gain=float(np.float32(s.gain)))),
    mutant("gain is nan", "objective_recomputed", lambda s, p: replace(s, gain=math.nan)),
    mutant("gain is infinite", "objective_recomputed", lambda s, p: replace(s, gain=math.inf)),
    mutant("objective of another read", "objective_recomputed",
           lambda s, p: replace(s, objective=float(as_problem(p).objective(s.candidates[-1])))),
    mutant("objective without its offset", "objective_recomputed",
           lambda s, p: replace(s, objective=s.objective - getattr(p, "offset", 1.0))),
    mutant("no tuple, no Solution", "objective_recomputed", lambda s, p: (s.best, s.objective)),
    mutant("None", "objective_recomputed", lambda s, p: None),
]  # fmt: skip

VECTORS = [
    mutant("best as floats", "objective_recomputed", lambda s, p: replace(s, best=s.best.astype(np.float64))),
    mutant("best as booleans", "objective_recomputed", lambda s, p: replace(s, best=s.best > 0)),
    mutant("best as a list", "objective_recomputed", lambda s, p: replace(s, best=s.best.tolist())),
    mutant("best as a column", "objective_recomputed", lambda s, p: replace(s, best=s.best[:, None])),
    mutant("0 for -1", "objective_recomputed", lambda s, p: replace(s, best=(s.best + 1) // 2)),
    mutant("spins for bits", "objective_recomputed",
           lambda s, p: replace(s, best=2 * s.best - 1) if low(p) == 0 else s),
    mutant("labels sorted", "objective_recomputed", sorted_by_name),
    mutant("tuple labels sorted", "labels_do_not_matter",
           lambda s, p: sorted_by_name(s, p) if all(isinstance(v, tuple) for v in p.variables) else s),
    mutant("raw_best of another length", "objective_recomputed",
           lambda s, p: replace(s, raw_best=np.ones(len(s.best) + 1, np.int8))),
    mutant("slack bits among the candidates", "candidates_ranked_by_gain",
           lambda s, p: replace(s, candidates=np.hstack([s.candidates, s.candidates[:, :1]])) if len(s.best) else s),
    mutant("candidates as a list", "candidates_ranked_by_gain",
           lambda s, p: replace(s, candidates=s.candidates.tolist())),
    mutant("one candidate, flat", "candidates_ranked_by_gain", lambda s, p: replace(s, candidates=s.best)),
    mutant("candidates outside the domain", "candidates_ranked_by_gain",
           lambda s, p: replace(s, candidates=np.concatenate([s.candidates, np.full_like(s.candidates[:1], 7)]))),
    mutant("candidates lost", "candidates_ranked_by_gain", lambda s, p: replace(s, candidates=s.candidates[:0])),
    mutant("candidates but the best", "candidates_ranked_by_gain",
           lambda s, p: replace(s, candidates=_others(s)) if len(_others(s)) else s),
    mutant("candidates in the order drawn", "candidates_ranked_by_gain",
           lambda s, p: replace(s, candidates=np.concatenate([s.candidates[:1], s.candidates[:0:-1]]))),
    mutant("best is the worst read", "candidates_ranked_by_gain",
           lambda s, p: replace(told(s, p, s.candidates[-1]), candidates=s.candidates)),
]  # fmt: skip

READS = [
    mutant("no sample set", "sampleset_energies", lambda s, p: replace(s, sampleset=None)),
    mutant("a dict of energies", "sampleset_energies", lambda s, p: replace(s, sampleset={"energy": s.objective})),
    mutant("empty sample set", "sampleset_energies", lambda s, p: replace(s, sampleset=s.sampleset.slice(0))),
    mutant("energies are nan", "sampleset_energies", lambda s, p: sampled(s, energy=lambda e: e + np.nan)),
    mutant("energies in float32", "sampleset_energies",
           lambda s, p: sampled(s, energy=lambda e: e.astype(np.float32).astype(np.float64))),
    mutant("energies negated", "sampleset_energies", lambda s, p: sampled(s, energy=lambda e: -e)),
    mutant("energies without offset", "sampleset_energies",
           lambda s, p: sampled(s, energy=lambda e: e - getattr(p, "offset", 0.0))),
    mutant("reads that never occurred", "sampleset_energies", lambda s, p: sampled(s, occurrences=np.zeros_like)),
    mutant("labels of its own", "sampleset_energies",
           lambda s, p: replace(s, sampleset=s.sampleset.relabel_variables(
               {v: ("q", i) for i, v in enumerate(s.sampleset.variables)}, inplace=False))),
    mutant("the other vartype", "sampleset_energies",
           lambda s, p: replace(s, sampleset=s.sampleset.change_vartype(
               "SPIN" if s.sampleset.vartype is dimod.BINARY else "BINARY", inplace=False))),
    mutant("best is the last read", "sampleset_energies",
           lambda s, p: replace(told(s, p, s.candidates[-1]), sampleset=s.sampleset)),
]  # fmt: skip

PROOFS = [
    mutant("bound too high by a hair", "bound_valid",
           lambda s, p: s if s.bound is None else replace(s, bound=s.bound + 1e-9 * abs(s.bound)), inner="exhaustive"),
    mutant("bound is nan", "bound_valid", lambda s, p: replace(s, bound=math.nan)),
    mutant("gain_bound too low by a hair", "bound_valid",
           lambda s, p: s if s.gain_bound is None else replace(s, gain_bound=s.gain_bound - 1e-9 * abs(s.gain_bound)),
           inner="exhaustive"),
    mutant("gap measured by half", "bound_valid",
           lambda s, p: s if s.gap_scale is None else replace(s, gap_scale=2 * s.gap_scale)),
    mutant("bound of a CQM too high", "bound_valid",
           lambda s, p: replace(s, bound=s.objective + 1e-6) if is_cqm(p) else s, inner="cpsat"),
    mutant("claims optimal", "proved_only_if_true",
           lambda s, p: replace(_single(s, p), termination=Termination.PROVED)),
    mutant("right on few variables", "proved_only_if_true",
           lambda s, p: flipped(s, p) if len(s.best) > 12 else s, inner="exhaustive"),
    mutant("exact by name", "optimum_reached", lambda s, p: s, inner="sign", exact=True),
    mutant("proves, and does not say so", "optimum_reached",
           lambda s, p: replace(s, termination=Termination.BUDGET) if len(s.best) > 5 else s,
           inner="exhaustive"),
    mutant("a termination of its own", "objective_recomputed", lambda s, p: replace(s, termination="done")),
    mutant("failed without a word", "objective_recomputed",
           lambda s, p: replace(s, termination=Termination.FAILED, message="")),
    mutant("stopped is proved", "hard_problems_not_claimed",
           lambda s, p: replace(s, termination=Termination.PROVED)),
    mutant("bound of the incumbent", "bounds_on_hard_problems",
           lambda s, p: replace(s, bound=s.objective, gain_bound=s.gain) if len(s.best) > 50 else s),
    mutant("gain_bound below what is known", "bounds_on_hard_problems",
           lambda s, p: replace(s, gain_bound=0.99 * s.gain, bound=None) if len(s.best) > 50 else s),
]  # fmt: skip

INCUMBENTS = [
    mutant("finds nothing", "an_incumbent_is_found", lambda s, p: empty_handed(s)),
    mutant("finds nothing among spins", "an_incumbent_is_found",
           lambda s, p: empty_handed(s) if getattr(p, "vartype", None) is dimod.SPIN else s),
    mutant("empty is no solution", "degenerate_problems", lambda s, p: s if p.variables else empty_handed(s)),
    mutant("says infeasible", "infeasible_distinguished_from_gave_up",
           lambda s, p: empty_handed(s, termination=Termination.REFUTED), inner="cpsat"),
    mutant("infeasible with an incumbent", "infeasible_distinguished_from_gave_up",
           lambda s, p: replace(s, termination=Termination.REFUTED) if is_cqm(p) else s, inner="cpsat"),
    mutant("one constraint too many is infeasible", "infeasible_distinguished_from_gave_up",
           lambda s, p: empty_handed(s, termination=Termination.REFUTED)
           if is_cqm(p) and len(p.constraints) == 3 else s, inner="cpsat"),
    mutant("infeasible is no solution", "infeasible_distinguished_from_gave_up",
           lambda s, p: replace(s, termination=Termination.BUDGET), inner="cpsat",
           also_without_incumbent=True),
    mutant("breaks constraints", "infeasible_distinguished_from_gave_up",
           lambda s, p: s if s.best is not None else replace(
               s, best=np.zeros(5), gain=0.0, objective=0.0, candidates=np.zeros((1, 5)),
               termination=Termination.BUDGET), inner="cpsat", also_without_incumbent=True),
    mutant("no incumbent means infeasible", "gave_up_is_not_infeasible",
           lambda s, p: empty_handed(s, sampleset=None, termination=Termination.REFUTED),
           inner="cpsat", also_without_incumbent=True),
    mutant("negative seconds", "timing_sane", lambda s, p: replace(s, timing=Timing(build=-1e-9))),
    mutant("negative seconds on large models", "timing_sane",
           lambda s, p: replace(s, timing=Timing(queue=-0.5)) if len(s.best) > 8 else s),
    mutant("seconds are nan", "timing_sane", lambda s, p: replace(s, timing=Timing(solve=math.nan))),
    mutant("milliseconds", "timing_sane", lambda s, p: replace(s, timing=Timing(solve=1e3 * s.timing.total))),
]  # fmt: skip


def _others(solution):
    return solution.candidates[(solution.candidates != solution.best).any(axis=1)]


def _single(solution, problem):
    return told(solution, problem, solution.candidates[-1])


MUTANTS = [*FIGURES, *VECTORS, *READS, *PROOFS, *INCUMBENTS]


def test_there_are_enough_mutants():
    assert len(MUTANTS) >= 60
    assert {parameter.values[1] for parameter in MUTANTS} <= set(CHECKS)


@pytest.mark.parametrize(("kind", "check"), MUTANTS)
def test_the_check_meant_for_it_catches_a_mutant(kind, check):
    caught(kind, check)


def test_what_is_wrong_only_on_connected_graphs_is_caught():
    caught(ConnectedOnly, "optimum_reached")


class ConnectedOnly(Wrapped):
    """Optimal on the largest piece of a model, never looks at the others."""

    inner = "exhaustive"

    def spoil(self, solution, problem):
        if not is_bqm(problem) or problem.num_variables < 3:
            return solution
        import networkx as nx

        graph = nx.Graph(list(problem.quadratic))
        graph.add_nodes_from(problem.variables)
        keep = max(nx.connected_components(graph), key=len)
        best = np.where([v in keep for v in problem.variables], solution.best, 1).astype(np.int8)
        return solution if nx.is_connected(graph) else told(solution, problem, best)
