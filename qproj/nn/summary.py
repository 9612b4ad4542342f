"""What a model is made of: binary and float parameters, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from qproj.nn.binary_layer import BinaryLayer, binary_layers


@dataclass(frozen=True)
class LayerSummary:
    """One module that owns parameters."""

    name: str
    kind: str
    fan_in: int | None
    fan_out: int | None
    binary: int
    floats: int


@dataclass(frozen=True)
class ModelSummary:
    """Counts of a model; ``str()`` makes a table.

    Attributes
    ----------
    layers : tuple of LayerSummary
    binary, floats : int
        Numbers of ±1 and of float parameters.
    """

    layers: tuple[LayerSummary, ...]
    binary: int
    floats: int

    @property
    def bytes(self) -> int:
        """Size of the trained model: a bit a binary weight, rounded up, 4 bytes a float."""
        return (self.binary + 7) // 8 + 4 * self.floats

    def __str__(self) -> str:
        lines = [f"{'layer':<20} {'kind':<16} {'d → dout':>14} {'±1':>10} {'float':>8}"]
        for layer in self.layers:
            shape = "" if layer.fan_in is None else f"{layer.fan_in} → {layer.fan_out}"
            lines.append(f"{layer.name:<20} {layer.kind:<16} {shape:>14} {layer.binary:>10} {layer.floats:>8}")
        lines.append(f"{'total':<52} {self.binary:>10} {self.floats:>8}")
        return "\n".join(lines)


def model_summary(model: nn.Module) -> ModelSummary:
    """Return the numbers of ±1 and float parameters of a model, module by module.

    Raises
    ------
    TypeError, ValueError
        As :func:`~qproj.nn.binary_layers`.

    Examples
    --------
    >>> from torch import nn
    >>> from qproj.nn import BinaryLinear, SignActivation
    >>> model = nn.Sequential(BinaryLinear(64, 32), SignActivation(), BinaryLinear(32, 1, bias=True))
    >>> summary = model_summary(model)
    >>> summary.binary, summary.floats, summary.bytes
    (2080, 1, 264)
    """
    binary_layers(model)  # refuses anything but a model
    layers = []
    for name, module in model.named_modules():
        own = sum(p.numel() for p in module.parameters(recurse=False))
        if own == 0:
            continue
        is_binary = isinstance(module, BinaryLayer)
        binary = module.weight.numel() if is_binary else 0
        d, dout = (module.fan_in, module.fan_out) if is_binary else (None, None)
        layers.append(LayerSummary(name or "(model)", type(module).__name__, d, dout, binary, own - binary))
    return ModelSummary(tuple(layers), sum(x.binary for x in layers), sum(x.floats for x in layers))
