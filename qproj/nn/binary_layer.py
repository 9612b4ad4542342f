"""What all binary layers share: a latent weight, its sign in the forward pass, and the rows a projection needs."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from qproj.nn.activation import sign
from qproj.nn.targets import Captured, watch_layer

_FORWARD = ("sign", "latent")


class BinaryLayer(nn.Module):
    """Z = linear(x, σ(W)) · scale − threshold, with latent W of shape (dout, …), d entries a row.

    Subclasses write ``linear``, ``rows`` and ``target_rows``; ``channel`` is the dimension of Z that counts neurons.

    Attributes
    ----------
    weight : Parameter
        Latent, float; the model's weights are its signs.
    scale, threshold : Parameter or None
        (dout,) floats, off by default as in the paper.
    forward_weights : {"sign", "latent"}
        What the forward pass multiplies with in training mode; "latent" is ProxQuant's. In evaluation mode it is
        always the signs: they are the model.
    captured : Captured
        Rows of the last backward pass, until they are projected.
    """

    channel = -1

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        scale: bool,
        threshold: bool,
        forward_weights: str,
        init: float,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if min(shape) < 1:
            raise ValueError(f"{type(self).__name__} would hold weights of shape {shape}; sizes ≥ 1 are allowed")
        if not 0 < init < math.inf:
            raise ValueError(f"init is {init}; latent weights start uniform in ±init, init > 0: use 0.5")
        self.init = float(init)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        out = shape[0]
        kept: Any = {"device": device, "dtype": dtype}
        self.scale = nn.Parameter(torch.empty(out, **kept)) if scale else None
        self.threshold = nn.Parameter(torch.empty(out, **kept)) if threshold else None
        self.set_forward_weights(forward_weights)
        self.captured = Captured()
        self.reset_parameters()

    @property
    def fan_in(self) -> int:
        """The d of a neuron."""
        return self.weight[0].numel()

    @property
    def fan_out(self) -> int:
        """The number of neurons, dout."""
        return len(self.weight)

    @property
    def initial_scale(self) -> float:
        """1/√d: brings z to order 1."""
        return 1.0 / math.sqrt(self.fan_in)

    def reset_parameters(self) -> None:
        """Draw W uniform in ±init; scale = 1/√d, threshold = 0."""
        with torch.no_grad():
            self.weight.uniform_(-self.init, self.init)
            if self.scale is not None:
                self.scale.fill_(self.initial_scale)
            if self.threshold is not None:
                self.threshold.zero_()

    def set_forward_weights(self, kind: str) -> None:
        """Choose what the forward pass multiplies with: "sign" or "latent"."""
        if kind not in _FORWARD:
            raise ValueError(f"forward_weights is {kind!r}; 'sign' or 'latent' is allowed")
        self.forward_weights = kind

    def binary_weight(self) -> Tensor:
        """Return σ(W), detached: the ±1 weights of the model."""
        return sign(self.weight.detach())

    def forward(self, x: Tensor, *structure: Any) -> Tensor:
        """Return Z, the pre-activations."""
        latent = self.forward_weights == "latent" and self.training
        weight = self.weight if latent else sign(self.weight)
        x = self.prepare(x, *structure)
        z = self.linear(x, weight)
        shape = [1] * z.ndim
        shape[self.channel] = -1
        if self.scale is not None:
            z = z * self.scale.reshape(shape)
        if self.threshold is not None:
            z = z - self.threshold.reshape(shape)
        if torch.is_grad_enabled() and z.requires_grad:
            watch_layer(self, x, z)
        return z

    def prepare(self, x: Tensor) -> Tensor:
        """Return what the weights see; graph layers mix neighbours here."""
        return x

    @abstractmethod
    def linear(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return x · weightᵀ in the layer's geometry."""

    @abstractmethod
    def rows(self, x: Tensor) -> Tensor:
        """Return X (n, d): what a neuron's weights, flattened, are multiplied with."""

    @abstractmethod
    def target_rows(self, target: Tensor) -> Tensor:
        """Return T (n, dout) from a tensor of Z's shape, in the order of ``rows``."""

    def extra_repr(self) -> str:
        options = [f"{self.fan_in} → {self.fan_out}"]
        options += [name for name in ("scale", "threshold") if getattr(self, name) is not None]
        if self.forward_weights != "sign":
            options.append(f"forward_weights={self.forward_weights!r}")
        return ", ".join(options)


def binary_layers(model: nn.Module) -> dict[str, BinaryLayer]:
    """Return the binary layers of a model by name, in the order of ``named_modules``.

    Raises
    ------
    TypeError
        `model` is no module.
    ValueError
        Two layers share one weight: its V would have to serve both.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}; a torch.nn.Module is needed: pass the model itself")
    found = {name: module for name, module in model.named_modules() if isinstance(module, BinaryLayer)}
    owner: dict[int, str] = {}
    for name, layer in found.items():
        first = owner.setdefault(id(layer.weight), name)
        if first != name:
            raise ValueError(f"layers {first!r} and {name!r} share one weight; it belongs to one layer: copy it")
    return found
