"""The graph that an encoding needs from an annealer: fixed by shapes, not by values; one embedding serves all."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from qproj.solvers.sampling import Model

Edge = tuple[int, int]

#: Encodings of weight bits alone, and those with bits of their own for every row.
_CLIQUES = frozenset({"margin", "linear", "metric"})
_ROWWISE = frozenset({"majority", "unbalanced"})


@dataclass(frozen=True)
class Structure:
    """Variables 0..N−1 and the pairs that may interact.

    Every neuron of a layer has the same structure, and so has every batch of that shape: weight bits a clique, each
    row's bits a clique joined to all weight bits.
    """

    num_variables: int
    edges: tuple[Edge, ...]

    @property
    def is_clique(self) -> bool:
        return len(self.edges) == self.num_variables * (self.num_variables - 1) // 2

    @property
    def key(self) -> str:
        """SHA-256 of the graph."""
        digest = hashlib.sha256(f"{self.num_variables}:".encode())
        digest.update(np.asarray(self.edges, "<i8").tobytes())
        return digest.hexdigest()


def structure_of(model: Model) -> Structure:
    """Return the structure of a sampled model: that of its encoding, or its own interactions."""
    N = model.bqm.num_variables
    encoding = model.encoding
    if encoding is not None and encoding.name in _CLIQUES:
        return Structure(N, tuple(itertools.combinations(range(N), 2)))
    if encoding is not None and encoding.name in _ROWWISE:
        B = encoding.num_weight_bits
        rows: dict[Any, list[int]] = {}
        for i, label in enumerate(encoding.labels[B:], B):
            rows.setdefault(label[1], []).append(i)
        edges = list(itertools.combinations(range(B), 2))
        for own in rows.values():
            edges += list(itertools.product(range(B), own))
            edges += list(itertools.combinations(own, 2))
        return Structure(N, tuple(sorted(edges)))
    pairs: Any = model.bqm.quadratic  # variables of a sampled model are 0..N−1
    return Structure(N, tuple(sorted((min(u, v), max(u, v)) for u, v in pairs)))
