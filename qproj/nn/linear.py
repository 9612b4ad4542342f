"""Fully connected layer with ±1 weights."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from qproj.nn.binary_layer import BinaryLayer


class BinaryLinear(BinaryLayer):
    """Z = x σ(W)ᵀ, W latent (out_features, in_features); x (…, in_features), ±1 or real.

    Parameters
    ----------
    in_features, out_features : int
    scale, threshold : bool
        Learn one float scale, or threshold, a neuron: Z = scale · (x σ(W)ᵀ) − threshold. Off, as in arXiv 2310.15128.
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
        self, in_features: int, out_features: int, *, scale: bool = False, threshold: bool = False,
        forward_weights: str = "sign", init: float = 0.5, device: Any = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            (out_features, in_features), scale=scale, threshold=threshold, forward_weights=forward_weights, init=init,
            device=device, dtype=dtype,
        )  # fmt: skip

    def linear(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return x weightᵀ."""
        return F.linear(x, weight)

    def rows(self, x: Tensor) -> Tensor:
        """Return x with all leading dimensions as rows."""
        return x.reshape(-1, self.fan_in)

    def target_rows(self, target: Tensor) -> Tensor:
        """Return the target with all leading dimensions as rows."""
        return target.reshape(-1, self.fan_out)
