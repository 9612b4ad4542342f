"""The IDX format of MNIST: a magic number, the extents, then the numbers, all big-endian; gzipped or not."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from qproj.lab.datasets.npz import EXPANSION, FREE_BYTES, MOST_BYTES

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"


def open_maybe_gzip(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacking it on the way where it starts as gzip does."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return cast("IO[bytes]", gzip.open(path)) if packed else path.open("rb")


def unpacked_limit(path: Path) -> int:
    """Return the number of bytes to which a file may unpack."""
    return min(MOST_BYTES, max(FREE_BYTES, EXPANSION * path.stat().st_size))


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Return the array of an IDX file (numpy's native byte order); its size is checked against the header.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Another format, truncated, longer than its header says, or damaged gzip.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"{source} is not a file; pass the path of an IDX file")
    try:
        with open_maybe_gzip(source) as stream:
            head = stream.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not 1 <= head[3] <= 8:
                raise ValueError("it does not start with an IDX magic number")
            extents = stream.read(4 * head[3])
            shape = struct.unpack(f">{head[3]}I", extents)
            dtype = np.dtype(_TYPES[head[2]])
            size = math.prod(shape) * dtype.itemsize
            if size > unpacked_limit(source):
                raise ValueError(f"its header promises {size} bytes, more than a file of this size may hold")
            content = stream.read(size)
            if len(content) != size or stream.read(1):
                raise ValueError(f"it does not hold the {size} bytes that its header, shape {shape}, promises")
    except (ValueError, EOFError, OSError, zlib.error, struct.error) as error:
        raise ValueError(f"{source} is not a whole IDX file: {error}; fetch it again") from None
    array: NDArray[Any] = np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))
    return array
