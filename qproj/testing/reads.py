"""Checks of reads: that they were drawn, each for itself, and which of them is the one of lowest energy."""

from __future__ import annotations

from typing import Any

import numpy as np

from qproj.testing.checks import NONE_TAKEN, TOLERANCE, Skipped, answered, check, solved, taken, where
from qproj.testing.truth import truth_of

#: Single reads that have to differ from one another before repeated ones are suspicious, and lists that are drawn.
SINGLES = 12
LISTS = 4


@check
def check_reads_are_drawn(solver: Any) -> None:
    """Several reads are several draws: where single reads never agree, lists of them do not repeat one."""
    capabilities = solver.capabilities
    if not capabilities.num_reads or not capabilities.seed or capabilities.exact:
        raise Skipped("it draws no reads by a seed")
    seen = 0
    for each in taken(solver, hard=True):
        try:
            singles = [_different(solver, each, 1, seed) for seed in range(SINGLES)]
        except Skipped:
            continue
        if len(set().union(*singles)) < SINGLES:
            continue  # a good sampler, or a small landscape, finds the same state again
        for count in (2, 5):
            found = [len(_different(solver, each, count, seed)) for seed in range(LISTS)]
            seen += 1
            assert max(found) == count, (
                f"{where(each)}: {count} reads hold at most {max(found)} different states with {LISTS} seeds, and "
                f"{SINGLES} single reads are all different"
            )
    if not seen:
        raise Skipped("it takes none of the large problems, or its single reads agree there")


def _different(solver: Any, each: Any, count: int, seed: int) -> set[bytes]:
    for _, _, solution in solved(solver, [each], num_reads=count, seed=seed):
        assert solution.sampleset is not None, f"{where(each)}: no sample set"
        return {row.tobytes() for row in np.asarray(solution.sampleset.record.sample, np.int8)}
    raise Skipped(NONE_TAKEN)


@check
def check_raw_best_has_the_lowest_energy(solver: Any) -> None:
    """`raw_best`, where it is given, is the read of lowest energy, not merely one of the reads."""
    seen = 0
    for each, problem, solution in answered(solver, taken(solver)):
        if solution.raw_best is None or solution.sampleset is None or each.kind == "cqm":
            continue
        energies = np.asarray(solution.sampleset.record.energy, np.float64)
        if not len(energies):
            continue
        lowest, scale = float(energies.min()), truth_of(problem).scale
        if each.kind == "bqm":
            seen += 1
            energy = float(problem.objective(solution.raw_best))
            assert energy <= lowest + TOLERANCE * max(abs(lowest), scale), (
                f"{where(each)}: raw_best has energy {energy!r}, and a read has {lowest!r}"
            )
            continue
        try:
            reads = np.asarray(problem.decode(solution.sampleset))
        except (TypeError, ValueError, KeyError):  # the labels of an encoding of its own
            continue
        if reads.shape != (len(energies), problem.num_variables):
            continue
        seen += 1
        same = (reads == solution.raw_best).all(axis=1)
        least = energies <= lowest + TOLERANCE * max(abs(lowest), float(np.abs(energies).max()))
        # what is no read may have been improved after the reads
        assert not same.any() or (same & least).any(), (
            f"{where(each)}: raw_best is the read of energy {float(energies[same].min())!r}, and one has {lowest!r}"
        )
    if not seen:
        raise Skipped("it gives no raw_best beside reads")
