"""Labels of variables as text, and the order that follows from it, the same in every process."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def label_text(label: Hashable) -> str:
    """Return a text of the label that tells it from others; sets are sorted, since their order changes with hashes."""
    if isinstance(label, frozenset):
        return f"{type(label).__name__}({{{', '.join(sorted(map(label_text, label)))}}})"
    if type(label) is tuple:
        return f"({', '.join(map(label_text, label))})"
    return repr(label)


def canonical_order(labels: Sequence[Hashable]) -> list[int]:
    """Return the positions of the labels sorted by type and text."""
    keys = [(type(label).__name__, label_text(label)) for label in labels]
    return sorted(range(len(keys)), key=keys.__getitem__)
