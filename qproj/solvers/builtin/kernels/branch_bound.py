"""Depth-first branch and bound over the column counts of one neuron: exact, with a valid bound whenever it stops.

Partial counts bound every gain below them by Σ|τ| − 2·lost, where `lost` is |τ| of the rows that surely stay unmet, and
a subtree that cannot beat the incumbent is cut off. ±1 rows are bounded in groups (`branch_bound_tables`), real ones
each by itself (`branch_bound_by_rows`). Weights are integers here, so that sums are exact: rounding |τ| moves a gain by
less than a float64 sum of Σ|τ| does, and `upper_bound` contains it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray
from qproj.solvers.builtin.kernels.branch_bound_by_rows import search_rows
from qproj.solvers.builtin.kernels.branch_bound_problem import Neuron, gain_of
from qproj.solvers.builtin.kernels.branch_bound_search import MAX_LENGTH, search_chunks
from qproj.solvers.builtin.kernels.scoring import CountArray
from qproj.solvers.builtin.kernels.sharing import Limits
from qproj.solvers.builtin.kernels.soft_annealing import soft_anneal_layer


@dataclass(frozen=True, eq=False)
class BranchBoundResult:
    """The best counts of one neuron, and a proved bound.

    Attributes
    ----------
    c : (C,) int64
    gain : float
        Σ_g τ_g σ(z_g) of c.
    upper_bound : float
        No counts gain more; equal to `gain` up to rounding where proved.
    nodes : int
        Count vectors, partial ones included, whose bound was computed.
    proved : bool
        The whole tree was searched or cut off: c is optimal up to the rounding of a float64 sum of Σ|τ|.
    """

    c: CountArray
    gain: float
    upper_bound: float
    nodes: int
    proved: bool


def branch_bound(
    A: NDArray[Any],
    M: CountArray,
    tau: FloatArray,
    *,
    incumbent: CountArray | None = None,
    node_limit: int | None = None,
    deadline: float | None = None,
    threads: int = 1,
    stop: Callable[[], bool] | None = None,
) -> BranchBoundResult:
    """Return argmax over integer 0 ≤ c ≤ M of Σ_g tau_g σ(Σ_j A[g, j] (2c_j − M_j)), σ(0) = +1.

    Parameters
    ----------
    A : (U, C) int8 or float64
        Rows: ±1, or real (their sums are taken in float64, in the order of the columns).
    M : (C,) int64
        Members of each column class, ones for plain columns.
    tau : (U,) float64
        Finite targets.
    incumbent : (C,) int64, optional
        Counts to beat; returned where nothing is better. Default: those of a short annealing.
    node_limit : int, optional
        The work budget; ended by it, the result is the same whatever the machine.
    deadline : float, optional
        `time.perf_counter()` instant at which to stop.
    threads : int
        They change the time, not the result, unless the clock ends the search.
    stop : callable, optional
        Asked now and then where there is a deadline; True ends the search.

    Returns
    -------
    BranchBoundResult

    Raises
    ------
    ValueError
        Shapes that do not fit, or an incumbent outside 0 ≤ c ≤ M.
    """
    U, C = A.shape
    M = np.asarray(M, np.int64)
    if M.shape != (C,) or tau.shape != (U,):
        raise ValueError(f"A {A.shape}, M {M.shape}, tau {tau.shape}: pass A (U, C), M (C,), tau (U,)")
    best = _annealed(A, M, tau) if incumbent is None else np.array(incumbent, np.int64)
    if best.shape != (C,) or (best < 0).any() or (best > M).any():
        raise ValueError(f"incumbent {best.tolist()}: pass (C,) counts between 0 and M = {M.tolist()}")
    neuron = Neuron.of(A, M, tau)
    lost = neuron.lost(best)
    if not C or not lost:
        gain = gain_of(A, M, tau, best)
        return BranchBoundResult(best, gain, max(gain, neuron.upper_bound(lost)), 0, True)
    if neuron.is_real or M.sum() > MAX_LENGTH:
        found = search_rows(neuron, best, node_limit, deadline, stop)
    else:
        found = search_chunks(neuron, best, node_limit, deadline, threads, stop)
    gains = [gain_of(A, M, tau, best), gain_of(A, M, tau, found.c)]
    pick = int(gains[1] > gains[0])
    bound = max(neuron.upper_bound(found.open_lost), gains[pick])
    return BranchBoundResult((best, found.c)[pick], gains[pick], bound, found.nodes, found.done)


def _annealed(A: NDArray[Any], M: CountArray, tau: FloatArray) -> CountArray:
    seeds, limits = np.zeros(1, np.uint64), Limits(threads=1)
    counts: CountArray = soft_anneal_layer(A, M, tau[:, None], seeds=seeds, sweeps=50, limits=limits).counts[0]
    return counts


__all__ = ["BranchBoundResult", "branch_bound", "gain_of"]
