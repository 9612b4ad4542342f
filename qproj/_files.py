"""Files that are whole or not there: written beside, flushed, then renamed."""

from __future__ import annotations

import glob
import json
import math
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write to, which becomes `path` at the end; after an error or a kill, `path` is unchanged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}-{uuid.uuid4().hex}")  # tempfile's own would be closed to other users
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def discard(path: Path) -> None:
    """Remove a file, and what writers of it that were killed left beside it."""
    path.unlink(missing_ok=True)
    for part in path.parent.glob(f".{glob.escape(path.name)}-*"):
        part.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON."""
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8."""
    with replacing(path) as file:
        file.write(text.encode())


def plain(value: Any) -> Any:
    """Return a value for strict JSON: None for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # an array or a number of numpy
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
