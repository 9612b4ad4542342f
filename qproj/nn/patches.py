"""A layer's input as rows, which each neuron's weights are multiplied with; for convolutions, the patches."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def padded(layer: Any, x: Tensor) -> Tensor:
    """Return the input of a convolution with its border, (N, C, *size), as the layer itself pads it."""
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    widths = list(layer._reversed_padding_repeated_twice)
    if not any(widths):
        return x
    return F.pad(x, widths, mode=mode, value=layer.padding_value) if mode == "constant" else F.pad(x, widths, mode)


def places(layer: nn.modules.conv._ConvNd, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return flat indices into the places of a padded input, (L,) of each patch's corner and (K,) of its entries."""
    size = x.shape[2:]
    strides = [1]
    for extent in reversed(size[1:]):
        strides.insert(0, strides[0] * int(extent))
    corners, entries = [], []
    for extent, kernel, step, spread, width in zip(size, layer.kernel_size, layer.stride, layer.dilation, strides):
        corners.append(torch.arange(0, int(extent) - spread * (kernel - 1), step, device=x.device) * width)
        entries.append(torch.arange(0, kernel, device=x.device) * (spread * width))
    return _sums(corners), _sums(entries)


def _sums(axes: list[Tensor]) -> Tensor:
    total = axes[0]
    for axis in axes[1:]:
        total = (total[:, None] + axis[None, :]).reshape(-1)
    return total


def patch_rows(layer: Any, x: Tensor, most: int | None, generator: torch.Generator | None) -> Tensor:
    """Return patches of a convolution's input as rows, (rows, groups, d).

    Parameters
    ----------
    x : (N, C, *size) or (C, *size)
    most : int or None
        Where there are more patches, so many are drawn with replacement, which keeps their second moment unbiased.
    generator : torch.Generator, optional
        On the CPU; the order of all patches without `most`, image by image.
    """
    if x.ndim == len(layer.kernel_size) + 1:
        x = x[None]
    x = padded(layer, x)
    corners, entries = places(layer, x)
    count, images = len(corners), len(x)
    flat = x.reshape(images, layer.groups, x.shape[1] // layer.groups, -1)
    if most is not None and images * count > most:
        drawn = torch.randint(images * count, (most,), generator=generator).to(x.device, non_blocking=True)
        at = corners[drawn % count][:, None] + entries[None, :]
        image = drawn // count
        picked = flat[image[:, None], :, :, at]  # (rows, K, groups, channels)
        return picked.permute(0, 2, 3, 1).reshape(most, layer.groups, -1)
    at = (corners[:, None] + entries[None, :]).reshape(-1)
    picked = flat[:, :, :, at].reshape(images, layer.groups, -1, count, len(entries))
    return picked.permute(0, 3, 1, 2, 4).reshape(images * count, layer.groups, -1)


def linear_rows(x: Tensor, most: int | None, generator: torch.Generator | None) -> Tensor:
    """Return the input of a linear layer as rows, (rows, 1, d), at most so many drawn with replacement."""
    rows = x.reshape(-1, 1, x.shape[-1])
    if most is None or len(rows) <= most:
        return rows
    drawn = torch.randint(len(rows), (most,), generator=generator).to(x.device, non_blocking=True)
    return rows[drawn]
