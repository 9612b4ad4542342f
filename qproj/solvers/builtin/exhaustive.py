"""Every assignment: the ground truth for small problems, with all optima, not one."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj._sums import signed_sums, split
from qproj.projections import SignProjection
from qproj.projections.models import is_spin
from qproj.solvers.adapter import Adapter
from qproj.solvers.contract import Capabilities, Request, Termination, TooLargeError
from qproj.solvers.found import Found
from qproj.solvers.interrupt import is_over

#: Weight bits after aggregation, or variables of a plain model.
MAX_BITS = 24
#: The same for real inputs, whose sums have to be made in the definition's own order.
MAX_BITS_REAL = 16
#: Optima that are returned as candidates; a flat problem has them by the million.
MAX_OPTIMA = 4096
#: Relative to the largest gain of projections that sum in float64: gains that differ by less count as equal optima.
TOLERANCE = 1e-12
#: Signs that are summed between two looks at the clock, and candidates that are summed exactly at once.
_WORK, _CHUNK = 1 << 24, 1 << 14
#: The same where there is a clock: some hundredths of a second.
_TIMED_WORK = 1 << 22


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
            counts, complete = best_counts(merged.A, merged.columns.sizes, merged.tau / scale, request.deadline)
            candidates, optima = merged.columns.weights_from_counts(counts), len(counts)
        else:
            candidates, optima, complete = best_spins(
                model, 0 if model.kind == "bqm" and not is_spin(model) else -1, request.deadline
            )
        if not complete:
            return Found(candidates, Termination.CLOCK, message="the time limit came before the last assignment")
        return Found(candidates, Termination.PROVED, stats={"optima": optima})


def best_counts(
    A: NDArray[Any], sizes: NDArray[np.int64], tau: FloatArray, deadline: float | None = None
) -> tuple[NDArray[np.int64], bool]:
    """Return every c, (k, C), that maximises Σ_g τ_g σ(Σ_j A_gj (2c_j − M_j)), and whether the search was complete.

    At most 4096 maximisers are kept; the deadline ends the search between two blocks.

    The classes are split in two halves; pre-activations are sums of one entry from each half's table. Sums in float64
    rule out what is worse by more than their rounding; what is left is compared by sums that are rounded once.
    """
    half = _balanced(sizes)
    left, right = _patterns(sizes[:half]), _patterns(sizes[half:])
    z_left = (2.0 * left - sizes[:half]) @ A[:, :half].T.astype(np.float64)
    z_right = (2.0 * right - sizes[half:]) @ A[:, half:].T.astype(np.float64)
    highest, best, kept = -np.inf, -np.inf, np.empty((0, 2), np.intp)
    exact = not len(tau) or len(split(tau)) == 1
    doubt = 0.0 if exact else 4.0 * float(np.finfo(np.float64).eps) * len(tau) * float(np.abs(tau).sum())
    work = _WORK if deadline is None else _TIMED_WORK
    step = max(1, min(1 << 20, work // max(1, len(tau))) // len(right))
    complete = True
    for start in range(0, len(left), step):
        if start and deadline is not None and time.perf_counter() >= deadline:
            complete = False
            break
        gains = np.zeros((len(left[start : start + step]), len(right)))
        for g, weight in enumerate(tau.tolist()):
            gains += np.where(z_left[start : start + step, g, None] + z_right[:, g] >= 0, weight, -weight)
        highest = max(highest, float(gains.max()))
        rows, columns = np.nonzero(gains >= highest - doubt)
        for low in range(0, len(rows), _CHUNK):
            i, j = rows[low : low + _CHUNK] + start, columns[low : low + _CHUNK]
            sums = gains[i - start, j] if exact else signed_sums(np.where(z_left[i] + z_right[j] >= 0, 1, -1), tau)
            top = float(sums.max())
            if top < best:
                continue
            found = np.stack([i, j], axis=1)[sums == top][:MAX_OPTIMA]
            kept = found if top > best else np.concatenate([kept, found])[:MAX_OPTIMA]
            best = top
    return np.concatenate([left[kept[:, 0]], right[kept[:, 1]]], axis=1), complete


def best_spins(problem: Any, low: int, deadline: float | None = None) -> tuple[NDArray[Any], int, bool]:
    """Return every assignment, (k, n), that maximises the gain, how many there are, and whether all were looked at.

    Gains of plain models are sums rounded once, so equal ones are equal. Those of real inputs count as equal within
    rounding; the largest come first.
    """
    n = problem.num_variables
    exact = problem.kind == "bqm"
    kept, values, best, optima = np.empty((0, n), np.int8), np.empty(0), -np.inf, 0
    step = 1 << min(n, 12 if deadline is not None else 16)
    for start in range(0, 1 << n, step):
        if start and (is_over() or (deadline is not None and time.perf_counter() >= deadline)):
            return kept, optima, False
        bits = ((np.arange(start, start + step)[:, None] >> np.arange(n)) & 1).astype(np.int8)
        block = bits if low == 0 else (2 * bits - 1).astype(np.int8)
        gains = np.asarray(problem.gain(block))
        tolerance = 0.0 if exact else TOLERANCE * float(np.abs(gains).max(initial=0.0))
        top = float(gains.max())
        if top < best - tolerance:
            continue
        at = np.flatnonzero(gains >= max(top, best) - tolerance)
        optima = len(at) + (0 if top > best + tolerance else optima)
        if top > best + tolerance:
            kept, values = kept[:0], values[:0]
        kept, values = np.concatenate([kept, block[at]]), np.concatenate([values, gains[at]])
        first = np.argsort(-values, kind="stable")[:MAX_OPTIMA]
        kept, values, best = kept[first], values[first], max(best, top)
    return kept, optima, True


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
