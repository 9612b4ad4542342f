"""Files of OMMX: an artifact's archive, or the bytes of an instance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qproj._extras import install_hint
from qproj.formats.lines import checked_file
from qproj.projections.ommx_instances import model_of_ommx


def read_ommx(path: Path) -> Any:
    """Return the model of an OMMX file: an artifact's archive with one instance, or what ``Instance.to_bytes`` gave.

    Raises
    ------
    ImportError
        ommx is not installed.
    FileNotFoundError, ValueError
        No such file; neither kind, or an instance that a CQM does not represent.
    """
    source = checked_file(path)
    try:
        from ommx.artifact import Artifact
        from ommx.v1 import Instance
    except ImportError as error:
        raise ImportError(f"{source} needs ommx, which is not installed; {install_hint('ommx')}") from error
    data = source.read_bytes()
    try:
        archive = data[257:262] == b"ustar"
        instance = Artifact.load_archive(str(source)).instance if archive else Instance.from_bytes(data)
    except Exception as error:  # the extension raises kinds of its own
        raise ValueError(f"{source} is neither an OMMX archive nor the bytes of an instance: {error}") from None
    return model_of_ommx(instance)
