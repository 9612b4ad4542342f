"""A layer's input as rows, which each neuron's weights are multiplied with; for convolutions, the patches."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def padded(layer: Any, x: Tensor) -> Tensor:
    """Return the input of a convolution with its border, ``(N, C, *size)``, as the layer itself pads it."""
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


def patch_rows(layer: Any, x: Tensor, picked: Tensor | None) -> Tensor:
    """Return patches of a convolution's input as rows, (rows, groups, d).

    Parameters
    ----------
    x : ``(N, C, *size)`` or ``(C, *size)``
    picked : (k,) integer Tensor or None
        Which patches, counted image by image; all of them without.
    """
    x = padded(layer, batched(layer, x))
    corners, entries = places(layer, x)
    count, images = len(corners), len(x)
    flat = x.reshape(images, layer.groups, x.shape[1] // layer.groups, -1)
    if picked is not None:
        at = corners[picked % count][:, None] + entries[None, :]
        chosen = flat[(picked // count)[:, None], :, :, at]  # (rows, K, groups, channels)
        return chosen.permute(0, 2, 3, 1).reshape(len(picked), layer.groups, -1)
    at = (corners[:, None] + entries[None, :]).reshape(-1)
    every = flat[:, :, :, at].reshape(images, layer.groups, -1, count, len(entries))
    return every.permute(0, 3, 1, 2, 4).reshape(images * count, layer.groups, -1)


def num_patches(layer: Any, x: Tensor) -> int:
    """Return the number of patches of a convolution's input."""
    x = batched(layer, x)
    widths = layer._reversed_padding_repeated_twice
    count = len(x)
    for axis, extent in enumerate(x.shape[2:]):
        after = int(extent) + sum(widths[2 * (len(x.shape) - 3 - axis) :][:2])
        spread = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
        count *= max(0, (after - spread - 1) // layer.stride[axis] + 1)
    return count


def batched(layer: Any, x: Tensor) -> Tensor:
    """Return the input of a convolution with its first dimension, which a single image lacks."""
    return x[None] if x.ndim == len(layer.kernel_size) + 1 else x


def drawn(count: int, most: int, generator: torch.Generator, device: torch.device) -> Tensor | None:
    """Return `most` numbers below `count`, drawn with replacement; None where there are no more than that."""
    if count <= most:
        return None
    return torch.randint(count, (most,), generator=generator).to(device, non_blocking=True)
