"""Adam on latent weights with the straight-through gradient: what practitioners of binary networks use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim.adam import adam

from qproj.optim.binary_optimizer import BinaryOptimizer, adam_state, check_beta


class LatentAdam(BinaryOptimizer):
    """Adam (Kingma and Ba 2014, arXiv 1412.6980) on latent weights W; their gradient is that of σ(W).

    With ``box=True`` it is the optimiser of Courbariaux et al. 2016 (arXiv 1602.02830), which clips W to [−1, 1].

    Parameters
    ----------
    model : Module
    lr : float
        α.
    momentum : float
        β₁; β₂ = 0.999 and ε = 1e-8.
    box : bool
        Clip W to [−1, 1] after each step.
    float_lr, groups
        As for :class:`~qproj.optim.binary_optimizer.BinaryOptimizer`.
    """

    def __init__(
        self, model: nn.Module, lr: float = 0.01, *, momentum: float = 0.9, box: bool = True, float_lr: float = 1e-3,
        groups: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        check_beta("momentum", momentum)
        super().__init__(model, lr=lr, float_lr=float_lr, groups=groups, momentum=momentum, box=bool(box))

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """One step of Adam, and the box."""
        adam([p], [grad], *adam_state([p], self.state), beta1=group["momentum"], beta2=0.999, lr=group["lr"],
             weight_decay=0.0, eps=1e-8, amsgrad=False, maximize=False)  # fmt: skip
        if group["box"]:
            p.clamp_(-1.0, 1.0)
