"""Read and write plain npz files: never pickled, and no small file may fill the memory."""

from __future__ import annotations

import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from qproj._files import replacing

#: Bytes that any file may unpack to; a larger result has to come from a file of at least 1/EXPANSION of its size.
FREE_BYTES = 16 << 20
EXPANSION = 50
#: Bytes that no file may exceed unpacked.
MOST_BYTES = 4 << 30
_MOST_MEMBERS = 20_000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
#: What zipfile, zlib and numpy's header parser are known to raise on damaged bytes.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, TypeError,
    KeyError, IndexError, OverflowError, SyntaxError, OSError, tokenize.TokenError,
)  # fmt: skip


def read_npz(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a plain npz file; sizes are checked against the headers before anything is unpacked.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Not a zip file, truncated, damaged, pickled objects inside, or more unpacked bytes than such a file may hold.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"{source} is not a file; pass the path of an .npz file")
    allowed = min(MOST_BYTES, max(FREE_BYTES, EXPANSION * source.stat().st_size))
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS:
                raise ValueError(f"{len(members)} arrays; at most {_MOST_MEMBERS} are read")
            arrays: dict[str, NDArray[Any]] = {}
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name in arrays:
                    raise ValueError(f"two arrays are called {name!r}")
                arrays[name] = _read_member(archive, member, allowed)
                allowed -= arrays[name].nbytes
            return arrays
    except _DAMAGE as error:
        text = str(error) or type(error).__name__
        raise ValueError(f"{source} is not a plain .npz file: {text[:200]}; write or fetch it again") from None


def read_npy(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Return the array of a plain npy file; its size is checked against the file's before anything is made.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Truncated, damaged, pickled objects inside, several arrays, or of another format.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"{source} is not a file; give an .npy file that numpy.save wrote")
    try:
        with source.open("rb") as stream:
            return _read_array(stream, source.name, source.stat().st_size)
    except _DAMAGE as error:
        text = str(error) or type(error).__name__
        raise ValueError(f"{source} is not a plain npy file: {text[:200]}; write it with numpy.save") from None


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, allowed: int) -> NDArray[Any]:
    if member.compress_type not in _METHODS or not member.filename.endswith(".npy"):
        raise ValueError(f"member {member.filename!r} is not a stored or deflated .npy array")
    with archive.open(member) as stream:
        return _read_array(stream, member.filename, allowed)


def _read_array(stream: IO[bytes], name: str, allowed: int) -> NDArray[Any]:
    shape, fortran, dtype = _read_header(stream)
    if dtype.hasobject or dtype.kind not in "biufcSU" or not dtype.itemsize:
        raise ValueError(f"array {name!r} has dtype {dtype}, which needs pickle or is structured")
    if any(extent < 0 for extent in shape):
        raise ValueError(f"array {name!r} has shape {shape}")
    size = math.prod(shape) * dtype.itemsize
    if size > allowed:
        raise ValueError(f"array {name!r} would unpack to {size} bytes, {allowed} are allowed from a file of this size")
    content = stream.read(size)
    if len(content) != size or stream.read(1):
        raise ValueError(f"array {name!r} does not hold the {size} bytes that its header states")
    flat = np.frombuffer(content, dtype) if size else np.empty(math.prod(shape), dtype)
    array: NDArray[Any] = flat.reshape(shape, order="F" if fortran else "C")
    return array


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    if version == (1, 0):
        return npy.read_array_header_1_0(stream)
    if version == (2, 0):
        return npy.read_array_header_2_0(stream)
    raise ValueError(f"npy format {version}; (1, 0) and (2, 0) are read")


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]]) -> Path:
    """Write arrays to a compressed npz file and return its path: whole or not at all, and never pickled.

    Raises
    ------
    TypeError
        An array of objects.
    OSError
        The folder cannot be written.
    """
    target = Path(path)
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects; numbers and text are written: convert it first")
    with replacing(target) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, array in arrays.items():
            # a fixed date: equal arrays give equal files
            info = zipfile.ZipInfo(f"{member}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as out:
                npy.write_array(out, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
    return target
