"""Passes over the weights of a layer on the CPU, in one thread: running mean, alignment, and −V.

Torch shares an operation on more than 32,768 numbers among threads, which then wait for the next one at full speed, for
milliseconds: they would take the cores from the search between two such passes, each of which lasts some 50 µs.
"""
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from qproj._compiled import compiled

#: Sums may be reordered; numbers need not be finite.
_REORDERED = {"reassoc", "contract", "nsz"}


def mean_on_cpu(mean: Tensor, weight: Tensor, grad: Tensor, share: float) -> tuple[Tensor, bool]:
    """Return (−mean/weight, whether `grad` is finite) after both running means took in `share` of a finite gradient.

    Parameters
    ----------
    mean : Tensor
        float32, changed in place.
    weight : () Tensor
        float32: the running mean of ones, changed in place.
    grad : Tensor
        float32, of the shape of `mean`.
    """
    values = _flat(grad)
    finite = bool(_is_finite(values))
    if finite:
        weight.lerp_(torch.ones_like(weight), share)
    H = torch.empty_like(mean)
    scale = -1.0 / max(float(weight), 1e-30)
    _take_in(_flat(mean), values, _flat(H), np.float32(share if finite else 0.0), np.float32(scale))
    return H, finite


def alignment_on_cpu(grad: Tensor, V: Tensor) -> float:
    """Return −⟨grad, V⟩/‖grad‖; NaN where that is 0/0."""
    along, square = _dots(_flat(grad), _flat(V))
    return -along / math.sqrt(square) if square != 0 else math.nan


def negate_on_cpu_(grad: Tensor, V: Tensor) -> None:
    """Set grad ← −V, both contiguous float32 of one size."""
    np.negative(_flat(V), out=_flat(grad))
    torch.autograd.graph.increment_version(grad)


def _flat(x: Tensor):
    return x.numpy().reshape(-1)


@compiled(fastmath=_REORDERED)
def _is_finite(x):
    total = np.float64(0)
    for k in range(x.size):
        total += x[k]
    return math.isfinite(total)


@compiled(fastmath=_REORDERED)
def _take_in(mean, x, H, share, scale):
    if share > 0:
        for k in range(x.size):
            mean[k] += share * (x[k] - mean[k])
    for k in range(mean.size):
        H[k] = mean[k] * scale


@compiled(fastmath=_REORDERED)
def _dots(x, y):
    along, square = np.float64(0), np.float64(0)
    for k in range(x.size):
        along += x[k] * y[k]
        square += np.float64(x[k]) * x[k]
    return along, square
