"""The end of a comparison in the terminal: failures with their remedies, and three sentences about the result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qproj.cli.output import print_text

if TYPE_CHECKING:
    from qproj.lab.studies.failures import Failure
    from qproj.lab.studies.solver_table import SolverLine


def print_failures(found: Sequence[Failure]) -> None:
    """Print one paragraph per solver and kind of failure: how many runs, the cause, the remedy."""
    for one in found:
        print_text(f"{one.label}: {_runs(one.runs)} {one.status}: {one.message}. Remedy: {one.remedy}.", indent="  ")


def closing_sentences(lines: Sequence[SolverLine], page: str) -> list[str]:
    """Return one sentence each on the results, on where to look, and on the next step."""
    return [_seen(lines), _look(page), _next(lines)]


def _seen(lines: Sequence[SolverLine]) -> str:
    """The solver that proved most, and the best sampler beside the null model."""
    from qproj.lab.studies.solver_table import percent

    known = [line for line in lines if not line.is_null and not math.isnan(line.proved.value)]
    if not known:
        return "Seen: no run came back with an answer."
    best = max(known, key=lambda line: (line.proved.value, -line.gap_mean, line.label == "auto"))
    peers = [line.label for line in known if line.proved.value == best.proved.value == 1.0]
    if len(peers) > 1:
        text = f"Seen: {_listed(peers)} proved every answer they gave optimal"
    elif not best.proved.value:
        least = min(known, key=lambda line: line.gap_mean)
        text = f"Seen: no run proved an optimum; {least.label} came closest to the best bound"
    else:
        text = f"Seen: {best.label} proved most, {percent(best.proved.value)} of its runs"
    samplers = [line for line in known if not math.isnan(line.raw.value) and not math.isnan(line.best.value)]
    nulls = [line for line in lines if line.is_null and not math.isnan(line.best.value)]
    if samplers:
        first = max(samplers, key=lambda line: line.best.value)
        text += f"; of the samplers, {first.label} came closest, optimal in {percent(first.best.value)} of its runs"
        if nulls:
            null = min(nulls, key=lambda line: len(line.label))
            text += f", where the null model {null.label} was in {percent(null.best.value)}"
    return text + "."


def _look(page: str) -> str:
    if not page:
        return "Look at the table above; with the extra for reports, `qproj report` also draws it."
    return (
        f"Look at {page} in a browser, first at “How far from the optimum”: the further to the left a curve rises, "
        "the better the solver."
    )


def _next(lines: Sequence[SolverLine]) -> str:
    null = any(line.is_null for line in lines)  # a study runs null models where it runs a sampler
    if null or any(not math.isnan(line.raw.value) for line in lines):
        return (
            "Try next: more reads (--reads 10,100,1000), your own layers (--instances mine.npz), or a solver of your "
            "own (docs/tutorials/write-a-solver.md)."
        )
    return "Try next: a sampler beside them (--solvers auto,sa,random), or your own layers (--instances mine.npz)."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
