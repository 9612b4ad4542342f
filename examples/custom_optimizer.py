"""I have my own optimiser: what are the two lines that make its network binary?"""

import torch
from sklearn.datasets import load_digits

from qproj.nn import BinaryLinear, SignActivation
from qproj.optim import project_grad_

digits = load_digits()
keep = (digits.target == 0) | (digits.target == 2)
x = torch.tensor(digits.data[keep] > 7).float() * 2 - 1
y = torch.tensor(digits.target[keep] == 2).float()[:, None]


class OrthogonalMomentum(torch.optim.Optimizer):
    """Momentum whose matrices are made orthogonal before the step, in the manner of Muon."""

    def __init__(self, params, lr=0.02, beta=0.9):
        super().__init__(params, {"lr": lr, "beta": beta})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - group["beta"])
                u, _, vh = torch.linalg.svd(mean, full_matrices=False)
                p.add_(u @ vh, alpha=-group["lr"] * max(p.shape) ** 0.5)


def train(name, make):
    torch.manual_seed(0)
    model = torch.nn.Sequential(BinaryLinear(64, 16), SignActivation(), BinaryLinear(16, 1))
    optimizer = make(model.parameters())
    for _ in range(3):
        for rows in torch.randperm(240).split(24):
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(model(x[rows]) / 4, y[rows]).backward()
            project_grad_(model, solver="auto")  # the other line is its import
            optimizer.step()
    model.eval()
    right = ((model(x[240:]) >= 0) == (y[240:] > 0.5)).float().mean()
    print(f"{name:12} test accuracy {right:.3f}, all weights ±1")


train("AdamW", lambda p: torch.optim.AdamW(p, lr=0.02))
train("SGD momentum", lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9))
train("orthogonal", OrthogonalMomentum)
