"""QP-SBGD and its box-projected version: W ← W + η·V, V the projection of each layer's gradient onto ±1 weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from qproj.optim.base import BinaryOptimizer, averaged, check_beta
from qproj.optim.projector import Projector
from qproj.optim.report import ProjectionReport


class QPSBGD(BinaryOptimizer):
    """W_{k+1} = W_k + η V_k, V_k = argmin over V ∈ {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F (arXiv 2310.15128, algorithm 1).

    Parameters
    ----------
    model : Module
    lr : float
        η.
    solver : str, Solver, or mapping of layer-name patterns to these
    momentum : float
        β of a running mean of V; 0, as in the paper, takes V itself.
    float_lr, groups
        As for :class:`~qproj.optim.base.BinaryOptimizer`.
    **projection
        Options of :class:`~qproj.optim.Projector`: ``projection``, ``kappa``, ``every``, ``audit``, ``seed``, ….

    Attributes
    ----------
    projector : Projector
        Its ``kappa`` and ``time_limit_s`` may be changed between steps.
    last_report : ProjectionReport or None
        What the last step's projection did.

    Raises
    ------
    TypeError, ValueError
        As for its two bases; a momentum outside [0, 1).
    """

    def __init__(
        self, model: nn.Module, lr: float = 0.01, solver: Any = "auto", *, momentum: float = 0.0,
        float_lr: float = 1e-3, groups: Iterable[Mapping[str, Any]] | None = None, **projection: Any,
    ) -> None:  # fmt: skip
        check_beta("momentum", momentum)
        self.projector = Projector(model, solver, **projection)
        self.last_report: ProjectionReport | None = None
        super().__init__(model, lr=lr, float_lr=float_lr, groups=groups, momentum=momentum)

    def prepare(self) -> None:
        """Project: gradients of binary weights become −V."""
        self.last_report = self.projector.project_grad_()

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """W + η·V."""
        p.add_(averaged(self.state[p], grad, group["momentum"]), alpha=-group["lr"])

    def state_dict(self) -> dict[str, Any]:
        """Return torch's state with the projector's: training continues bit for bit."""
        return {**super().state_dict(), "projector": self.projector.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where ``state_dict`` was taken.

        Raises
        ------
        ValueError
            The state of another optimiser, or of another model.
        """
        if "projector" not in state_dict:
            raise ValueError("this state has no 'projector': it is another optimiser's; load one that QPSBGD saved")
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "projector"})
        self.projector.load_state_dict(state_dict["projector"])


class ProjectedQPSBGD(QPSBGD):
    """W_{k+1} = P(W_k + η V_k), P the projection onto the box [−1, 1]^N.

    A ±1 point w is fixed exactly if V(w) = w, for any η > 0. With ``binary_iterates`` every iterate is rounded to
    σ(W), and η > 1 is needed: a smaller step from a ±1 point changes no sign.

    Parameters
    ----------
    binary_iterates : bool
    **options
        As for :class:`QPSBGD`.
    """

    def __init__(
        self, model: nn.Module, lr: float = 0.01, *args: Any, binary_iterates: bool = False, **options: Any
    ) -> None:
        if binary_iterates and lr <= 1:
            raise ValueError(f"lr is {lr} with binary_iterates; steps ≤ 1 change no sign of a ±1 weight: use lr > 1")
        self.binary_iterates = binary_iterates
        super().__init__(model, lr, *args, **options)

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """P(W + η·V)."""
        super().update(p, grad, group)
        p.clamp_(-1.0, 1.0)
        if self.binary_iterates:
            p.copy_(torch.where(p >= 0, 1.0, -1.0))
