"""What a projection needs from one backward pass: each binary layer's inputs X and targets T = −∂L/∂Y.

A forward pass in training mode leaves a :class:`Link` on the autograd node of the layer's output Z. What comes
after adds to it: scale, threshold and BatchNorm their slope, :class:`~qproj.nn.SignActivation` the place where Y is.
Tensor hooks then deliver the gradients. Everything hangs on the graph of that pass, so nothing outlives it but the
delivered rows, which the layer owns until they are projected or until the next accumulation of gradients begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from qproj.nn.binary_layer import BinaryLayer

_KEY = "qproj"


@dataclass(frozen=True, eq=False)
class Rows:
    """One delivered backward pass of one layer.

    Attributes
    ----------
    x : Tensor
        The layer's input, as it came.
    target : Tensor
        T = −∂L/∂Y in the shape of the layer's output, turned by the sign of the slope between Z and σ.
    exact : bool
        Whether σ(slope·z + offset) = ± σ(z) for every z; False where an offset moved the threshold.
    implicit : bool
        Whether no SignActivation followed, so that T = −∂L/∂Z.
    refusal : str
        Why these rows cannot be projected; empty where they can.
    """

    x: Tensor
    target: Tensor
    exact: bool = True
    implicit: bool = False
    refusal: str = ""


class Captured:
    """The rows that reached one layer since its gradient was last zero; owned by the layer, never saved or copied."""

    def __init__(self) -> None:
        self.rows: list[Rows] = []
        self._task = -1

    def add(self, rows: Rows, weight: Tensor) -> None:
        """Append rows; a backward pass that finds no accumulated gradient begins anew.

        Both forms of ``zero_grad`` are seen (None, zeros). Several forward passes in one backward pass stay together.
        """
        task: int = torch._C._current_graph_task_id()
        if task != self._task and (weight.grad is None or not bool(weight.grad.any())):
            self.rows.clear()
        self._task = task
        self.rows.append(rows)

    def take(self) -> list[Rows]:
        """Return the rows and forget them."""
        rows, self.rows = self.rows, []
        return rows

    def __len__(self) -> int:
        return len(self.rows)

    def __deepcopy__(self, memo: dict[int, Any]) -> Captured:
        return Captured()

    def __reduce__(self) -> tuple[type[Captured], tuple[()]]:
        return Captured, ()


@dataclass(eq=False)
class Link:
    """What is known of one forward pass of one layer: hangs on the autograd node of Z, or of what Z became."""

    layer: BinaryLayer
    x: Tensor
    window: float
    slope: Tensor | None = None
    channel: int = -1
    exact: bool = True
    signed: bool = False
    refusal: str = ""
    grad_y: Tensor | None = None

    def at_y(self, grad: Tensor) -> None:
        self.grad_y = grad.detach()

    def at_z(self, grad: Tensor) -> None:
        """Deliver: autograd reaches Z after Y."""
        arrived = self.grad_y if self.signed and self.grad_y is not None else grad.detach()
        self.grad_y = None
        target = -arrived
        exact = self.exact
        if self.slope is not None:
            # σ(−z) = −σ(z) unless z = 0, which ±1 rows of odd length never give
            exact = exact and (self.layer.fan_in % 2 == 1 or bool((self.slope > 0).all()))
            shape = [1] * target.ndim
            shape[self.channel] = -1
            target = target * torch.where(self.slope >= 0, 1.0, -1.0).to(target).reshape(shape)
        rows = Rows(self.x, target, exact, not self.signed, self.refusal)
        self.layer.captured.add(rows, self.layer.weight)


@torch.compiler.disable
def watch_layer(layer: BinaryLayer, x: Tensor, z: Tensor) -> None:
    """Leave a link on the output of a binary layer; called with gradients enabled."""
    slope = layer.scale
    window = layer.fan_in**0.5 * (1.0 if slope is None else layer.initial_scale)
    link = Link(layer, x.detach(), window, channel=layer.channel, exact=layer.threshold is None)
    if slope is not None:
        link.slope = slope.detach().clone()
    _flag_unsigned(x, f"it reaches {type(layer).__name__} without a SignActivation between them")
    _attach(z, link)
    if layer.training and layer.weight.requires_grad:
        z.register_hook(link.at_z)  # type: ignore[no-untyped-call]


@torch.compiler.disable
def watch_slope(z: Tensor, out: Tensor, slope: Tensor | None, window: float, channel: int, offset: bool) -> None:
    """Carry the link over out = slope·z + offset, one slope a channel, all other dimensions untouched."""
    link = _attached(z)
    if link is None:
        _flag_unsigned(z, "something else comes between it and a scale, threshold or BatchNorm of qproj.nn")
        return
    if slope is not None:
        turned = torch.where(slope.detach() >= 0, 1.0, -1.0)
        link.slope = turned if link.slope is None else link.slope * turned
        if bool((slope == 0).any()):
            link.refusal = "a slope after it is 0, so its sign decides nothing: keep scales away from 0"
    link.channel = channel
    link.exact = link.exact and not offset
    if window > 0:
        link.window = window
    elif slope is not None:
        link.window *= float(slope.detach().abs().mean())
    _attach(out, link)


@torch.compiler.disable
def watch_sign(z: Tensor, y: Tensor) -> None:
    """Tell the link that σ is taken here: T = −∂L/∂Y."""
    link = _attached(z)
    if link is None:
        _flag_unsigned(
            z, "an operation between it and its SignActivation is unknown (qproj.nn has BatchNorm, Scale, Threshold)"
        )
    elif link.signed:
        link.refusal = "two SignActivations take its output: T would belong to two places"
    else:
        link.signed = True
        y.register_hook(link.at_y)  # type: ignore[no-untyped-call]
    if y.grad_fn is not None:
        _notes(y.grad_fn)[_KEY] = {}  # signed from here on: walks stop


@torch.compiler.disable
def bind_window(z: Tensor) -> float:
    """Return √d of the layer that made z, in units of z."""
    link = _attached(z)
    if link is None:
        raise ValueError(
            "SignActivation() found no binary layer directly before it; √fan_in is its default window: "
            "give SignActivation(fan_in) or SignActivation(clip=…)"
        )
    return link.window


def _notes(node: Any) -> dict[str, Any]:
    """Return the dictionary that every autograd node carries (a property; torch's stub calls it a method)."""
    notes: dict[str, Any] = node.metadata
    return notes


def _attach(z: Tensor, link: Link) -> None:
    if z.grad_fn is not None:
        _notes(z.grad_fn).setdefault(_KEY, {})[z.output_nr] = link


def _attached(z: Tensor) -> Link | None:
    if z.grad_fn is None:
        return None
    found: Link | None = _notes(z.grad_fn).get(_KEY, {}).get(z.output_nr)
    return found


def _flag_unsigned(x: Tensor, why: str) -> None:
    """Refuse every layer whose Z reaches x by a path without σ."""
    seen: set[Any] = set()
    todo: list[tuple[Any, int]] = [(x.grad_fn, x.output_nr)]
    while todo:
        node, output = todo.pop()
        if node is None or (node, output) in seen:
            continue
        seen.add((node, output))
        links = _notes(node).get(_KEY)
        if links is None:
            todo.extend(node.next_functions)
        elif output in links:
            links[output].refusal = why
