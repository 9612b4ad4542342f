"""Affine maps that may stand between a binary layer and σ: the projection passes them by the sign of their slope."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qproj.nn.targets import watch_slope


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
        self.channel = channel

    def forward(self, z: Tensor) -> Tensor:
        """Return s·z."""
        out = z * self.weight.reshape(_along(z, self.channel))
        if torch.is_grad_enabled() and out.requires_grad:
            watch_slope(z, out, self.weight, 0.0, self.channel, offset=False)
        return out


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
        out = z - self.bias.reshape(_along(z, self.channel))
        if torch.is_grad_enabled() and out.requires_grad:
            watch_slope(z, out, None, 0.0, self.channel, offset=True)
        return out


class BatchNorm1d(nn.BatchNorm1d):
    """:class:`torch.nn.BatchNorm1d` that projections can see through: slope γ/s, an offset, σ's window 1."""

    def forward(self, input: Tensor) -> Tensor:
        """Return γ (z − μ)/s + β."""
        out = super().forward(input)
        if torch.is_grad_enabled() and out.requires_grad:
            watch_slope(input, out, self.weight, 1.0, 1, offset=True)
        return out


class BatchNorm2d(nn.BatchNorm2d):
    """:class:`torch.nn.BatchNorm2d` that projections can see through: slope γ/s, an offset, σ's window 1."""

    def forward(self, input: Tensor) -> Tensor:
        """Return γ (z − μ)/s + β."""
        out = super().forward(input)
        if torch.is_grad_enabled() and out.requires_grad:
            watch_slope(input, out, self.weight, 1.0, 1, offset=True)
        return out


def _along(z: Tensor, channel: int) -> list[int]:
    shape = [1] * z.ndim
    shape[channel] = -1
    return shape
