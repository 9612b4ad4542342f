"""The graph that an encoding needs from an annealer: fixed by shapes, not by values; one embedding serves all."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from qproj.encodings import SampledModel

Edge = tuple[int, int]


@dataclass(frozen=True)
class Structure:
    """Variables 0..N−1 and the pairs that may interact.

    Every neuron of a layer has the same structure, and so has every batch of that shape: the weight bits form a clique,
    and each row's bits form a clique that is joined to all weight bits.
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


def structure_of(model: SampledModel) -> Structure:
    """Return the structure of a sampled model: that of its encoding, or its own interactions."""
    N = model.bqm.num_variables
    if model.structure == "clique":
        return Structure(N, tuple(itertools.combinations(range(N), 2)))
    if model.structure == "rows" and model.columns is not None:
        B = len(model.columns.labels)
        rows: dict[Any, list[int]] = {}
        for i, label in enumerate(model.labels[B:], B):
            rows.setdefault(label[1], []).append(i)  # type: ignore[index]
        edges = list(itertools.combinations(range(B), 2))
        for own in rows.values():
            edges += list(itertools.product(range(B), own))
            edges += list(itertools.combinations(own, 2))
        return Structure(N, tuple(sorted(edges)))
    pairs: Any = model.bqm.quadratic  # variables of a sampled model are 0..N−1
    return Structure(N, tuple(sorted((min(u, v), max(u, v)) for u, v in pairs)))
