"""Layers with ±1 weights for torch: latent floats behind, signs in the forward pass, rows for projections.

>>> from torch import nn
>>> from qproj.nn import BinaryLinear, SignActivation
>>> model = nn.Sequential(BinaryLinear(64, 32), SignActivation(), BinaryLinear(32, 1))
"""

from __future__ import annotations

from qproj._extras import install_hint as _install_hint

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:  # pragma: no cover - needs an installation without torch
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        f"qproj.nn needs torch, which is not installed: {_install_hint('torch')}", name="torch"
    ) from None

from qproj.nn.activation import SignActivation, sign
from qproj.nn.affine import BatchNorm1d, BatchNorm2d, Scale, Threshold
from qproj.nn.binarize import binarize_, clip_latents_
from qproj.nn.binary_layer import BinaryLayer, binary_layers
from qproj.nn.graph import BinaryGCNConv, normalized_adjacency
from qproj.nn.packing import PackedModel, pack, unpack
from qproj.nn.summary import ModelSummary, model_summary
from qproj.nn.torch_layers import BinaryConv, BinaryConv1d, BinaryConv2d, BinaryConv3d, BinaryLinear

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BinaryConv",
    "BinaryConv1d",
    "BinaryConv2d",
    "BinaryConv3d",
    "BinaryGCNConv",
    "BinaryLayer",
    "BinaryLinear",
    "ModelSummary",
    "PackedModel",
    "Scale",
    "SignActivation",
    "Threshold",
    "binarize_",
    "binary_layers",
    "clip_latents_",
    "model_summary",
    "normalized_adjacency",
    "pack",
    "sign",
    "unpack",
]
