"""What the optimisers share: which parameters are binary, torch's Adam for the others, closures, groups."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from qproj.nn.binary_layer import BinaryLayer, require_binary_layers


class BinaryOptimizer(torch.optim.Optimizer):
    """A step for binary weights, written by subclasses, and torch's Adam for the float parameters.

    A gradient that is not finite reaches the weights, as in torch's own optimisers: σ keeps NaN, so the loss shows it.

    Parameters
    ----------
    model : Module
        All its parameters are optimised; those of :mod:`qproj.nn` layers called ``weight`` are binary.
    lr : float
        Of binary weights.
    float_lr : float
        Adam's, for scales, thresholds, normalisation and float layers.
    groups : iterable of dict, optional
        ``{"params": [...], "lr": …}``: own hyper-parameters for some parameters; all others take the defaults.
    **defaults
        Hyper-parameters of the subclass.

    Raises
    ------
    TypeError, ValueError
        Not a module, no binary layer, a non-positive step size, groups that overlap or name other parameters.
    """

    def __init__(
        self, model: nn.Module, *, lr: float, float_lr: float, groups: Iterable[Mapping[str, Any]] | None = None,
        **defaults: Any,
    ) -> None:  # fmt: skip
        require_binary_layers(model)
        for name, value in (("lr", lr), ("float_lr", float_lr)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}; a finite number > 0 is allowed")
        self.model = model
        super().__init__(_groups(model, groups, float(lr), float(float_lr)), {"lr": float(lr), **defaults})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; returns the closure's loss, or None without a closure."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.prepare()
        for group in self.param_groups:
            given = [p for p in group["params"] if p.grad is not None]
            if not group["binary"]:
                _adam(given, self.state, group["lr"])
                continue
            for p in given:
                self.update(p, p.grad, group)
        return loss

    def prepare(self) -> None:
        """Change gradients before any parameter moves."""

    @abstractmethod
    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """Move one latent weight."""


def averaged(state: dict[str, Any], value: Tensor, beta: float) -> Tensor:
    """Return the running mean β·m + (1−β)·value kept in an optimiser's state; the value itself for β = 0."""
    if beta == 0:
        return value
    if "mean" not in state:
        state["mean"] = torch.zeros_like(value)
    mean: Tensor = state["mean"]
    return mean.mul_(beta).add_(value, alpha=1 - beta)


def check_beta(name: str, value: float) -> None:
    """Refuse a momentum outside [0, 1)."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value}; a number in [0, 1) is allowed: 0 switches it off")


def adam_state(params: list[Tensor], state: Any) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
    """Return Adam's running means, squares, (no) maxima and step counts; zeros at the first step."""
    for p in params:
        if "exp_avg" not in state[p]:
            state[p].update(step=torch.zeros(()), exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
    return (
        [state[p]["exp_avg"] for p in params], [state[p]["exp_avg_sq"] for p in params], [],
        [state[p]["step"] for p in params],
    )  # fmt: skip


def _adam(params: list[Tensor], state: Any, lr: float) -> None:
    """Take one step of torch's Adam with its default β and ε."""
    if params:
        grads = [p.grad for p in params if p.grad is not None]
        adam(params, grads, *adam_state(params, state), beta1=0.9, beta2=0.999, lr=lr, weight_decay=0.0, eps=1e-8,
             amsgrad=False, maximize=False)  # fmt: skip


def _groups(
    model: nn.Module, groups: Iterable[Mapping[str, Any]] | None, lr: float, float_lr: float
) -> list[dict[str, Any]]:
    binary = {id(m.weight) for m in model.modules() if isinstance(m, BinaryLayer)}
    left = {id(p): p for p in model.parameters()}
    split: list[dict[str, Any]] = []
    for given in [] if groups is None else groups:
        params = list(given["params"])
        foreign = [p for p in params if id(p) not in left]
        if foreign:
            raise ValueError(
                f"a group holds {len(foreign)} parameters not of the model, or of two groups: name each once"
            )
        for p in params:
            del left[id(p)]
        options = {key: value for key, value in given.items() if key != "params"}
        split += _split(params, binary, options.pop("lr", None), lr, float_lr, options)
    return split + _split(list(left.values()), binary, None, lr, float_lr, {})


def _split(
    params: list[nn.Parameter], binary: set[int], own: float | None, lr: float, float_lr: float, options: dict[str, Any]
) -> list[dict[str, Any]]:
    kinds = {True: [p for p in params if id(p) in binary], False: [p for p in params if id(p) not in binary]}
    rates = {True: lr, False: float_lr}
    return [
        {"params": some, "binary": kind, "lr": rates[kind] if own is None else own, **options}
        for kind, some in kinds.items()
        if some
    ]
