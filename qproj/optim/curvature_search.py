"""The curvature projection in torch: V_j = argmin over v ∈ {±1}^d of −h_j·v + ½ρ_j vᵀAv for the neurons of a layer.

h is the negative running mean of the gradient, A the second moment XᵀX/n of the layer's inputs, and
ρ_j = τ ‖h_j‖₁ / (v0ᵀ A v0) with v0 = sign(h_j): τ = 1 makes v0 the exact minimiser along its own ray, τ = 0 gives
signSGD with momentum. Nothing is read back from a device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from qproj.optim.curvature_kernel import single_flips
from qproj.optim.curvature_state import CurvatureState, signs

#: Weights that are flipped together, and rounds of flips within such a block. Twice as many weights per block need
#: twice the rounds to reach the energy of single flips.
BLOCK, ROUNDS = 32, 4


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
    objective : float, or () Tensor that was not read from the device
        −h·v + ½ρ vᵀAv summed over neurons.
    agreement : float or () Tensor
        Share of V that is sign(h).
    """

    V: Tensor
    objective: float | Tensor
    agreement: float | Tensor


def direction(state: CurvatureState, H: Tensor, tau: float, sweeps: int) -> Solved:
    """Return V: the last one after at most `sweeps` sweeps of flips that lower the model.

    A neuron whose model value would be above (τ/2 − 1)‖h‖₁, that of sign(h), takes sign(h): so ⟨h, V⟩ ≥ (1 − τ/2)‖h‖₁
    always (docs: convergence). On the CPU a compiled search makes single flips; elsewhere blocks of weights are flipped
    by matrix products.
    """
    if H.is_cpu:
        return Solved(*single_flips(state.A, H, state.power, state.V, state.F, tau, sweeps))
    return direction_by_products(state, H, tau, sweeps)


def direction_by_products(state: CurvatureState, H: Tensor, tau: float, sweeps: int) -> Solved:
    """The same with matrix products alone, for any device."""
    unit, rho = scaled(state, H, tau)
    descend_in_blocks_(state.A, unit, rho, state.V, state.F, sweeps)
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


def descend_in_blocks_(A: Tensor, H: Tensor, rho: Tensor, V: Tensor, F: Tensor, sweeps: int) -> None:
    """Flip v_k where that lowers −h·v + ½ρ vᵀAv, sweep after sweep; V and F = V A change in place.

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
