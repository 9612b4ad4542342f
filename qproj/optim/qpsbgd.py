"""QP-SBGD and its box-projected version: W ← W + η·V, V the projection of each layer's gradient onto ±1 weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from qproj.optim.binary_optimizer import BinaryOptimizer, averaged, check_beta
from qproj.optim.lookahead import LookAhead
from qproj.optim.projection_report import ProjectionReport
from qproj.optim.projector import Projector

#: β of the running mean of the gradient, for the curvature projection.
DEFAULT_MOMENTUM = 0.8


class QPSBGD(BinaryOptimizer):
    """W_{k+1} = W_k + η V_k, V_k ∈ {±1}^(dout×d) a projection of the gradient (arXiv 2310.15128, algorithm 1).

    By default V_k is the curvature projection, the best ±1 step of a quadratic model of the loss; the article's own is
    ``projection="sign", targets="outputs"``.

    Parameters
    ----------
    model : Module
    lr : float
        η.
    solver : str, Solver, or mapping of layer-name patterns to these
    momentum : float, optional
        β of the running mean: of the gradient for "curvature", 0.8 by default; of V for the other projections, 0.
    float_lr, groups
        As for :class:`~qproj.optim.binary_optimizer.BinaryOptimizer`.
    **projection
        Options of :class:`~qproj.optim.Projector`: ``projection``, ``tau``, ``kappa``, ``every``, ``audit``, ``seed``,
        …. With ``tau="auto"``, its default, and a closure, ``step`` looks ahead every 25 steps: the step that each of
        seven τ would have taken is tried on the next batch, which costs seven evaluations of the closure.

    Attributes
    ----------
    projector : Projector
        Its ``settings`` (``tau``, ``kappa``, ``time_limit_s``) may be changed between steps.
    last_report : ProjectionReport or None
        The report of the last step's projection.

    Raises
    ------
    TypeError, ValueError
        As for its two bases; a momentum outside [0, 1).
    """

    def __init__(
        self, model: nn.Module, lr: float = 0.02, solver: Any = "auto", *, momentum: float | None = None,
        float_lr: float = 1e-3, groups: Iterable[Mapping[str, Any]] | None = None, **projection: Any,
    ) -> None:  # fmt: skip
        of_gradient = projection.get("projection", "curvature") == "curvature"
        beta = (DEFAULT_MOMENTUM if of_gradient else 0.0) if momentum is None else momentum
        check_beta("momentum", beta)
        self.projector = Projector(model, solver, momentum=beta if of_gradient else 0.0, **projection)
        self.look_ahead = LookAhead() if of_gradient and self.projector.chooses_tau else None
        self.last_report: ProjectionReport | None = None
        self._before: dict[nn.Parameter, Tensor] = {}
        super().__init__(model, lr=lr, float_lr=float_lr, groups=groups, momentum=0.0 if of_gradient else beta)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; returns the closure's loss, or None without a closure."""
        if closure is not None and self.look_ahead is not None:
            if self._before:
                step_of = self._step_of(self._before)
                self.projector.settings.tau = self.look_ahead.choose(self.model, self._before, step_of, closure)
                self._before = {}
            if self.look_ahead.is_due(self.projector.step):
                self._before = {
                    p: p.detach().clone() for group in self.param_groups if group["binary"] for p in group["params"]
                }
        return super().step(closure)

    def _step_of(self, before: Mapping[nn.Parameter, Tensor]) -> Callable[[float], Mapping[nn.Parameter, Tensor]]:
        """Return, for a τ, what the last step would have added to the weights before it."""
        rates = {p: group["lr"] for group in self.param_groups for p in group["params"]}

        def steps(tau: float) -> dict[nn.Parameter, Tensor]:
            directions = self.projector.directions(tau)
            return {p: self._moved(value, directions[p], rates[p]) - value if p in directions else torch.zeros_like(p)
                    for p, value in before.items()}  # fmt: skip

        return steps

    def _moved(self, weight: Tensor, V: Tensor, lr: float) -> Tensor:
        return weight + lr * V

    def prepare(self) -> None:
        """Project: gradients of binary weights become −V."""
        if any(p.grad is not None for group in self.param_groups if group["binary"] for p in group["params"]):
            self.last_report = self.projector.project_grad_()

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """W + η·V."""
        p.copy_(self._moved(p, -averaged(self.state[p], grad, group["momentum"]), group["lr"]))

    def state_dict(self) -> dict[str, Any]:
        """Return torch's state with the projector's: training continues bit for bit."""
        extra: dict[str, Any] = {"projector": self.projector.state_dict()}
        if self.look_ahead is not None:
            names = {p: name for name, p in self.model.named_parameters()}
            extra["look_ahead"] = self.look_ahead.state_dict()
            extra["before"] = {names[p]: value for p, value in self._before.items()}
        return {**super().state_dict(), **extra}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where ``state_dict`` was taken.

        Raises
        ------
        ValueError
            The state of another optimiser, or of another model.
        """
        if "projector" not in state_dict:
            raise ValueError("this state has no 'projector': it is another optimiser's; load one that QPSBGD saved")
        own = ("projector", "look_ahead", "before")
        super().load_state_dict({key: value for key, value in state_dict.items() if key not in own})
        self.projector.load_state_dict(state_dict["projector"])
        if self.look_ahead is not None and "look_ahead" in state_dict:
            self.look_ahead.load_state_dict(state_dict["look_ahead"])
            parameters = dict(self.model.named_parameters())
            self._before = {parameters[name]: value.clone() for name, value in state_dict["before"].items()}


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
        self, model: nn.Module, lr: float = 0.02, *args: Any, binary_iterates: bool = False, **options: Any
    ) -> None:
        if binary_iterates and lr <= 1:
            raise ValueError(f"lr is {lr} with binary_iterates; steps ≤ 1 change no sign of a ±1 weight: use lr > 1")
        self.binary_iterates = binary_iterates
        super().__init__(model, lr, *args, **options)

    def _moved(self, weight: Tensor, V: Tensor, lr: float) -> Tensor:
        """P(W + η·V)."""
        moved = (weight + lr * V).clamp(-1.0, 1.0)
        return torch.where(moved >= 0, 1.0, -1.0).to(moved.dtype) if self.binary_iterates else moved
