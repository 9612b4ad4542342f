"""From the recorded rows of a layer to the X and T of its projection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qproj._arrays import FloatArray, SignArray
from qproj.nn.binary_layer import BinaryLayer, binary_layers
from qproj.nn.recording import RecordedRows

TARGETS = ("preactivations", "outputs")


@dataclass(frozen=True, eq=False)
class Batch:
    """X and T of one layer over all recorded passes.

    Attributes
    ----------
    X : (n, d)
        int8 where all entries are ±1, else float64.
    T : (n, dout) float64
        −∂L/∂Z, or −∂L/∂Y.
    exact, implicit : bool
        As in :class:`~qproj.optim.LayerReport`.
    """

    X: NDArray[Any]
    T: FloatArray
    exact: bool
    implicit: bool


def gather(
    name: str, layer: BinaryLayer, recorded: list[RecordedRows], targets: str, picked: NDArray[np.intp] | None = None
) -> Batch:
    """Return the rows of all passes, one below the other.

    Parameters
    ----------
    picked : (k,) of int, ascending
        Which of all rows; every one without.
    targets : {"preactivations", "outputs"}
        T = −∂L/∂Z with the straight-through window inside; or T = −∂L/∂Y where one SignActivation takes the layer's
        output directly, and −∂L/∂Z elsewhere.

    Raises
    ------
    ValueError
        Nothing was recorded, or it cannot be projected; the message names the change that helps.
    """
    require_rows(name, recorded)
    if layer.groups > 1:
        raise ValueError(
            f"layer {name!r} has {layer.groups} groups, whose neurons see different inputs; use projection='curvature'"
        )
    if any(rows.grad is None for rows in recorded):
        raise ValueError(
            f"layer {name!r} kept no targets in this backward pass, since the curvature projection does not need them: "
            "make the Projector before the backward pass"
        )
    outputs = targets == "outputs" and all(rows.forward.grad_y is not None for rows in recorded)
    outputs = outputs and all(rows.forward.signed == 1 for rows in recorded)
    parts: list[tuple[NDArray[Any], NDArray[Any]]] = []
    first = 0
    for rows in recorded:
        at, count = None, layer.num_rows(rows.x)
        if picked is not None:
            low, high = np.searchsorted(picked, (first, first + count))
            at = torch.from_numpy(picked[low:high] - first).to(rows.x.device)
        target = layer.output_rows(_target(rows, outputs))
        parts.append((_numpy(layer.rows(rows.x, at)[:, 0]), _numpy(target if at is None else target[at])))
        first += count
    X, T = (np.concatenate(columns) for columns in zip(*parts))
    T = T.astype(np.float64)
    if not np.isfinite(T).all():
        raise ValueError(f"layer {name!r} has targets that are not finite: the loss diverged; lower the step size")
    exact = all(_is_exact(rows, layer.fan_in) for rows in recorded)
    return Batch(_small(X), T, exact, not outputs)


def require_rows(name: str, recorded: list[RecordedRows]) -> None:
    """Raise ValueError for a layer whose last backward pass recorded nothing."""
    if not recorded:
        raise ValueError(
            f"layer {name!r} has a gradient but no recorded rows: run forward and backward in training mode "
            "(model.train()) once before each projection"
        )


def _target(rows: RecordedRows, outputs: bool) -> Tensor:
    if not outputs:
        assert rows.grad is not None
        return -rows.grad
    assert rows.forward.grad_y is not None
    target = -rows.forward.grad_y
    if rows.forward.turn is None:
        return target
    shape = [1] * target.ndim
    shape[rows.forward.channel] = -1
    return target * rows.forward.turn.to(target).reshape(shape)


def _is_exact(rows: RecordedRows, fan_in: int) -> bool:
    """Return whether σ(slope·z + offset) = ±σ(z) for every z: σ(−z) = −σ(z) unless z = 0, which odd ±1 rows exclude."""
    turn = rows.forward.turn
    return rows.forward.exact and (turn is None or fan_in % 2 == 1 or bool((turn > 0).all()))


def _numpy(value: Tensor) -> NDArray[Any]:
    value = value.detach()
    if value.element_size() < 4 and value.is_floating_point():
        value = value.float()  # numpy has no bfloat16
    array: NDArray[Any] = value.cpu().numpy()
    return array


def _small(X: NDArray[Any]) -> NDArray[Any]:
    if not bool((np.abs(X) == 1).all()):
        return X.astype(np.float64)
    signs: SignArray = X.astype(np.int8)
    return signs


class capture(Mapping[str, Batch]):
    """Collect X and T of every binary layer over one ``with`` block; nothing stays on the model afterwards.

    Parameters
    ----------
    model : Module
        In training mode.
    targets : {"outputs", "preactivations"}
        T = −∂L/∂Y as in the article, or −∂L/∂Z.

    Examples
    --------
    >>> import torch
    >>> from qproj.nn import BinaryLinear
    >>> model = BinaryLinear(8, 2)
    >>> with capture(model) as batch:
    ...     model(torch.ones(4, 8)).square().mean().backward()
    >>> batch[""].X.shape, batch[""].T.shape
    ((4, 8), (4, 2))
    """

    def __init__(self, model: nn.Module, targets: str = "outputs") -> None:
        check_targets(targets)
        self._layers, self._targets = binary_layers(model), targets
        if not all(layer.training for layer in self._layers.values()):
            raise ValueError("the model is in evaluation mode, where layers keep nothing: call model.train() first")
        self._batches: dict[str, Batch] = {}
        self._kept: dict[str, bool] = {}

    def __enter__(self) -> capture:
        for name, layer in self._layers.items():
            layer.recorder.take()
            self._kept[name], layer.recorder.keeps_targets = layer.recorder.keeps_targets, True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        taken = {name: layer.recorder.take() for name, layer in self._layers.items()}
        for name, layer in self._layers.items():
            layer.recorder.keeps_targets = self._kept[name]
        if kind is None:
            self._batches = {
                name: gather(name, self._layers[name], rows, self._targets) for name, rows in taken.items() if rows
            }

    def __getitem__(self, name: str) -> Batch:
        return self._batches[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)


def check_targets(targets: str) -> None:
    """Refuse an unknown kind of targets."""
    if targets not in TARGETS:
        raise ValueError(f"targets is {targets!r}; {' and '.join(map(repr, TARGETS))} are allowed")


def signs_of(weight: Tensor, neurons: int) -> SignArray:
    """Return σ(W), (neurons, d), on the host."""
    with torch.no_grad():
        values = weight.detach().double().cpu().numpy().reshape(neurons, -1)
    return np.where(values >= 0, np.int8(1), np.int8(-1))
