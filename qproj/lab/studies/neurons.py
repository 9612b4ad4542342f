"""Where a study's neurons come from, as text: ``digits``, ``random:n=20,d=9|15``, ``a1a:hidden=9+8``, FILE.npz.

A bare name is a source of :func:`qproj.lab.datasets.layer_instances`. With options, ``random`` and ``planted`` make one
layer of a shape, and a set of rows is trained on and captured. ``qubo:name=bqp50-1|gka1b`` are published QUBOs of
``$QPROJ_DATA_DIR/qubo``; FILE.txt and FILE.coo hold one QUBO each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qproj._options import nearest
from qproj.lab.datasets.captured import Capture, capture_layers
from qproj.lab.datasets.catalogue import TABULAR, load_tabular
from qproj.lab.datasets.instances import LayerInstance, require_unique
from qproj.lab.datasets.sources import SOURCES, layer_instances, planted_layers, random_layers
from qproj.lab.studies.stored_problems import Instance, from_file, published
from qproj.solvers.specs import alternatives, split_commas

_GENERATED = {"random": random_layers, "planted": planted_layers}


def _whole(text: str) -> int:
    if not text.strip().isdigit():
        raise ValueError(f"{text!r} is no whole number ≥ 0")
    return int(text)


def _several(text: str) -> tuple[int, ...]:
    return tuple(_whole(part) for part in text.split("+"))


#: Files that hold a source: layers, or one QUBO.
FILES = (".npz", ".txt", ".coo")
_SHAPE: dict[str, Callable[[str], Any]] = {"n": _whole, "d": _whole, "neurons": _whole, "seed": _whole}
_TRAINED: dict[str, Callable[[str], Any]] = {
    "hidden": _several, "batch": _whole, "steps": _several, "layers": _several, "neurons": _whole, "seed": _whole,
    "rate": float,
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One source and its options, checked but not loaded."""

    text: str
    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def load(self, *, seed: int = 0, max_neurons: int | None = None) -> Sequence[Instance]:
        """Return its layers; `seed` and `max_neurons` where it says nothing itself."""
        told = dict(self.options)
        if self.name == "qubo":
            return [published(told["name"])]
        if self.name.endswith((".txt", ".coo")):
            return [from_file(Path(self.name))]
        if not told:
            return layer_instances(self.name, seed=seed, max_neurons=max_neurons)
        seed, most = told.pop("seed", seed), told.pop("neurons", None)
        if self.name in _GENERATED:
            shape = (told.pop("n", 20), told.pop("d", 9), most or 8)
            layers = _GENERATED[self.name](seed, (shape,))
        else:
            layers = _captured(self.name, told, seed, most)
        if max_neurons is None:
            return layers
        from qproj.lab.datasets.sources import share_neurons

        return share_neurons(layers, max_neurons)


def parse_source(text: str) -> Source:
    """Return one source.

    Raises
    ------
    ValueError
        An unknown name or option (the nearest is offered), or a value that is not a number.

    Examples
    --------
    >>> parse_source("random:n=20,d=9").options
    (('n', 20), ('d', 9))
    """
    name, colon, rest = text.strip().partition(":")
    if name.endswith(FILES) or (colon and text.strip().endswith(FILES)):
        return Source(text, text.strip())
    known = [*SOURCES, *(set(TABULAR) - set(SOURCES)), "qubo"]
    base = name if name in known else name.split("-")[0] if name.split("-")[0] in TABULAR else name
    if base not in known:
        raise ValueError(f"unknown source {name!r}; {nearest(name, known)}, or the path of an .npz file")
    if not colon:
        if name == "qubo":
            raise ValueError("'qubo' alone is no source; say which: qubo:name=bqp50-1|gka1b")
        if name not in SOURCES:
            raise ValueError(f"{name!r} alone is no source; say what to train: {name}:hidden=16+8,batch=32,steps=100")
        return Source(text, name)
    allowed = _SHAPE if name in _GENERATED else {"name": str} if name == "qubo" else _TRAINED
    options: list[tuple[str, Any]] = []
    for piece in split_commas(rest):
        key, equals, value = (part.strip() for part in piece.partition("="))
        if key not in allowed:
            raise ValueError(f"source {name!r} has no option {key!r}; {nearest(key, allowed)}")
        if not equals or not value:
            raise ValueError(f"{piece!r} in {text!r} lacks a value; write option=value")
        try:
            options.append((key, allowed[key](value)))
        except ValueError:
            raise ValueError(f"{key} in {text!r} is {value!r}; a number is needed, several as 16+8") from None
    if not options:
        raise ValueError(f"{text!r} has no option after the colon; write {name}, or {name}:option=value")
    return Source(text, name, tuple(options))


def parse_sources(texts: str | Sequence[str]) -> list[Source]:
    """Return the sources of a list such as ``digits,random:n=20,d=5|9``; ``option=a|b`` makes one source a value."""
    pieces = [piece for text in ([texts] if isinstance(texts, str) else texts) for piece in split_commas(text)]
    joined: list[str] = []
    for piece in pieces:
        if joined and "=" in piece and ":" not in piece:
            joined[-1] += ("," if ":" in joined[-1] else ":") + piece
        else:
            joined.append(piece)
    return [parse_source(one) for piece in joined for one in alternatives(piece)]


def load_instances(
    sources: Sequence[Instance | str], *, max_neurons: int | None = None, seed: int = 0
) -> list[Instance]:
    """Return the layers and models of all sources; `max_neurons` is for each source."""
    if isinstance(sources, str | Instance):
        sources = [sources]
    layers: list[Instance] = []
    for source in sources:
        if isinstance(source, Instance):
            layers.append(source)
            continue
        for one in parse_sources(source):
            layers += one.load(seed=seed, max_neurons=max_neurons)
    require_unique(layers)  # type: ignore[arg-type]
    return layers


def _captured(name: str, told: dict[str, Any], seed: int, most: int | None) -> list[LayerInstance]:
    wanted = told.pop("layers", None)
    what = Capture(
        told.pop("hidden", (16,)), told.pop("batch", 32), told.pop("steps", (100,)), told.pop("rate", 0.05), seed
    )
    if wanted is not None and not set(wanted) <= set(range(1, len(what.hidden) + 1)):
        raise ValueError(f"layers of {name} are {wanted}; there are layers 1 to {len(what.hidden)}")
    data = load_tabular(name).signs()
    layers = capture_layers(data.X_train, data.y_train, what, source=data.name)
    layers = [layer for layer in layers if wanted is None or layer.meta["layer"] in wanted]
    return layers if most is None else [_spread(layer, most) for layer in layers]


def _spread(layer: LayerInstance, most: int) -> LayerInstance:
    """Keep at most `most` neurons, those with targets before those without: a neuron of zeros has nothing to solve."""
    order = sorted(range(layer.num_neurons), key=lambda j: not layer.T[:, j].any())[:most]
    if len(order) == layer.num_neurons:
        return layer
    return replace(layer, name=f"{layer.name}/of{most}", T=layer.T[:, sorted(order)], meta=dict(layer.meta))
