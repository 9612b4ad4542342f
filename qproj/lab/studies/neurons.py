"""Where a study's neurons come from, as text: ``digits``, ``random:n=20,d=9|15``, ``a1a:hidden=9+8``, FILE.npz.

A bare name is a source of :func:`qproj.lab.datasets.layer_instances`. With options, ``random`` and ``planted`` make one
layer of a shape, ``curvature:n=64,d=9`` makes curvature projections as models, and a set of rows is trained on and
captured. ``qubo:name=bqp50-1|gka1b`` are published QUBOs of ``$QPROJ_DATA_DIR/qubo``; other files hold models of
:func:`qproj.formats.text.read_models`, whose options follow a colon: ``bqp100_1.qubo:sense=max``,
``G1.txt:format=maxcut``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qproj._options import nearest
from qproj.formats.text import SUFFIXES
from qproj.lab.datasets.captured import Capture, capture_layers
from qproj.lab.datasets.catalogue import TABULAR, load_tabular
from qproj.lab.datasets.instances import LayerInstance, require_unique
from qproj.lab.datasets.sources import SOURCES, layer_instances, planted_layers, random_layers, share_neurons
from qproj.lab.studies.stored_problems import Instance, curvature_models, from_file, published
from qproj.solvers.specs import alternatives, split_commas

#: Files that hold models.
MODELS = (".txt", *SUFFIXES)
#: Files that hold a source: layers, or models.
FILES = (".npz", *MODELS)
#: Numbers that a source may generate or train: a gigabyte of them.
MOST_NUMBERS = 2**27
#: Features of the widest set of rows that layers are captured from.
_WIDEST_INPUT = 1024
_OF_MODELS = ("sense", "vartype", "format")
_GENERATED = {"random": random_layers, "planted": planted_layers}
_SHAPED = (*_GENERATED, "curvature")


def _whole(text: str) -> int:
    if not text.strip().isdigit():
        raise ValueError(f"{text!r} is not a whole number ≥ 0")
    return int(text)


def _whole_numbers(text: str) -> tuple[int, ...]:
    """Read "16+8"."""
    return tuple(_whole(part) for part in text.split("+"))


_Readers = dict[str, Callable[[str], Any]]
_OF_GENERATED: _Readers = {"n": _whole, "d": _whole, "neurons": _whole, "seed": _whole}
_OF_TRAINED: _Readers = {
    "hidden": _whole_numbers, "batch": _whole, "steps": _whole_numbers, "layers": _whole_numbers, "neurons": _whole,
    "seed": _whole, "lr": float,
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One source and its options, checked but not loaded."""

    text: str
    name: str
    options: tuple[tuple[str, Any], ...] = ()

    def load(self, *, seed: int = 0, max_neurons: int | None = None) -> Sequence[Instance]:
        """Return its layers; `seed` and `max_neurons` where the source's own options leave them open."""
        options = dict(self.options)
        if self.name == "qubo":
            return [published(options["name"])]
        if self.name.endswith(MODELS):
            return from_file(Path(self.name), **options)
        if not options:
            return layer_instances(self.name, seed=seed, max_neurons=max_neurons)
        seed = options.get("seed", seed)
        if self.name == "curvature":
            models = curvature_models(seed, options.get("n", 64), options.get("d", 9), options.get("neurons") or 8)
            return models if max_neurons is None else models[:max_neurons]
        if self.name in _GENERATED:
            shape = n, d, neurons = options.get("n", 20), options.get("d", 9), options.get("neurons") or 8
            _require_room(self.text, n * (d + neurons))
            layers = _GENERATED[self.name](seed, (shape,))
        else:
            layers = _captured(self.name, options, seed)
        return layers if max_neurons is None else share_neurons(layers, max_neurons)


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
    name, colon, pairs = text.strip().partition(":")
    file, _, options = text.strip().rpartition(":")
    if file.endswith(MODELS) and "=" in options:
        return Source(text, file, _options(file, options, text))
    if name.endswith(FILES) or (colon and text.strip().endswith(FILES)):
        return Source(text, text.strip())
    known = [*SOURCES, *(set(TABULAR) - set(SOURCES)), "curvature", "qubo"]
    if "." in Path(name).name or "/" in name:
        raise ValueError(f"unknown kind of file {name!r}; {', '.join(FILES)} are there, and PATH{FILES[1]}:format=NAME")
    family = name.split("-")[0]  # digits-0-2 are some classes of digits
    if name not in known and family not in TABULAR:
        raise ValueError(f"unknown source {name!r}; {nearest(name, known)}, or the path of a file: {', '.join(FILES)}")
    if colon:
        return Source(text, name, _options(name, pairs, text))
    if name == "curvature":
        raise ValueError("'curvature' alone names no size; write curvature:n=64,d=9|15,neurons=4")
    if name == "qubo":
        raise ValueError("'qubo' alone names no instance; write qubo:name=bqp50-1|gka1b")
    if name not in SOURCES:
        raise ValueError(f"{name!r} alone names no network; write what to train: {name}:hidden=16+8,batch=32,steps=100")
    return Source(text, name)


def _options(name: str, pairs: str, text: str) -> tuple[tuple[str, Any], ...]:
    if name.endswith(MODELS):
        allowed: _Readers = dict.fromkeys(_OF_MODELS, str)
    else:
        allowed = _OF_GENERATED if name in _SHAPED else {"name": str} if name == "qubo" else _OF_TRAINED
    options: list[tuple[str, Any]] = []
    for pair in split_commas(pairs):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if key not in allowed:
            raise ValueError(f"source {name!r} has no option {key!r}; {nearest(key, allowed)}")
        if not equals or not value:
            raise ValueError(f"{pair!r} in {text!r} lacks a value; write option=value")
        try:
            options.append((key, allowed[key](value)))
        except ValueError:
            raise ValueError(f"{key} in {text!r} is {value!r}; a number is needed, several as 16+8") from None
    if not options:
        raise ValueError(f"{text!r} has no option after the colon; write {name}, or {name}:option=value")
    return tuple(options)


def parse_sources(texts: str | Sequence[str]) -> list[Source]:
    """Return the sources of a list such as ``digits,random:n=20,d=5|9``; ``option=a|b`` makes one source per value."""
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
    """Return the layers and models of all sources; `max_neurons` is for each source.

    Raises
    ------
    ValueError
        A mistake in a source (see :func:`parse_source`), a damaged file, or two layers of one name.
    FileNotFoundError
        A file that is missing, or a data set that is neither on this machine nor to be downloaded.
    """
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


def _require_room(text: str, numbers: int) -> None:
    """Refuse a source by arithmetic, before any memory is asked for."""
    if numbers > MOST_NUMBERS:
        raise ValueError(
            f"{text!r} holds {numbers:,} numbers; at most {MOST_NUMBERS:,} are allowed: make it smaller, or give "
            "layers of your own in an .npz file"
        )


def _captured(name: str, options: dict[str, Any], seed: int) -> list[LayerInstance]:
    """Train on a set of rows and return the layers that are asked for."""
    widths = options.get("hidden", (16,))
    sizes = [_WIDEST_INPUT, *widths]
    weights = sum(a * b for a, b in itertools.pairwise(sizes))
    _require_room(name, weights + options.get("batch", 32) * sum(widths))
    given: dict[str, Any] = {"hidden": (16,), "batch": 32, "steps": (100,)} | {
        key: options[key] for key in ("hidden", "batch", "steps", "lr") if key in options
    }
    what = Capture(**given, seed=seed)
    wanted = options.get("layers")
    if wanted is not None and not set(wanted) <= set(range(1, len(what.hidden) + 1)):
        raise ValueError(f"layers of {name} are {wanted}; there are layers 1 to {len(what.hidden)}")
    data = load_tabular(name).signs()
    layers = capture_layers(data.X_train, data.y_train, what, source=data.name)
    layers = [layer for layer in layers if wanted is None or layer.meta["layer"] in wanted]
    most = options.get("neurons")
    return layers if most is None else [_first_with_targets(layer, most) for layer in layers]


def _first_with_targets(layer: LayerInstance, most: int) -> LayerInstance:
    """Keep at most `most` neurons, those with targets before those without: targets of zero leave nothing to solve."""
    order = sorted(range(layer.num_neurons), key=lambda j: not layer.T[:, j].any())[:most]
    if len(order) == layer.num_neurons:
        return layer
    return replace(layer, name=f"{layer.name}/of{most}", T=layer.T[:, sorted(order)], meta=dict(layer.meta))
