"""Where data sets live on this machine: the cache of converted arrays, and the user's own folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """Return the folder of converted data sets: QPROJ_CACHE_DIR, else the platform's cache folder; not yet made."""
    chosen = os.environ.get("QPROJ_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "qproj" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "qproj"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qproj"


def data_dir() -> Path | None:
    """Return the folder of files that the user provides, QPROJ_DATA_DIR, or None where it is not set.

    Raises
    ------
    FileNotFoundError
        It is set to something other than a folder.
    """
    chosen = os.environ.get("QPROJ_DATA_DIR")
    if not chosen:
        return None
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"QPROJ_DATA_DIR is {chosen!r}, which is not a folder; correct or unset it")
    return folder
