"""Merge equal rows and columns of ±1 inputs: exact, in O(n·d); it often makes a large problem small.

Rows: equal rows add their targets; when d is odd, −x joins x with −t (no ties exist then; for even d, σ(0) = +1 forbids
it); a group whose targets cancel drops out. Columns: those equal up to sign enter every row only through one integer.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, SignArray
from qproj.encodings import Columns


@dataclass(frozen=True, eq=False)
class RowGroups:
    """Which rows of X merge: X[i] = sign_of[i]·X[first[group_of[i]]].

    Attributes
    ----------
    group_of : (n,) intp
    sign_of : (n,) int8
        −1 where the opposite row was merged.
    first : (U,) intp
        The first row of each group.
    """

    group_of: NDArray[np.intp]
    sign_of: SignArray
    first: NDArray[np.intp]

    def sums(self, T: FloatArray) -> FloatArray:
        """Return the merged targets τ, shape (U,) or (U, dout), of T, shape (n,) or (n, dout).

        A sum no larger than its own rounding error is 0: 0.1 + 0.2 − 0.3 cancels.
        """
        if len(self.first) == len(self.group_of):
            return T  # groups are numbered by first appearance: every row stands for itself
        tau = np.zeros((len(self.first), *T.shape[1:]))
        size = np.zeros_like(tau)
        np.add.at(tau, self.group_of, (self.sign_of * T.T).T)
        np.add.at(size, self.group_of, np.abs(T))
        rounding = (np.bincount(self.group_of) - 1) * np.finfo(np.float64).eps * size.T
        tau[np.abs(tau) <= rounding.T] = 0.0
        return tau


@dataclass(frozen=True, eq=False)
class Aggregated:
    """A neuron's merged rows and columns.

    Attributes
    ----------
    A : (G, C) int8 or float64
        One row per group, one column per class.
    tau : (G,) float64
        Merged targets.
    groups : RowGroups
        Of the original rows; ``kept`` names the groups that became rows of A.
    kept : (G,) intp
    columns : Columns
    """

    A: NDArray[Any]
    tau: FloatArray
    groups: RowGroups
    kept: NDArray[np.intp]
    columns: Columns

    @property
    def num_rows(self) -> tuple[int, int]:
        """(rows given, rows left)."""
        return len(self.groups.group_of), len(self.tau)

    @property
    def num_columns(self) -> tuple[int, int, int]:
        """(weights, classes, weight bits)."""
        return self.columns.num_columns, len(self.columns.sizes), len(self.columns.labels)


def group_rows(X: NDArray[Any], *, merge: bool = True, opposite: bool = False) -> RowGroups:
    """Group equal rows of X (n, d), and with `opposite` ±1 rows x also with −x; numbered by first appearance."""
    n = len(X)
    if not merge:
        return RowGroups(np.arange(n), np.ones(n, np.int8), np.arange(n))
    sign = X[:, 0] if opposite else np.ones(n, np.int8)
    group_of, first = _equal_rows(X * sign[:, None] if opposite else X)
    return RowGroups(group_of, sign * sign[first][group_of], first)


def class_columns(A: SignArray, *, merge: bool = True) -> Columns:
    """Group the columns of A (G, C), entries ±1, that are equal up to sign; classes numbered by first appearance."""
    if not merge:
        return Columns.plain(A.shape[1])
    if not len(A):
        d = A.shape[1]
        return Columns(np.zeros(d, np.intp), np.ones(d, np.int8), np.array([d]))
    sign = A[0]
    class_of, first = _equal_rows((A * sign).T)
    if len(first) == len(sign):
        return Columns.plain(len(sign))
    return Columns(class_of, sign * sign[first][class_of], np.bincount(class_of))


def aggregate(
    X: NDArray[Any], t: FloatArray, groups: RowGroups, *, binary: bool, merge_rows: bool, merge_columns: bool
) -> Aggregated:
    """Return the merged rows and columns of one neuron; real-valued X keeps its columns."""
    tau = groups.sums(t)
    kept = np.flatnonzero(tau) if merge_rows else np.arange(len(tau))
    A = X[groups.first[kept]]
    if not binary:
        return Aggregated(A.astype(np.float64), tau[kept], groups, kept, Columns.plain(X.shape[1]))
    columns = class_columns(A, merge=merge_columns)
    if not columns.is_plain:
        A = A[:, columns.first]
    return Aggregated(A, tau[kept], groups, kept, columns)


def _equal_rows(rows: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return (group of each row, first row of each group), groups of equal rows numbered as they appear."""
    # one byte string per row: ±1 rows as packed bits, real rows as their float64 bytes (−0 as +0)
    packed: NDArray[Any] = np.packbits(rows > 0, axis=1) if rows.dtype == np.int8 else rows.astype(np.float64) + 0.0
    packed = np.ascontiguousarray(packed)
    keys = packed.view(np.dtype((np.void, packed.dtype.itemsize * packed.shape[1]))).ravel().tolist()
    numbers = dict(zip(dict.fromkeys(keys), itertools.count()))
    positions = np.arange(len(keys))
    if len(numbers) == len(keys):
        return positions, positions
    group_of = np.array([numbers[key] for key in keys], np.intp)
    first = np.empty(len(numbers), np.intp)
    first[group_of[::-1]] = positions[::-1]
    return group_of, first
