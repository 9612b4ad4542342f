"""Get a published data set from the cache, the user's folder or by download, its numbers checked on every path."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qproj._extras import install_hint
from qproj.lab.datasets.cache import cache_dir, data_dir
from qproj.lab.datasets.fingerprint import require_fingerprint
from qproj.lab.datasets.idx import open_maybe_gzip, unpacked_limit
from qproj.lab.datasets.npz import read_npz, write_npz
from qproj.lab.datasets.published import PUBLISHED, Arrays, Published, PublishedFile

_log = logging.getLogger(__name__)
_TIMEOUT_S = 30


class DataUnavailableError(FileNotFoundError):
    """A data set is neither on this machine nor to be downloaded; the message names the files and their place."""


@dataclass(frozen=True)
class DataLocation:
    """Where a set's arrays would come from: "cache", "folder" (QPROJ_DATA_DIR) or "download", and the files there."""

    how: str
    paths: tuple[Path, ...]


def locate(name: str) -> DataLocation:
    """Return where :func:`load_arrays` would take the set from, without reading it.

    Raises
    ------
    FileNotFoundError
        QPROJ_DATA_DIR is set to something other than a folder.
    """
    spec = PUBLISHED[name]
    cached = _cached(name)
    if cached.is_file():
        return DataLocation("cache", (cached,))
    ready = _ready_files(spec)
    if ready:
        return DataLocation("folder", tuple(ready))
    published = _folder_files(spec)
    if published:
        return DataLocation("folder", tuple(published.values()))
    return DataLocation("download", ())


def load_arrays(name: str) -> Arrays:
    """Return the parsed arrays of a published set, by name.

    In this order: the cache; ready npz or published files in QPROJ_DATA_DIR; download. Published files are converted
    once into the cache. The fingerprint of the arrays is checked whatever way they came.

    Raises
    ------
    DataUnavailableError
        Nowhere to be had.
    ValueError
        Files in QPROJ_DATA_DIR are damaged or another data set.
    ImportError
        pooch, which downloads, is not installed.
    """
    spec = PUBLISHED[name]
    cached = _cached(name)
    if cached.is_file():
        try:
            return _checked(name, read_npz(cached), cached)
        except ValueError as error:
            _log.warning("the cached %s is not used, and converted again: %s", name, error)
    ready = _ready_files(spec)
    if ready:
        try:
            arrays = spec.gather([read_npz(path) for path in ready])
        except KeyError as error:
            raise ValueError(f"{ready[0]} has no array {error}; it is not the file that the layout asks for") from None
        return _checked(name, arrays, ready[0].parent)
    files = _folder_files(spec)
    if files:
        for file in spec.files:
            require_content(files[file.role], file.sha256)
    else:
        files = {file.role: download(file, cache_dir() / "downloads", spec) for file in spec.files}
    where = next(iter(files.values())).parent
    arrays = _checked(name, spec.parse(files), where)
    _store(cached, arrays)
    return arrays


def _cached(name: str) -> Path:
    return cache_dir() / f"{name}.npz"


def _checked(name: str, arrays: Arrays, where: Path) -> Arrays:
    require_fingerprint(name, arrays, str(where))
    return arrays


def _store(path: Path, arrays: Arrays) -> None:
    try:
        write_npz(path, arrays)
    except OSError as error:
        _log.warning("%s cannot be written (%s): the data will be converted again next time", path, error)


def _ready_files(spec: Published) -> list[Path]:
    folder = data_dir()
    if folder is None or not spec.ready:
        return []
    paths = [folder / spec.folder / name for name in spec.ready]
    return paths if all(path.is_file() for path in paths) else []


def _folder_files(spec: Published) -> dict[str, Path]:
    """Return the published files in QPROJ_DATA_DIR by role, packed or not, or nothing unless all are there."""
    folder = data_dir()
    if folder is None:
        return {}
    found: dict[str, Path] = {}
    for file in spec.files:
        bare = file.name.removesuffix(".gz")
        for path in (folder / spec.folder / bare, folder / spec.folder / f"{bare}.gz"):
            if path.is_file():
                found[file.role] = path
    if 0 < len(found) < len(spec.files):
        lacking = ", ".join(file.name for file in spec.files if file.role not in found)
        _log.warning("%s in %s is not used: %s is missing there", spec.name, folder / spec.folder, lacking)
    return found if len(found) == len(spec.files) else {}


def require_content(path: Path, sha256: str | None) -> None:
    """Raise ValueError unless the file, gzip unpacked, has the given SHA-256 (None: nothing to compare with)."""
    if sha256 is None:
        return
    digest = hashlib.sha256()
    left = unpacked_limit(path)
    try:
        with open_maybe_gzip(path) as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                left -= len(block)
                if left < 0:
                    raise ValueError("it unpacks to more than a file of its size may")
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}; fetch it again") from None
    if digest.hexdigest() != sha256:
        raise ValueError(f"{path} has SHA-256 {digest.hexdigest()[:12]}…, expected {sha256[:12]}…; fetch it again")


def download(file: PublishedFile, folder: Path, spec: Published) -> Path:
    """Return the downloaded file, from the first address that gives the right content; one already there is kept.

    QPROJ_MIRROR, an address like ``https://host/path``, is asked first for FOLDER/NAME (the layout of QPROJ_DATA_DIR).
    QPROJ_OFFLINE=1 forbids downloads.

    Raises
    ------
    DataUnavailableError
        No address gives it; names the file, where to put it, and what needs no download.
    ImportError
        pooch is not installed.
    """
    target = folder / spec.folder / file.name
    if target.is_file():
        try:
            require_content(target, file.sha256)
        except ValueError as error:
            _log.warning("%s", error)
            target.unlink()
        else:
            return target
    if os.environ.get("QPROJ_OFFLINE", "") not in ("", "0"):
        raise _unavailable(file, spec, ["QPROJ_OFFLINE is set"])
    try:
        import pooch
    except ImportError:
        raise ImportError(f"pooch is not installed; it downloads data sets: {install_hint('data')}") from None
    pooch.get_logger().setLevel(logging.WARNING)
    failures = []
    for url in _addresses(file, spec):
        try:
            pooch.retrieve(
                url, known_hash=None, path=target.parent, fname=target.name,
                downloader=pooch.HTTPDownloader(timeout=_TIMEOUT_S),
            )  # fmt: skip
            require_content(target, file.sha256)
        except (OSError, ValueError) as error:  # requests' exceptions are OSErrors
            target.unlink(missing_ok=True)
            failures.append(f"{url}: {str(error) or type(error).__name__}")
            _log.info("no luck with %s: %s", url, error)
        else:
            return target
    raise _unavailable(file, spec, failures)


def _addresses(file: PublishedFile, spec: Published) -> Iterator[str]:
    mirror = os.environ.get("QPROJ_MIRROR")
    if mirror:
        yield f"{mirror.rstrip('/')}/{spec.folder}/{file.name}"
    yield from file.urls


def _unavailable(file: PublishedFile, spec: Published, reasons: list[str]) -> DataUnavailableError:
    ready = f" (or {' and '.join(spec.ready)})" if spec.ready else ""
    return DataUnavailableError(
        f"{spec.name}: {file.name} cannot be downloaded ({'; '.join(reasons)}). Put {file.name}{ready} into "
        f"$QPROJ_DATA_DIR/{spec.folder}/, set QPROJ_MIRROR, or do without: {spec.alternative}"
    )
