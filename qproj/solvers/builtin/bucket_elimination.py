"""Exact minimisation of a sparse quadratic model by eliminating one variable after another.

A variable's best value, for every assignment of the variables that it meets, is a table of 2^k numbers, which is added
to the rest of the model in its place. Memory is what the tables that still wait take, and a bit per decision.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qproj._arrays import FloatArray, both_ways

#: Others that a variable may meet: beyond, a table (2^width floats) does not fit.
MAX_WIDTH = 22
#: Seconds per entry of a table, per variable, and per pair of a variable's neighbours where an order is looked for.
ENTRY_S, VARIABLE_S, JOIN_S = 1e-8, 2.5e-5, 1e-7


@dataclass(frozen=True, eq=False)
class SparseForm:
    """Σ_i linear_i x_i + Σ_p products_p x_first x_second over x ∈ {low, 1}^n, and each variable's products.

    Attributes
    ----------
    linear : (n,) float64
    start : (n + 1,) int64
        Variable i has the products start[i], …, start[i + 1] − 1 of the arrays below.
    other : (2P,) int64
    products : (2P,) float64
    low : {−1, 0}
    """

    linear: FloatArray
    start: NDArray[np.int64]
    other: NDArray[np.int64]
    products: FloatArray
    low: int

    @classmethod
    def of(
        cls, linear: FloatArray, first: NDArray[np.intp], second: NDArray[np.intp], products: FloatArray, low: int
    ) -> SparseForm:
        """Return the form with every product listed at both of its variables."""
        return cls(linear, *both_ways(len(linear), first, second, products), low)


@dataclass(frozen=True, eq=False)
class Elimination:
    """An order of elimination, and how many others each variable meets; shorter than n where it was given up."""

    order: Sequence[int]
    widths: Sequence[int]

    @property
    def width(self) -> int:
        """The largest number of others."""
        return max(self.widths, default=0)

    @property
    def seconds(self) -> float:
        """How long the tables take, roughly."""
        return VARIABLE_S * len(self.widths) + ENTRY_S * sum(2.0 ** (width + 1) for width in self.widths)


def least_degree_first(form: SparseForm, most_s: float = np.inf) -> Elimination:
    """Return the order in which a variable of least degree is eliminated first; its neighbours then meet each other.

    Ends early beyond the largest width taken, or where the tables so far take more than `most_s` seconds.
    """
    n, start, other = len(form.linear), form.start, form.other
    graph: dict[int, set[int]] = {}  # of variables whose neighbours have changed
    degree = array("q", np.diff(start))
    # by degree, then number, as one number each; those with a new degree go to a heap, which stays small
    queue, at, heap = np.sort(np.diff(start) * n + np.arange(n)), 0, list[int]()
    order, widths = array("q"), array("q")
    seconds = 0.0
    while (at < n or heap) and (not widths or widths[-1] <= MAX_WIDTH) and seconds <= most_s:
        if at < n and (not heap or queue[at] < heap[0]):
            d, v = divmod(int(queue[at]), n)
            at += 1
        else:
            d, v = divmod(heapq.heappop(heap), n)
        if d != degree[v]:
            continue  # a newer entry has its present degree
        around = graph.pop(v) if v in graph else set(other[start[v] : start[v + 1]].tolist())
        degree[v] = -1
        order.append(v)
        widths.append(len(around))
        seconds += VARIABLE_S + ENTRY_S * 2.0 ** (len(around) + 1) + JOIN_S * len(around) ** 2
        for u in around:
            own = graph.get(u)
            if own is None:
                own = graph[u] = set(other[start[u] : start[u + 1]].tolist())
            own |= around
            own -= {u, v}
            if len(own) != degree[u]:
                degree[u] = len(own)
                heapq.heappush(heap, len(own) * n + u)
    return Elimination(order, widths)


def minimised(form: SparseForm, order: Sequence[int], stop: Callable[[], bool]) -> NDArray[np.int8] | None:
    """Return argmin of the form, (n,) with values in {low, 1}; None where `stop` returned true before it was found."""
    n = len(form.linear)
    position = np.empty(n, np.intp)
    position[np.asarray(order, np.intp)] = np.arange(n)
    waiting: dict[int, list[tuple[tuple[int, ...], FloatArray]]] = {}
    scopes, scope_ends, bits, bit_starts = array("q"), array("q", [0]), bytearray(), array("q")
    for p, v in enumerate(order):
        if stop():
            return None
        scope, high, low = _bucket(form, position, v, p, waiting.pop(p, []))
        bit_starts.append(len(bits))
        bits += np.packbits(high < low).tobytes()
        scopes.extend(scope)
        scope_ends.append(len(scopes))
        if scope:
            waiting.setdefault(scope[0], []).append((scope, np.minimum(high, low)))
    up = bytearray(n)  # by position: whether the value is 1
    for p in range(n - 1, -1, -1):
        index = 0
        for q in scopes[scope_ends[p] : scope_ends[p + 1]]:
            index = 2 * index + up[q]
        up[p] = bits[bit_starts[p] + (index >> 3)] >> (7 - (index & 7)) & 1
    values = np.where(np.frombuffer(up, np.uint8)[position] > 0, 1, form.low)
    return values.astype(np.int8)


def _bucket(
    form: SparseForm, position: NDArray[np.intp], v: int, p: int, messages: list[tuple[tuple[int, ...], FloatArray]]
) -> tuple[tuple[int, ...], FloatArray, FloatArray]:
    """Return what variable v meets, by position, and the tables of everything that mentions it, for x = 1 and x = low.

    Parameters
    ----------
    p : int
        The position of v, which comes first in the scope of every message.
    messages : list
        (scope, table) each, with one axis of length 2 (low, 1) per variable of the scope.
    """
    own = slice(form.start[v], form.start[v + 1])
    products: dict[int, float] = {}
    for q, product in zip(position[form.other[own]].tolist(), form.products[own].tolist(), strict=True):
        if q > p:
            products[q] = products.get(q, 0.0) + product
    scope = tuple(sorted(set(products).union(*(set(one[1:]) for one, _ in messages))))
    # x·(h + Σ J x'): grown by one axis at a time, the last variable first
    slope = np.array(form.linear[v])
    for q in reversed(scope):
        product = products.get(q, 0.0)
        slope = np.stack([slope + form.low * product, slope + product]) if product else np.stack([slope, slope])
    high, low = slope, form.low * slope
    for one, table in messages:
        shape = tuple(2 if q in one else 1 for q in scope)
        high = high + table[1].reshape(shape)
        low = low + table[0].reshape(shape)
    return scope, high, low
