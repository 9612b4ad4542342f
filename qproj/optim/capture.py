"""The rows of one forward and backward pass, for saving instances rather than for training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType

from torch import nn

from qproj.nn.binary_layer import binary_layers
from qproj.optim.batch import Batch, gather


class capture(Mapping[str, Batch]):
    """Collect X and T = −∂L/∂Y of every binary layer over one ``with`` block; nothing stays on the model afterwards.

    Parameters
    ----------
    model : Module
        In training mode.

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

    def __init__(self, model: nn.Module) -> None:
        self._layers = binary_layers(model)
        if not all(layer.training for layer in self._layers.values()):
            raise ValueError("the model is in evaluation mode, where layers keep nothing: call model.train() first")
        self._batches: dict[str, Batch] = {}

    def __enter__(self) -> capture:
        for layer in self._layers.values():
            layer.captured.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        taken = {name: layer.captured.take() for name, layer in self._layers.items()}
        if kind is None:
            self._batches = {name: gather(name, self._layers[name], rows) for name, rows in taken.items() if rows}

    def __getitem__(self, name: str) -> Batch:
        return self._batches[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)
