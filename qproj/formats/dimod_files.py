"""Models in dimod's own files: the binary .bqm and .cqm, and the JSON of ``BQM.to_serializable``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import dimod

from qproj.formats.lines import checked_file

Model = dimod.BinaryQuadraticModel | dimod.ConstrainedQuadraticModel


def read_dimod(path: str | os.PathLike[str]) -> Model:
    """Return the model that ``to_file`` of a BQM or CQM wrote (``*.bqm``, ``*.cqm``), or a BQM's JSON (``*.json``).

    Sense and vartype are in the file: a minimised objective, BINARY or SPIN, integer and real variables in a CQM.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Damaged, cut short, or of another content.
    """
    source = checked_file(Path(path))
    suffix = source.suffix.lower()
    try:
        if suffix == ".json":
            return _of_json(json.loads(source.read_text(encoding="utf-8")))
        kind = dimod.BinaryQuadraticModel if suffix == ".bqm" else dimod.ConstrainedQuadraticModel
        with source.open("rb") as file:
            model: Model = kind.from_file(file)
    except Exception as error:  # dimod raises whatever the damaged bytes lead to
        text = " ".join(str(error).split())[:100]
        raise ValueError(
            f"{source} is not a {suffix} file of dimod ({type(error).__name__}: {text}); write it again with to_file, "
            "or to_serializable for JSON"
        ) from None
    return model


def _of_json(content: Any) -> dimod.BinaryQuadraticModel:
    if not isinstance(content, dict) or content.get("type") != "BinaryQuadraticModel":
        raise ValueError("its type is not BinaryQuadraticModel")
    bqm: dimod.BinaryQuadraticModel = dimod.BinaryQuadraticModel.from_serializable(content)
    return bqm
