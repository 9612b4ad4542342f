"""Checkpoints: whole or not there, sealed with a digest, and read without running anything in them."""

from __future__ import annotations

import hashlib
import io
import pickle  # nosec B403 -- its error type only
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from qproj._files import replacing

#: The first line; then the SHA-256 of what follows, then what torch saved. torch alone reads flipped bits as numbers.
MAGIC = b"qproj checkpoint 1\n"
_HEAD = len(MAGIC) + 65

#: What torch's reader is known to raise on bytes that are not its own.
_DAMAGE = (
    pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, struct.error,
    AssertionError, OverflowError,
)  # fmt: skip


def write_tensors(path: Path, value: Any) -> None:
    """Write tensors and plain values for ``torch.load``."""
    with replacing(path) as file:
        torch.save(value, file)


def write_checkpoint(path: Path, value: Any) -> None:
    """Write tensors and plain values, sealed."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    content = buffer.getvalue()
    with replacing(path) as file:
        file.write(MAGIC + hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def read_checkpoint(path: Path) -> Any:
    """Return what :func:`write_checkpoint` wrote; nothing in the file is run.

    Raises
    ------
    ValueError
        The file is damaged (a single bit is noticed), or holds more than tensors and plain values.
    """
    whole = path.read_bytes()
    head, content = whole[:_HEAD], whole[_HEAD:]
    if not head.startswith(MAGIC):
        raise _damaged(path, "it does not begin like one")
    if head[len(MAGIC) :] != hashlib.sha256(content).hexdigest().encode() + b"\n":
        raise _damaged(path, "its digest is another, so bytes are missing or changed")
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        raise _damaged(path, type(error).__name__) from error


def _damaged(path: Path, why: str) -> ValueError:
    return ValueError(f"{path} is not a readable checkpoint ({why}); delete it, and the run starts again")


def each_within(seconds: float, clock: Callable[[], float]) -> Callable[[], bool]:
    """Return a function that is true once in so many seconds of a clock."""
    last = clock()

    def due() -> bool:
        nonlocal last
        if clock() - last < seconds:
            return False
        last = clock()
        return True

    return due
