"""Layer instances by name: captured from training on real data, generated as controls, or read from a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from qproj._options import nearest
from qproj.lab.datasets.captured import Capture, capture_layers
from qproj.lab.datasets.instances import LayerInstance, read_instances, require_unique
from qproj.lab.datasets.tabular import Tabular, load_adult, load_breast_cancer, load_digits

#: At most 200 neurons: `make demo` projects all of them with seven solvers in about a minute.
DIGITS = (
    Capture((16,), 32, (0, 100)),
    Capture((16, 12), 24, (20,)),
    Capture((16, 16, 8), 40, (200,)),
)
BREAST_CANCER = (Capture((16,), 32, (0, 100)), Capture((24, 16), 48, (50,)))
A1A = (Capture((16,), 20, (0, 100)), Capture((32, 16), 48, (100,)))
#: (n, d, dout) of the generated layers.
SHAPES = ((16, 9, 8), (20, 15, 8), (24, 24, 8), (32, 32, 8), (16, 64, 8))


def captured(data: Tabular, captures: Sequence[Capture], seed: int) -> list[LayerInstance]:
    """Return the layers of every capture, trained with this seed on the ±1 features of the training rows."""
    signs = data.signs()
    layers: list[LayerInstance] = []
    for what in captures:
        layers += capture_layers(signs.X_train, signs.y_train, replace(what, seed=seed), source=data.name)
    return layers


def random_layers(seed: int, shapes: Sequence[tuple[int, int, int]] = SHAPES) -> list[LayerInstance]:
    """Return layers without structure, the control: X uniform ±1, T standard normal."""
    layers = []
    for number, (n, d, dout) in enumerate(shapes):
        rng = np.random.default_rng([seed, 3, number])
        X, T = rng.choice(np.array([-1, 1], np.int8), (n, d)), rng.normal(size=(n, dout))
        layers.append(LayerInstance(f"random/n{n}-d{d}/seed{seed}", X, T, source="random", meta={"seed": seed}))
    return layers


def planted_layers(seed: int, shapes: Sequence[tuple[int, int, int]] = SHAPES) -> list[LayerInstance]:
    """Return layers with a known optimum: T = σ(X V*ᵀ)·|normal|, so that V* reaches the bound gain = Σ|t|."""
    layers = []
    for number, (n, d, dout) in enumerate(shapes):
        rng = np.random.default_rng([seed, 4, number])
        X, V = rng.choice(np.array([-1, 1], np.int8), (n, d)), rng.choice([-1, 1], (dout, d))
        T = np.where(X @ V.T >= 0, 1.0, -1.0) * np.abs(rng.normal(size=(n, dout)))
        meta: dict[str, str | int | float] = {"seed": seed, "optimum": "gain = sum of |t|"}
        layers.append(LayerInstance(f"planted/n{n}-d{d}/seed{seed}", X, T, source="planted", meta=meta))
    return layers


SOURCES: dict[str, Callable[[int], list[LayerInstance]]] = {
    "digits": lambda seed: captured(load_digits(), DIGITS, seed),
    "breast-cancer": lambda seed: captured(load_breast_cancer(), BREAST_CANCER, seed),
    "a1a": lambda seed: captured(load_adult(), A1A, seed),
    "random": random_layers,
    "planted": planted_layers,
}


def layer_instances(source: str, *, seed: int = 0, max_neurons: int | None = None) -> list[LayerInstance]:
    """Return the layers of a source.

    Parameters
    ----------
    source : str
        "digits", "breast-cancer", "a1a" (captured from training), "random", "planted" (controls), or the path of an
        .npz file that :func:`save_instances` wrote.
    seed : int
        Of training or generation; a file does not depend on it.
    max_neurons : int, optional
        Keep at most this many neurons, shared evenly among the layers, the first of each.

    Raises
    ------
    ValueError
        An unknown source (the nearest is offered), a negative seed, max_neurons below 1, or a damaged file.
    FileNotFoundError
        No such .npz file, or a data set that is neither on this machine nor to be downloaded.
    """
    if not isinstance(source, str | Path):
        raise TypeError(f"source is {type(source).__name__}; a name or a path is needed")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed is {seed!r}; a whole number from 0 on is needed")
    if max_neurons is not None:
        whole = isinstance(max_neurons, int) and not isinstance(max_neurons, bool)
        if not whole or max_neurons < 1:
            raise ValueError(f"max_neurons is {max_neurons!r}; a whole number from 1 on, or None, is needed")
    if source in SOURCES:
        layers = SOURCES[str(source)](seed)
    elif str(source).endswith(".npz"):
        layers = read_instances(source)
    else:
        raise ValueError(f"unknown source {str(source)!r}; {nearest(source, SOURCES)}, or the path of an .npz file")
    require_unique(layers)
    return layers if max_neurons is None else share_neurons(layers, max_neurons)


def share_neurons(layers: Sequence[LayerInstance], most: int) -> list[LayerInstance]:
    """Return the layers with at most `most` neurons in all: each keeps its first ones, as evenly as widths allow."""
    kept = [0] * len(layers)
    left = most
    while left > 0:
        open_layers = [i for i, layer in enumerate(layers) if kept[i] < layer.num_neurons]
        if not open_layers:
            break
        for i in open_layers[:left]:
            kept[i] += 1
        left -= min(left, len(open_layers))
    return [layer.first(count) for layer, count in zip(layers, kept, strict=True) if count]
