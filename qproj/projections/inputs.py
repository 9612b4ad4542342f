"""The inputs of one layer: validated once, shared by its neurons, with their groups of equal rows found once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray, as_real, is_sign_matrix
from qproj.projections.aggregation import RowGroups, group_rows
from qproj.projections.content import Immutable

#: Terms of sums from which ±1 rows are packed, 64 entries in a word: some five times faster than products of floats.
_PACKED = 1 << 22
#: Sums at once, which stay in the cache.
_AT_ONCE = 1 << 17


class Inputs(Immutable):
    """The rows x_i of a layer, and σ(x_i·v) of any weights.

    Parameters
    ----------
    X : (n, d) array
        A checked matrix, which is copied.
    merge : bool
        Whether equal rows are merged.

    Attributes
    ----------
    X : (n, d)
        As given, read-only.
    matrix : (n, d) int8 or float64
        The same numbers, int8 where every entry is ±1.
    is_binary : bool
        Whether every entry is ±1.
    """

    X: NDArray[Any]
    matrix: NDArray[Any]
    is_binary: bool
    _merge: bool

    def __init__(self, X: NDArray[Any], merge: bool = True) -> None:
        kept = np.array(X, order="C")
        binary = is_sign_matrix(kept)
        matrix = kept.astype(np.int8) if binary else as_real(kept, "X")
        self._set(X=kept, matrix=matrix, is_binary=binary, _merge=merge)

    @property
    def unmerged(self) -> Inputs:
        """The same inputs, every row standing for itself."""
        other = Inputs.__new__(Inputs)
        other._set(X=self.X, matrix=self.matrix, is_binary=self.is_binary, _merge=False)
        return other

    @cached_property
    def groups(self) -> RowGroups:
        odd = self.is_binary and self.matrix.shape[1] % 2 == 1
        return group_rows(self.matrix, merge=self._merge, opposite=odd)

    @cached_property
    def _float_rows(self) -> NDArray[Any]:
        # float32 products of ±1 rows are exact up to d = 2^24, and twice as fast as float64
        return self.matrix.T.astype(np.float32 if self.matrix.shape[1] < 2**24 else np.float64)

    def signs(self, V: SignArray) -> SignArray:
        """Return σ(X v), int8 (k, n), of ±1 vectors of shape (k, d)."""
        if self.is_binary and V.size * len(self.matrix) >= _PACKED:
            return self._counted_signs(V)
        if self.is_binary:
            z = V.astype(self._float_rows.dtype) @ self._float_rows
            return np.where(z >= 0, np.int8(1), np.int8(-1))
        # The definition adds up each row in numpy's order; a product by BLAS decides all but those near a tie.
        z = V.astype(np.float64) @ self.matrix.T
        signs = np.where(z >= 0, np.int8(1), np.int8(-1))
        for i, g in zip(*np.nonzero(np.abs(z) <= self._near), strict=True):
            signs[i, g] = 1 if (self.matrix[g] * V[i]).sum() >= 0 else -1
        return signs

    def _counted_signs(self, V: SignArray) -> SignArray:
        """Return the signs of ±1 rows by counting the bits in which packed rows and weights differ."""
        n, d = self.matrix.shape
        words, (own, place) = self._bits, _distinct(packed_signs(V))
        signs = np.empty((len(own), n), np.int8)
        step = min(len(own), max(1, _AT_ONCE // n))
        # written over for every word: memory that is new each time costs more than the counting
        apart, count = np.empty((step, n), np.uint64), np.empty((step, n), np.uint8)
        differ = np.empty((step, n), np.uint16 if d < 2**16 else np.uint32)
        for low in range(0, len(own), step):
            part = own[low : low + step]
            size = len(part)
            differ[:size] = 0
            for j, word in enumerate(words):
                np.bitwise_xor(part[:, j, None], word, out=apart[:size])
                np.bitwise_count(apart[:size], out=count[:size])
                differ[:size] += count[:size]
            np.subtract(2 * (differ[:size] <= d // 2).view(np.int8), 1, out=signs[low : low + step])
        return signs if place is None else signs[place]

    @cached_property
    def _bits(self) -> NDArray[np.uint64]:
        """(⌈d/64⌉, n) the packed rows, word by word."""
        return np.ascontiguousarray(packed_signs(self.matrix).T)

    @cached_property
    def _near(self) -> FloatArray:
        """(n,) twice the distance that two orders of summation of a row can lie apart."""
        d = self.matrix.shape[1]
        near: FloatArray = 4.0 * d * np.finfo(np.float64).eps * np.abs(self.matrix).sum(axis=1)
        return near


def packed_signs(rows: NDArray[Any]) -> NDArray[np.uint64]:
    """Return ±1 rows (k, d) as words (k, ⌈d/64⌉): bit set where an entry is +1, padded with 0."""
    k, d = rows.shape
    packed = np.zeros((k, 8 * -(-d // 64)), np.uint8)
    packed[:, : -(-d // 8)] = np.packbits(rows > 0, axis=1)
    return packed.view(np.uint64)


def _distinct(packed: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.intp] | None]:
    """Return the distinct rows and each row's place among them; all rows and None where at least half differ."""
    keys = packed.view(np.dtype((np.void, packed.dtype.itemsize * packed.shape[1]))).ravel()
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    return (packed, None) if 2 * len(first) >= len(packed) else (packed[first], place)
