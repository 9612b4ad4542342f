"""The network of an experiment, its loss and its accuracy."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qproj.lab.training.data import Data
from qproj.lab.training.experiments import Experiment
from qproj.nn import BinaryConv2d, BinaryGCNConv, BinaryLinear, SignActivation

_CHUNK = 2048


class GraphNetwork(nn.Module):
    """Layers on nodes: Z = Â^hops x σ(W)ᵀ first, then Â y σ(W)ᵀ."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(BinaryGCNConv(a, b) for a, b in pairwise(widths))
        self.signs = nn.ModuleList(SignActivation(a) for a in widths[:-2])

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Return the scores of all nodes; x was mixed before."""
        z: Tensor = self.layers[0](x)
        for activation, layer in zip(self.signs, list(self.layers)[1:]):
            z = layer(activation(z), adjacency)
        return z


def _convolutional(channels: tuple[int, ...], data: Data) -> nn.Module:
    """A float convolution, binary ones with pooling, BatchNorm and σ, and a float linear layer."""
    first, side = channels[0], math.isqrt(data.x.shape[1])
    parts: list[nn.Module] = [
        nn.Unflatten(1, (1, side, side)), nn.Conv2d(1, first, 3, padding=1), nn.BatchNorm2d(first), SignActivation(),
    ]  # fmt: skip
    for a, b in zip((first, *channels), channels):
        parts += [BinaryConv2d(a, b, 3, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(b), SignActivation()]
        side //= 2
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(channels[-1] * side * side, data.scores))


def build(experiment: Experiment, data: Data) -> nn.Module:
    """Return the network, its latent weights uniform in ±0.5 from torch's generator."""
    if experiment.conv:
        return _convolutional(experiment.hidden, data)
    widths = (data.x.shape[1], *experiment.hidden, data.scores)
    if data.adjacency is not None:
        return GraphNetwork(widths)
    layers: list[nn.Module] = []
    for a, b in pairwise(widths[:-1]):
        layers += [BinaryLinear(a, b, bias=experiment.thresholds), SignActivation(a)]
    return nn.Sequential(*layers, BinaryLinear(widths[-2], widths[-1], bias=experiment.thresholds))


def scores(model: nn.Module, experiment: Experiment, data: Data, rows: Tensor) -> Tensor:
    """Return (len(rows), scores) floats: the last layer's output times sharpness/√d."""
    z: Tensor = model(data.x, data.adjacency)[rows] if data.adjacency is not None else model(data.x[rows])
    if experiment.conv:
        return z
    width = experiment.hidden[-1] if experiment.hidden else data.x.shape[1]
    scaled: Tensor = z * (experiment.sharpness / math.sqrt(width))
    return scaled


def loss(z: Tensor, y: Tensor) -> Tensor:
    """Return the mean logistic loss of one column, or the mean cross-entropy of several."""
    if z.shape[1] == 1:
        return F.softplus(-z[:, 0] * (2 * y - 1)).mean()
    return F.cross_entropy(z, y)


@torch.no_grad()
def accuracy(model: nn.Module, experiment: Experiment, data: Data, rows: Tensor) -> float:
    """Return the share of rows classified right by σ(W): evaluation mode, ±1 weights in every layer."""
    if len(rows) == 0:
        return math.nan
    training = model.training
    model.eval()
    try:
        right = 0
        for part in (rows,) if data.adjacency is not None else torch.split(rows, _CHUNK):
            z = scores(model, experiment, data, part)
            found = (z[:, 0] >= 0).long() if z.shape[1] == 1 else z.argmax(dim=1)
            right += int((found == data.y[part]).sum())
    finally:
        model.train(training)
    return right / len(rows)
