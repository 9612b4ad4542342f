"""What all binary layers share: a latent weight, its sign in the forward pass, and the rows that projections need."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from qproj.nn.activation import sign
from qproj.nn.recording import ForwardPass, Mark, Recorder, is_traced, records, set_mark

_FORWARD = ("sign", "latent")
#: What torch.nn.utils leaves on a module whose weight it computes.
_PRUNED = "weight_orig"


class BinaryLayer(nn.Module):
    """Z = scale · linear(x, σ(W)) + bias, with latent W of shape (dout, …).

    A mixin for torch's own layers: subclasses inherit from one of them too, and write ``linear`` and ``rows``.

    Attributes
    ----------
    weight : Parameter
        Latent, float; the model's weights are its signs.
    bias, scale : Parameter or None
        (dout,) floats, off by default as in arXiv 2310.15128.
    forward_weights : {"sign", "latent"}
        The factor of x in training mode; "latent" is that of ProxQuant. In evaluation mode it is always the signs: they
        are the model.
    recorder : Recorder
        Rows of the last backward pass, until they are projected.
    """

    weight: Any
    bias: Any
    scale: nn.Parameter | None
    groups: int = 1
    channel = -1

    def set_up(self, *, scale: bool, forward_weights: str, init: float, reset: bool = True) -> None:
        """Finish a layer after torch's own constructor has run; without `reset`, its weights stay."""
        if min(self.weight.shape) < 1:
            raise ValueError(
                f"{type(self).__name__} would hold weights of shape {tuple(self.weight.shape)}; sizes ≥ 1 are allowed"
            )
        if not 0 < init < math.inf:
            raise ValueError(f"init is {init}; latent weights start uniform in ±init, init > 0: use 0.5")
        self.init = float(init)
        out = len(self.weight)
        self.scale = nn.Parameter(self.weight.new_empty(out)) if scale else None
        self.set_forward_weights(forward_weights)
        self.recorder = Recorder(self.channel)
        self.recorder.watch(self.weight)
        if reset:
            self.reset_parameters()

    @property
    def fan_in(self) -> int:
        """The d of a neuron."""
        return int(self.weight[0].numel())

    @property
    def fan_out(self) -> int:
        """The number of neurons, dout."""
        return len(self.weight)

    @property
    def initial_scale(self) -> float:
        """1/√d: brings z to order 1."""
        return 1.0 / math.sqrt(self.fan_in)

    def reset_parameters(self) -> None:
        """Draw W uniform in ±init; scale = 1/√d, bias = 0."""
        if not hasattr(self, "init"):
            return  # torch's constructor calls this before the layer is set up
        with torch.no_grad():
            self.weight.uniform_(-self.init, self.init)
            if self.scale is not None:
                self.scale.fill_(self.initial_scale)
            if self.bias is not None:
                self.bias.zero_()

    def set_forward_weights(self, kind: str) -> None:
        """Choose what the forward pass multiplies with in training mode: "sign" or "latent"."""
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
        passed = None
        if self.training and records(z, self.weight):
            z, passed = self.recorder.tap(z, x, self.weight)
        if self.scale is not None or self.bias is not None:
            z = self._affine(z, passed)
        return z if is_traced(z) else set_mark(z, Mark(self._window(), passed))

    def _affine(self, z: Tensor, passed: ForwardPass | None) -> Tensor:
        """Return scale · z + bias, and note its effect on targets at σ."""
        shape = [-1] + [1] * self._spatial
        if self.scale is not None:
            z = z * self.scale.reshape(shape)
            if passed is not None:
                passed.turn = torch.where(self.scale.detach() >= 0, 1.0, -1.0)
        if self.bias is not None:
            z = z + self.bias.reshape(shape)
            if passed is not None:
                passed.exact = False
        return z

    def _window(self) -> float:
        """Return the straight-through window of a σ that takes the output directly: √d, in units of the scale."""
        return math.sqrt(self.fan_in) * (1.0 if self.scale is None else self.initial_scale)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.recorder.watch(self.weight)

    _spatial = 0

    def prepare(self, x: Tensor) -> Tensor:
        """Return what the weights see; graph layers mix neighbours here."""
        return x

    @abstractmethod
    def linear(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return x · weightᵀ in the layer's geometry, without scale and bias."""

    @abstractmethod
    def rows(self, x: Tensor, picked: Tensor | None = None) -> Tensor:
        """Return the input as rows, (n, groups, d): what a neuron's weights, flattened, are multiplied with.

        With `picked`, (k,) of integers, those rows alone.
        """

    @abstractmethod
    def num_rows(self, x: Tensor) -> int:
        """Return the number of rows of an input, n."""

    def output_rows(self, z: Tensor) -> Tensor:
        """Return a tensor of Z's shape as rows, (n, dout), in the order of ``rows``."""
        return z.reshape(-1, self.fan_out)

    def extra_repr(self) -> str:
        parts = [super().extra_repr()]
        if self.scale is not None:
            parts.append("scale=True")
        if self.forward_weights != "sign":
            parts.append(f"forward_weights={self.forward_weights!r}")
        return ", ".join(part for part in parts if part)


def binary_layers(model: nn.Module) -> dict[str, BinaryLayer]:
    """Return the binary layers of a model by name, in the order of ``named_modules``.

    Names are those of the plain model: the prefixes of ``torch.compile`` and DistributedDataParallel are left out.

    Raises
    ------
    TypeError
        `model` is not a module.
    ValueError
        Two layers share one weight, whose V would have to serve both; or a weight is computed from other parameters
        (weight norm, pruning, another parametrization) or sharded (``fully_shard``): the layer is named.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}; a torch.nn.Module is needed: pass the model itself")
    found = {plain_name(name): module for name, module in model.named_modules() if isinstance(module, BinaryLayer)}
    owner: dict[int, str] = {}
    for name, layer in found.items():
        _require_leaf(name, layer)
        first = owner.setdefault(id(layer.weight), name)
        if first != name:
            raise ValueError(f"layers {first!r} and {name!r} share one weight; it belongs to one layer: copy it")
    return found


def require_binary_layers(model: nn.Module) -> dict[str, BinaryLayer]:
    """Return ``binary_layers(model)``, or raise ValueError where there are none."""
    layers = binary_layers(model)
    if not layers:
        raise ValueError(
            f"{type(model).__name__} has no binary layer: build it with qproj.nn.BinaryLinear and others, or make its "
            "layers binary with qproj.nn.binarize_"
        )
    return layers


def plain_name(name: str) -> str:
    """Return a module's name without the prefixes of compiled and distributed wrappers."""
    return ".".join(part for i, part in enumerate(name.split(".")) if part != "_orig_mod" and (i or part != "module"))


def _require_leaf(name: str, layer: BinaryLayer) -> None:
    if _PRUNED in layer._parameters:
        raise ValueError(
            f"layer {name!r} is pruned: its weight is computed from weight_orig and a mask; call "
            "torch.nn.utils.prune.remove(layer, 'weight') first"
        )
    if not isinstance(layer._parameters.get("weight"), nn.Parameter):
        raise ValueError(
            f"layer {name!r} has a parametrized weight (weight norm or another parametrization), whose signs are not "
            "those of its parameters; call torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight') first"
        )
    if hasattr(layer.weight, "device_mesh"):
        raise ValueError(
            f"layer {name!r} is sharded by fully_shard: a neuron's weights lie on several devices; use "
            "DistributedDataParallel for binary layers, or leave them out of fully_shard"
        )
