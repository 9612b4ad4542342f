"""The curvature projection of a layer on the CPU: one compiled pass over its neurons, each from h to its direction.

It does what :func:`~qproj.optim.curvature_search.direction_by_products` does with some thirty operations of torch, by
single flips instead of blocks: a neuron's rows stay in the cache from the scaling of h to the choice of its direction.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from qproj._compiled import FAST, compiled
from qproj.solvers.builtin.kernels.quadratic_flips import descend_row
from qproj.solvers.builtin.kernels.sharing import in_threads

#: Seconds per weight of a neuron: that of looking at it in one sweep, and of changing one entry of F in all of them.
LOOK_S, CHANGE_S = 1e-9, 2e-11
#: Seconds of a layer from which its neurons are shared among threads: torch's own keep the cores busy for some
#: milliseconds after an operation, so that short searches end no sooner with helpers.
SHARED_S = 10e-3


def single_flips(
    A: Tensor, H: Tensor, power: Tensor, V: Tensor, F: Tensor, tau: float, sweeps: int
) -> tuple[Tensor, float, float]:
    """Return (direction, objective, agreement) of :class:`~qproj.optim.curvature_search.Solved`.

    Parameters
    ----------
    A, H, power : Tensor
        (groups, d, d), (groups, dout/groups, d), (groups, dout/groups) float32, as in ``CurvatureState``; H is h.
    V, F : Tensor
        (groups, dout/groups, d) float32; changed in place.
    """
    groups, neurons, d = H.shape
    found = torch.empty_like(V)
    figures = np.empty((groups, neurons, 2))
    arrays = [x.numpy() for x in (A, H.contiguous(), power, V, F, found)]
    seconds = d * (LOOK_S * sweeps + CHANGE_S * d)
    threads = torch.get_num_threads() if seconds * neurons > SHARED_S else 1
    for group in range(groups):
        a, *rows = (x[group] for x in (*arrays, figures))
        diagonal = np.ascontiguousarray(np.diagonal(a))

        def run(low: int, high: int) -> int:
            return int(_directions(a, diagonal, *(x[low:high] for x in rows), tau, sweeps))  # noqa: B023

        in_threads(run, neurons, threads, seconds)
    objective, agreeing = figures.sum(axis=(0, 1)).tolist()
    return found, objective, agreeing / H.numel()


@compiled(fastmath=FAST)
def _directions(A, diagonal, H, power, V, F, found, figures, tau, sweeps):
    """Descend from each row of V, and write each neuron's direction, and its objective and agreement with sign(h)."""
    h = np.empty(H.shape[1], np.float32)
    flips = 0
    for j in range(H.shape[0]):
        v, f = V[j], F[j]
        largest = np.float32(1e-38)  # gradients may be as small as 1e-30
        for k in range(h.size):
            largest = max(largest, abs(H[j, k]))
        norm = np.float32(0)
        for k in range(h.size):
            h[k] = H[j, k] / largest
            norm += abs(h[k])
        rho = np.float32(tau) * norm / power[j] if power[j] > 0 else np.float32(0)
        flips += descend_row(A, diagonal, h, rho, v, f, sweeps)
        value = np.float32(0)
        for k in range(h.size):
            value += v[k] * (np.float32(0.5) * rho * f[k] - h[k])
        aligned = value <= np.float32(0.5 * tau - 1.0) * norm
        agreement = 0
        for k in range(h.size):
            start = np.float32(1) if h[k] >= 0 else np.float32(-1)
            step = v[k] if aligned else start
            agreement += step == start
            known = h[k] != 0 or (diagonal[k] > 0 and norm > 0)
            found[j, k] = step if known else np.float32(0)
        figures[j, 0] = np.float64(value) * largest
        figures[j, 1] = agreement
    return flips
