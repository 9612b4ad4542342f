"""ProxQuant: gradient descent on real weights that a growing proximal pull draws to ±1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from qproj.nn.binary_layer import binary_layers
from qproj.optim.binary_optimizer import BinaryOptimizer, averaged, check_beta


class ProxQuant(BinaryOptimizer):
    """W ← prox_λ(W − η·∇L(W)), prox of λ Σ min(|w − 1|, |w + 1|), λ_k = η·rate·k (Bai, Wang and Liberty 2019).

    The forward pass uses W itself in training mode: the constructor sets ``forward_weights="latent"`` in every binary
    layer. Its accuracy is that of σ(W), which evaluation mode uses (arXiv 1810.00861, section 3.2: binary relaxation).

    Parameters
    ----------
    model : Module
    lr : float
        η.
    reg_rate : float
        Growth of λ per step: λ_k = η·reg_rate·k.
    momentum : float
        β of a running mean of the gradient.
    float_lr, groups
        As for :class:`~qproj.optim.binary_optimizer.BinaryOptimizer`.

    Raises
    ------
    ValueError
        A negative `reg_rate`, and what the base refuses.
    """

    def __init__(
        self, model: nn.Module, lr: float = 0.1, *, reg_rate: float = 1e-2, momentum: float = 0.9,
        float_lr: float = 1e-3, groups: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        check_beta("momentum", momentum)
        if not reg_rate >= 0:
            raise ValueError(f"reg_rate is {reg_rate}; a number ≥ 0 is allowed: 0 never pulls to ±1")
        super().__init__(model, lr=lr, float_lr=float_lr, groups=groups, momentum=momentum, reg_rate=reg_rate)
        for layer in binary_layers(model).values():
            layer.set_forward_weights("latent")

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """prox_λ(W − η·m)."""
        state = self.state[p]
        p.add_(averaged(state, grad, group["momentum"]), alpha=-group["lr"])
        state["step"] = state.get("step", 0) + 1
        p.copy_(pull(p, group["lr"] * group["reg_rate"] * state["step"]))


def pull(w: Tensor, lam: float) -> Tensor:
    """Return argmin over u of ½(u − w)² + lam·min(|u − 1|, |u + 1|), elementwise: w moves up to lam towards σ(w)."""
    goal = torch.where(w >= 0, 1.0, -1.0).to(w.dtype)
    return w + (goal - w).clamp(-lam, lam)
