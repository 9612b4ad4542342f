"""The curvature projection in torch: V_j = argmin over v ∈ {±1}^d of −h_j·v + ½ρ_j vᵀAv for the neurons of a layer.

h is the negative running mean of the gradient, A the second moment XᵀX/n of the layer's inputs, and
ρ_j = τ ‖h_j‖₁ / (v0ᵀ A v0) with v0 = sign(h_j): τ = 1 makes v0 the exact minimiser along its own ray, τ = 0 gives
signSGD with momentum. Nothing is read back from a device, and a gradient that is not finite changes no state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qproj.nn.binary_layer import BinaryLayer
from qproj.nn.patches import drawn
from qproj.nn.recording import RecordedRows
from qproj.optim.distributed import sum_over_ranks
from qproj.optim.projection_report import is_finite

#: Weights that are flipped together where no compiled search runs, and rounds of flips within such a block. Twice as
#: many weights per block need twice the rounds to reach the energy of single flips.
BLOCK, ROUNDS = 32, 4


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
    finite = is_finite(flat)
    state.mean.lerp_(torch.where(finite, flat, state.mean), 1.0 - beta)
    state.weight.lerp_(torch.where(finite, 1.0, state.weight), 1.0 - beta)
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


def scaled(state: CurvatureState, H: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """Return h of each neuron divided by its largest entry, and ρ of that: gradients may be as small as 1e-30."""
    unit = H / H.abs().amax(-1, keepdim=True).clamp(min=1e-38)
    return unit, torch.where(state.power > 0, unit.abs().sum(-1).mul_(tau) / state.power, 0.0)


@dataclass(frozen=True, eq=False)
class Solved:
    """The direction of a layer.

    Attributes
    ----------
    V : (groups, dout/groups, d)
        ±1, and 0 where nothing is known: for neurons whose h is all zero, and for weights with h = 0 whose input was
        always 0.
    objective : () Tensor
        −h·v + ½ρ vᵀAv summed over neurons.
    agreement : () Tensor
        Share of V that is sign(h).
    """

    V: Tensor
    objective: Tensor
    agreement: Tensor


def direction(state: CurvatureState, H: Tensor, tau: float, sweeps: int) -> Solved:
    """Return V: the last one after at most `sweeps` sweeps of flips that lower the model.

    A neuron whose model value would be above (τ/2 − 1)‖h‖₁, that of sign(h), takes sign(h): so ⟨h, V⟩ ≥ (1 − τ/2)‖h‖₁
    always (docs: convergence).
    """
    unit, rho = scaled(state, H, tau)
    descend_(state.A, unit, rho, state.V, state.F, sweeps)
    return given(state, H, unit, rho, tau)


def given(state: CurvatureState, H: Tensor, unit: Tensor, rho: Tensor, tau: float) -> Solved:
    """Return the state's present V as a direction; `unit` and `rho` are those of ``scaled``."""
    v0, known = signs(H), H != 0
    along = torch.linalg.vecdot(unit, state.V)
    value = torch.linalg.vecdot(state.F, state.V).mul_(rho).mul_(0.5).sub_(along)
    norm = unit.abs().sum(-1)
    aligned = value <= (0.5 * tau - 1.0) * norm
    V = torch.where(aligned[..., None], state.V, v0)
    objective = (value * (torch.linalg.vecdot(H, v0) / norm.clamp(min=1e-38))).sum()
    agreement = torch.linalg.vecdot(V, v0).mean().div_(2 * V.shape[-1]).add_(0.5)
    seen = state.A.diagonal(dim1=-2, dim2=-1)[:, None, :] > 0
    known = known.logical_or_(seen & (norm > 0)[..., None])
    return Solved(V * known, objective, agreement)


def descend_(A: Tensor, H: Tensor, rho: Tensor, V: Tensor, F: Tensor, sweeps: int) -> None:
    """Flip v_k where that lowers −h·v + ½ρ vᵀAv, sweep after sweep; V and F = V A change in place.

    On the CPU a compiled search makes single flips; elsewhere blocks of weights are flipped by matrix products.
    """
    if V.device.type == "cpu":
        from qproj.solvers.builtin.kernels.quadratic_flips import Quadratic, descend_quadratic
        from qproj.solvers.builtin.kernels.sharing import Limits

        limits = Limits(threads=torch.get_num_threads())
        arrays = (x.contiguous().numpy() for x in (A, H, rho, V, F))  # V and F are contiguous, so these are their own
        for a, h, r, v, f in zip(*arrays):
            descend_quadratic(Quadratic(a, np.ascontiguousarray(np.diagonal(a)), h, r), v, f, sweeps, limits)
        return
    descend_in_blocks_(A, H, rho, V, F, sweeps)


def descend_in_blocks_(A: Tensor, H: Tensor, rho: Tensor, V: Tensor, F: Tensor, sweeps: int) -> None:
    """The same with matrix products alone, for any device.

    In a block, all weights whose own flip lowers the model are flipped together where that lowers it more than the best
    single flip does, else that one is flipped alone: the model never rises.
    """
    d = A.shape[-1]
    weight = rho[..., None]
    for _ in range(sweeps):
        for low in range(0, d, BLOCK):
            part = slice(low, min(low + BLOCK, d))
            inner, h = A[:, part, part], H[..., part]
            curvature = inner.diagonal(dim1=-2, dim2=-1)[:, None, :]
            first, f = V[..., part].clone(), F[..., part].clone()
            v = first.clone()
            for _ in range(ROUNDS):
                slope = v * (h - weight * f)
                change = slope + weight * curvature  # half of what a single flip changes
                together = v * (change < 0)
                joint = (together * slope).sum(-1) + rho * ((together @ inner) * together).sum(-1)
                best, at = change.min(-1)
                alone = torch.zeros_like(v).scatter_(-1, at[..., None], 1.0) * v * (best < 0)[..., None]
                flips = torch.where((joint < best.clamp(max=0.0))[..., None], together, alone)
                v = v - 2.0 * flips
                f = f - 2.0 * (flips @ inner)
            V[..., part] = v
            F += (v - first) @ A[:, part, :]
