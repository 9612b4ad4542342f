import numpy as np
import pytest

from qproj.lab.datasets import Capture, capture_layers
from qproj.lab.datasets import captured as module
from qproj.lab.datasets.captured import _loss, accuracy, batches, forward_backward, initial_weights


def data(n=40, d=7, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.choice(np.array([-1, 1], np.int8), (n, d)), rng.integers(0, classes, n)


def slow_pass(weights, X, y):
    """One row and one neuron at a time, the chain rule written out."""
    signs = [[[1.0 if w >= 0 else -1.0 for w in row] for row in W] for W in weights]
    n, depth = len(X), len(weights)
    targets = [np.zeros((n, len(W))) for W in weights[:-1]]
    gradients = [np.zeros(np.shape(W)) for W in weights]
    for i in range(n):
        h, z = [[float(x) for x in X[i]]], []
        for S in signs[:-1]:
            z.append([sum(s * x for s, x in zip(row, h[-1], strict=True)) for row in S])
            h.append([1.0 if value >= 0 else -1.0 for value in z[-1]])
        scale = len(h[-1]) ** -0.5
        scores = np.array([scale * sum(s * x for s, x in zip(row, h[-1], strict=True)) for row in signs[-1]])
        if len(scores) == 1:
            label = 2 * y[i] - 1
            delta = [scale * -label / (1 + np.exp(label * scores[0])) / n]
        else:
            chance = np.exp(scores) / np.exp(scores).sum()
            delta = [scale * (chance[c] - (c == y[i])) / n for c in range(len(scores))]
        for layer in range(depth - 1, -1, -1):
            for j, g in enumerate(delta):
                for k, x in enumerate(h[layer]):
                    gradients[layer][j, k] += g * x
            if layer:
                back = [
                    sum(g * row[k] for g, row in zip(delta, signs[layer], strict=True)) for k in range(len(h[layer]))
                ]
                targets[layer - 1][i] = [-b for b in back]
                width = len(h[layer - 1])
                delta = [b if abs(value) <= width**0.5 else 0.0 for b, value in zip(back, z[layer - 1], strict=True)]
    return targets, gradients


@pytest.mark.parametrize("widths", [(7, 4, 3), (6, 5, 4, 1), (7, 1, 2, 3, 1)])
def test_backward_equals_the_slow_chain_rule(widths):
    X, y = data(12, widths[0], max(2, widths[-1]))
    weights = initial_weights(widths, 3)
    weights[0][0, 0] = 0.0  # σ(0) = +1 for weights as well
    now = forward_backward(weights, X, y)
    targets, gradients = slow_pass(weights, X, y)
    for a, b in zip([*now.targets, *now.gradients], [*targets, *gradients], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
    assert now.inputs[0].dtype == np.int8


@pytest.mark.parametrize("columns", [1, 3])
def test_loss_gradient_by_finite_differences(columns):
    rng = np.random.default_rng(0)
    scores, y = rng.normal(size=(5, columns)), rng.integers(0, max(2, columns), 5)
    _, gradient = _loss(scores, y)
    for place in np.ndindex(scores.shape):
        step = np.zeros_like(scores)
        step[place] = 1e-6
        slope = (_loss(scores + step, y)[0] - _loss(scores - step, y)[0]) / 2e-6
        assert gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_targets_are_minus_the_gradient_at_the_output():
    X, y = data(6, 5, 2)
    weights = initial_weights((5, 4, 1), 0)
    now = forward_backward(weights, X, y)
    hidden = now.inputs[1].astype(float)
    head = np.where(weights[1] >= 0, 1.0, -1.0)
    for place in np.ndindex(hidden.shape):
        step = np.zeros_like(hidden)
        step[place] = 1e-6
        up, down = (_loss((hidden + s) @ head.T / 2, y)[0] for s in (step, -step))
        assert now.targets[0][place] == pytest.approx(-(up - down) / 2e-6, rel=1e-5, abs=1e-10)


@pytest.mark.parametrize("widths", [(7, 5, 3), (7, 5, 1)])
def test_accuracy_in_chunks(widths, monkeypatch):
    X, y = data(50, 7, max(2, widths[-1]))
    weights = initial_weights(widths, 0)
    signs = [np.where(W >= 0, 1, -1) for W in weights]
    scores = np.where(X @ signs[0].T >= 0, 1, -1) @ signs[1].T
    found = scores.argmax(axis=1) if widths[-1] > 1 else scores[:, 0] >= 0
    assert accuracy(weights, X, y) == (found == y).mean()
    monkeypatch.setattr(module, "_CHUNK", 7)
    assert accuracy(weights, X, y) == (found == y).mean()


def test_batches_cover_an_epoch_in_whole_batches():
    stream = batches(10, 3, 0)
    epoch = [next(stream) for _ in range(3)]
    assert len(set(np.concatenate(epoch).tolist())) == 9
    assert all(len(b) == 3 for b in [*epoch, next(stream)])


def test_training_learns_and_names_are_unique():
    X, _ = data(200, 9)
    y = (X[:, :3].sum(axis=1) > 0).astype(np.int64)
    layers = capture_layers(X, y, Capture((8, 6), 20, (0, 60)), source="toy")
    assert [layer.name for layer in layers] == [
        f"toy/mlp-9-8-6-1/n20/layer{number}/step{step}/seed0" for step in (0, 60) for number in (1, 2)
    ]
    assert [layer.X.shape + layer.T.shape[1:] for layer in layers[:2]] == [(20, 9, 8), (20, 8, 6)]
    assert layers[-1].meta["accuracy"] > max(0.8, layers[0].meta["accuracy"])
    for layer in layers:
        assert layer.meta["zero_neurons"] == (layer.T == 0).all(axis=0).sum()


def test_one_seed_one_result():
    X, y = data()
    first, again, other = (capture_layers(X, y, Capture((4,), 8, (5,), seed=s), source="toy")[0] for s in (1, 1, 2))
    assert first.key == again.key != other.key


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": ()}, "hidden"), ({"hidden": (0,)}, "hidden"), ({"batch": 0}, "batch"), ({"steps": ()}, "steps"),
        ({"steps": (-1,)}, "steps"), ({"lr": 0.0}, "lr"), ({"lr": float("nan")}, "lr"), ({"seed": -1}, "seed"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Capture(**{"hidden": (4,), "batch": 8, "steps": (0,), **changes})


def test_bad_data_are_refused():
    X, y = data()
    what = Capture((4,), 8, (0,))
    for bad_X, bad_y, message in [
        (X * 2, y, "threshold"),
        (X, y[:-1], "whole numbers"),
        (X, y + 0.5, "whole numbers"),
        (X, y - 1, "start at 0"),
        (X, y * 0, "two or more"),
        (X[:4], y[:4] % 2, "smaller batch"),
    ]:
        with pytest.raises(ValueError, match=message):
            capture_layers(bad_X, bad_y, what, source="toy")
