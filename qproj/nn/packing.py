"""±1 weights as bits, and a plain numpy forward pass that counts agreeing bits instead of multiplying."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qproj._arrays import FloatArray, SignArray
from qproj._files import replacing
from qproj.nn.binary_layer import binary_layers


@dataclass(frozen=True, eq=False)
class PackedModel:
    """The state of a model with one bit per binary weight.

    Attributes
    ----------
    bits : mapping of str to (dout, ⌈d/8⌉) uint8
        Per binary layer: a bit is 1 where the weight is +1; rows are padded with 0.
    shapes : mapping of str to tuple
        Shape of each binary weight.
    floats : mapping of str to array
        Every other entry of the state dict, as it is.
    """

    bits: Mapping[str, NDArray[np.uint8]]
    shapes: Mapping[str, tuple[int, ...]]
    floats: Mapping[str, NDArray[Any]]

    @property
    def nbytes(self) -> int:
        """Size in bytes: rows of bits are rounded up to whole bytes."""
        return sum(a.nbytes for a in self.bits.values()) + sum(a.nbytes for a in self.floats.values())

    def weight(self, name: str) -> SignArray:
        """Return the ±1 weight of a layer, of its own shape, int8."""
        shape = self.shapes[name]
        d = int(np.prod(shape[1:]))
        flat = np.unpackbits(self.bits[name], axis=1, count=d).astype(np.int8)
        return (2 * flat - 1).reshape(shape)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an npz file, whole or not at all, and return its path."""
        arrays = {f"bits/{name}": value for name, value in self.bits.items()}
        arrays |= {f"shape/{name}": np.array(value, np.int64) for name, value in self.shapes.items()}
        arrays |= {f"float/{name}": value for name, value in self.floats.items()}
        target = Path(path)
        with replacing(target) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PackedModel:
        """Read what :meth:`save` wrote; nothing in the file is executed.

        Raises
        ------
        ValueError
            Not such a file.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ValueError(f"{path} is not a packed model ({error}); write one with pack(model).save(path)") from None
        parts: dict[str, dict[str, Any]] = {"bits": {}, "shape": {}, "float": {}}
        for key, value in arrays.items():
            kind, _, name = key.partition("/")
            if kind not in parts:
                raise ValueError(f"{path} is not a packed model: it has an entry {key!r}; write one with pack(model)")
            parts[kind][name] = value
        if set(parts["bits"]) != set(parts["shape"]):
            raise ValueError(f"{path} is a damaged packed model: weights and shapes differ; write it again")
        shapes = {name: tuple(int(x) for x in shape) for name, shape in parts["shape"].items()}
        return cls(parts["bits"], shapes, parts["float"])


def pack(model: nn.Module) -> PackedModel:
    """Return a trained model with σ(W) of every binary layer as bits; latent weights are left behind.

    Raises
    ------
    TypeError, ValueError
        As :func:`~qproj.nn.binary_layers`.
    """
    layers = binary_layers(model)
    bits, shapes = {}, {}
    for name, layer in layers.items():
        signs = layer.binary_weight().cpu().numpy()
        bits[name] = np.packbits(signs.reshape(len(signs), -1) > 0, axis=1)
        shapes[name] = tuple(signs.shape)
    latent = {f"{name}.weight" if name else "weight" for name in layers}
    floats = {
        key: _array(value) for key, value in model.state_dict().items() if key not in latent and torch.is_tensor(value)
    }
    return PackedModel(bits, shapes, floats)


def unpack(packed: PackedModel, model: nn.Module) -> nn.Module:
    """Load packed weights into a model of the same architecture, in place, and return it.

    Latent weights become ±1, of which evaluation mode takes the signs; training can go on from them.

    Raises
    ------
    ValueError
        A layer is missing, or has another shape.
    """
    layers = binary_layers(model)
    if set(layers) != set(packed.bits):
        missing = sorted(set(layers) ^ set(packed.bits))
        raise ValueError(f"the packed model and this one differ in layers {missing}; build the model that was packed")
    with torch.no_grad():
        for name, layer in layers.items():
            if tuple(layer.weight.shape) != packed.shapes[name]:
                raise ValueError(
                    f"layer {name!r} was packed with shape {packed.shapes[name]}, and here it is "
                    f"{tuple(layer.weight.shape)}; build the model that was packed"
                )
            layer.weight.copy_(torch.from_numpy(packed.weight(name).astype(np.float32)))
    latent = {f"{name}.weight" if name else "weight" for name in layers}
    state = {key: torch.from_numpy(np.array(value)) for key, value in packed.floats.items()}
    absent, unknown = model.load_state_dict(state, strict=False)
    if unknown or set(absent) - latent:
        raise ValueError(f"float entries {sorted({*unknown, *(set(absent) - latent)})} do not fit this model")
    return model


def popcount_linear(bits: NDArray[np.uint8], x: NDArray[np.uint8], d: int) -> NDArray[np.int64]:
    """Return Z = X Wᵀ of ±1 rows and weights from their bits: z = d − 2·popcount(x XOR w).

    Parameters
    ----------
    bits : (dout, ⌈d/8⌉) uint8
    x : (n, ⌈d/8⌉) uint8
        Rows, packed as the weights are.

    Returns
    -------
    (n, dout) int64
    """
    differ = np.bitwise_count(x[:, None, :] ^ bits[None, :, :]).sum(axis=2, dtype=np.int64)
    z: NDArray[np.int64] = d - 2 * differ
    return z


def pack_rows(X: NDArray[Any]) -> NDArray[np.uint8]:
    """Return ±1 rows (n, d) as bits, (n, ⌈d/8⌉).

    Raises
    ------
    ValueError
        An entry other than ±1.
    """
    if not bool((np.abs(X) == 1).all()):
        raise ValueError("rows hold entries other than −1 and +1, which bits cannot hold; binarise them first")
    return np.packbits(X > 0, axis=1)


def forward_bits(packed: PackedModel, names: list[str], X: NDArray[Any]) -> FloatArray:
    """Return the scores of a plain stack of binary linear layers with σ between them, by XOR and popcount alone.

    Parameters
    ----------
    names : list of str
        The layers, first to last.
    X : (n, d) array
        Inputs, ±1.
    """
    rows = pack_rows(np.asarray(X))
    z = np.zeros((len(rows), 0))
    for place, name in enumerate(names):
        counts = popcount_linear(packed.bits[name], rows, packed.shapes[name][1]).astype(np.float64)
        scale, bias = (packed.floats.get(f"{name}.{part}") for part in ("scale", "bias"))
        z = counts if scale is None else counts * scale
        z = z if bias is None else z + bias
        if place + 1 < len(names):
            rows = np.packbits(z >= 0, axis=1)
    return z


def _array(value: Tensor) -> NDArray[Any]:
    tensor = value.detach().cpu()
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.float()  # numpy has no bfloat16
    array: NDArray[Any] = tensor.numpy().copy()
    return array
