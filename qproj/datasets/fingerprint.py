"""The SHA-256 of parsed arrays, pinned: whatever way a data set came, these are the numbers that were meant."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PINNED: dict[str, str] = {
    "digits": "41da3e1f4c1bf664203bc762a49eeb8645f729267e669a363a43d9b26d26ccd6",
    "breast-cancer": "3af2662b78f751a091c8c1c55691baded0a4a7be779cb48bc3c03a4676f5c0cd",
}


def fingerprint(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of named arrays: names sorted, each with little-endian dtype, shape and bytes in C order."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        digest.update(repr((name, little.dtype.str, array.shape)).encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def require_fingerprint(name: str, arrays: Mapping[str, NDArray[Any]], where: str = "the installed package") -> None:
    """Raise ValueError unless the arrays of data set `name` are the pinned ones."""
    found = fingerprint(arrays)
    if found != PINNED[name]:
        raise ValueError(
            f"{name} from {where} has fingerprint {found[:12]}…, expected {PINNED[name][:12]}…: the numbers are not "
            "those of the published set; remove the file (or update the package) and fetch it anew"
        )
