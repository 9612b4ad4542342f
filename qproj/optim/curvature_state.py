"""What the curvature projection of a layer keeps: the running mean of its gradient, its second moment, and the last V.

Nothing is read back from a device, and a gradient that is not finite changes no state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from qproj.nn.binary_layer import BinaryLayer
from qproj.nn.patches import drawn
from qproj.nn.recording import RecordedRows
from qproj.optim.cpu_passes import mean_on_cpu
from qproj.optim.distributed import sum_over_ranks
from qproj.optim.projection_report import is_finite


@dataclass
class CurvatureState:
    """What one layer keeps between steps; groups of a convolution are the leading dimension.

    Attributes
    ----------
    mean : (groups, dout/groups, d) float32
        Running mean of the gradient, before its bias correction.
    weight : () float32
        The weight of that mean: 1 − β^k after k finite gradients.
    A : (groups, d, d) float32
        Second moment of the inputs.
    power : (groups, dout/groups) float32
        v0ᵀ A v0 of each neuron when A was refreshed.
    V, F : (groups, dout/groups, d) float32
        The last direction, ±1, and V A.
    age : int
        Steps since A was refreshed; −1 before the first time.
    """

    mean: Tensor
    weight: Tensor
    A: Tensor
    power: Tensor
    V: Tensor
    F: Tensor
    age: int = -1

    @classmethod
    def of(cls, layer: BinaryLayer) -> CurvatureState:
        """Return the state before the first step."""
        groups, dout, d = layer.groups, layer.fan_out // layer.groups, layer.fan_in
        zeros = partial(torch.zeros, dtype=torch.float32, device=layer.weight.device)
        neurons = (groups, dout, d)
        return cls(
            zeros(neurons), zeros(()), zeros((groups, d, d)), zeros((groups, dout)), zeros(neurons), zeros(neurons)
        )

    @property
    def has_moment(self) -> bool:
        """Whether a second moment was taken, so that V is known."""
        return self.age >= 0

    def copy(self) -> CurvatureState:
        """Return a state whose direction may change while this one stays."""
        return replace(self, V=self.V.clone(), F=self.F.clone())

    def tensors(self) -> dict[str, Any]:
        """Return everything for a state dict."""
        return dict(vars(self))

    def load(self, saved: dict[str, Any]) -> None:
        """Take over what ``tensors`` returned, on this state's own device."""
        for name, value in saved.items():
            setattr(self, name, value.clone().to(self.mean.device) if isinstance(value, Tensor) else value)


def second_moment(
    layer: BinaryLayer, recorded: list[RecordedRows], most: int, generator: torch.Generator, group: Any
) -> tuple[Tensor, Tensor]:
    """Return (XᵀX/n, n), (groups, d, d) float32 and a scalar, over all recorded rows of all ranks.

    Parameters
    ----------
    most : int
        Rows per recorded pass at most; of more, so many are drawn with replacement, which keeps the mean unbiased.
    """
    d, weight = layer.fan_in, layer.weight
    total = torch.zeros((layer.groups, d, d), dtype=torch.float32, device=weight.device)
    count = torch.zeros((), dtype=torch.float32, device=weight.device)
    for rows in recorded:
        n = layer.num_rows(rows.x)
        X = layer.rows(rows.x, drawn(n, most, generator, weight.device)).detach().float().transpose(0, 1)
        total.add_(X.transpose(1, 2) @ X, alpha=n / max(X.shape[1], 1))
        count += n
    sum_over_ranks(total, count, group=group)
    return total / count.clamp(min=1.0), count


def averaged_gradient(state: CurvatureState, grad: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """Return (h, finite): the negative bias-corrected running mean of the gradient, and whether `grad` is finite.

    A gradient that is not finite leaves the mean as it was.
    """
    flat = grad.detach().reshape(state.mean.shape).float()
    if flat.is_cpu:
        H, known = mean_on_cpu(state.mean, state.weight, flat.contiguous(), 1.0 - beta)
        return H, torch.tensor(known)
    finite = is_finite(flat)
    one = torch.ones_like(state.weight)
    usable, one = torch.where(finite, flat, state.mean), torch.where(finite, one, state.weight)  # nobody asks
    state.mean.lerp_(usable, 1.0 - beta)
    state.weight.lerp_(one, 1.0 - beta)
    return state.mean / state.weight.clamp(min=1e-30).neg_(), finite


def filtered(H: Tensor, A: Tensor, strength: float, factor: Tensor | None = None) -> Tensor:
    """Return H A (A + λ tr(A)/d I)⁻¹: what all inputs of the layer have in common with it, for few labels.

    `factor` is what :func:`filter_factor` returned for A.
    """
    L = filter_factor(A, strength) if factor is None else factor
    return torch.cholesky_solve(A @ H.transpose(1, 2), L).transpose(1, 2)


def filter_factor(A: Tensor, strength: float) -> Tensor:
    """Return the Cholesky factor of A + λ tr(A)/d I."""
    d = A.shape[-1]
    ridge = strength * A.diagonal(dim1=-2, dim2=-1).mean(-1)
    factor: Tensor = torch.linalg.cholesky_ex(A + ridge[:, None, None] * torch.eye(d, dtype=A.dtype, device=A.device))[
        0
    ]
    return factor


def refresh(state: CurvatureState, A: Tensor, count: Tensor, H: Tensor) -> None:
    """Take a new second moment; one without rows, or that is not finite, leaves the old one."""
    usable = (count > 0) & torch.isfinite(A.abs().sum())
    v0 = signs(H)
    state.A = torch.where(usable, A, state.A)
    state.power = torch.linalg.vecdot(v0 @ state.A, v0)
    state.V = state.V if state.has_moment else v0
    state.F = state.V @ state.A
    state.age = 0


def signs(H: Tensor) -> Tensor:
    """Return σ(h)."""
    return torch.where(H >= 0, 1.0, -1.0)
