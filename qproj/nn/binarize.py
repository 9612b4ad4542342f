"""A float model made binary in place, and latent weights kept in a box."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from qproj.nn.binary_layer import BinaryLayer, binary_layers
from qproj.nn.torch_layers import BinaryConv, BinaryConv1d, BinaryConv2d, BinaryConv3d, BinaryLinear

_KINDS: dict[type[nn.Module], type[BinaryLayer]] = {
    nn.Linear: BinaryLinear,
    nn.Conv1d: BinaryConv1d,
    nn.Conv2d: BinaryConv2d,
    nn.Conv3d: BinaryConv3d,
}


def binarize_(
    model: nn.Module, *, first: bool = False, last: bool = False, scale: bool = False, box: float | None = None
) -> dict[str, str]:
    """Make the linear layers and convolutions of a model binary, in place: the forward pass multiplies with σ(W).

    Every module and parameter stays the object that it was, the latent weights too, so optimisers, hooks and state
    dicts of the float model keep working. Biases and all other modules stay float.

    Parameters
    ----------
    model : Module
    first, last : bool
        Whether the first and the last of these layers, in the order of ``named_modules``, become binary too.
    scale : bool
        Give each binary layer a learned factor per neuron, which begins at mean|W| of the neuron (Rastegari et al.
        2016, arXiv 1603.05279, section 3.1): its outputs keep the size that they had.
    box : float, optional
        Scale each layer's latent weights so that the largest is `box` in size; signs stay.

    Returns
    -------
    dict of str to str
        By the name of each linear layer or convolution: "binary", or the reason why it stayed float.

    Raises
    ------
    TypeError
        `model` is not a module, or is itself a layer: wrap it in ``torch.nn.Sequential``.
    ValueError
        The model has no layer that could become binary.

    Examples
    --------
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> binarize_(model)
    {'0': 'float: the first layer', '1': 'binary', '3': 'float: the last layer'}
    """
    if not isinstance(model, nn.Module) or type(model) in _KINDS:
        raise TypeError(f"{type(model).__name__} cannot be changed in place; pass a model that contains the layers")
    found = {name: module for name, module in model.named_modules() if _origin(module) in _KINDS}
    ends = {} if first or not found else {next(iter(found)): "float: the first layer"}
    if not last and found:
        ends.setdefault(list(found)[-1], "float: the last layer")
    fates: dict[str, str] = {}
    for name, module in found.items():
        if name in ends:
            fates[name] = ends[name]
        elif type(module) not in _KINDS or "weight_orig" in module._parameters:
            fates[name] = "float: its weight is computed by weight norm, pruning or another parametrization"
        else:
            _make_binary(module, scale, box)
            fates[name] = "binary"
    if "binary" not in fates.values():
        why, remedy = str(fates), "first=True and last=True include the ends"
        if not fates:
            why = "it has no Linear and no Conv layer of torch"
            remedy = "qproj.nn.binary_layers(model) lists those that are binary already"
        raise ValueError(f"no layer of {type(model).__name__} can become binary: {why}; {remedy}")
    return fates


def _origin(module: nn.Module) -> type[nn.Module]:
    """Return a module's class, that before parametrization where it has one."""
    if parametrize.is_parametrized(module):
        return type(module).__mro__[1]
    return type(module)


def _make_binary(module: Any, scale: bool, box: float | None) -> None:
    """Change a float layer's class, and nothing else: hooks, references and parameters stay."""
    module.__class__ = _KINDS[type(module)]
    if isinstance(module, BinaryConv):
        module.set_up_conv(0.0)
    module.set_up(scale=scale, forward_weights="sign", init=0.5, reset=False)
    sizes = module.weight.detach().abs()
    with torch.no_grad():
        if module.scale is not None:
            module.scale.copy_(sizes.flatten(1).mean(1))
        if box is not None:
            module.weight.mul_(box / sizes.max().clamp(min=1e-30))


def clip_latents_(model: nn.Module, box: float = 1.0) -> None:
    """Clip the latent weights of every binary layer to [−box, box], in place: after each step of any optimiser.

    Without it, weights that AdamW, SGD, Lion or Muon has moved far from 0 take many steps to change their sign.
    """
    if not box > 0:
        raise ValueError(f"box is {box}; a number > 0 is allowed: 1 is usual")
    with torch.no_grad():
        for layer in binary_layers(model).values():
            layer.weight.clamp_(-box, box)
