"""Every assignment: the ground truth for small problems, with all optima, not one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.projections import SignProjection
from qproj.solvers.adapter import Adapter
from qproj.solvers.contract import Capabilities, Request, Termination, TooLargeError
from qproj.solvers.found import Found

#: Weight bits after aggregation, or variables of a plain model.
MAX_BITS = 24
#: The same for real inputs, whose sums have to be made in the definition's own order.
MAX_BITS_REAL = 16
#: Optima that are returned as candidates; a flat problem has them by the million.
MAX_OPTIMA = 4096
#: Relative to the largest possible gain: sums in another order differ by less, different optima by more.
TOLERANCE = 1e-12


class Exhaustive(Adapter[Any, Found]):
    """argmin objective(v) by going through all assignments; every optimal column count is a candidate (``exhaustive``).

    Raises
    ------
    TooLargeError
        More than 24 weight bits after aggregation (24 variables of a plain model); 'auto' takes those.
    """

    name = "exhaustive"
    capabilities = Capabilities(forms=frozenset({"projection", "bqm"}), exact=True, seed=False)

    def check(self, problem: Any, request: Request) -> None:
        """Refuse what would take hours."""
        if isinstance(problem, SignProjection):
            columns = problem.aggregated.columns
            bits = float(np.log2(columns.sizes + 1.0).sum())
            size = f"{len(columns.labels)} weight bits after aggregation"
            limit = MAX_BITS if problem.inputs.is_binary else MAX_BITS_REAL
        else:
            bits, size = float(problem.num_variables), f"{problem.num_variables} variables"
            limit = MAX_BITS if problem.kind == "bqm" else MAX_BITS_REAL
        if bits > limit:
            raise TooLargeError(f"{size} exceed 'exhaustive' ({limit}); use 'auto' or 'local-search'")

    def call(self, model: Any, request: Request) -> Found:
        if isinstance(model, SignProjection) and model.inputs.is_binary:
            merged = model.aggregated
            scale = float(np.abs(merged.tau).max(initial=0.0)) or 1.0
            counts = best_counts(merged.A, merged.columns.sizes, merged.tau / scale)
            candidates, optima = merged.columns.weights_from_counts(counts), len(counts)
        else:
            low = 0 if model.kind == "bqm" and model.bqm.vartype.name == "BINARY" else -1
            candidates, optima = best_spins(model, low)
        return Found(candidates, Termination.PROVED, stats={"optima": optima})


def best_counts(A: NDArray[Any], sizes: NDArray[np.int64], tau: FloatArray) -> NDArray[np.int64]:
    """Return every c, (k, C), that maximises Σ_g τ_g σ(Σ_j A_gj (2c_j − M_j)), at most 4096 of them.

    The classes are split in two halves; pre-activations are sums of one entry from each half's table.
    """
    half = _balanced(sizes)
    left, right = _patterns(sizes[:half]), _patterns(sizes[half:])
    z_left = (2.0 * left - sizes[:half]) @ A[:, :half].T.astype(np.float64)
    z_right = (2.0 * right - sizes[half:]) @ A[:, half:].T.astype(np.float64)
    best, kept = -np.inf, np.empty((0, 2), np.intp)
    tolerance = TOLERANCE * float(np.abs(tau).sum())
    step = max(1, (1 << 20) // len(right))
    for start in range(0, len(left), step):
        gains = np.zeros((len(left[start : start + step]), len(right)))
        for g, weight in enumerate(tau.tolist()):
            gains += np.where(z_left[start : start + step, g, None] + z_right[:, g] >= 0, weight, -weight)
        top = float(gains.max())
        if top < best - tolerance:
            continue
        rows, columns = np.nonzero(gains >= top - tolerance)
        found = np.stack([rows + start, columns], axis=1)[:MAX_OPTIMA]
        kept = found if top > best + tolerance else np.concatenate([kept, found])[:MAX_OPTIMA]
        best = max(best, top)
    return np.concatenate([left[kept[:, 0]], right[kept[:, 1]]], axis=1)


def best_spins(problem: Any, low: int) -> tuple[NDArray[Any], int]:
    """Return every assignment, (k, n), that maximises the gain of a small problem, and how many there are."""
    n = problem.num_variables
    best, kept, optima = -np.inf, np.empty((0, n), np.int8), 0
    step = 1 << min(n, 16)
    for start in range(0, 1 << n, step):
        bits = ((np.arange(start, start + step)[:, None] >> np.arange(n)) & 1).astype(np.int8)
        block = bits if low == 0 else (2 * bits - 1).astype(np.int8)
        gains = np.asarray(problem.gain(block))
        tolerance = TOLERANCE * float(np.abs(gains).max(initial=0.0))
        top = float(gains.max())
        if top < best - tolerance:
            continue
        found = block[gains >= top - tolerance]
        better = top > best + tolerance
        optima = len(found) + (0 if better else optima)
        kept = found[:MAX_OPTIMA] if better else np.concatenate([kept, found])[:MAX_OPTIMA]
        best = max(best, top)
    return kept, optima


def _balanced(sizes: NDArray[np.int64]) -> int:
    """Where to cut the classes so that both halves have about as many patterns."""
    logs = np.cumsum(np.log2(sizes + 1.0))
    return int(np.searchsorted(logs, logs[-1] / 2.0)) if len(logs) else 0


def _patterns(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all counts 0 ≤ c ≤ sizes, (Π(M+1), C)."""
    if not len(sizes):
        return np.zeros((1, 0), np.int64)
    grids = np.meshgrid(*(np.arange(size + 1) for size in sizes), indexing="ij")
    return np.stack([grid.ravel() for grid in grids], axis=1)
