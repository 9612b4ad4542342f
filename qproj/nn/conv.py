"""Convolution with ±1 weights: every patch is a row of the projection."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from qproj.nn.binary_layer import BinaryLayer


class BinaryConv2d(BinaryLayer):
    """Z = x ∗ σ(W), W latent (out_channels, in_channels, k, k); x (n, in_channels, height, width).

    For the projection, X holds one row a patch and image, d = in_channels·k².

    Parameters
    ----------
    in_channels, out_channels, kernel_size : int
    stride, padding : int
    padding_value : float
        What stands outside the image; ±1 keeps the patches of a ±1 image ±1, 0 makes border rows three-valued.
    scale, threshold, forward_weights, init, device, dtype
        As for :class:`~qproj.nn.BinaryLinear`.

    Raises
    ------
    ValueError
        Sizes, stride below 1, a negative padding, and what BinaryLinear refuses.
    """

    channel = 1

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, padding: int = 0,
        padding_value: float = 0.0, scale: bool = False, threshold: bool = False, forward_weights: str = "sign",
        init: float = 0.5, device: Any = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        if stride < 1 or padding < 0:
            raise ValueError(f"stride={stride}, padding={padding}; stride ≥ 1 and padding ≥ 0 are allowed")
        super().__init__(
            (out_channels, in_channels, kernel_size, kernel_size), scale=scale, threshold=threshold,
            forward_weights=forward_weights, init=init, device=device, dtype=dtype,
        )  # fmt: skip
        self.kernel_size, self.stride, self.padding, self.padding_value = kernel_size, stride, padding, padding_value

    def prepare(self, x: Tensor) -> Tensor:
        """Return x with its border."""
        if self.padding == 0:
            return x
        return F.pad(x, (self.padding,) * 4, value=self.padding_value)

    def linear(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the convolution of the padded x."""
        return F.conv2d(x, weight, stride=self.stride)

    def rows(self, x: Tensor) -> Tensor:
        """Return one row a patch, image by image."""
        patches = F.unfold(x, self.kernel_size, stride=self.stride)
        return patches.transpose(1, 2).reshape(-1, self.fan_in)

    def target_rows(self, target: Tensor) -> Tensor:
        """Return one row a place of the output, image by image."""
        return target.flatten(2).transpose(1, 2).reshape(-1, self.fan_out)
