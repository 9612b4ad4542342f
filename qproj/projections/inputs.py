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
        words, own = self._bits, packed_signs(V)
        signs = np.empty((len(V), len(self.matrix)), np.int8)
        step = max(1, _AT_ONCE // max(1, len(self.matrix)))
        for low in range(0, len(V), step):
            part = own[low : low + step]
            differ = np.zeros((len(part), len(self.matrix)), np.uint32)
            for j in range(words.shape[1]):
                differ += np.bitwise_count(part[:, j, None] ^ words[:, j])
            signs[low : low + step] = np.where(2 * differ <= self.matrix.shape[1], np.int8(1), np.int8(-1))
        return signs

    @cached_property
    def _bits(self) -> NDArray[np.uint64]:
        return packed_signs(self.matrix)

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
