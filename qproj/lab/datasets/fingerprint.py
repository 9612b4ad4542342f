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
    "a1a": "f540aa86ea931c252204b86a1be78b604619e2e9a31a9fb79404097eadcd5970",
    "citeseer": "0a4ad3abf6fc15137b4dce523e978d08eaff84d4fdc500a9fad6967665dbf92f",
    "cora": "6abb5172d4bdbcad7d2d30de153d1fe855870cc878bf69865e6686053b945687",
    "karate": "2f471b3195ed09c1b7d1922ff73b9432df9e9f15555978162814649ec86e6d41",
    "mnist": "df9145c69ac44fce7e7eed50d56eff43a1b20135b6f3b7a887292f7379e25be7",
    "pubmed": "b64ecee609d126defb603c1bc7ce87ccba2076fdf9cf13b242b20b7051af3c15",
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
            "those of the published set; remove the file (or update the package) and fetch it again"
        )
