"""signSGD with momentum: the direction that the projection takes when κ → ∞."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from qproj.optim.binary_optimizer import BinaryOptimizer, averaged, check_beta


class SignSGD(BinaryOptimizer):
    """W ← W − η·sign(m), m a running mean of ∇L(σ(W)) (Bernstein et al. 2018, arXiv 1802.04434: Signum).

    Parameters
    ----------
    model : Module
    lr : float
        η.
    momentum : float
        β; 0 is signSGD itself.
    box : bool
        Clip W to [−1, 1] after each step, as the projected QP-SBGD does.
    float_lr, groups
        As for :class:`~qproj.optim.binary_optimizer.BinaryOptimizer`.
    """

    def __init__(
        self, model: nn.Module, lr: float = 0.01, *, momentum: float = 0.0, box: bool = False, float_lr: float = 1e-3,
        groups: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        check_beta("momentum", momentum)
        super().__init__(model, lr=lr, float_lr=float_lr, groups=groups, momentum=momentum, box=bool(box))

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """W − η·sign(m), sign(0) = 0; NaN stays NaN."""
        mean = averaged(self.state[p], grad, group["momentum"])
        p.add_(torch.where(mean.isnan(), mean, torch.sign(mean)), alpha=-group["lr"])
        if group["box"]:
            p.clamp_(-1.0, 1.0)
