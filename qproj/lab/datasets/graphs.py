"""Graphs with labelled nodes: the karate club, offline, and Planetoid's citation graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from qproj._arrays import frozen
from qproj._extras import install_hint
from qproj._options import nearest
from qproj.lab.datasets.fingerprint import require_fingerprint
from qproj.lab.datasets.retrieve import load_arrays

PLANETOID = ("cora", "citeseer", "pubmed")
#: The four communities of Kipf and Welling's GCN paper (arXiv 1609.02907, figure 1), node by node.
_COMMUNITIES = "1111333101311100310101002200200200"


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph whose nodes are to be classified; arrays are read-only.

    Attributes
    ----------
    name : str
    features : scipy.sparse.csr_matrix
        (nodes, d) float32, not normalised.
    edges : (m, 2) int32
        Undirected, each once, u < v, no loops.
    y : (nodes,) int64
        Classes from 0 on; 0 as filler for nodes in `unlabelled`.
    train_mask, val_mask, test_mask : (nodes,) bool
    unlabelled : (k,) int32
    num_classes : int
    """

    name: str
    features: Any
    edges: NDArray[np.int32]
    y: NDArray[np.int64]
    train_mask: NDArray[np.bool_]
    val_mask: NDArray[np.bool_]
    test_mask: NDArray[np.bool_]
    unlabelled: NDArray[np.int32]
    num_classes: int

    @property
    def num_nodes(self) -> int:
        """The number of nodes."""
        return len(self.y)

    def adjacency(self, *, loops: bool = False) -> Any:
        """Return the symmetric 0/1 adjacency as a float32 csr_matrix, with self loops on request."""
        u, v = self.edges.T
        ones = np.ones(2 * len(u), np.float32)
        A = sp.csr_matrix((ones, (np.concatenate([u, v]), np.concatenate([v, u]))), shape=(self.num_nodes,) * 2)
        return (A + sp.identity(self.num_nodes, np.float32, format="csr")).tocsr() if loops else A

    def __repr__(self) -> str:
        split = "/".join(str(int(mask.sum())) for mask in (self.train_mask, self.val_mask, self.test_mask))
        return (
            f"Graph({self.name!r}, nodes={self.num_nodes}, edges={len(self.edges)}, features={self.features.shape[1]}, "
            f"classes={self.num_classes}, split={split})"
        )


def load_planetoid(name: str) -> Graph:
    """Return "cora", "citeseer" or "pubmed" with the standard split (20 per class, 500, 1000).

    Raises
    ------
    ValueError
        Another name, or damaged files in QPROJ_DATA_DIR.
    DataUnavailableError
        Not on this machine and not to be downloaded.
    """
    if name not in PLANETOID:
        raise ValueError(f"no Planetoid graph is called {name!r}; {nearest(name, PLANETOID)}")
    arrays = load_arrays(name)
    parts = [frozen(arrays[f"x_{part}"].copy()) for part in ("data", "indices", "indptr")]
    rows, columns = arrays["x_shape"].tolist()
    return Graph(
        name=name,
        features=sp.csr_matrix((parts[0], parts[1], parts[2]), shape=(rows, columns)),
        edges=frozen(arrays["edges"].copy()),
        y=frozen(arrays["y"].astype(np.int64)),
        train_mask=frozen(arrays["train_mask"].copy()),
        val_mask=frozen(arrays["val_mask"].copy()),
        test_mask=frozen(arrays["test_mask"].copy()),
        unlabelled=frozen(arrays["unlabelled"].copy()),
        num_classes=int(arrays["y"].max()) + 1,
    )


def load_karate(labels: str = "communities") -> Graph:
    """Return Zachary's karate club, 34 nodes and 78 edges, from networkx; features are the identity.

    Parameters
    ----------
    labels : str
        "communities": four of them, the first node of each (0, 4, 8, 24) for training. "club": Mr. Hi (0) or the
        officer (1), their nodes 0 and 33 for training. All other nodes are the test set.

    Raises
    ------
    ValueError
        Other labels.
    ImportError
        networkx is not installed.
    """
    if labels not in ("communities", "club"):
        raise ValueError(f"labels is {labels!r}; 'communities' (four) and 'club' (two) are there")
    arrays = karate_arrays()
    suffix = "club" if labels == "club" else "community4"
    y, train = arrays[f"y_{suffix}"].astype(np.int64), arrays[f"train_mask_{suffix}"]
    return Graph(
        name="karate" if labels == "communities" else "karate-club",
        features=sp.identity(len(y), np.float32, format="csr"),
        edges=frozen(arrays["edges"]),
        y=frozen(y),
        train_mask=frozen(train),
        val_mask=frozen(np.zeros(len(y), bool)),
        test_mask=frozen(~train),
        unlabelled=frozen(np.empty(0, np.int32)),
        num_classes=int(y.max()) + 1,
    )


def karate_arrays() -> dict[str, NDArray[Any]]:
    """Return the club's arrays in the layout of ``graphs/karate.npz``, checked."""
    try:
        import networkx as nx
    except ImportError:
        raise ImportError(f"networkx is not installed; it brings this graph: {install_hint('data')}") from None
    graph = nx.karate_club_graph()
    y_club = np.array([graph.nodes[node]["club"] != "Mr. Hi" for node in range(34)], np.int16)
    y_community = np.array([int(digit) for digit in _COMMUNITIES], np.int16)
    masks = np.zeros((2, 34), bool)
    masks[0, [0, 33]] = True
    masks[1, [0, 4, 8, 24]] = True
    arrays: dict[str, NDArray[Any]] = {
        "edges": np.array(sorted((min(e), max(e)) for e in graph.edges), np.int32), "y_club": y_club,
        "y_community4": y_community, "train_mask_club": masks[0], "train_mask_community4": masks[1],
    }  # fmt: skip
    require_fingerprint("karate", arrays, "networkx")
    return arrays
