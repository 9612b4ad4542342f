"""Bop: weights are ±1 themselves, and flip where the averaged gradient asks for it strongly enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from qproj.optim.binary_optimizer import BinaryOptimizer


class Bop(BinaryOptimizer):
    """w ← −w where |m| > τ and m has the sign of w, m ← (1 − γ) m + γ g (Helwegen et al. 2019, arXiv 1906.02107).

    It keeps no latent weights: the first step replaces W by σ(W).

    Parameters
    ----------
    model : Module
    lr : float
        γ, the adaptivity rate.
    threshold : float
        τ ≥ 0.
    float_lr, groups
        As for :class:`~qproj.optim.binary_optimizer.BinaryOptimizer`.

    Raises
    ------
    ValueError
        γ above 1, a negative threshold, and what the base refuses.
    """

    def __init__(
        self, model: nn.Module, lr: float = 1e-3, *, threshold: float = 1e-6, float_lr: float = 1e-3,
        groups: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        if lr > 1:
            raise ValueError(f"lr is {lr}; γ is a share of the new gradient, at most 1: 1e-3 is usual")
        if not 0 <= threshold < float("inf"):
            raise ValueError(f"threshold is {threshold}; a finite number ≥ 0 is allowed: 1e-8 to 1e-5 is usual")
        super().__init__(model, lr=lr, float_lr=float_lr, groups=groups, threshold=float(threshold))

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """Flip the weights that the rule selects; an undefined gradient makes undefined weights."""
        state = self.state[p]
        if "mean" not in state:
            state["mean"] = torch.zeros_like(grad)
        mean = state["mean"].lerp_(grad, min(group["lr"], 1.0))
        signs = torch.where(p >= 0, 1.0, torch.where(p < 0, -1.0, p)).to(p.dtype)
        flips = (mean.abs() > group["threshold"]) & (torch.sign(mean) == signs)
        p.copy_(torch.where(mean.isnan(), mean, torch.where(flips, -signs, signs)))
