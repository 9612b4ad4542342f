"""σ(z) = +1 for z ≥ 0, −1 below, with a straight-through gradient: the one place where signs are taken in torch."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from qproj.nn.recording import is_traced, mark_of


class _Sign(torch.autograd.Function):
    """y = σ(z); backward passes ∂L/∂y where |z| ≤ clip, and 0 elsewhere."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, clip: float) -> Tensor:
        return _signs(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        z, ctx.clip = inputs
        if not math.isinf(ctx.clip):
            ctx.save_for_backward(z)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        if math.isinf(ctx.clip):
            return grad, None
        (z,) = ctx.saved_tensors
        return grad * (z.abs() <= ctx.clip), None


def _signs(z: Tensor) -> Tensor:
    one = torch.ones((), dtype=z.dtype, device=z.device)
    return torch.where(z < 0, -one, torch.where(z >= 0, one, z))  # NaN stays NaN


def sign(z: Tensor, clip: float = math.inf) -> Tensor:
    """Return σ(z) ∈ {±1}, σ(0) = +1, elementwise; the gradient passes unchanged where |z| ≤ clip.

    NaN stays NaN, so that a diverged model is seen.

    Examples
    --------
    >>> import torch
    >>> sign(torch.tensor([-0.5, 0.0, 2.0]))
    tensor([-1.,  1.,  1.])
    """
    if is_traced(z) or not torch.is_grad_enabled():
        return _signs(z)
    out: Tensor = _Sign.apply(z, clip)  # type: ignore[no-untyped-call]
    return out


class SignActivation(nn.Module):
    """Y = σ(Z), σ(0) = +1; ∂L/∂Z = ∂L/∂Y where |z| ≤ clip, else 0.

    Parameters
    ----------
    fan_in : int, optional
        d of the layer before: clip = √d, the rms of z at random weights (|z| ≤ 1 would pass 3–7 % of the gradients at
        d = 128…784).
    clip : float, optional
        The window itself, instead of `fan_in`; ``math.inf`` passes every gradient. With neither, every call takes √d
        where its input comes directly from a binary layer, in units of that layer's scale, and 1 elsewhere: behind a
        float layer, a normalisation or a sum.

    Raises
    ------
    ValueError
        Both given, or one that is not positive.

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
        if is_traced(z):
            return sign(z)
        mark = mark_of(z)
        y = sign(z, mark.window if self.clip is None else self.clip)
        if mark.forward is not None and y.requires_grad:
            mark.forward.signed += 1
            y.register_hook(mark.forward.at_output)  # type: ignore[no-untyped-call]
        return y

    def extra_repr(self) -> str:
        if self.clip is None:
            return "clip=√fan_in behind a binary layer, else 1"
        return f"clip={self.clip:g}" if self.clip % 1 else f"clip={self.clip}"
