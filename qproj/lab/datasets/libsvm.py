"""LIBSVM's text format: one row per line, ``label index:value …``, indices from 1, ascending."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from qproj._arrays import FloatArray


def read_libsvm(path: str | os.PathLike[str], *, num_features: int | None = None) -> tuple[Any, FloatArray]:
    """Return (X, y): X a float64 ``scipy.sparse.csr_matrix`` (n, d), y float64 (n,).

    Parameters
    ----------
    path : path
        A file as published; "#" starts a comment.
    num_features : int, optional
        The width d. Without it, the largest index that occurs: too narrow where the last features are missing from this
        file (a1a's training file stops at 119 of 123).

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        A line that is not of the format (its number is named), an index beyond `num_features`, or no line at all.
    """
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"{source} is not a file; pass the path of a LIBSVM text file")
    labels: list[float] = []
    places: list[int] = []
    values: list[float] = []
    starts = [0]
    try:
        with source.open(encoding="ascii") as lines:
            for number, line in enumerate(lines, start=1):
                words = line.partition("#")[0].split()
                if not words:
                    continue
                try:
                    _append(words, labels, places, values, num_features)
                except ValueError as error:
                    text = line.strip()
                    shown = text if len(text) <= 60 else text[:57] + "..."
                    raise ValueError(
                        f"{source}, line {number}: {error}, in {shown!r}; a row is 'label i:v i:v'"
                    ) from None
                starts.append(len(places))
    except UnicodeDecodeError:
        raise ValueError(f"{source} is not ASCII text; a LIBSVM file is expected (unpack it first)") from None
    if not labels:
        raise ValueError(f"{source} has no rows; a LIBSVM file is expected: fetch it again")
    width = num_features if num_features is not None else max(places, default=-1) + 1
    indices: NDArray[np.int64] = np.array(places, np.int64)
    X = sp.csr_matrix((np.array(values), indices, np.array(starts, np.int64)), shape=(len(labels), width))
    return X, np.array(labels)


def _append(
    words: list[str], labels: list[float], places: list[int], values: list[float], num_features: int | None
) -> None:
    label = _number(words[0])
    last = 0
    for word in words[1:]:
        index, colon, value = word.partition(":")
        if not colon or not index.isdigit():
            raise ValueError(f"{word[:20]!r} is not index:value")
        place = int(index[:12])
        if place <= last:
            raise ValueError(f"index {index[:20]} does not ascend from 1")
        if place > (num_features if num_features is not None else 2**31 - 1):
            raise ValueError(f"index {index[:20]} is beyond the {num_features or 2**31 - 1} features")
        last = place
        places.append(place - 1)
        values.append(_number(value))
    labels.append(label)


def _number(text: str) -> float:
    # float() would also take "1_0"
    value = math.nan if "_" in text else float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]!r} is not a finite number")
    return value
