"""The inputs of one layer: validated once, shared by its neurons, with their groups of equal rows found once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray, as_real, is_sign_matrix
from qproj.projections.aggregation import RowGroups, group_rows
from qproj.projections.content import Immutable


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
        if self.is_binary:
            z = V.astype(self._float_rows.dtype) @ self._float_rows
            return np.where(z >= 0, np.int8(1), np.int8(-1))
        # The definition adds up each row in numpy's order; a product by BLAS decides all but those near a tie.
        z = V.astype(np.float64) @ self.matrix.T
        signs = np.where(z >= 0, np.int8(1), np.int8(-1))
        for i, g in zip(*np.nonzero(np.abs(z) <= self._near), strict=True):
            signs[i, g] = 1 if (self.matrix[g] * V[i]).sum() >= 0 else -1
        return signs

    @cached_property
    def _near(self) -> FloatArray:
        """(n,) twice the distance that two orders of summation of a row can lie apart."""
        d = self.matrix.shape[1]
        near: FloatArray = 4.0 * d * np.finfo(np.float64).eps * np.abs(self.matrix).sum(axis=1)
        return near
