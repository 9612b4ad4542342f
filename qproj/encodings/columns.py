"""Weight bits: how the integers c_j ∈ [0, M_j] of column classes are written in binary variables, and read back.

A class of M_j columns that are equal up to sign enters every row only through c_j, the number of members whose weight
agrees with the member's sign. c_j is written with ⌈log2(M_j+1)⌉ bits whose last coefficient keeps the range exact:
1, 2, 4, …, M_j − (2^(b−1) − 1). A class of one is a plain weight bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import SignArray

Label = tuple[str | int, ...]


@dataclass(frozen=True, eq=False)
class Columns:
    """The partition of d weight columns into C classes.

    Attributes
    ----------
    class_of : (d,) intp
        The class of each column.
    sign_of : (d,) int8
        s_k, the sign of column k against its class's representative (the member of lowest index, sign +1).
    sizes : (C,) int64
        M_j, the number of members.
    """

    class_of: NDArray[np.intp]
    sign_of: SignArray
    sizes: NDArray[np.int64]

    @staticmethod
    def plain(d: int) -> Columns:
        """Return d classes of one column each."""
        return Columns(np.arange(d), np.ones(d, np.int8), np.ones(d, np.int64))

    @property
    def num_columns(self) -> int:
        """Number of weights d, before merging."""
        return len(self.class_of)

    @cached_property
    def is_plain(self) -> bool:
        """Whether every class has one member (then classes are columns, in order)."""
        return len(self.sizes) == len(self.class_of)

    @cached_property
    def bits(self) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """(class, coefficient) of each of the B weight bits: c_j = Σ_{b of class j} coefficient_b · bit_b."""
        if self.is_plain:
            return np.arange(len(self.sizes)), np.ones(len(self.sizes), np.int64)
        owners, coefficients = [], []
        for j, size in enumerate(self.sizes.tolist()):
            count = size.bit_length()
            row = [1 << b for b in range(count - 1)]
            row.append(size - sum(row))
            owners += [j] * count
            coefficients += row
        return np.array(owners, np.intp), np.array(coefficients, np.int64)

    @cached_property
    def labels(self) -> list[Label]:
        """Label of each weight bit: ('w', k) for a class of one, else ('c', j, b)."""
        if self.is_plain:
            return [("w", k) for k in range(len(self.sizes))]
        first = self.first.tolist()
        labels: list[Label] = []
        for j, size in enumerate(self.sizes.tolist()):
            if size == 1:
                labels.append(("w", first[j]))
            else:
                labels += [("c", j, b) for b in range(size.bit_length())]
        return labels

    @cached_property
    def first(self) -> NDArray[np.intp]:
        """(C,) the representative (lowest index) of each class."""
        return np.unique(self.class_of, return_index=True)[1]

    @cached_property
    def rank(self) -> NDArray[np.int64]:
        """(d,) the position of each column among its class's members, by index."""
        order = np.argsort(self.class_of, kind="stable")
        starts = np.concatenate(([0], np.cumsum(self.sizes)[:-1]))
        rank = np.empty(len(self.class_of), np.int64)
        rank[order] = np.arange(len(order)) - np.repeat(starts, self.sizes)
        return rank

    def counts_from_bits(self, bits: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return c, shape (k, C), from 0/1 bits of shape (k, B)."""
        owners, coefficients = self.bits
        if self.is_plain:
            return bits.astype(np.int64)
        counts = np.zeros((len(bits), len(self.sizes)), np.int64)
        np.add.at(counts.T, owners, (bits * coefficients).T)
        return counts

    def counts_from_weights(self, v: SignArray) -> NDArray[np.int64]:
        """Return c, shape (k, C), of ±1 weights of shape (k, d)."""
        if self.is_plain:
            return ((v + 1) // 2).astype(np.int64)
        counts = np.zeros((len(v), len(self.sizes)), np.int64)
        np.add.at(counts.T, self.class_of, (v == self.sign_of).T)
        return counts

    def weights_from_counts(self, counts: NDArray[np.integer], rng: np.random.Generator | None = None) -> SignArray:
        """Return ±1 weights, shape (k, d), with the given counts, shape (k, C).

        The first c members by index take v_k = s_k, the others −s_k; with `rng`, c members at random do.
        """
        if self.is_plain:
            return (2 * counts - 1).astype(np.int8)
        if rng is None:
            agree = self.rank < counts[:, self.class_of]
        else:
            shuffled = np.empty((len(counts), self.num_columns), np.int64)
            for row in shuffled:
                order = np.lexsort((rng.random(self.num_columns), self.class_of))
                row[order] = self.rank[np.argsort(self.class_of, kind="stable")]
            agree = shuffled < counts[:, self.class_of]
        return np.where(agree, self.sign_of, -self.sign_of).astype(np.int8)

    def bits_from_counts(self, counts: NDArray[np.integer]) -> SignArray:
        """Return one 0/1 bit pattern, shape (k, B), for each row of counts."""
        owners, coefficients = self.bits
        rest = counts[:, :].astype(np.int64).copy()
        bits = np.zeros((len(counts), len(owners)), np.int8)
        for b in range(len(owners) - 1, -1, -1):  # the last, odd coefficient first: what is left fits the powers of two
            j = owners[b]
            last = b + 1 == len(owners) or owners[b + 1] != j
            take = rest[:, j] >= coefficients[b] if not last else rest[:, j] > self.sizes[j] - coefficients[b]
            bits[:, b] = take
            rest[:, j] -= take * coefficients[b]
        return bits
