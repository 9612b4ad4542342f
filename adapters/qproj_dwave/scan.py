"""Chain strength, scanned: too weak and chains break, too strong and the problem drowns in control errors."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from qproj_dwave.annealer import Annealer
from qproj_dwave.physical import ChainStrength, check_chain_strength


@dataclass(frozen=True)
class ScanPoint:
    """What one chain strength gave: best gain, mean share of broken chains, share of coefficients below the noise."""

    chain_strength: ChainStrength
    gain: float
    chain_break_fraction: float
    below_noise: float


def scan_chain_strength(
    solver: Annealer, problem: Any, values: Iterable[Any] = ("uniform_torque_compensation", 0.25, 0.5, 1.0, 2.0, 4.0),
    *, num_reads: int = 100, seed: int | None = 0,
) -> list[ScanPoint]:  # fmt: skip
    """Return one point a chain strength, from `num_reads` reads each, over one embedding.

    On a QPU every point is a paid submission under the solver's budget.
    """
    checked = [check_chain_strength(value) for value in values]
    if not checked:
        raise ValueError("no chain strengths to scan; give names or numbers")
    points = []
    for value in checked:
        variant = copy.copy(solver)
        variant._embedder = solver.embedder
        variant.chain_strength = value
        solution = variant.solve(problem, num_reads=num_reads, seed=seed).require()
        assert solution.gain is not None
        stats = solution.stats
        points.append(ScanPoint(value, solution.gain, stats["chain_break_fraction"], stats["below_noise"]))
    return points
