"""Linear layers and convolutions with ±1 weights: torch's own, with every option that torch's have."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qproj.nn.binary_layer import BinaryLayer
from qproj.nn.patches import num_patches, padded, patch_rows


class BinaryLinear(BinaryLayer, nn.Linear):
    """Z = x σ(W)ᵀ, W latent (out_features, in_features); x (…, in_features), ±1 or real.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
        Learn one float per neuron, from 0. Off, as in arXiv 2310.15128; torch's own default is on.
    scale : bool
        Learn one float factor per neuron, from 1/√d: Z = scale · (x σ(W)ᵀ) + bias.
    forward_weights : {"sign", "latent"}
        "latent" multiplies with W itself (ProxQuant sets it).
    init : float
        Latent weights start uniform in ±init.
    device, dtype
        As for :class:`torch.nn.Linear`.

    Raises
    ------
    ValueError
        A size below 1, an unknown `forward_weights`, an `init` that is not positive.

    Examples
    --------
    >>> import torch
    >>> layer = BinaryLinear(4, 2)
    >>> layer(torch.ones(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = False,
        *,
        scale: bool = False,
        forward_weights: str = "sign",
        init: float = 0.5,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        nn.Linear.__init__(self, in_features, out_features, bias, device, dtype)
        self.set_up(scale=scale, forward_weights=forward_weights, init=init)

    def linear(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return x weightᵀ."""
        return F.linear(x, weight)

    def rows(self, x: Tensor, picked: Tensor | None = None) -> Tensor:
        """Return x with all leading dimensions as rows, (n, 1, d)."""
        rows = x.reshape(-1, 1, x.shape[-1])
        return rows if picked is None else rows[picked]

    def num_rows(self, x: Tensor) -> int:
        """Return the number of rows of x."""
        return x.numel() // x.shape[-1]


class BinaryConv(BinaryLayer):
    """Z = scale · (x ∗ σ(W)) + bias, W latent ``(out_channels, in_channels/groups, *kernel_size)``; one row per patch.

    The base of the three convolutions; x is ``(n, in_channels, *size)`` or ``(in_channels, *size)``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size : int, int, int or tuple
    *options, **more
        As for torch's own layer: stride, padding (also "same" or "valid"), dilation, groups, padding_mode, device,
        dtype.
    bias, scale, forward_weights, init
        As for :class:`BinaryLinear`.
    padding_value : float
        The entries outside the image; ±1 keeps the patches of a ±1 image ±1, 0 makes border rows three-valued.

    Raises
    ------
    ValueError
        What torch and BinaryLinear refuse, and a `padding_value` with another padding_mode than "zeros".
    """

    channel = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        *options: Any,
        bias: bool = False,
        padding_value: float = 0.0,
        scale: bool = False,
        forward_weights: str = "sign",
        init: float = 0.5,
        **more: Any,
    ) -> None:
        torch_layer: Any = super()
        torch_layer.__init__(in_channels, out_channels, kernel_size, *options, bias=bias, **more)
        self.set_up_conv(padding_value)
        self.set_up(scale=scale, forward_weights=forward_weights, init=init)

    def set_up_conv(self, padding_value: float) -> None:
        """Finish a convolution after torch's own constructor has run."""
        conv: Any = self
        if min(*conv.stride, *conv.dilation, *conv.kernel_size, 1) < 1:
            raise ValueError(
                f"kernel_size {conv.kernel_size}, stride {conv.stride} and dilation {conv.dilation}; "
                "kernel_size, stride and dilation ≥ 1 are allowed"
            )
        if padding_value and conv.padding_mode != "zeros":
            raise ValueError(
                f"padding_value={padding_value} goes with padding_mode='zeros', not {conv.padding_mode!r}: "
                "leave one out"
            )
        self.padding_value = float(padding_value)
        self._spatial = len(conv.kernel_size)

    def linear(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the convolution of x."""
        conv: Any = self
        if not self.padding_value:
            z: Tensor = conv._conv_forward(x, weight, None)
            return z
        function: Any = (F.conv1d, F.conv2d, F.conv3d)[self._spatial - 1]
        padded_z: Tensor = function(padded(conv, x), weight, None, conv.stride, 0, conv.dilation, conv.groups)
        return padded_z

    def rows(self, x: Tensor, picked: Tensor | None = None) -> Tensor:
        """Return patches as rows, (n, groups, d), image by image."""
        return patch_rows(self, x, picked)

    def num_rows(self, x: Tensor) -> int:
        """Return the number of patches of x."""
        return num_patches(self, x)

    def output_rows(self, z: Tensor) -> Tensor:
        """Return one row per place of the output, image by image."""
        batched = z if z.ndim == self._spatial + 2 else z[None]
        return batched.flatten(2).transpose(1, 2).reshape(-1, self.fan_out)


class BinaryConv1d(BinaryConv, nn.Conv1d):
    """A convolution over sequences with ±1 weights; see :class:`BinaryConv`."""


class BinaryConv2d(BinaryConv, nn.Conv2d):
    """A convolution over images with ±1 weights; see :class:`BinaryConv`."""


class BinaryConv3d(BinaryConv, nn.Conv3d):
    """A convolution over volumes with ±1 weights; see :class:`BinaryConv`."""
