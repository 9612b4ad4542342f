"""Layer instances: the inputs and targets of one binary layer at one moment of training, and their npz files."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, as_matrix, frozen, is_sign_matrix
from qproj.lab.datasets.npz import read_npz, write_npz
from qproj.projections import LayerProjection

Meta = Mapping[str, "str | int | float"]
#: |t| beyond this has no finite square (as for SignProjection).
_LARGEST_TARGET = 1e150
FORMAT = 1
#: Bytes of the index, some 300 per layer; parsed JSON may take 25 times as much memory.
_MOST_INDEX = 4 << 20


@dataclass(frozen=True, eq=False)
class LayerInstance:
    """One layer to project: argmin over V ∈ {±1}^(dout×d) of ‖σ(X Vᵀ) − T‖²_F.

    Parameters
    ----------
    name : str
        Unique within a file or study, such as "digits/mlp-64-32-10/layer1/step20/seed0"; printable.
    X : (n, d) array_like
        Inputs: int8 where all are ±1, else float64; read-only.
    T : (n, dout) array_like
        Targets −∂L/∂Y of Y = σ(X Wᵀ), one column per neuron; float64, read-only.
    source : str
        The data set or generator.
    meta : mapping of str to str, int or float
        What else is known: step, depth, batch, seed, loss, neurons whose targets are all zero, …

    Raises
    ------
    TypeError, ValueError
        Not real numbers, empty, not finite, mismatched rows, |T| beyond 1e150, or an unusable name or meta.

    Examples
    --------
    >>> layer = LayerInstance("mine/layer1", [[1, -1], [1, 1]], [[0.5], [-0.25]], source="mine")
    >>> layer.num_neurons, layer.X.dtype.name
    (1, 'int8')
    """

    name: str
    X: NDArray[Any]
    T: FloatArray
    source: str
    meta: Meta = field(default_factory=dict)

    def __post_init__(self) -> None:
        for label, text in (("name", self.name), ("source", self.source)):
            if not isinstance(text, str):
                raise TypeError(f"{label} is {type(text).__name__}; a layer's {label} is text")
            if not text or not text.isprintable() or text != text.strip():
                raise ValueError(f"{label} is {text!r}; printable text without spaces at its ends is needed")
        X = as_matrix(self.X, f"X of {self.name!r}")
        T = as_matrix(self.T, f"T of {self.name!r}").astype(np.float64)
        if len(X) != len(T):
            rows = f"X of {self.name!r} has {len(X)} rows and T has {len(T)}"
            raise ValueError(f"{rows}; one row of targets per row of inputs is needed")
        if np.abs(T).max() > _LARGEST_TARGET:
            raise ValueError(f"T of {self.name!r} exceeds {_LARGEST_TARGET:g} in size; scale it: only ratios matter")
        X = X.astype(np.int8 if is_sign_matrix(X) else np.float64)
        object.__setattr__(self, "X", frozen(X))
        object.__setattr__(self, "T", frozen(T))
        object.__setattr__(self, "meta", MappingProxyType(_checked_meta(self.meta, self.name)))

    @property
    def num_neurons(self) -> int:
        """The width dout."""
        return int(self.T.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d): rows and fan-in."""
        return int(self.X.shape[0]), int(self.X.shape[1])

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays that define its problems."""
        return {"X": self.X, "T": self.T}

    @property
    def problems(self) -> LayerProjection:
        """One problem per neuron."""
        return LayerProjection(self.X, self.T)

    @cached_property
    def key(self) -> str:
        """SHA-256 of shapes, X and T: equal layers have equal keys, whatever they are called."""
        digest = hashlib.sha256(repr((self.X.shape, self.T.shape)).encode())
        digest.update(self.X.astype("<f8").tobytes())
        digest.update((self.T + 0.0).astype("<f8").tobytes())
        return digest.hexdigest()

    def first(self, neurons: int) -> LayerInstance:
        """Return the layer of the first `neurons` neurons, with that in its name; self where it has no more."""
        if neurons < 1:
            raise ValueError(f"neurons is {neurons}; at least 1 is needed")
        if neurons >= self.num_neurons:
            return self
        return replace(self, name=f"{self.name}/first{neurons}", T=self.T[:, :neurons], meta=dict(self.meta))

    def __reduce__(self) -> tuple[type[LayerInstance], tuple[Any, ...]]:
        # a mapping proxy cannot be pickled, and studies send layers to other processes
        return LayerInstance, (self.name, self.X, self.T, self.source, dict(self.meta))

    def __repr__(self) -> str:
        n, d = self.X.shape
        return f"LayerInstance({self.name!r}, n={n}, d={d}, dout={self.num_neurons})"


def _checked_meta(meta: object, name: str) -> dict[str, str | int | float]:
    if not isinstance(meta, Mapping):
        raise TypeError(f"meta of {name!r} is {type(meta).__name__}; a mapping of text to text or numbers is needed")
    checked: dict[str, str | int | float] = {}
    for label, value in meta.items():
        if isinstance(value, np.generic):
            value = value.item()
        if not isinstance(label, str) or isinstance(value, bool) or not isinstance(value, str | int | float):
            raise TypeError(f"meta of {name!r} has {label!r}: {value!r}; text to text, int or float is allowed")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"meta of {name!r} has {label!r}: {value}; numbers have to be finite")
        checked[label] = value
    return checked


def save_instances(path: str | os.PathLike[str], instances: Iterable[LayerInstance]) -> Path:
    """Write layers to a plain npz file (never pickled, whole or not at all) and return its path.

    Raises
    ------
    ValueError
        No layer, two of one name, or a path that does not end in .npz.
    """
    layers = list(instances)
    target = Path(path)
    if target.suffix != ".npz":
        raise ValueError(f"path is {str(target)!r}; a name ending in .npz is needed")
    if not layers:
        raise ValueError("no layer is given; a file needs at least one")
    require_unique(layers)
    index = [{"name": layer.name, "source": layer.source, "meta": dict(layer.meta)} for layer in layers]
    text = json.dumps({"format": FORMAT, "layers": index}, ensure_ascii=False, sort_keys=True)
    arrays: dict[str, NDArray[Any]] = {"index": np.frombuffer(text.encode(), np.uint8)}
    for i, layer in enumerate(layers):
        arrays[f"X{i}"], arrays[f"T{i}"] = layer.X, layer.T
    return write_npz(target, arrays)


def read_instances(path: str | os.PathLike[str]) -> list[LayerInstance]:
    """Return the layers of an npz file that :func:`save_instances` wrote, or that holds just X (n, d) and T (n, dout).

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Damaged, pickled, of another layout, or with layers that :class:`LayerInstance` refuses.
    """
    source = Path(path)
    arrays = read_npz(source)
    try:
        if set(arrays) == {"X", "T"}:
            return [LayerInstance(source.stem, arrays["X"], arrays["T"], source=source.name)]
        if "index" not in arrays:
            found = ", ".join(sorted(arrays)[:6]) or "none"
            raise ValueError(
                f"array 'index' is missing: it has {found}, and X (n, d) with T (n, dout) alone is one layer"
            )
        layers = [
            LayerInstance(entry["name"], arrays[f"X{i}"], arrays[f"T{i}"], entry["source"], entry["meta"])
            for i, entry in enumerate(_entries(arrays))
        ]
        if len(arrays) != 2 * len(layers) + 1:
            raise ValueError(f"{len(arrays)} arrays for {len(layers)} layers")
        require_unique(layers)
    except (TypeError, ValueError, KeyError) as error:
        missing = f"array {error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"{source} holds no layers: {missing}; numpy.savez(path, X=X, T=T) writes one layer, save_instances several"
        ) from None
    return layers


def _entries(arrays: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
    index = arrays["index"]
    if index.dtype != np.uint8 or index.ndim != 1:
        raise ValueError(f"its index is {index.dtype} {index.shape}; UTF-8 bytes are needed")
    if index.nbytes > _MOST_INDEX:
        raise ValueError(f"its index has {index.nbytes} bytes; at most {_MOST_INDEX} are read")
    try:
        content = json.loads(index.tobytes().decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its index is not JSON ({error})") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("layers"), list):
        raise ValueError(f"its index is not of format {FORMAT}")
    layers: list[dict[str, Any]] = content["layers"]
    if not layers or not all(isinstance(entry, dict) for entry in layers):
        raise ValueError("its index lists no layers")
    return layers


def require_unique(layers: Iterable[LayerInstance]) -> None:
    """Raise ValueError where two layers have one name."""
    seen: set[str] = set()
    for layer in layers:
        if layer.name in seen:
            raise ValueError(f"two layers are called {layer.name!r}; names have to be unique")
        seen.add(layer.name)
