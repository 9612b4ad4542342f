"""Can a network of torch's own layers train with ±1 weights?

Three float networks become binary by one call each: the first and the last layer, biases and normalisations stay
float. Each is trained on the ten digits twice, from the same start and on the same batches: by SGD on projected
gradients, and by Adam on latent weights with the straight-through gradient. Step sizes, one choice for all three
networks, are those that did best on 200 images of the training part: of 32 settings for the first (η, that of float
parameters, τ) and of 9 for the second, whose best step size of float parameters was the largest tried.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

from qproj.nn import binarize_, binary_layers
from qproj.optim import LatentAdam, project_grad_

EPOCHS, BATCH, SEEDS = 8, 64, (0, 1)

digits = load_digits()
order = torch.randperm(len(digits.target), generator=torch.Generator().manual_seed(0))
x = torch.tensor(digits.images / 8.0 - 1.0, dtype=torch.float32)[order, None]
y = torch.tensor(digits.target)[order]
train, test = slice(0, 1297), slice(1297, None)


def conv(channels_in, channels_out):
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.BatchNorm2d(channels_out), nn.ReLU())


def vgg():
    return nn.Sequential(
        conv(1, 16), conv(16, 16), nn.MaxPool2d(2), conv(16, 32), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(128, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 10),
    )  # fmt: skip


class Residual(nn.Module):
    """Convolutions whose output is added to their input."""

    def __init__(self):
        super().__init__()
        self.stem = conv(1, 16)
        self.blocks = nn.ModuleList(nn.Sequential(conv(16, 16), conv(16, 16)) for _ in range(2))
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 10))

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = nn.functional.max_pool2d(x + block(x), 2)
        return self.head(x)


class Transformer(nn.Module):
    """One block of attention over the eight rows of an image; its MLP becomes binary."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 32)
        self.place = nn.Parameter(torch.zeros(8, 32))
        self.first, self.second = nn.LayerNorm(32), nn.LayerNorm(32)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(32, 128), nn.GELU(), nn.Linear(128, 32), nn.LayerNorm(32))
        self.head = nn.Linear(256, 10)

    def forward(self, x):
        x = self.embed(x[:, 0]) + self.place
        z = self.first(x)
        x = x + self.attention(z, z, z, need_weights=False)[0]
        return self.head((x + self.mlp(self.second(x))).flatten(1))


def fit(make, seed, projected):
    torch.manual_seed(seed)
    model = make()
    part = model.mlp if isinstance(model, Transformer) else model
    ends = isinstance(model, Transformer)  # the ends of an MLP inside a block are no ends of the network
    binarize_(part, first=ends, last=ends)
    if projected:
        binary = [layer.weight for layer in binary_layers(model).values()]
        rest = [p for p in model.parameters() if not any(p is weight for weight in binary)]
        optimizer = torch.optim.SGD([
            {"params": binary, "lr": 0.05},
            {"params": rest, "lr": 0.02, "momentum": 0.9},
        ])  # fmt: skip
    else:
        optimizer = LatentAdam(model, lr=0.01, float_lr=0.01)
    batches = EPOCHS * (len(x[train]) // BATCH)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, batches)
    losses = []
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x[train])).split(BATCH)[:-1]:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            if projected:
                project_grad_(model)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        right = (model(x[test]).argmax(1) == y[test]).float().mean().item()
    return losses, right, sum(layer.weight.numel() for layer in binary_layers(model).values())


print(f"{'network':12} {'±1 weights':>10} {'loss':>16} {'SGD + project_grad_':>21} {'STE-Adam':>10}")
gains = []
for make in (vgg, Residual, Transformer):
    right = {}
    for projected in (True, False):
        runs = [fit(make, seed, projected) for seed in SEEDS]
        right[projected] = sum(run[1] for run in runs) / len(SEEDS)
        first, last = (
            sum(sum(losses[part]) for losses, _, _ in runs) / (10 * len(SEEDS))
            for part in (slice(10), slice(-10, None))
        )
        assert last < 0.5 * first, f"{make.__name__}: the loss went from {first:.3f} to {last:.3f}"
        if projected:
            row = f"{make.__name__.lower():12} {runs[0][2]:>10} {first:>8.3f} → {last:.3f}"
    print(f"{row} {right[True]:>21.3f} {right[False]:>10.3f}")
    gains.append(right[True] - right[False])

print(
    f"Loss: means of the first and the last ten steps of SGD. Accuracy: {len(y[test])} test images, mean of "
    f"{len(SEEDS)} seeds.\nProjected gradients minus STE-Adam: {min(gains):+.3f} to {max(gains):+.3f}. Differences "
    "below 0.01, five images, show no winner."
)
