"""Files that are whole or not there: written beside, flushed, then renamed."""

from __future__ import annotations

import json
import os
import pickle  # nosec B403 -- its error type only
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch

#: What torch's reader is known to raise on damaged bytes.
_DAMAGE = (
    pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, struct.error,
    AssertionError, OverflowError,
)  # fmt: skip


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write to, which becomes `path` at the end; after an error or a kill, `path` is what it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON."""
    with replacing(path) as file:
        file.write((json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode())


def write_tensors(path: Path, value: Any) -> None:
    """Write tensors and plain values."""
    with replacing(path) as file:
        torch.save(value, file)


def read_tensors(path: Path) -> Any:
    """Return what :func:`write_tensors` wrote; nothing in the file is run.

    Raises
    ------
    ValueError
        The file is damaged, or holds more than tensors and plain values.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        raise ValueError(
            f"{path} is no readable checkpoint ({type(error).__name__}); delete it, and the run begins anew"
        ) from error


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
