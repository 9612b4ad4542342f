"""The folder of a set of runs: one JSON a run, named by the key of its configuration, so that nothing is run twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qproj._files import write_json
from qproj.lab.training.settings import Config


class Store:
    """Records under ``folder/runs``; a record appears when its run is over, whole.

    Parameters
    ----------
    folder : Path
        Made when the first record is written.
    """

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is not a folder; name a folder, or one that is not there yet")
        self.folder = folder

    def get(self, config: Config) -> dict[str, Any] | None:
        """Return the record of a configuration, or None.

        Raises
        ------
        ValueError
            The file is there and damaged.
        """
        path = self._path(config.label)
        return _read(path) if path.exists() else None

    def put(self, config: Config, record: dict[str, Any]) -> None:
        """Keep a record."""
        write_json(self._path(config.label), record)

    def all(self) -> list[dict[str, Any]]:
        """Return every record, by file name."""
        return [_read(path) for path in sorted((self.folder / "runs").glob("*.json"))]

    def _path(self, label: str) -> Path:
        return self.folder / "runs" / f"{label}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}); delete it, and the run is done again") from error
    if not isinstance(record, dict) or "experiment" not in record:
        raise ValueError(f"{path} holds no record of a run; delete it, and the run is done again")
    return record
