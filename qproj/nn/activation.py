"""σ(z) = +1 for z ≥ 0, −1 below, with a straight-through gradient: the one place where signs are taken in torch."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from qproj.nn.targets import bind_window, watch_sign


class _Sign(torch.autograd.Function):
    """y = σ(z); backward passes ∂L/∂y where |z| ≤ clip, and 0 elsewhere."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, clip: float) -> Tensor:
        ctx.clip = clip
        if not math.isinf(clip):
            ctx.save_for_backward(z)
        return torch.where(z >= 0, 1.0, -1.0).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        if math.isinf(ctx.clip):
            return grad, None
        (z,) = ctx.saved_tensors
        return grad * (z.abs() <= ctx.clip), None


def sign(z: Tensor, clip: float = math.inf) -> Tensor:
    """Return σ(z) ∈ {±1}, σ(0) = +1, elementwise; the gradient passes unchanged where |z| ≤ clip.

    Examples
    --------
    >>> import torch
    >>> sign(torch.tensor([-0.5, 0.0, 2.0]))
    tensor([-1.,  1.,  1.])
    """
    out: Tensor = _Sign.apply(z, clip)  # type: ignore[no-untyped-call]
    return out


class SignActivation(nn.Module):
    """Y = σ(Z), σ(0) = +1; ∂L/∂Z = ∂L/∂Y where |z| ≤ clip, else 0.

    Parameters
    ----------
    fan_in : int, optional
        d of the layer before: clip = √d, the rms of z at random weights (|z| ≤ 1 would pass 3–7 % of the
        gradients at d = 128…784). Left out, it is read from the binary layer before at the first forward pass.
    clip : float, optional
        The window itself, instead of `fan_in`; ``math.inf`` passes every gradient.

    Raises
    ------
    ValueError
        Both given, or one that is not positive; on the first pass, where no binary layer comes before.

    Examples
    --------
    >>> SignActivation(16)
    SignActivation(clip=4.0)
    """

    def __init__(self, fan_in: int | None = None, *, clip: float | None = None) -> None:
        super().__init__()
        if fan_in is not None and clip is not None:
            raise ValueError(f"fan_in={fan_in} and clip={clip} both given; clip is √fan_in: give one of them")
        given = fan_in if clip is None else clip
        if given is not None and not given > 0:
            raise ValueError(f"{'fan_in' if clip is None else 'clip'} is {given}; a number > 0 is allowed")
        self.clip: float | None = math.sqrt(fan_in) if fan_in is not None else clip

    def forward(self, z: Tensor) -> Tensor:
        """Return σ(z), of z's shape."""
        if not (torch.is_grad_enabled() and z.requires_grad):
            return sign(z)
        if self.clip is None:
            self.clip = bind_window(z)
        y = sign(z, self.clip)
        watch_sign(z, y)
        return y

    def extra_repr(self) -> str:
        return "clip=√fan_in" if self.clip is None else f"clip={self.clip:g}" if self.clip % 1 else f"clip={self.clip}"
