"""Labels of variables as text, and the order that follows from it, the same in every process."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

#: Numbers below this many are sorted by numpy.
_MOST = 10**18


def label_text(label: Hashable) -> str:
    """Return a text of the label that tells it from others; sets are sorted, since their order changes with hashes."""
    if isinstance(label, frozenset):
        return f"{type(label).__name__}({{{', '.join(sorted(map(label_text, label)))}}})"
    if type(label) is tuple:
        return f"({', '.join(map(label_text, label))})"
    return repr(label)


def canonical_order(labels: Sequence[Hashable]) -> list[int]:
    """Return the positions of the labels sorted by type and text."""
    if all(type(label) is int and abs(label) < _MOST for label in labels):
        # numbers as bytes, in the order of their texts: a tuple and a string per label weigh more than a sparse model
        texts = np.fromiter(labels, np.int64, len(labels)).astype("S")
        order: list[int] = np.argsort(texts, kind="stable").tolist()
        return order
    keys = [(type(label).__name__, label_text(label)) for label in labels]
    return sorted(range(len(keys)), key=keys.__getitem__)


def numbered(labels: Sequence[Hashable]) -> NDArray[np.intp] | None:
    """Return the positions of the labels 0, …, n − 1 where there are no others; None elsewhere.

    dimod keeps a table of labels, which weighs more than a sparse model, unless they are numbers in this order.
    """
    if not all(type(label) is int and 0 <= label < len(labels) for label in labels):
        return None
    place = np.empty(len(labels), np.intp)
    place[np.fromiter(labels, np.intp, len(labels))] = np.arange(len(labels))
    return place
