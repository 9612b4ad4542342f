"""Layers captured from a real forward and backward pass: a small network of ±1 weights and σ, in numpy.

h_0 = x ∈ {±1}^d, z_l = sign(W_l) h_{l−1}, h_l = σ(z_l) with σ(0) = +1, and a linear head,
scores = sign(W_L) h_{L−1}/√d. Backward, σ passes gradients straight through where |z| ≤ √d (d the layer's fan-in).
Latent weights take sign steps of a fixed size within [−1, 1]. What is captured of a layer is its input X = h_{l−1} and
T = −∂L/∂Y of Y = h_l.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qproj._arrays import FloatArray, SignArray, as_matrix, is_sign_matrix
from qproj.lab.datasets.instances import LayerInstance

_CHUNK = 4096


@dataclass(frozen=True)
class Capture:
    """What to train and when to look.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers, each followed by σ; these are captured.
    batch : int
        Rows of a batch, hence of every captured X.
    steps : tuple of int
        The steps at which all hidden layers are captured; step 0 sees the initial weights.
    lr : float
        Step size of the latent weights, which live in [−1, 1].
    seed : int
        Of the initial weights and of the order of batches.

    Raises
    ------
    ValueError
        No hidden layer, a width, batch or step out of range, or an lr outside (0, 1].
    """

    hidden: tuple[int, ...]
    batch: int
    steps: tuple[int, ...]
    lr: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for label, values, low in (("hidden", self.hidden, 1), ("steps", self.steps, 0), ("batch", (self.batch,), 1)):
            if not values or any(not isinstance(v, int) or v < low for v in values):
                raise ValueError(f"{label} is {values}; whole numbers from {low} on are needed, at least one")
        if not 0.0 < self.lr <= 1.0:
            raise ValueError(f"lr is {self.lr}; a number in (0, 1] is needed, such as 0.05")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it has to be 0 or more")


@dataclass(frozen=True, eq=False)
class BackwardPass:
    """One forward and backward pass: per hidden layer its inputs and −∂L/∂Y, and every layer's weight gradient.

    Attributes
    ----------
    inputs : list of (n, d_l) int8
        Of every layer, the head last.
    targets : list of (n, dout_l) float64
        −∂L/∂Y of every hidden layer.
    gradients : list of (dout_l, d_l) float64
        ∂L/∂sign(W) of every layer, the head last.
    loss : float
        Mean loss of the batch.
    """

    inputs: list[SignArray]
    targets: list[FloatArray]
    gradients: list[FloatArray]
    loss: float


def forward_backward(weights: Sequence[NDArray[Any]], X: SignArray, y: NDArray[np.int64]) -> BackwardPass:
    """Run the network of the given latent weights on one batch and send the mean loss's gradient back.

    Two columns in the head and more: softmax cross-entropy. One column: the logistic loss of labels 0 and 1.
    """
    signs = [np.where(W >= 0, 1.0, -1.0) for W in weights]
    inputs, slopes = [X.astype(np.float64)], []
    for S in signs[:-1]:
        Z = inputs[-1] @ S.T
        slopes.append(np.abs(Z) <= np.sqrt(S.shape[1]))
        inputs.append(np.where(Z >= 0, 1.0, -1.0))
    head = signs[-1]
    scale = 1.0 / np.sqrt(head.shape[1])
    loss, gradient = _loss(inputs[-1] @ head.T * scale, y)
    delta = gradient * scale
    gradients, targets = [delta.T @ inputs[-1]], []
    for layer in range(len(signs) - 2, -1, -1):
        at_output = delta @ signs[layer + 1]
        targets.append(-at_output)
        delta = at_output * slopes[layer]
        gradients.append(delta.T @ inputs[layer])
    return BackwardPass([h.astype(np.int8) for h in inputs], targets[::-1], gradients[::-1], loss)


def _loss(scores: FloatArray, y: NDArray[np.int64]) -> tuple[float, FloatArray]:
    """Return (mean loss, its gradient with respect to the scores)."""
    n = len(scores)
    if scores.shape[1] == 1:
        margin = scores[:, 0] * (2 * y - 1)
        pull = -(2 * y - 1) / (1.0 + np.exp(margin))
        return float(np.logaddexp(0.0, -margin).mean()), pull[:, None] / n
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    chances = np.exp(logs)
    chances[np.arange(n), y] -= 1.0
    return float(-logs[np.arange(n), y].mean()), chances / n


def initial_weights(widths: Sequence[int], seed: int) -> list[FloatArray]:
    """Return latent weights (dout, d) of every layer, uniform in [−0.5, 0.5]."""
    rng = np.random.default_rng([seed, 1])
    return [rng.uniform(-0.5, 0.5, (out, into)) for into, out in pairwise(widths)]


def batches(rows: int, size: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """Yield row numbers of batches without end: a new order each epoch, incomplete batches left out."""
    rng = np.random.default_rng([seed, 2])
    while True:
        order = rng.permutation(rows)
        for start in range(0, rows - size + 1, size):
            yield order[start : start + size]


def capture_layers(X: ArrayLike, y: ArrayLike, what: Capture, *, source: str) -> list[LayerInstance]:
    """Train a ±1 network on X (N, d) ∈ {±1}, labels y (N,) from 0, and return its hidden layers at `what.steps`.

    Deterministic: one seed gives one result. ``meta`` states step, layer, depth, widths, batch, lr, seed, loss,
    accuracy on the training rows, and how many neurons have targets that are all zero (they are kept: they occur).

    Raises
    ------
    TypeError, ValueError
        X not ±1, labels not 0…k−1, or a batch larger than the data.
    """
    rows, labels = _checked_data(X, y, what.batch)
    classes = int(labels.max()) + 1
    widths = (rows.shape[1], *what.hidden, 1 if classes <= 2 else classes)
    weights = initial_weights(widths, what.seed)
    wanted = set(what.steps)
    layers: list[LayerInstance] = []
    for step, picked in enumerate(batches(len(rows), what.batch, what.seed)):
        now = forward_backward(weights, rows[picked], labels[picked])
        if step in wanted:
            facts = {"step": step, "loss": now.loss, "accuracy": accuracy(weights, rows, labels)}
            layers += _instances(now, widths, what, source, facts)
        if step >= max(wanted):
            return layers
        for W, gradient in zip(weights, now.gradients, strict=True):
            np.clip(W - what.lr * np.sign(gradient), -1.0, 1.0, out=W)
    raise AssertionError("batches never end")


def _instances(
    now: BackwardPass, widths: Sequence[int], what: Capture, source: str, facts: dict[str, int | float]
) -> list[LayerInstance]:
    net = "-".join(map(str, widths))
    layers = []
    for number, (inputs, targets) in enumerate(zip(now.inputs, now.targets, strict=False), start=1):
        meta: dict[str, str | int | float] = {
            **facts, "layer": number, "depth": len(widths) - 1, "widths": net, "batch": what.batch, "lr": what.lr,
            "seed": what.seed, "zero_neurons": int((targets == 0).all(axis=0).sum()),
        }  # fmt: skip
        name = f"{source}/mlp-{net}/n{what.batch}/layer{number}/step{facts['step']}/seed{what.seed}"
        layers.append(LayerInstance(name, inputs, targets, source=source, meta=meta))
    return layers


def accuracy(weights: Sequence[NDArray[Any]], X: SignArray, y: NDArray[np.int64]) -> float:
    """Return the share of rows that the network of the given latent weights labels right."""
    signs = [np.where(W >= 0, np.float32(1), np.float32(-1)) for W in weights]
    right = 0
    for start in range(0, len(X), _CHUNK):  # all of MNIST at once would take hundreds of MiB
        h = X[start : start + _CHUNK].astype(np.float32)  # whole numbers below 2^24: exact
        for S in signs[:-1]:
            h = np.where(h @ S.T >= 0, np.float32(1), np.float32(-1))
        scores = h @ signs[-1].T
        found = scores.argmax(axis=1) if scores.shape[1] > 1 else scores[:, 0] >= 0
        right += int((found == y[start : start + _CHUNK]).sum())
    return right / len(X)


def _checked_data(X: ArrayLike, y: ArrayLike, batch: int) -> tuple[SignArray, NDArray[np.int64]]:
    rows = as_matrix(X, "X")
    if not is_sign_matrix(rows):
        raise ValueError("X holds entries other than -1 and +1; threshold it first: numpy.where(X > t, 1, -1)")
    labels = np.asarray(y)
    if labels.shape != (len(rows),) or labels.dtype.kind not in "iu":
        raise ValueError(f"y has shape {labels.shape} and dtype {labels.dtype}; {len(rows)} whole numbers are needed")
    if labels.min() < 0 or labels.max() < 1:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}; they start at 0 and are two or more")
    if batch > len(rows):
        raise ValueError(f"batch is {batch} and X has {len(rows)} rows; choose a smaller batch")
    return rows.astype(np.int8), labels.astype(np.int64)
