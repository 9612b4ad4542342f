"""What a projection needs of a backward pass: the inputs of each binary layer, and the gradients of its output.

A forward pass in training mode puts a tap on the output of each layer. When the backward pass reaches the tap, the
layer's input and the gradient arrive; they count once the pass has added to ``weight.grad``. So an
``autograd.grad``, a validation pass, or a second backward pass over the same graph adds nothing. Tensors are saved by
autograd, which activation checkpointing recomputes, and nothing is read back from a device.
"""

from __future__ import annotations

import itertools
import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

#: The straight-through window behind everything that is not a binary layer.
DEFAULT_WINDOW = 1.0


@dataclass(eq=False)
class ForwardPass:
    """One forward pass of one layer, and what the modules behind it did to its output.

    Attributes
    ----------
    signed : int
        How many :class:`~qproj.nn.SignActivation` took the output directly.
    grad_y : Tensor or None
        ∂L/∂Y of the activation.
    turn : Tensor or None
        Signs of the slopes between the output and the activation, one per channel.
    exact : bool
        Whether no offset came between, so that the activation's step is at 0.
    counted : bool
        Whether its rows were recorded already.
    """

    channel: int
    signed: int = 0
    grad_y: Tensor | None = None
    turn: Tensor | None = None
    exact: bool = True
    counted: bool = False

    def at_output(self, grad: Tensor) -> None:
        """Keep ∂L/∂Y."""
        self.grad_y = grad.detach()


@dataclass(frozen=True, eq=False)
class RecordedRows:
    """One recorded pass of one layer.

    Attributes
    ----------
    x : Tensor
        The layer's input, as it came.
    grad : Tensor or None
        ∂L/∂Z in the shape of the layer's output, Z = X Wᵀ; None where no targets are kept.
    forward : ForwardPass
    """

    x: Tensor
    grad: Tensor | None
    forward: ForwardPass


@dataclass(eq=False)
class Mark:
    """What a layer's output carries to the module that takes it directly."""

    window: float = DEFAULT_WINDOW
    forward: ForwardPass | None = None


def set_mark(z: Tensor, mark: Mark) -> Tensor:
    """Attach a mark to a tensor, and return the tensor."""
    marked: Any = z
    marked._qproj_mark = mark
    return z


def mark_of(z: Tensor) -> Mark:
    """Return the mark of a tensor; one that another operation made has the default window."""
    mark: Mark | None = getattr(z, "_qproj_mark", None)
    return Mark() if mark is None else mark


class _Tap(torch.autograd.Function):
    """The identity on z, in place; its backward pass hands x and ∂L/∂z to the recorder."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, x: Tensor, recorder: Recorder, forward: ForwardPass) -> Tensor:
        ctx.recorder, ctx.forward = recorder, forward
        ctx.save_for_backward(x)
        ctx.mark_dirty(z)  # no view: in-place operations may follow
        return z

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        ctx.recorder.arrive(ctx.saved_tensors[0], grad, ctx.forward)
        return grad, None, None, None


class Recorder:
    """The rows that reached one layer since its gradient was last zero; owned by the layer, never saved or copied.

    Attributes
    ----------
    keeps_targets : bool
        Whether ∂L/∂Z is kept too, which sign and margin projections need.
    rows : list of RecordedRows
    """

    def __init__(self, channel: int = -1) -> None:
        self.channel = channel
        self.keeps_targets = True
        self.rows: list[RecordedRows] = []
        self._arrived: list[tuple[int, RecordedRows]] = []
        self._weight: weakref.ref[nn.Parameter] | None = None
        self._grad: tuple[int, int] | None = None
        self._handle = next(_HANDLES)
        _RECORDERS[self._handle] = self

    def watch(self, weight: nn.Parameter) -> None:
        """Count passes when they have added to the gradient of `weight`; repeated calls change nothing."""
        if self._weight is None or self._weight() is not weight:
            weight.register_post_accumulate_grad_hook(self._accumulated)  # type: ignore[no-untyped-call]
            self._weight = weakref.ref(weight)

    def tap(self, z: Tensor, x: Tensor, weight: nn.Parameter) -> tuple[Tensor, ForwardPass | None]:
        """Return z, tapped, and the record of this forward pass; `weight` is the leaf whose gradient counts.

        A compiled pass has no record: its targets are those at Z.
        """
        if torch.compiler.is_compiling():
            tapped: Tensor = _compiled_tap(z, x.detach(), self._handle)
            return tapped, None
        self.watch(weight)
        if weight.grad is None:
            self.rows.clear()  # those of a backward pass whose gradient was never projected
        forward = ForwardPass(self.channel)
        tapped = _Tap.apply(z, x.detach(), self, forward)  # type: ignore[no-untyped-call]
        return tapped, forward

    def arrive(self, x: Tensor, grad: Tensor, forward: ForwardPass) -> None:
        """Note that a backward pass has reached a tap."""
        rows = RecordedRows(x, grad.detach() if self.keeps_targets else None, forward)
        self._arrived.append((torch._C._current_graph_task_id(), rows))

    def _accumulated(self, weight: Tensor) -> None:
        """Count what arrived in this backward pass; gradients that were zeroed since the last one begin a new sum."""
        task = torch._C._current_graph_task_id()
        arrived = [rows for number, rows in self._arrived if number == task and not rows.forward.counted]
        self._arrived.clear()
        grad = weight.grad
        assert grad is not None
        known = self._grad
        self._grad = (id(grad), grad._version)
        if known is None or self._grad != (known[0], known[1] + 1):  # zeroed, or changed otherwise, in between
            self.rows.clear()
        for rows in arrived:
            rows.forward.counted = True
        self.rows += arrived

    def take(self) -> list[RecordedRows]:
        """Return the rows and forget them."""
        rows, self.rows = self.rows, []
        self._grad = None
        return rows

    def __len__(self) -> int:
        return len(self.rows)

    def __deepcopy__(self, memo: dict[int, Any]) -> Recorder:
        return Recorder(self.channel)

    def __reduce__(self) -> tuple[type[Recorder], tuple[int]]:
        return Recorder, (self.channel,)


@torch.library.custom_op("qproj::tap", mutates_args=())
def _compiled_tap(z: Tensor, x: Tensor, handle: int) -> Tensor:
    """The identity on z for compiled models, whose backward pass hands x and ∂L/∂z to a recorder."""
    return z.clone()


@torch.library.custom_op("qproj::arrive", mutates_args=())
def _compiled_arrival(grad: Tensor, x: Tensor, handle: int) -> Tensor:
    recorder = _RECORDERS.get(handle)
    if recorder is not None:  # compiled code reuses its memory, so the tensors are copied
        recorder.arrive(x.clone(), grad.clone(), ForwardPass(recorder.channel))
    return grad.clone()


def _keep_input(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
    _, x, ctx.handle = inputs
    ctx.save_for_backward(x)


def _pass_on(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
    return _compiled_arrival(grad, ctx.saved_tensors[0], ctx.handle), None, None


_compiled_tap.register_fake(lambda z, x, handle: torch.empty_like(z))
_compiled_arrival.register_fake(lambda grad, x, handle: torch.empty_like(grad))
_compiled_tap.register_autograd(_pass_on, setup_context=_keep_input)
_RECORDERS: weakref.WeakValueDictionary[int, Recorder] = weakref.WeakValueDictionary()
_HANDLES = itertools.count()


def is_traced(value: Any) -> bool:
    """Return whether a pass is only traced, by torch.fx or torch.jit: its values have no marks and no hooks."""
    return isinstance(value, torch.fx.Proxy) or bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]


def records(z: Tensor, weight: Any) -> bool:
    """Return whether a pass is to be recorded: gradients are wanted, and no function transform is at work."""
    return (
        torch.is_grad_enabled()
        and not is_traced(z)
        and isinstance(weight, nn.Parameter)
        and weight.requires_grad
        and not torch._C._are_functorch_transforms_active()
    )
