"""Small networks and batches that the tests of qproj.optim share."""

import torch
from torch import nn

from qproj.nn import BatchNorm1d, BinaryLinear, SignActivation


def signs(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.where(torch.rand(shape, generator=generator) < 0.5, -1.0, 1.0)


def plain(seed=0, **options):
    torch.manual_seed(seed)
    return nn.Sequential(BinaryLinear(9, 5, **options), SignActivation(), BinaryLinear(5, 1, **options))


def mixed(seed=0):
    """Return a net with float parameters of every sort."""
    torch.manual_seed(seed)
    return nn.Sequential(
        BinaryLinear(9, 5, bias=True),
        BatchNorm1d(5),
        SignActivation(),
        BinaryLinear(5, 4, scale=True),
        nn.Linear(4, 1),
    )


def loss_of(model, seed=0, rows=12):
    x = signs(rows, 9, seed=seed)
    y = torch.where(x[:, :3].sum(1) > 0, 1.0, -1.0)
    return nn.functional.softplus(-y * model(x)[:, 0] / 3).mean()
