"""Immutable values that are equal, and hashed, by content: keys of caches and of stored studies."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import feed


class Immutable:
    """A value whose attributes and arrays stay as they are, also after pickling."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; make a new one to change {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name!r} stays")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set(**state)  # pickling forgets that arrays are read-only

    def _set(self, **fields: object) -> None:
        """Set attributes once; arrays become read-only."""
        for value in fields.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        self.__dict__.update(fields)


class ByContent(Immutable):
    """An immutable value, identified by the SHA-256 of a header and arrays, the same in every process."""

    def _content(self) -> tuple[object, list[NDArray[Any]]]:
        """Return what identifies the value: a header and arrays."""
        raise NotImplementedError

    @cached_property
    def key(self) -> str:
        """SHA-256 of the canonical bytes, in hex."""
        header, arrays = self._content()
        digest = hashlib.sha256(f"qproj {type(self).__name__} 1 {header!r}".encode())
        for array in arrays:
            digest.update(f"{array.shape} {array.dtype.kind}{array.dtype.itemsize}".encode())
            feed(digest, array)
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByContent) and self.key == other.key

    def __hash__(self) -> int:
        return int(self.key[:15], 16)
