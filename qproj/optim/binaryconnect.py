"""BinaryConnect: gradient descent on latent weights whose signs make the forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from qproj.optim.binary_optimizer import BinaryOptimizer, averaged, check_beta


class BinaryConnect(BinaryOptimizer):
    """W ← clip(W − η·∇L(σ(W)), −1, 1) (Courbariaux, Bengio and David 2015, arXiv 1511.00363).

    Parameters
    ----------
    model : Module
    lr : float
        η.
    momentum : float
        β of a running mean of the gradient.
    float_lr, groups
        As for :class:`~qproj.optim.binary_optimizer.BinaryOptimizer`.
    """

    def __init__(
        self, model: nn.Module, lr: float = 0.1, *, momentum: float = 0.9, float_lr: float = 1e-3,
        groups: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        check_beta("momentum", momentum)
        super().__init__(model, lr=lr, float_lr=float_lr, groups=groups, momentum=momentum)

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """clip(W − η·m, −1, 1)."""
        p.add_(averaged(self.state[p], grad, group["momentum"]), alpha=-group["lr"]).clamp_(-1.0, 1.0)
