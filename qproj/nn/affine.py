"""Affine maps that may stand between a binary layer and σ: they carry its window, and the sign of their slope."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qproj.nn.recording import Mark, is_traced, mark_of, set_mark


class Scale(nn.Module):
    """z ↦ s·z, one learned s > 0 or < 0 a channel; σ(s·z) = σ(z) for s > 0, so the projection is unchanged.

    Parameters
    ----------
    features : int
    init : float
        First value of every s.
    channel : int
        The dimension of z that counts the features.
    """

    def __init__(self, features: int, init: float = 1.0, channel: int = -1) -> None:
        super().__init__()
        if init == 0:
            raise ValueError("init is 0; σ(0·z) is constant: any other number is allowed")
        self.weight = nn.Parameter(torch.full((features,), float(init)))
        self.init, self.channel = float(init), channel

    def forward(self, z: Tensor) -> Tensor:
        """Return s·z."""
        out = (z.movedim(self.channel, -1) * self.weight).movedim(-1, self.channel)
        return _carried(z, out, self.weight, abs(self.init), offset=False)


class Threshold(nn.Module):
    """z ↦ z − θ, one learned θ a channel. Moves σ's step: the projection, which solves for θ = 0, is then not exact.

    Parameters
    ----------
    features : int
    channel : int
        The dimension of z that counts the features.
    """

    def __init__(self, features: int, channel: int = -1) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(features))
        self.channel = channel

    def forward(self, z: Tensor) -> Tensor:
        """Return z − θ."""
        out = (z.movedim(self.channel, -1) - self.bias).movedim(-1, self.channel)
        return _carried(z, out, None, 1.0, offset=True)


class BatchNorm1d(nn.BatchNorm1d):
    """:class:`torch.nn.BatchNorm1d` that projections can see through: slope γ/s, an offset, σ's window 1."""

    def forward(self, input: Tensor) -> Tensor:
        """Return γ (z − μ)/s + β."""
        out = super().forward(input)
        return _carried(input, out, self.weight, None, offset=True)


class BatchNorm2d(nn.BatchNorm2d):
    """:class:`torch.nn.BatchNorm2d` that projections can see through: slope γ/s, an offset, σ's window 1."""

    def forward(self, input: Tensor) -> Tensor:
        """Return γ (z − μ)/s + β."""
        out = super().forward(input)
        return _carried(input, out, self.weight, None, offset=True)


def _carried(z: Tensor, out: Tensor, slope: Tensor | None, factor: float | None, *, offset: bool) -> Tensor:
    """Return out = slope·z + offset with the mark of z: its window times `factor`, or the default for None."""
    if is_traced(out):
        return out
    mark = mark_of(z)
    passed = mark.forward
    if passed is not None:
        passed.exact = passed.exact and not offset
        if slope is not None:
            turn = torch.where(slope.detach() >= 0, 1.0, -1.0)
            passed.turn = turn if passed.turn is None else passed.turn * turn
    return set_mark(out, Mark(forward=passed) if factor is None else Mark(mark.window * factor, passed))
