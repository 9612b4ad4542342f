"""Minor embeddings: busclique first, minorminer else; kept on disk by content, packed side by side on one machine."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from qproj.solvers import TooLargeError
from qproj.solvers.redact import logger
from qproj_dwave.structure import Structure

LOG = logger()

#: Variable → qubits of its chain.
Embedding = dict[int, tuple[int, ...]]

#: The least time of a search, in seconds.
LEAST_SEARCH_S = 0.1
#: Part of every key: raise it when a search finds other embeddings than before.
VERSION = 1


class Embedder:
    """Embeddings of structures in one machine's graph: each searched once, in memory and on disk.

    Parameters
    ----------
    graph : networkx.Graph
        The machine's working qubits and couplers, as dwave-graphs makes it.
    folder : Path or None
        Where embeddings are kept; None keeps them in memory only.
    timeout_s : float
        For one search of minorminer.

    Attributes
    ----------
    searches : int
        How often a search was needed.
    """

    def __init__(self, graph: Any, folder: Path | None, timeout_s: float) -> None:
        self.graph, self.folder, self.timeout_s = graph, folder, timeout_s
        self.searches = 0
        self._known: dict[str, list[Embedding]] = {}
        self._failed: dict[str, float] = {}  # the seconds that a search without a result took
        digest = hashlib.sha256(f"v{VERSION}".encode())
        digest.update(np.asarray(sorted(graph.nodes), "<i8").tobytes())
        digest.update(np.asarray(sorted(tuple(sorted(e)) for e in graph.edges), "<i8").tobytes())
        self._graph_key = digest.hexdigest()

    def find(self, structure: Structure, count: int, *, deadline: float | None = None) -> list[Embedding]:
        """Return up to `count` disjoint embeddings of a structure, one at least.

        Raises
        ------
        TooLargeError
            None was found.
        """
        self.require_room(structure)
        key = hashlib.sha256(f"{structure.key}{self._graph_key}".encode()).hexdigest()
        known = self._known.get(key) or self._read(key, structure) or []
        full = bool(known) and len(known[-1]) == 0  # an empty last one says that no more fit
        found = [e for e in known if e]
        if len(found) < count and not full:
            left = self._left_s(deadline)
            if not found and self._failed.get(key, -1.0) >= left:
                raise self._too_large(structure, f"was found in {self._failed[key]:.2g} s")
            self.searches += 1
            found, full = self._extend(structure, found, count, deadline)
            if not found:
                self._failed[key] = left
                raise self._too_large(structure, f"was found in {left:.2g} s")
            known = [*found, {}] if full else found
            self._write(key, known)
        self._known[key] = known
        return found[:count]

    def _left_s(self, deadline: float | None) -> float:
        """The seconds that a search may take."""
        left = self.timeout_s if deadline is None else min(self.timeout_s, deadline - time.perf_counter())
        return max(left, LEAST_SEARCH_S)

    def require_room(self, structure: Structure) -> None:
        """Raise where counting shows that no embedding exists, before any search.

        A chain of L qubits of degree D, joined by L − 1 couplers, has at most L·D − 2(L − 1) couplers to others.
        """
        degrees = np.bincount(np.asarray(structure.edges, np.int64).ravel(), minlength=structure.num_variables)
        most = max((degree for _, degree in self.graph.degree), default=0)
        chains = np.ceil((degrees - 2) / max(most - 2, 1)) if most > 2 else degrees
        qubits = int(np.maximum(chains, 1).sum())
        if qubits > len(self.graph) or len(structure.edges) > self.graph.number_of_edges():
            raise self._too_large(structure, f"exists: it takes {qubits} qubits at least, by its couplers alone,")

    def _too_large(self, structure: Structure, what: str) -> TooLargeError:
        return TooLargeError(
            f"no embedding of {structure.num_variables} variables and {len(structure.edges)} interactions {what} of "
            f"{len(self.graph)} qubits; use encoding='margin', a larger machine, 'sa' or 'auto'"
        )

    def _extend(
        self, structure: Structure, found: list[Embedding], count: int, deadline: float | None
    ) -> tuple[list[Embedding], bool]:
        """Return more embeddings, and whether that is all that fits."""
        left = self._left_s(deadline)
        first = found[0] if found else search(structure, self.graph, timeout_s=left)
        if not first or count == 1:
            return ([first] if first else []), False
        end = time.perf_counter() + left
        packed = pack(structure, self.graph, count, deadline=end)
        full = len(packed) < count and time.perf_counter() < end
        return (packed, full) if len(packed) > 1 else ([first], full)

    def _read(self, key: str, structure: Structure) -> list[Embedding] | None:
        if self.folder is None:
            return None
        path = self.folder / f"{key}.json"
        try:
            stored = json.loads(path.read_text())
            embeddings = [{int(v): tuple(int(q) for q in chain) for v, chain in e.items()} for e in stored]
            for embedding in embeddings:
                if embedding:
                    check(embedding, structure, self.graph)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            LOG.warning("the stored embedding %s cannot be used (%s); it is searched again", path, error)
            return None
        return embeddings

    def _write(self, key: str, embeddings: list[Embedding]) -> None:
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".tmp", delete=False) as file:
                json.dump([{str(v): list(chain) for v, chain in e.items()} for e in embeddings], file)
            os.replace(file.name, self.folder / f"{key}.json")
        except OSError as error:
            LOG.warning("the embedding cannot be kept in %s (%s); the next run searches again", self.folder, error)


def search(structure: Structure, graph: Any, *, timeout_s: float) -> Embedding:
    """Return one embedding, or {}: a clique's from busclique, which holds any graph; else one from minorminer."""
    from minorminer import busclique, find_embedding

    N = structure.num_variables
    if "family" in graph.graph:
        # with busclique's own cache: without it, minorminer 0.2 does not come back from some searches
        clique = _tuples(busclique.busgraph_cache(graph, seed=VERSION).find_clique_embedding(N))
        if clique or structure.is_clique:
            return clique
    return _tuples(find_embedding(_source(structure), graph.edges, random_seed=VERSION, timeout=timeout_s))


def pack(structure: Structure, graph: Any, count: int, *, deadline: float) -> list[Embedding]:
    """Return up to `count` disjoint embeddings: those of the smallest tile that holds one, moved along the lattice."""
    import networkx as nx
    from dwave import graphs
    from minorminer import find_embedding
    from minorminer.utils.parallel_embeddings import find_sublattice_embeddings

    family = graph.graph.get("family")
    if family is None:
        return []
    source = nx.Graph(structure.edges)
    source.add_nodes_from(range(structure.num_variables))
    for size in range(2 if family == "pegasus" else 1, int(graph.graph["rows"]) + 1):
        tile = getattr(graphs, f"{family}_graph")(size)
        own = search(structure, tile, timeout_s=1.0) if len(tile) >= structure.num_variables else {}
        if own:
            break
    else:
        return []
    free, rest = graph.copy(), tile.copy()
    found: list[Embedding] = []
    while own and len(found) < count and time.perf_counter() < deadline:
        moved = find_sublattice_embeddings(
            source, free, tile=tile, tile_embedding=own, use_tile_embedding=True, use_filter=False,
            max_num_emb=count - len(found), one_to_iterable=True, timeout=deadline - time.perf_counter(),
        )  # fmt: skip
        found += [_tuples(e) for e in moved]
        free.remove_nodes_from([q for e in moved for chain in e.values() for q in chain])
        rest.remove_nodes_from([q for chain in own.values() for q in chain])
        own = find_embedding(_source(structure), rest.edges, random_seed=VERSION, timeout=1) if len(rest) else {}
    return found


def _source(structure: Structure) -> list[tuple[int, int]]:
    """Edges for minorminer; for a variable without interactions, a loop."""
    return [*structure.edges, *((i, i) for i in range(structure.num_variables))]


def check(embedding: Embedding, structure: Structure, graph: Any) -> None:
    """Raise ValueError where chains overlap, leave the graph, fall apart, or miss a coupler."""
    import networkx as nx

    if set(embedding) != set(range(structure.num_variables)):
        raise ValueError("it has other variables")
    qubits = [q for chain in embedding.values() for q in chain]
    if len(qubits) != len(set(qubits)) or not set(qubits) <= set(graph.nodes):
        raise ValueError("its qubits overlap or do not work")
    owner = {q: v for v, chain in embedding.items() for q in chain}
    if not all(chain and nx.is_connected(graph.subgraph(chain)) for chain in embedding.values()):
        raise ValueError("a chain falls apart")
    joined = {frozenset((owner[p], owner[q])) for p, q in graph.subgraph(qubits).edges if owner[p] != owner[q]}
    if not all(frozenset(edge) in joined for edge in structure.edges):
        raise ValueError("two variables that interact share no coupler")


def default_folder() -> Path:
    """Return where embeddings are kept: QPROJ_CACHE_DIR, else the user's cache folder."""
    base = os.environ.get("QPROJ_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join(Path.home(), ".cache"), "qproj"
    )
    return Path(base) / "embeddings"


def _tuples(embedding: Any) -> Embedding:
    return {int(v): tuple(int(q) for q in chain) for v, chain in embedding.items()}
